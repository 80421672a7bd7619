--- A journal of calls that send several ids at once. It tracks ids, not calls: an id that was sent
--- keeps its state in whatever call it is listed again.

require "cekura"  -- loads cekura.internal
local internal = require "cekura.internal"
local journal = require "cekura.each.journal"

local sent = {}

local Sent = {}
Sent.__index = Sent

-- The state of an id that was part of several calls is the one with the highest rank.
local RANK = { failed = 1, started = 2, unknown = 2, done = 3 }

function Sent:note(ids, event)
  for _, id in ipairs(ids) do
    local known = self.states[id]
    if not known or RANK[event] >= RANK[known] then self.states[id] = event end
  end
end

--- Opens a journal. Returns nil and an error if it cannot be used.
---@param path string
---@param work string names the work; the journal of other work is refused
function sent.open(client, path, work)
  local log, problem = journal.open(path, { api = client.api_url, work = work })
  if not log then return nil, internal.error("config", problem) end
  local self = setmetatable({ log = log, states = {} }, Sent)
  for key, event in log:entries() do
    local ids = {}
    for id in key:gmatch "%d+" do ids[#ids + 1] = math.tointeger(tonumber(id)) end
    self:note(ids, event)
  end
  return self
end

--- Returns "done", "unknown", or nil if the id was not sent, or refused.
function Sent:state(id)
  local event = self.states[id]
  if event == "started" then return "unknown" end
  return event ~= "failed" and event or nil
end

--- A refusal says nothing about an earlier call with the same ids.
local function outcome_of(was, value, err)
  if value ~= nil then return "done" end
  local is_refused = err.applied == "no" and was ~= "unknown" and was ~= "started"
  return is_refused and "failed" or "unknown"
end

--- Calls send(ids) and returns its results. Its start and its outcome are written to the journal.
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
