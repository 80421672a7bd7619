--- The optimiser's proposal for a metric: the changes that it would make, its own scores, and the
--- samples that it could not resolve. A result below is the result of `jobs.wait`.

local cekura = require "cekura"
require "cekura.core"  -- loads cekura.internal
local internal = require "cekura.internal"
local cost = require "cekura.review.internal.cost"
local diff = require "cekura.review.internal.diff"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"

local proposal = {}

-- The advanced configuration. A metric in a response has none of these by the API's document.
local ADVANCED = {
  "metric_description_program", "metric_description_variables", "evaluation_trigger_program",
  "evaluation_trigger_variables",
}

-- The fields that a proposal may change, in the order in which they are printed. metrics.update
-- and run_reviews accept each of them.
local FIELDS = {
  "description", "evaluation_trigger", "trigger_type", "evaluation_trigger_prompt",
  "evaluation_trigger_custom_code", "type", "custom_code", table.unpack(ADVANCED),
}

-- All other triggers are a prompt or code that decides whether a call is judged.
local IS_WORD = { always = true, automatic = true }

--- Sets the fields of the proposed trigger. By ProcessFeedbacksResponse it is a word, a prompt, or
--- the code that improved_trigger_kind announces.
local function add_trigger(fields, result)
  local trigger = result.improved_evaluation_trigger or ""
  if IS_WORD[trigger] then
    fields.evaluation_trigger = trigger
  elseif trigger ~= "" then
    local is_code = (result.improved_trigger_kind or result.trigger_type) == "custom_code"
    fields.evaluation_trigger = "custom"
    fields.trigger_type = is_code and "custom_code" or "llm_judge"
    fields[is_code and "evaluation_trigger_custom_code" or "evaluation_trigger_prompt"] = trigger
  end
end

local function is_empty(value)
  return value == nil or value == cekura.null or value == ""
    or type(value) == "table" and next(value) == nil
end

--- Returns the fields of the metric with the proposal applied.
local function fields_of(result)
  local fields, description = {}, result.improved_metric_description
  if not is_empty(description) then fields.description = description end
  add_trigger(fields, result)
  if not is_empty(result.custom_code) then fields.custom_code = result.custom_code end
  fields.type = fields.custom_code and "custom_code" or result.type
  for _, name in ipairs(ADVANCED) do
    if not is_empty(result[name]) then fields[name] = result[name] end
  end
  return fields
end

--- Returns whether two values of a field are equal. An absent value, an empty one and null are.
local function is_same(one, other)
  if is_empty(one) or is_empty(other) then return is_empty(one) and is_empty(other) end
  if type(one) ~= "table" or type(other) ~= "table" then return one == other end
  for key, value in pairs(one) do
    if not is_same(value, other[key]) then return false end
  end
  for key, value in pairs(other) do
    if one[key] == nil and not is_empty(value) then return false end
  end
  return true
end

--- Returns the fields of a metric that a proposal may change.
---@param metric table of metrics:get
function proposal.fields(metric)
  local fields = {}
  for _, name in ipairs(FIELDS) do fields[name] = metric[name] end
  return fields
end

--- Returns the names of the fields in which two tables differ, in order.
---@param names table<string, any>? only the fields of this table
function proposal.differences(one, other, names)
  local list = {}
  for _, name in ipairs(FIELDS) do
    local counts = names == nil or names[name] ~= nil
    if counts and not is_same(one[name], other[name]) then list[#list + 1] = name end
  end
  return list
end

--- Returns the arguments of metrics:update, without metric_id, that apply the proposal. The table
--- is empty if the metric is already as proposed.
---@param metric table of metrics:get
---@param result table
function proposal.changes(metric, result)
  local changes, fields = {}, fields_of(result)
  for _, name in ipairs(proposal.differences(fields, metric, fields)) do
    changes[name] = fields[name]
  end
  return changes
end

--- Returns the changes for --json: a list of { field, old, new }.
function proposal.data(metric, changes)
  local list = cekura.array {}
  for _, name in ipairs(FIELDS) do
    if changes[name] ~= nil then
      list[#list + 1] = { field = name, old = metric[name], new = changes[name] }
    end
  end
  return list
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

--- Returns whether the proposal scores worse than the metric, by the optimiser's own score.
function proposal.is_worse(result)
  local old, new = share_of(result.old_score), share_of(result.new_score)
  return old ~= nil and new ~= nil and new < old
end

-- ---- samples and labels ----

--- Returns a value of the proposal as text; an object or a list as JSON.
local function shown(value)
  if type(value) ~= "table" then return tostring(value) end
  return internal.json(value) or "an object"
end

--- The fields of a sample that are printed; the document names them in a sentence only.
local SAMPLE = { "verdict", "pass_rate", "explanation" }

local function part_of(name, value)
  local share = name == "pass_rate" and tonumber(value)
  return share and text.percent(share) .. " right" or shown(value)
end

--- Returns a sample as text; as JSON if it has none of the fields.
local function sample_text(sample)
  if type(sample) ~= "table" then return tostring(sample) end
  local parts = {}
  for _, name in ipairs(SAMPLE) do
    if not is_empty(sample[name]) then parts[#parts + 1] = part_of(name, sample[name]) end
  end
  if #parts == 0 then return shown(sample) end
  local id = sample.test_set_id
  return (is_empty(id) and "" or ("test set %s: "):format(shown(id))) .. table.concat(parts, ", ")
end

-- The lists in a proposal that are not changes of the metric, with their titles.
local LISTS = {
  { "unresolved_samples", "unresolved: %s, which no wording got right", "sample" },
  { "feedback_edits", "the optimiser has corrected the feedback of %s", "label" },
  { "unauthorized_label_changes", "without approval it has changed %s", "expected value" },
}

local function list_of(result, name)
  local list = result[name]
  if is_empty(list) then return {} end
  return type(list) == "table" and #list > 0 and list or { list }
end

--- Returns the samples that the optimiser could not resolve, for --json.
function proposal.unresolved(result)
  return cekura.array { table.unpack(list_of(result, "unresolved_samples")) }
end

local function print_lists(result)
  for _, row in ipairs(LISTS) do
    local list = list_of(result, row[1])
    if #list > 0 then text.print("  " .. row[2], text.count(#list, row[3])) end
    for _, item in ipairs(list) do text.print("    %s", text.line(sample_text(item))) end
  end
end

-- ---- printing ----

local OWN = "  the optimiser's own score, on labels that it learned from:\n    %s → %s"

--- Prints the changes, the optimiser's own scores, what it says of labels, and its summary.
function proposal.print(metric, result)
  local changes = proposal.changes(metric, result)
  for _, name in ipairs(FIELDS) do
    if changes[name] ~= nil then
      local old = is_empty(metric[name]) and "" or shown(metric[name])
      diff.print(name, old, shown(changes[name]))
    end
  end
  text.print(OWN, score_text(result.old_score), score_text(result.new_score))
  print_lists(result)
  cost.print_per_sample(result.estimated_cost_per_sample)
  local summary = result.optimization_summary or ""
  if summary ~= "" then text.print("  %s", summary) end
end

return proposal
