--- The common part of the steps of `labs`. A cycle has { client, options, saved, data, metric,
--- source, scope, ids, items, report }: `data` is saved.data, and `report` the data for --json.

local cost = require "cekura.review.internal.cost"
local metrics = require "cekura.review.internal.metrics"
local text = require "cekura.review.internal.text"
local values = require "cekura.review.internal.values"

local cycle_parts = {}

local STEPS = 7

--- Prints the heading of a step.
function cycle_parts.begin(number, name, question)
  text.print("\nStep %d of %d, %s: %s", number, STEPS, name, question)
end

--- Returns the reviews of the source's calls in the metric's Lab: { [call id] = review }.
function cycle_parts.lab_of(cycle)
  local lab = {}
  for _, review in ipairs(cycle.metric.reviews or {}) do
    local set = review.test_set or {}
    if set.id and set.source_model == cycle.source.model then
      lab[tostring(set.source_id)] = review
    end
  end
  return lab
end

--- Returns the calls that the metric has judged, the oldest first: a list of { id, batch, call,
--- entry, value, expected, is_reviewed }. The expected value is that of the last vote; the API
--- documents only that of the Lab.
function cycle_parts.read(cycle)
  local items, lab = {}, cycle_parts.lab_of(cycle)
  for _, item in ipairs(cycle.source.read(cycle, cycle.ids)) do
    local row, entry = metrics.entry(item.call, cycle.options.metric)
    if row and row.value ~= nil then
      local expected = entry.expected_value
      if expected == nil and lab[item.id] then expected = lab[item.id].expected_value end
      item.entry, item.value, item.expected = entry, row.value, expected
      item.is_reviewed = expected ~= nil
      items[#items + 1] = item
    end
  end
  table.sort(items, function(a, b) return tonumber(a.id) < tonumber(b.id) end)
  return items
end

function cycle_parts.agrees(cycle, value, expected)
  return values.are_same(cycle.metric.eval_type, value, expected)
end

--- Returns how many calls were reviewed, and in how many of them the reviewer and the metric agree.
function cycle_parts.agreement(cycle)
  local reviewed, agreed = 0, 0
  for _, item in ipairs(cycle.items) do
    if item.is_reviewed then reviewed = reviewed + 1 end
    if item.is_reviewed and cycle_parts.agrees(cycle, item.value, item.expected) then
      agreed = agreed + 1
    end
  end
  return reviewed, agreed
end

--- Returns the number of calls that the optimiser reads or is scored on, and that are evaluated
--- again.
function cycle_parts.count_reviewed(cycle)
  return cycle.data.before and #cycle.data.before or (cycle_parts.agreement(cycle))
end

--- Prints what evaluations of the metric cost. Ends the command if they cannot be paid.
---@param apply boolean? whether they are started now
function cycle_parts.show_cost(cycle, evaluations, made_of, apply)
  local options = cycle.options
  cost.show(cycle.client, { evaluations = evaluations, made_of = made_of, apply = apply,
    metric_ids = { options.metric }, scopes = { cost.scope(options.agent, options.project) } })
end

--- Returns a share as text: "82% (9 of 11 runs)".
function cycle_parts.share_text(cycle, part, whole)
  if whole == 0 then return "nobody has reviewed anything" end
  return ("%s (%d of %s)"):format(text.percent(part / whole), part,
    text.count(whole, cycle.source.noun))
end

return cycle_parts
