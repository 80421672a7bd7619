--- Parts of a list, so that several processes can divide its work: --shard 3/8 selects the third of
--- eight parts. An item is always in the same part, whatever else the list contains.

local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local hash = require "cekura.review.internal.hash"

local shard = {}

local function parse(text)
  local index, total = text:match "^(%d+)/(%d+)$"
  index, total = math.tointeger(tonumber(index)), math.tointeger(tonumber(total))
  if index and total and index >= 1 and index <= total then
    return { index = index, total = total }
  end
  return nil, ("'%s' is not a part, such as 3/8: from 1/8 to 8/8"):format(text)
end

--- Adds --shard to a parser.
function shard.add(parser)
  parser:option("--shard", "Only this part, such as 3/8 (default: CI_NODE_INDEX/CI_NODE_TOTAL).",
    nil, parse):argname "K/N"
end

--- Sets options.shard from the variables of GitLab's parallel jobs, unless the command line has it.
--- It stays nil if the list is not divided.
function shard.set_default(options)
  local index, total = command.setting "CI_NODE_INDEX", command.setting "CI_NODE_TOTAL"
  if not options.shard and index and total then
    local found, problem = parse(index .. "/" .. total)
    if not found then command.misuse("CI_NODE_INDEX/CI_NODE_TOTAL: %s", problem) end
    options.shard = found
  end
  if options.shard and options.shard.total == 1 then options.shard = nil end
end

--- Returns whether an item is in the part; true without one.
---@param part table? options.shard
---@param key string|integer names the item
function shard.has(part, key)
  return part == nil or hash.of(tostring(key)) % part.total == part.index - 1
end

--- Returns the items that are in the part.
---@param key_of fun(item: any): string|integer
function shard.select(part, list, key_of)
  local selected = {}
  for _, item in ipairs(list) do
    if shard.has(part, key_of(item)) then selected[#selected + 1] = item end
  end
  return selected
end

--- Returns a path for the part: "votes.csv.journal" becomes "votes.csv.journal.3-of-8".
function shard.path(part, path)
  return part and ("%s.%d-of-%d"):format(path, part.index, part.total) or path
end

--- Returns into how many parts an earlier run has divided the work; nil if there was none.
local function parts_before(path)
  local text, problem = files.read(path .. ".parts")
  if problem then command.fail("usage", "%s", problem) end
  return text and math.tointeger(tonumber(text)) or files.exists(path) and 1 or nil
end

local DIVIDED = "%s: an earlier run has sent %s: use the same --shard K/N, or name another "
  .. "--journal"

--- Ends the command if an earlier run has divided the work of a journal into another number of
--- parts: an item may be in a part whose journal does not have it, and would be sent again. The
--- number is saved in PATH.parts.
---@param path string of the journal without parts
---@param is_written boolean? whether to save the number
function shard.claim(part, path, is_written)
  local total, before = part and part.total or 1, parts_before(path)
  if before and before ~= total then
    command.fail("usage", DIVIDED, path,
      before == 1 and "all of it as one part" or ("a part of %d"):format(before))
  elseif part and not before and is_written then
    local saved, problem = files.replace(path .. ".parts", total .. "\n")
    if not saved then command.fail("usage", "%s", problem) end
  end
end

return shard
