-- Files for one test.
local scratch = {}

-- Where no file is yet.
function scratch.path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

-- What stands in a file; nil if there is none.
function scratch.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

function scratch.write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(content))
end

return scratch
