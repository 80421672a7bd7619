--- What a command remembers from one run to the next: a table, kept as JSON in a file.
---
---     local known = state.open("improve.state", { work = "auto_improve", server = client.api_url,
---       is_written = true })
---     known.data.jobs["55"] = { progress_id = "…" }
---     known:keep()
---
--- A save replaces the file as a whole. A run that may write it holds a lock from the first read
--- on, so that no other run does the same work.

require "cekura.core"  -- brings the next
local internal = require "cekura.internal"
local cjson = require "cjson"
local command = require "support.command"
local files = require "support.files"

local state = {}

local State = {}
State.__index = State

---@class support.StateOwner
---@field work string what the state is of
---@field server string whose ids are in it, as client.api_url has it
---@field arguments table<string, integer>? by option; a state is of those that it was begun with
---@field is_written boolean? whether this run may change it

local TABLES = { "jobs", "results", "before", "evaluated", "arguments" }

local function is_state(data)
  if type(data) ~= "table" or type(data.work) ~= "string" or type(data.server) ~= "string" then
    return false
  end
  for _, name in ipairs(TABLES) do
    if data[name] ~= nil and type(data[name]) ~= "table" then return false end
  end
  for _, job in pairs(data.jobs or {}) do
    if type(job) ~= "table" or type(job.progress_id or "") ~= "string" then return false end
  end
  return true
end

local function read(path)
  local content, problem = files.read(path)
  if problem then command.fail("usage", "%s", problem) end
  if not content then return nil end
  local ok, data = pcall(cjson.decode, content)
  if ok and is_state(data) then return data end
  return command.fail("usage", "%s: is no file of states: name another one with --state", path)
end

local function check_owner(path, data, owner)
  if data.work ~= owner.work or internal.normal_url(data.server) ~= owner.server then
    command.fail("usage", "%s: belongs to %s on %s: name another file with --state", path,
      data.work, data.server)
  end
  for name, value in pairs(owner.arguments or {}) do
    local begun_with = data.arguments and data.arguments[name]
    begun_with = math.tointeger(begun_with) or begun_with  -- lua-cjson 2.1.0 reads floats
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

--- The state in a file, or an empty one. Ends the command where the file is something else's, or
--- another run's.
---@param path string
---@param owner support.StateOwner
function state.open(path, owner)
  local held = owner.is_written and lock(path)
  local data = read(path)
  if data then check_owner(path, data, owner) end
  data = data or { work = owner.work, server = owner.server }
  data.arguments = data.arguments or owner.arguments
  return setmetatable({ path = path, data = data, lock = held }, State)
end

--- true, or nil and a message.
function State:save() return files.replace(self.path, cjson.encode(self.data) .. "\n") end

--- The same; what cannot be saved ends the command.
function State:keep()
  local saved, problem = self:save()
  if not saved then command.fail("failed", "the state cannot be saved: %s", problem) end
end

return state
