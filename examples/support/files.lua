--- Files that a later run relies on: replaced as a whole, locked while they are used, and compared
--- by what they are and not by their names.

require "cekura.core"  -- brings the next
local internal = require "cekura.internal"

local files = {}

local MOST_LINKS = 40  -- one after another, as the system follows them

local function folder_of(path) return path:match "^.*/" or "./" end

--- The path without symbolic links, of a file that there is not yet, too. A pipe has no such path:
--- /dev/stdout stays as it is then.
local function target_of(path, links)
  local real = internal.real_path(path) or internal.file_id(path) and path
  local link = not real and (links or 0) < MOST_LINKS and internal.read_link(path)
  if not link then return real or path end
  return target_of(link:find "^/" and link or folder_of(path) .. link, (links or 0) + 1)
end

--- A file that there is not yet is known by its folder and its name.
local function id_of(path)
  path = target_of(path)
  local folder = folder_of(path)
  return internal.file_id(path) or (internal.file_id(folder) or folder) .. path:match "[^/]*$"
end

--- Whether two paths name the same file: through links, in other words, or by a second name.
function files.are_same(a, b) return id_of(a) == id_of(b) end

--- Makes the text the content of a file: either all of it, on the disk, or what was there before.
--- Returns true, or nil and a message.
function files.replace(path, text)
  path = target_of(path)
  local done, problem = internal.replace_file(path, text)
  if done then done, problem = internal.sync_folder(folder_of(path)) end
  return done, problem
end

--- The content of a file. nil and a message where it cannot be read; nil alone where there is none.
function files.read(path)
  local file, problem, number = io.open(path, "rb")
  if not file then return nil, number ~= 2 and problem or nil end
  local content
  content, problem = file:read "a"
  file:close()
  if not content then return nil, ("%s: %s"):format(path, problem) end
  return content
end

--- Takes the lock on a file, which ends with the process. Not on the file itself, for that is
--- replaced. Returns the lock, or nil and a message.
function files.lock(path) return internal.open_file(target_of(path) .. ".lock") end

return files
