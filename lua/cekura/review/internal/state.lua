--- State files: a table that a command keeps from one run to the next, as JSON.
--- A run that may write the file locks it before reading, so that no other run does the same work.
---
---     local saved = state.open("improve.state", { work = "improve", server = client.api_url,
---       is_written = true })
---     saved.data.jobs["55"] = { progress_id = "…" }
---     saved:keep()

require "cekura.core"  -- loads cekura.internal
local internal = require "cekura.internal"
local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"

local state = {}

local State = {}
State.__index = State

---@class cekura.review.StateOwner
---@field work string names the work; the state of other work is refused
---@field server string the client's api_url; the state of another server is refused
---@field arguments table<string, integer|string>? by option; a state of other arguments is refused
---@field is_written boolean? whether this run may write the state

local TABLES = { "jobs", "read", "before", "evaluated", "unevaluated", "arguments", "saves" }
local JOB_TABLES = { "fields", "held_out", "scores", "saving" }

local function has_tables(data, names)
  for _, name in ipairs(names) do
    if data[name] ~= nil and type(data[name]) ~= "table" then return false end
  end
  return true
end

--- Returns whether each value is a table that fits.
local function all_fit(list, fits)
  for _, item in pairs(list or {}) do
    if type(item) ~= "table" or not fits(item) then return false end
  end
  return true
end

local function is_started(job) return type(job.progress_id or "") == "string" end

local function is_save(save)
  return type(save.before) == "table" and type(save.after) == "table"
end

local function is_job(job)
  return is_started(job) and has_tables(job, JOB_TABLES) and all_fit(job.scores, is_started)
    and (job.saving == nil or is_save(job.saving))
end

local function is_state(data)
  return type(data) == "table" and type(data.work) == "string" and type(data.server) == "string"
    and has_tables(data, TABLES) and all_fit(data.jobs, is_job)
    and all_fit(data.saves, function(saves) return all_fit(saves, is_save) end)
end

--- Returns the table in a file; nil if there is no file.
local function load(path)
  local content, problem = files.read(path)
  if problem then command.fail("usage", "%s", problem) end
  if not content then return nil end
  local data = internal.read_json(content)
  if is_state(data) then return data end
  return command.fail("usage", "%s: is not a state file: name another one with --state", path)
end

--- Ends the command if the state is of other work.
local function check_owner(path, data, owner)
  if data.work ~= owner.work or internal.normal_url(data.server) ~= owner.server then
    command.fail("usage", "%s: belongs to %s on %s: name another file with --state", path,
      data.work, data.server)
  end
  for name, value in pairs(owner.arguments or {}) do
    local begun_with = data.arguments and data.arguments[name]
    if begun_with ~= nil and begun_with ~= value then
      command.fail("usage", "%s: belongs to --%s %s, and this run to --%s %s: name another file "
        .. "with --state", path, name, begun_with, name, value)
    end
  end
end

local function lock(path)
  local held, problem = files.lock(path)
  if held then return held end
  local code = problem:find "another run" and "usage" or "failed"
  return command.fail(code, "the state cannot be saved: %s", problem)
end

--- Returns the state in a file, or an empty one if there is no file. Ends the command if the file
--- is not a state of this work, or another run uses it.
---@param path string
---@param owner cekura.review.StateOwner
function state.open(path, owner)
  local held = owner.is_written and lock(path)
  local data = load(path)
  if data then check_owner(path, data, owner) end
  data = data or { work = owner.work, server = owner.server }
  data.arguments = data.arguments or owner.arguments
  return setmetatable({ path = path, data = data, lock = held }, State)
end

--- Saves the data. Returns true, or nil and a message.
function State:save() return files.replace(self.path, assert(internal.json(self.data)) .. "\n") end

--- Saves the data; a failure ends the command.
function State:keep()
  local saved, problem = self:save()
  if not saved then command.fail("failed", "the state cannot be saved: %s", problem) end
end

return state
