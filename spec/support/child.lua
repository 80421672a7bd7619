-- Runs other programs, under ASan or valgrind if the specs run under them. Raises an error if a
-- program prints a key or leaves one in a file (support/keys.lua).
local keys = require "support.keys"
local lfs = require "lfs"
local scratch = require "support.scratch"
local system = require "system"
local child = {}

local function quoted(text) return "'" .. text:gsub("'", [['\'']]) .. "'" end

-- Returns a shell command. Its stderr goes to stdout, or to the file `stderr`. LD_PRELOAD is
-- removed; CEKURA_RUN sets it again for the program that it starts.
local function command_of(words, environment, stderr)
  local command = { "exec env -u LD_PRELOAD" }
  for name, value in pairs(environment or {}) do  -- env requires all -u before NAME=VALUE
    table.insert(command, value and #command + 1 or 2,
      value and quoted(name .. "=" .. value) or "-u " .. name)
  end
  for _, word in ipairs(words) do table.insert(command, quoted(word)) end
  return table.concat(command, " ") .. (stderr and " 2>" .. quoted(stderr) or " 2>&1")
end

-- Returns the words, after those of the tool that the specs run under.
function child.checked(words)
  local all = {}
  for word in (os.getenv "CEKURA_RUN" or ""):gmatch "%S+" do all[#all + 1] = word end
  return table.move(words, 1, #words, #all + 1, all)
end

-- Raises an error if one of these outputs contains the key that the child had.
local function refuse_keys(environment, ...)
  local key = environment and environment.CEKURA_API_KEY or nil
  for _, output in ipairs { ... } do keys.refuse("what a child wrote", output, key) end
  scratch.refuse_keys(key)
end

-- Runs a list of words. `environment` has variables to set; false removes one. Returns stdout and
-- stderr as one string, and the exit code.
function child.run(words, environment)
  local pipe = assert(io.popen(command_of(words, environment)))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  refuse_keys(environment, output)
  return output, code
end

-- Runs a program under the tool that the specs run under.
function child.run_checked(words, environment)
  return child.run(child.checked(words), environment)
end

-- Removes the limit at the end, so that gcov can write its counters.
local LIFT = [[
  os.execute("exec env -u LD_PRELOAD python3 -E -S -c 'import os, resource as r;"
    .. "hard = r.getrlimit(r.RLIMIT_FSIZE)[1];"
    .. "r.prlimit(os.getppid(), r.RLIMIT_FSIZE, (hard, hard))' 2>/dev/null")
]]

-- Runs Lua code that cannot write files longer than `blocks` (of 512 or 1024 bytes each), as on a
-- full disk.
function child.run_on_full_disk(blocks, text)
  local shell = ([[trap "" XFSZ; ulimit -S -f %d; exec "$@"]]):format(blocks)
  return child.run_checked { "sh", "-c", shell, "sh", child.lua, "-e", text .. "\n" .. LIFT }
end

-- Returns the words of a command whose files cannot grow beyond `blocks`. gcov's counters would be
-- truncated, and are discarded.
function child.on_full_disk(blocks, words)
  local shell = ([[ulimit -S -f %d; GCOV_PREFIX=/dev/null exec "$@"]]):format(blocks)
  return table.move(words, 1, #words, 5, { "sh", "-c", shell, "sh" })
end

-- Like child.run_checked, but returns stdout, stderr and the exit code.
function child.run_checked_apart(words, environment)
  local path = os.tmpname()
  local pipe = assert(io.popen(command_of(child.checked(words), environment, path)))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  local file <close> = assert(io.open(path))
  os.remove(path)
  local errors = file:read "a"
  refuse_keys(environment, output, errors)
  return output, errors, code
end

local process = {}
process.__index = process

-- Like child.run, but returns a process without waiting for its end:
--   process:line()      returns its next line, or nil at the end
--   process:signal "INT"
--   process:interrupt() sends Ctrl-C, and waits until the interpreter has noticed it
--   process:finish()    waits for its end; returns the rest of its output, and its exit code
-- Its stderr goes to stdout, or to the file `stderr`.
function child.start(words, environment, stderr)
  local pipe = assert(io.popen("echo $$; " .. command_of(words, environment, stderr)))
  return setmetatable({
    pid = math.tointeger(pipe:read "l"), pipe = pipe, environment = environment, lines = {},
  }, process)
end

function child.start_checked(words, environment)
  return child.start(child.checked(words), environment)
end

function process:line()
  local line = self.pipe:read "l"
  self.lines[#self.lines + 1] = line
  return line
end

function process:signal(name)
  -- `kill` is built into the shell; a bare machine has no program of that name.
  assert(os.execute(("exec env -u LD_PRELOAD sh -c 'kill -%s %d'"):format(name, self.pid)))
end

-- Sends Ctrl-C, and waits until the interpreter's handler has run: it restores the default.
-- valgrind catches every signal itself; then this takes a second.
function process:interrupt()
  self:signal "INT"
  for _ = 1, 500 do
    local status <close> = io.open(("/proc/%d/status"):format(self.pid))
    local caught = status and status:read "a":match "SigCgt:%s*%x*(%x)"
    if not caught or tonumber(caught, 16) & 2 == 0 then return end
    system.sleep(0.002)
  end
end

function process:finish()
  local output = self.pipe:read "a"
  local _, _, code = self.pipe:close()
  refuse_keys(self.environment, table.concat(self.lines, "\n"), output)
  return output, code
end

-- Returns a path, or a search path, with absolute paths.
function child.absolute(paths)
  return (paths:gsub("[^;]+", function(path)
    return path:find "^/" and path or lfs.currentdir() .. "/" .. path
  end))
end

-- Returns the variables with which a Lua program finds the modules from another folder.
function child.paths()
  return { LUA_PATH = child.absolute(os.getenv "LUA_PATH" or ";;"),
    LUA_CPATH = child.absolute(os.getenv "LUA_CPATH" or ";;") }
end

-- The interpreter that runs the specs.
child.lua = arg[-1]

return child
