--- Pairs the runs of two results: each run of one with a run of the other that has the same
--- scenario, personality, test profile and repetition.

local null = require "cjson".null

local matching = {}

local function given(value)
  if value == null or value == "" then return nil end
  return value
end

local function text(value) return given(value) and tostring(value) or nil end

-- The name of every scenario that was deleted, in the API's document of a run.
local DELETED = "Scenario Deleted"

--- Returns what identifies one thing of a run: its id, or else its name; nil without both.
local function identity(id, name)
  id, name = given(id), given(name)
  if id then return ("%s"):format(math.tointeger(tonumber(id)) or tostring(id)) end
  return name and name ~= DELETED and "name " .. tostring(name) or nil
end

matching.NOT_CONNECTED, matching.UNFINISHED = "not connected", "not finished"

--- The statuses of runs that are not evaluated (results-retrieve of the API's document). Any other
--- run is compared, also one without a status.
local REASONS = {}
for status in ("failed cancelled timeout"):gmatch "%S+" do
  REASONS[status] = matching.NOT_CONNECTED
end
for status in ("running pending in_progress evaluating in_queue scaling_up"):gmatch "%S+" do
  REASONS[status] = matching.UNFINISHED
end

--- Returns why a run or a result with this status is not compared; nil if it is compared.
function matching.reason(status) return REASONS[status] end

--- Returns what a run is matched by, and the identity of its scenario.
local function key_of(run, profile)
  local scenario = identity(run.scenario, run.scenario_name)
  return table.concat({ scenario or "", identity(run.personality, run.personality_name) or "",
    identity(profile.id, profile.name) or "" }, "\n"), scenario
end

local function integer(value) return math.tointeger(tonumber(given(value))) end

--- Returns a run as it is compared: its names and ids, without nulls, and its key.
local function described(listed_under, run)
  local profile = type(run.test_profile_data) == "table" and run.test_profile_data or {}
  local key, scenario = key_of(run, profile)
  return {
    run = run, key = key, run_id = integer(run.id) or integer(listed_under),
    scenario_id = integer(run.scenario),
    scenario = text(run.scenario_name) or scenario and "scenario " .. scenario or DELETED,
    personality = text(run.personality_name), profile = text(profile.name),
    reason = not scenario and "its scenario was deleted" or REASONS[run.status],
  }
end

--- Returns the runs of a result by key, each list in the order of their ids, and a list of those
--- that cannot be compared.
local function grouped(result)
  local groups, others = {}, {}
  for key, run in pairs(type(result.runs) == "table" and result.runs or {}) do
    local one = type(run) == "table" and described(key, run)
    if one and one.reason then
      others[#others + 1] = one
    elseif one then
      groups[one.key] = groups[one.key] or {}
      table.insert(groups[one.key], one)
    end
  end
  for _, list in pairs(groups) do
    table.sort(list, function(a, b) return (a.run_id or 0) < (b.run_id or 0) end)
  end
  return groups, others
end

--- Adds the runs of a list from the `first` on to those without a counterpart.
local function add_rest(others, list, first)
  for i = first, #list do
    list[i].reason = "no counterpart"
    others[#others + 1] = list[i]
  end
end

--- Sorts by scenario, personality and profile, then by id. `run_of` returns the run of an item.
local function sort(list, run_of)
  table.sort(list, function(a, b)
    local one, other = run_of(a), run_of(b)
    if one.scenario ~= other.scenario then return one.scenario < other.scenario end
    if one.key ~= other.key then return one.key < other.key end
    return (one.run_id or 0) < (other.run_id or 0)
  end)
end

local function itself(one) return one end

local function run_before(pair) return pair.before end

--- Pairs the runs. A response has no number of a repetition, so the runs of one scenario,
--- personality and profile are paired in the order of their ids, without those that were not
--- connected.
---@param before table a response of results:get
---@param after table
---@return { before: table, after: table, repetition: integer }[] matched
---@return { before: table[], after: table[] } unmatched with the `reason` of each
---@return integer fewest repetitions of a scenario, personality and profile that is in both; 0
--- without a pair
function matching.pair(before, after)
  local matched, fewest = {}, math.huge
  local old, others_before = grouped(before)
  local new, others_after = grouped(after)
  for key, list in pairs(old) do
    local partners = new[key] or {}
    local count = math.min(#list, #partners)
    for i = 1, count do
      matched[#matched + 1] = { before = list[i], after = partners[i], repetition = i }
    end
    if count > 0 then fewest = math.min(fewest, count) end
    add_rest(others_before, list, count + 1)
    add_rest(others_after, partners, count + 1)
  end
  for key, list in pairs(new) do
    if not old[key] then add_rest(others_after, list, 1) end
  end
  sort(matched, run_before)
  sort(others_before, itself)
  sort(others_after, itself)
  return matched, { before = others_before, after = others_after },
    fewest < math.huge and fewest or 0
end

return matching
