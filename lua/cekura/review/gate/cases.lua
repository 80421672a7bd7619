--- The cases of a gate's reports: what each metric says of each run, by scenario.

local checks = require "cekura.review.gate.checks"
local metrics = require "cekura.review.internal.metrics"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"
local api = require "cekura.values"

local cases = {}

---@class cekura.review.Case
---@field scenario string
---@field name string the metric, with the personality and the repetition if there are several
---@field run_id integer
---@field outcome "passed"|"failure"|"error"|"skipped"
---@field message string? why it has not passed
---@field explanation string? of the metric

-- ---- scenarios ----

--- Returns the runs by scenario, in the order of the scenarios' names: { name, id, runs }.
local function scenarios_of(result)
  local by_key, list, names = {}, {}, {}
  for _, run in ipairs(checks.runs(result)) do
    local key = run.scenario or run.scenario_name or ""
    local scenario = by_key[key]
    if not scenario then
      scenario = { id = run.scenario, name = run.scenario_name or "no scenario", runs = {} }
      by_key[key], list[#list + 1] = scenario, scenario
      names[scenario.name] = (names[scenario.name] or 0) + 1
    end
    table.insert(scenario.runs, run)
  end
  for _, scenario in ipairs(list) do
    if names[scenario.name] > 1 then
      scenario.name = ("%s (%s)"):format(scenario.name, scenario.id or "no id")
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

--- Returns how each run of a scenario is called after the metric: its personality and its
--- repetition, such as " [Normal #2]"; "" if there is only one.
local function labels_of(runs)
  local counts, personalities, seen, labels = {}, 0, {}, {}
  local function key_of(run) return run.personality_name or tostring(run.personality or "") end
  for _, run in ipairs(runs) do
    local key = key_of(run)
    if not counts[key] then personalities = personalities + 1 end
    counts[key] = (counts[key] or 0) + 1
  end
  for i, run in ipairs(runs) do
    local key, parts = key_of(run), {}
    seen[key] = (seen[key] or 0) + 1
    if personalities > 1 and key ~= "" then parts[1] = key end
    if counts[key] > 1 then parts[#parts + 1] = "#" .. seen[key] end
    labels[i] = #parts > 0 and (" [%s]"):format(table.concat(parts, " ")) or ""
  end
  return labels
end

-- ---- one case ----

--- Returns what a threshold wants of one run, see checks.is_met: ">=2.5", "confirmed".
local function words_of(wanted)
  if not wanted.value then return wanted.compare .. texttable.show(wanted.bound) end
  return (wanted.compare:find ">" and "%s" or "not %s"):format(wanted.value)
end

--- Returns what the thresholds of a metric want and the value does not have; nil if that is
--- nothing. Without a threshold, a binary metric wants a pass, and the others want nothing.
local function missed(row, thresholds)
  local list = {}
  for _, wanted in ipairs(thresholds or {}) do
    if not checks.is_met(row, wanted) then list[#list + 1] = words_of(wanted) end
  end
  if not thresholds and row.value == false then list[1] = "passed" end
  return #list > 0 and table.concat(list, ", ") or nil
end

local function judge_metric(row, thresholds)
  if not row.applies then return "skipped", "the metric does not apply" end
  if row.value == nil then return "error", "the value cannot be read" end
  local wanted = missed(row, thresholds)
  if not wanted then return "passed" end
  return "failure", ("%s, wanted %s"):format(values.show(values.word(row.value)), wanted)
end

local function judge_run(run)
  if checks.is_broken(run) then return "error", "the run is " .. run.status end
  if run.success == true then return "passed" end
  return "failure", "the run did not succeed"
end

-- ---- all of them ----

local SUCCESS = "success"  -- the case of the run as a whole

--- Returns the names of the metrics by id, with the id if another case has the same name.
local function names_of(result)
  local names, ids = {}, { [SUCCESS] = 0 }
  for _, run in ipairs(checks.runs(result)) do
    for _, row in ipairs(api.rows(run)) do
      if row.id then
        local name = row.name or ("metric %d"):format(row.id)
        if ids[name] and ids[name] ~= row.id then name = ("%s (%d)"):format(name, row.id) end
        ids[name], names[row.id] = row.id, names[row.id] or name
      end
    end
  end
  return names
end

local function in_order(a, b)
  if a.name ~= b.name then return a.name < b.name end
  return a.run_id < b.run_id
end

--- Returns the cases of one scenario, in the order of their names.
local function cases_of(scenario, names, thresholds)
  local list, labels = {}, labels_of(scenario.runs)
  for i, run in ipairs(scenario.runs) do
    local function add(name, explanation, outcome, message)
      list[#list + 1] = { scenario = scenario.name, name = name .. labels[i], run_id = run.id,
        outcome = outcome, message = message, explanation = explanation }
    end
    add(SUCCESS, nil, judge_run(run))
    for id, name in pairs(names) do
      local row = metrics.entry(run, id)
      if row then
        add(name, metrics.explanation(row.explanation), judge_metric(row, thresholds[id]))
      end
    end
  end
  table.sort(list, in_order)
  return list
end

--- Returns the cases of a result, by scenario.
---@param result table of responses.result
---@param thresholds table[] of checks.threshold
---@return { name: string, cases: cekura.review.Case[] }[]
function cases.of(result, thresholds)
  local by_metric, names, suites = {}, names_of(result), {}
  for _, wanted in ipairs(thresholds) do
    by_metric[wanted.id] = by_metric[wanted.id] or {}
    table.insert(by_metric[wanted.id], wanted)
  end
  for i, scenario in ipairs(scenarios_of(result)) do
    suites[i] = { name = scenario.name, cases = cases_of(scenario, names, by_metric) }
  end
  return suites
end

return cases
