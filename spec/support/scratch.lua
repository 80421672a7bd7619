-- Files for tests, in one folder.
-- support/helper.lua removes it after the last test.
local keys = require "support.keys"
local lfs = require "lfs"
local scratch = {}

local folder           -- made with the first path
local count = 0

local function run(command) assert(os.execute("exec env -u LD_PRELOAD " .. command)) end

local function make_folder()
  local path = os.tmpname()
  os.remove(path)
  run("mkdir " .. path)
  return path
end

-- Returns the path of a file that does not exist yet.
function scratch.path()
  folder = folder or make_folder()
  count = count + 1
  return folder .. "/" .. count
end

-- Makes a folder. Returns its path.
function scratch.folder()
  local path = scratch.path()
  assert(lfs.mkdir(path))
  return path
end

function scratch.remove(path) run("rm -rf " .. path) end

function scratch.remove_all()
  if folder then scratch.remove(folder) end
  folder = nil
end

local function content_of(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

-- Returns the content of a file, which must not contain a key; nil if there is no file.
function scratch.read(path)
  local content = content_of(path)
  if content then keys.refuse(path, content) end
  return content
end

function scratch.write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(content))
end

-- Calls found(path) for each file below a folder. Does not follow links.
local function each_file(path, found)
  for name in lfs.dir(path) do
    local here = path .. "/" .. name
    local mode = lfs.symlinkattributes(here, "mode")
    if mode == "directory" and name ~= "." and name ~= ".." then each_file(here, found) end
    if mode == "file" then found(here) end
  end
end

-- Raises an error if a file or its name contains a key. For `key` see keys.refuse.
function scratch.refuse_keys(key)
  if not folder then return end
  each_file(folder, function(path)
    keys.refuse("a name", path, key)
    keys.refuse(path, content_of(path) or "", key)
  end)
end

return scratch
