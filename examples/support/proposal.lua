--- What the optimiser proposes for a metric: what of it would change the metric, and how it looks.

local cost = require "support.cost"
local diff = require "support.diff"
local output = require "support.output"
local text = require "support.text"
local texttable = require "support.table"

local proposal = {}

--- The fields in which a proposal and a metric are compared, in the order in which they are shown.
local FIELDS = {
  "description", "evaluation_trigger", "trigger_type", "evaluation_trigger_prompt",
  "evaluation_trigger_custom_code", "type", "custom_code",
}

--- The answer itself, or what in it holds the proposal: its documents do not say.
local function body_of(answer)
  for _, name in ipairs { "data", "result", "progress" } do
    local inner = answer[name]
    if type(inner) == "table" and inner.improved_metric_description then return inner end
  end
  return answer
end

local IS_WORD = { always = true, automatic = true }

--- "always", or else a prompt or code that decides whether a call is judged at all.
local function add_trigger(fields, body)
  local trigger = body.improved_evaluation_trigger
  if not trigger or trigger == "" then return end
  fields.evaluation_trigger = IS_WORD[trigger] and trigger or "custom"
  if IS_WORD[trigger] then return end
  local is_code = (body.improved_trigger_kind or body.trigger_type) == "custom_code"
  fields.trigger_type = is_code and "custom_code" or "llm_judge"
  fields[is_code and "evaluation_trigger_custom_code" or "evaluation_trigger_prompt"] = trigger
end

--- The fields of a metric as the proposal would have them.
local function fields_of(answer)
  local body = body_of(answer)
  local code = body.custom_code ~= "" and body.custom_code or nil
  local fields = {
    description = body.improved_metric_description, custom_code = code,
    type = code and "custom_code" or body.type,
  }
  add_trigger(fields, body)
  return fields
end

--- What metrics:update takes to make the metric what is proposed; empty where it already is.
---@param metric table as metrics:get returns it
---@param answer table as metric_reviews:wait returns it
function proposal.changes(metric, answer)
  local changes, fields = {}, fields_of(answer)
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

--- Whether the optimiser itself has found that its proposal is worse than what there is.
function proposal.is_worse(answer)
  local body = body_of(answer)
  local old, new = share_of(body.old_score), share_of(body.new_score)
  return old ~= nil and new ~= nil and new < old
end

-- ---- on the screen ----

local CANNOT = "  It also has an advanced configuration, which cannot be saved from here: see the\n"
  .. "  dashboard."

--- Prints what would change, the scores, and what the optimiser says of it.
function proposal.print(metric, answer)
  local body, changes = body_of(answer), proposal.changes(metric, answer)
  for _, name in ipairs(FIELDS) do
    if changes[name] then diff.print(name, metric[name] or "", changes[name]) end
  end
  text.print("  score: %s → %s", score_text(body.old_score), score_text(body.new_score))
  local unresolved = type(body.unresolved_samples) == "table" and #body.unresolved_samples or 0
  if unresolved > 0 then text.print("  unresolved: %s", cost.count(unresolved, "sample")) end
  if (body.optimization_summary or "") ~= "" then text.print("  %s", body.optimization_summary) end
  if body.metric_description_program then output.print(CANNOT) end
end

return proposal
