--- The results that bulk evaluates: those that the options name, or those of an agent or a project,
--- which are saved so that a later run takes the same ones.

local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local ids = require "cekura.review.internal.ids"
local output = require "cekura.review.internal.output"
local responses = require "cekura.review.internal.responses"
local shard = require "cekura.review.internal.shard"
local text = require "cekura.review.internal.text"
local times = require "cekura.review.internal.times"

local results = {}

--- The fields of a result that are needed later: there may be thousands of results.
---@class cekura.review.ResultSummary
---@field id integer
---@field name string?
---@field status string?
---@field agent integer?
---@field runs integer
---@field success number?
---@field created_at string?
---@field updated_at string?

---@return cekura.review.ResultSummary
function results.summary(result)
  local runs = math.tointeger(result.total_runs_count)
  if not runs then
    command.fail("failed", "result %s does not say how many runs it has", result.id)
  end
  return { id = result.id, name = result.name, status = result.status, agent = result.agent,
    runs = runs,
    success = result.success_rate, created_at = result.created_at, updated_at = result.updated_at }
end

local function need(list, problem)
  if not list then command.fail("usage", "%s", problem) end
  return list
end

-- ---- finding ----

local function find(client, options)
  local list, seen = {}, {}
  local pages = client.results:pages {
    agent_id = options.agent, project_id = options.project, page_size = 100,
  }
  for result in responses.pages_of_results(pages) do
    if not seen[result.id] and times.is_between(result.created_at, options.since, options["until"])
    then
      list[#list + 1], seen[result.id] = results.summary(result), true
    end
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

--- Reads the results with these ids, which finds a wrong id before anything is spent.
local function look_at(client, list, options)
  local found = {}
  local report = assert(client:each(list, function(id, i)
    local result, err = responses.result(client.results:get { result_id = id })
    if not result then return nil, err end
    found[i] = results.summary(result)
    return true
  end, { stop_on_error = true, progress = options.progress }))
  local first = report.errors[1]
  if not first then return found end
  if first.error.kind ~= "not_found" then error(first.error, 0) end
  return command.fail("usage", "result %s: %s", first.item, first.error)
end

-- ---- saved ids ----

local function path_of_ids(options)
  if options.agent then return ("%s.%d.ids"):format(options.journal, options.agent) end
  return ("%s.project-%d.ids"):format(options.journal, options.project)
end

--- Returns whether the results are those of an agent or a project.
local function are_found(options) return options.agent ~= nil or options.project ~= nil end

--- An agent gets new results all the time. The ids that the first run finds are saved, so that the
--- same command does not pay for more results in each run. Each part has a file of its own: no part
--- depends on the time at which another one looked.
function results.save(list, options)
  if not are_found(options) then return end
  local found = {}
  for i, result in ipairs(list) do found[i] = result.id end
  need(ids.write(path_of_ids(options), found))
end

--- Returns the saved ids; nil if there are none.
local function saved(options)
  local path = path_of_ids(options)
  local list, problem = ids.saved(path)
  if list then output.print(("The results are those in %s."):format(path)) end
  if problem then command.say("%s: the results are looked up again", problem) end
  return list
end

-- ---- the list ----

local function id_of(result) return result.id end
local function itself(id) return id end

--- Returns the results of this part, and how many there are in all parts; the second is nil if the
--- part was saved.
---@return cekura.review.ResultSummary[]
---@return integer? total
function results.get(client, options)
  if not are_found(options) then
    local given = options.results or need(ids.read(options.from_file))
    return look_at(client, shard.select(options.shard, given, itself), options), #given
  end
  local list = saved(options)
  if list then return look_at(client, list, options) end
  list = find(client, options)
  if #list == 0 then
    command.fail("usage", "no result fits: are the id and the dates right?")
  end
  return shard.select(options.shard, list, id_of), #list
end

--- Returns whether --from-file and --journal name the same file.
function results.is_journal(options)
  return options.from_file and files.are_same(options.from_file, options.journal)
end

-- ---- the newest ----

local function is_newer(one, other)
  local time, than = times.parse(one.created_at) or 0, times.parse(other.created_at) or 0
  if time ~= than then return time > than end
  return one.id > other.id
end

--- Divides a list into the newest results whose evaluations fit a limit, and the others. Ends the
--- command if not even the newest one fits.
---@param list cekura.review.ResultSummary[]
---@param most integer evaluations
---@param per_run integer evaluations of a run
function results.newest(list, most, per_run)
  local sorted, fits, sum = table.move(list, 1, #list, 1, {}), {}, 0
  table.sort(sorted, is_newer)
  for _, result in ipairs(sorted) do
    sum = sum + result.runs * per_run
    if sum > most then break end
    fits[result] = true
  end
  if sorted[1] and not fits[sorted[1]] then
    command.fail("usage", "the newest result, %d, takes %s, more than --max-evaluations %d: "
      .. "nothing was started", sorted[1].id, text.count(sum, "evaluation"), most)
  end
  local newest, others = {}, {}
  for _, result in ipairs(list) do table.insert(fits[result] and newest or others, result) end
  return newest, others
end

return results
