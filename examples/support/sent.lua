--- Which ids have been sent, several with a call: a journal whose keys are the ids of a call. In
--- whatever order and company an id comes again, it counts as it has been sent.

require "cekura"  -- brings the next ones
local internal = require "cekura.internal"
local journal = require "cekura.each.journal"

local sent = {}

local Sent = {}
Sent.__index = Sent

-- Of an id that was part of several calls: what is certain counts, and then what may be.
local RANK = { failed = 1, started = 2, unknown = 2, done = 3 }

function Sent:note(ids, event)
  for _, id in ipairs(ids) do
    local known = self.states[id]
    if not known or RANK[event] >= RANK[known] then self.states[id] = event end
  end
end

local function ids_in(key)
  local list = {}
  for id in key:gmatch "%d+" do list[#list + 1] = math.tointeger(tonumber(id)) end
  return list
end

--- nil and an error where the journal cannot be used.
---@param path string
---@param work string what the journal is of
function sent.open(client, path, work)
  local log, problem = journal.open(path, { api = client.api_url, work = work })
  if not log then return nil, internal.error("config", problem) end
  local self = setmetatable({ log = log, states = {} }, Sent)
  for key, event in log:entries() do self:note(ids_in(key), event) end
  return self
end

--- "done", "unknown", or nil where nothing has been sent.
function Sent:state(id)
  local event = self.states[id]
  if event == "started" then return "unknown" end
  return event ~= "failed" and event or nil
end

--- A call that is repeated and refused leaves it unknown what the earlier one has done.
local function outcome_of(was, value, err)
  if value ~= nil then return "done" end
  local is_clear = err.applied == "no" and was ~= "unknown" and was ~= "started"
  return is_clear and "failed" or "unknown"
end

--- Calls send(ids), and writes down before and after it what is known. Returns what it returned.
function Sent:send(ids, send)
  local log, key = self.log, table.concat(ids, ",")
  local was = log:state(key)
  local written, problem = log:start(key)
  if written then written, problem = log:sync() end
  if not written then return nil, internal.error("config", problem) end
  local value, err = send(ids)
  local outcome = outcome_of(was, value, err)
  self:note(ids, outcome)
  written, problem = log:finish(key, outcome, value == nil and tostring(err) or nil)
  if not written then return nil, internal.error("config", problem, "yes") end
  return value, err
end

function Sent:close() return self.log:close() end

Sent.__close = Sent.close

return sent
