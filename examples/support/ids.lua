--- Ids as people write them: 1,2,3 on the command line, or one below the other in a file.

local files = require "support.files"

local ids = {}

local function id_of(text)
  local id = text:find "^%d+$" and math.tointeger(tonumber(text))
  return id and id > 0 and id or nil
end

--- For arguments that are one id.
function ids.one(text)
  local id = id_of(text)
  if id then return id end
  return nil, ("'%s' is not an id: a whole number from 1 on"):format(text)
end

--- For arguments that are several, with commas or spaces between them. None may be there twice: it
--- would be paid twice.
function ids.list(text)
  local list, seen = {}, {}
  for word in text:gmatch "[^%s,]+" do
    local id, problem = ids.one(word)
    if not id then return nil, problem end
    if seen[id] then return nil, ("the id %d is there twice"):format(id) end
    list[#list + 1], seen[id] = id, true
  end
  if #list == 0 then return nil, "there is no id" end
  return list
end

--- The ids in a file. What stands behind a # is a comment.
function ids.read(path)
  local text, problem = files.read(path)
  if not text then return nil, problem or path .. ": No such file or directory" end
  local list
  list, problem = ids.list((text:gsub("^\u{FEFF}", ""):gsub("#[^\n]*", "")))
  if not list then return nil, ("%s: %s"):format(path, problem) end
  return list
end

local COMPLETE = "# %d ids, all of them\n"

--- Writes them for `read` and `saved`. Returns true, or nil and what went wrong.
function ids.write(path, list)
  return files.replace(path, table.concat(list, "\n") .. "\n" .. COMPLETE:format(#list))
end

--- The ids that `write` has written, each once; nil where there are none, with a message where the
--- file does not have all that it had.
function ids.saved(path)
  local text, problem = files.read(path)
  if not text then return nil, problem end
  local list, seen, lines = {}, {}, 0
  for line in text:gmatch "([^\n]*)\n" do
    local id = id_of(line)
    lines = lines + (id and 1 or 0)
    if id and not seen[id] then list[#list + 1], seen[id] = id, true end
  end
  if lines > 0 and text:sub(-#COMPLETE:format(lines)) == COMPLETE:format(lines) then return list end
  return nil, path .. ": is not complete"
end

return ids
