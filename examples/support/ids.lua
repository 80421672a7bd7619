--- Ids as people write them: 1,2,3 on the command line, or one below the other in a file.

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
  local file, problem = io.open(path, "rb")
  if not file then return nil, problem end
  local text
  text, problem = file:read "a"
  file:close()
  if not text then return nil, ("%s: %s"):format(path, problem) end
  local list
  list, problem = ids.list((text:gsub("^\u{FEFF}", ""):gsub("#[^\n]*", "")))
  if not list then return nil, ("%s: %s"):format(path, problem) end
  return list
end

--- Writes them so that `read` finds them again. Returns true, or nil and what went wrong.
function ids.write(path, list)
  local file, problem = io.open(path, "wb")
  local done = file
  if done then done, problem = file:write(table.concat(list, "\n"), "\n") end
  if done then done, problem = file:close() end
  if not done then return nil, problem end
  return true
end

return ids
