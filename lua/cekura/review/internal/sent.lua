--- A journal of calls that send several ids at once. It tracks ids, not calls: an id that was sent
--- keeps its state in whatever call it is listed again.

require "cekura"  -- loads cekura.internal
local internal = require "cekura.internal"
local files = require "cekura.review.internal.files"
local journal = require "cekura.each.journal"
local shard = require "cekura.review.internal.shard"

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

--- Adds the options --journal and --redo-unknown to a parser.
---@param items string what the journal lists: "results"
---@param default string? the path
function sent.add_options(parser, items, default)
  parser:option("--journal", "The record of what was sent" .. (default and "." or
    (" (default: %s-METRICS.journal)."):format(items)), default):argname "FILE"
  parser:flag("--redo-unknown", ("Send unknown %s again; may pay twice."):format(items))
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

--- Sets options.journal to the path of this part's journal, and options.undivided to the one of a
--- run without --shard.
---@param default string? if there is no --journal
function sent.set_paths(options, default)
  options.undivided = options.journal or default
  options.journal = shard.path(options.shard, options.undivided)
end

--- Opens the journal of a plan; without --apply nothing is written. Returns nil and an error if it
--- cannot be used. Ends the command if the work was divided in another way before.
function sent.open_plan(client, options, work)
  shard.claim(options.shard, options.undivided, options.apply)
  if options.apply or files.exists(options.journal) then
    return sent.open(client, options.journal, work)
  end
  return setmetatable({ states = {} }, Sent)
end

--- Returns "done", "unknown", or nil if the id was not sent, or refused.
function Sent:state(id)
  local event = self.states[id]
  if event == "started" then return "unknown" end
  return event ~= "failed" and event or nil
end

--- Returns the items by the state of their ids: { done, unknown, left }. With `redo`, the unknown
--- ones are left.
---@param items { id: integer }[]
function Sent:sort(items, redo)
  local sorted = { done = {}, unknown = {}, left = {} }
  for _, item in ipairs(items) do
    local state = self:state(item.id)
    if state == "unknown" and redo then state = nil end
    table.insert(sorted[state or "left"], item)
  end
  return sorted
end

--- Returns whether the outcome of one of the ids is unknown.
function Sent:has_unknown(ids)
  for _, id in ipairs(ids) do
    if self:state(id) == "unknown" then return true end
  end
  return false
end

--- A refusal says nothing about an earlier call with the same ids.
local function outcome_of(was, value, err)
  if value ~= nil or err.applied == "yes" then return "done" end
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

function Sent:close() return self.log and self.log:close() end

Sent.__close = Sent.close

return sent
