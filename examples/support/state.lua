--- What a command remembers from one run to the next: a table, kept as JSON in a file.
---
---     local state = state.open("improve.state", "auto_improve")
---     state.data.jobs["55"] = { progress_id = "…" }
---     assert(state:save())
---
--- A save writes a new file and then renames it, so that a kill in between leaves the old one
--- whole. Lua has no fsync: this outlives the process, not a power failure in the same moment. It
--- has no locks either: two commands at the same time need two files.

local cjson = require "cjson"
local command = require "support.command"

local state = {}

local State = {}
State.__index = State

local SERVER = "https://api.cekura.ai"  -- the client's default

--- The server that the ids in the file are of.
local function server()
  local url = os.getenv "CEKURA_API_URL"
  return url and url ~= "" and url:gsub("/+$", "") or SERVER
end

local function read(path)
  local file, problem, number = io.open(path, "rb")
  if not file then return nil, number ~= 2 and problem or nil end  -- 2: there is none yet
  local content = file:read "a"
  file:close()
  local ok, data = pcall(cjson.decode, content or "")
  if ok and type(data) == "table" and data.work then return data end
  return nil, path .. ": is no file of states: name another one with --state"
end

--- The state in a file, or an empty one. Ends the command where the file is something else's.
---@param path string
---@param work string what the state is of
function state.open(path, work)
  local data, problem = read(path)
  if problem then command.fail("usage", "%s", problem) end
  data = data or { work = work, server = server() }
  if data.work ~= work or data.server ~= server() then
    command.fail("usage", "%s: belongs to %s on %s: name another file with --state", path,
      data.work, data.server)
  end
  return setmetatable({ path = path, data = data }, State)
end

--- true, or nil and a message.
function State:save()
  local new = self.path .. ".new"
  local file, problem = io.open(new, "wb")
  local done = file
  if done then done, problem = file:write(cjson.encode(self.data), "\n") end
  if done then done, problem = file:close() end
  if done then done, problem = os.rename(new, self.path) end
  if done then return true end
  return nil, problem
end

--- The same; what cannot be saved ends the command.
function State:keep()
  local saved, problem = self:save()
  if not saved then command.fail("failed", "the state cannot be saved: %s", problem) end
end

return state
