--- Files that a later run relies on. They are replaced as a whole, locked while a command uses
--- them, and compared by identity instead of by name.

require "cekura.core"  -- loads cekura.internal
local internal = require "cekura.internal"

local files = {}

local MOST_LINKS = 40  -- in a chain of symbolic links; Linux has the same limit

local function folder_of(path) return path:match "^.*/" or "./" end

--- Resolves symbolic links, also to a file that does not exist yet. A pipe such as /dev/stdout has
--- no real path and stays as it is.
local function target_of(path, links)
  local real = internal.real_path(path) or internal.file_id(path) and path
  local link = not real and (links or 0) < MOST_LINKS and internal.read_link(path)
  if not link then return real or path end
  return target_of(link:find "^/" and link or folder_of(path) .. link, (links or 0) + 1)
end

--- A file that does not exist yet is identified by its folder and its name.
local function id_of(path)
  path = target_of(path)
  local folder = folder_of(path)
  return internal.file_id(path) or (internal.file_id(folder) or folder) .. path:match "[^/]*$"
end

--- Returns whether two paths name the same file, also through links.
function files.are_same(a, b) return id_of(a) == id_of(b) end

--- Replaces the content of a file and syncs it to disk. After a failure the old content is still
--- there. Returns true, or nil and a message.
function files.replace(path, text)
  path = target_of(path)
  local done, problem = internal.replace_file(path, text)
  if done then done, problem = internal.sync_folder(folder_of(path)) end
  return done, problem
end

--- Returns whether there is a file, also if it cannot be read.
function files.exists(path)
  local file, _, number = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil or number ~= 2  -- 2: it does not exist
end

--- Returns the content of a file. Returns nil if there is no file, nil and a message if it cannot
--- be read.
function files.read(path)
  local file, problem, number = io.open(path, "rb")
  if not file then return nil, number ~= 2 and problem or nil end
  local content
  content, problem = file:read "a"
  file:close()
  if not content then return nil, ("%s: %s"):format(path, problem) end
  return content
end

--- Locks a file until the process ends. The lock is on a second file, because `replace` would
--- replace a locked one. Returns the lock, or nil and a message.
function files.lock(path) return internal.open_file(target_of(path) .. ".lock") end

return files
