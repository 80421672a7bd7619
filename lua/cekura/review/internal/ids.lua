--- Ids in arguments and files: "1,2,3" on the command line, or one per line in a file.
--- The functions that parse return nil and a message for text that is not valid.

local files = require "cekura.review.internal.files"

local ids = {}

local function id_of(text)
  local id = text:find "^%d+$" and math.tointeger(tonumber(text))
  return id and id > 0 and id or nil
end

--- Parses an argument that is one id.
function ids.one(text)
  local id = id_of(text)
  if id then return id end
  return nil, ("'%s' is not an id: a whole number from 1 on"):format(text)
end

--- Parses an argument that is several ids, separated by commas or spaces. An id must not occur
--- twice, because it would be paid twice.
function ids.list(text)
  local list, seen = {}, {}
  for word in text:gmatch "[^%s,]+" do
    local id, problem = ids.one(word)
    if not id then return nil, problem end
    if seen[id] then return nil, ("the id %d is listed twice"):format(id) end
    list[#list + 1], seen[id] = id, true
  end
  if #list == 0 then return nil, "there is no id" end
  return list
end

--- Returns ids as text, in ascending order: "55,57". The order of the list does not matter.
---@param separator string? ","
function ids.sorted(list, separator)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return table.concat(sorted, separator or ",")
end

--- Returns the lowest and the highest id.
function ids.range(list)
  local low, high = list[1], list[1]
  for _, id in ipairs(list) do low, high = math.min(low, id), math.max(high, id) end
  return low, high
end

--- Returns words for ids: "result 371", "2 results from 371 to 373".
function ids.named(list, noun)
  if #list == 1 then return ("%s %d"):format(noun, list[1]) end
  return ("%d %ss from %d to %d"):format(#list, noun, ids.range(list))
end

--- Returns the ids in a file that a person wrote. A comment begins with #.
function ids.read(path)
  local text, problem = files.read(path)
  if not text then return nil, problem or path .. ": No such file or directory" end
  local list
  list, problem = ids.list((text:gsub("^\u{FEFF}", ""):gsub("#[^\n]*", "")))
  if not list then return nil, ("%s: %s"):format(path, problem) end
  return list
end

local COMPLETE = "# %d ids, all of them\n"

--- Writes ids to a file, with a last line that shows that it is complete. Returns true, or nil and
--- a message.
function ids.write(path, list)
  return files.replace(path, table.concat(list, "\n") .. "\n" .. COMPLETE:format(#list))
end

--- Returns the ids that `write` has written, without duplicates; there may be none. Returns nil if
--- there is no file, nil and a message if it cannot be read or is not complete.
function ids.saved(path)
  local text, problem = files.read(path)
  if not text then return nil, problem end
  local list, seen, lines = {}, {}, 0
  for line in text:gmatch "([^\n]*)\n" do
    local id = id_of(line)
    lines = lines + (id and 1 or 0)
    if id and not seen[id] then list[#list + 1], seen[id] = id, true end
  end
  if text:sub(-#COMPLETE:format(lines)) == COMPLETE:format(lines) then return list end
  return nil, path .. ": is not complete"
end

return ids
