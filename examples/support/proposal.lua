--- The optimiser's proposal for a metric: the changes that it would make, and its scores.
--- A result below is the result of `jobs.wait`.

local cost = require "support.cost"
local diff = require "support.diff"
local output = require "support.output"
local text = require "support.text"
local texttable = require "support.table"

local proposal = {}

-- The fields that a proposal may change, in the order in which they are printed.
local FIELDS = {
  "description", "evaluation_trigger", "trigger_type", "evaluation_trigger_prompt",
  "evaluation_trigger_custom_code", "type", "custom_code",
}

-- All other triggers are a prompt or code that decides whether a call is judged.
local IS_WORD = { always = true, automatic = true }

--- Returns the fields of the metric with the proposal applied.
local function fields_of(result)
  local code = result.custom_code ~= "" and result.custom_code or nil
  local fields = {
    description = result.improved_metric_description, custom_code = code,
    type = code and "custom_code" or result.type,
  }
  local trigger = result.improved_evaluation_trigger
  if IS_WORD[trigger] then
    fields.evaluation_trigger = trigger
  elseif trigger and trigger ~= "" then
    local is_code = (result.improved_trigger_kind or result.trigger_type) == "custom_code"
    fields.evaluation_trigger = "custom"
    fields.trigger_type = is_code and "custom_code" or "llm_judge"
    fields[is_code and "evaluation_trigger_custom_code" or "evaluation_trigger_prompt"] = trigger
  end
  return fields
end

--- Returns the arguments of metrics:update, without metric_id, that apply the proposal. The table
--- is empty if the metric is already as proposed.
---@param metric table of metrics:get
---@param result table
function proposal.changes(metric, result)
  local changes, fields = {}, fields_of(result)
  for _, name in ipairs(FIELDS) do
    if fields[name] ~= nil and fields[name] ~= (metric[name] or "") then
      changes[name] = fields[name]
    end
  end
  return changes
end

-- ---- scores ----

local function share_of(score)
  if type(score) == "table" then return tonumber(score.score) end
  return tonumber(score)
end

local function score_text(score)
  local share = share_of(score)
  if not share then return "not tried" end
  if type(score) ~= "table" or not score.num_total then return texttable.show(share) end
  return ("%s (%s of %s right)"):format(text.percent(share), texttable.show(score.num_correct),
    texttable.show(score.num_total))
end

--- Returns whether the proposal scores worse than the metric.
function proposal.is_worse(result)
  local old, new = share_of(result.old_score), share_of(result.new_score)
  return old ~= nil and new ~= nil and new < old
end

-- ---- printing ----

local CANNOT = "  It also has an advanced configuration, which cannot be saved from here: see the\n"
  .. "  dashboard."

--- Prints the changes, the scores, and the optimiser's summary.
function proposal.print(metric, result)
  local changes = proposal.changes(metric, result)
  for _, name in ipairs(FIELDS) do
    if changes[name] then diff.print(name, metric[name] or "", changes[name]) end
  end
  text.print("  score: %s → %s", score_text(result.old_score), score_text(result.new_score))
  local unresolved = type(result.unresolved_samples) == "table" and #result.unresolved_samples or 0
  if unresolved > 0 then text.print("  unresolved: %s", text.count(unresolved, "sample")) end
  cost.print_per_sample(result.estimated_cost_per_sample)
  local summary = result.optimization_summary or ""
  if summary ~= "" then text.print("  %s", summary) end
  if result.metric_description_program then output.print(CANNOT) end
end

return proposal
