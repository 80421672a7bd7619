-- Runs programs, and measures them.
local system = require "system"  -- luasystem is a dependency of busted

local process = {}
process.__index = process

local running = {}

process.now = system.monotime

-- Calls `fn` until it returns a value, at most for `seconds`. Returns the value.
function process.poll(seconds, fn)
  local give_up = system.monotime() + seconds
  repeat
    local value = fn()
    if value then return value end
    system.sleep(0.02)
  until system.monotime() > give_up
end

local function read(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

-- Runs a command, and returns its output.
function process.run(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

-- Starts a command, whose output goes to the file `log`.
function process.start(command, log)
  local pipe = assert(io.popen(("echo $$; exec %s >>%s 2>&1 </dev/null"):format(command, log)))
  local self = setmetatable({ pid = pipe:read "n", pipe = pipe, log = log }, process)
  running[self] = true
  return self
end

function process:signal(name) os.execute(("kill -%s %d"):format(name, self.pid)) end

-- Waits until the process has ended. Returns "exit" or "signal", and the code; nil if it has not.
function process:finish(seconds)
  local ended = process.poll(seconds, function()
    local stat = read(("/proc/%d/stat"):format(self.pid))
    return not stat or stat:find "^%d+ %b() Z"
  end)
  if not ended then return nil end
  running[self] = nil
  local _, how, code = self.pipe:close()
  return how, code
end

-- Raises an error unless the process ends without a crash.
function process:expect_end()
  local how, code = self:finish(20)
  if not how then error "the host does not end" end
  local log = read(self.log) or ""
  local is_crash = log:find "[Ss]egmentation" or log:find "SIGSEGV" or log:find "[Aa]borted"
  if is_crash or how == "signal" and code ~= 15 then
    error(("the host has crashed: %s %d"):format(how, code))
  end
end

-- Kills the processes that still run, with their children.
function process.kill_all()
  for self in pairs(running) do
    for _, pid in ipairs(self:family()) do os.execute(("kill -KILL %d 2>/dev/null"):format(pid)) end
    self:finish(5)
  end
end

-- Returns the ids of the process and its children.
function process:family()
  local pids = {}
  local function add(pid)
    pids[#pids + 1] = pid
    local command = ("cat /proc/%d/task/*/children 2>/dev/null"):format(pid)
    for child in process.run(command):gmatch "%d+" do add(tonumber(child)) end
  end
  add(self.pid)
  return pids
end

-- Returns the resident memory in KiB and the number of descriptors, both with the children's.
function process:usage()
  local memory, descriptors = 0, 0
  for _, pid in ipairs(self:family()) do
    local status = read(("/proc/%d/status"):format(pid)) or ""
    memory = memory + (tonumber(status:match "VmRSS:%s*(%d+)") or 0)
    descriptors = descriptors + tonumber((process.run(("ls /proc/%d/fd | wc -l"):format(pid))))
  end
  return memory, descriptors
end

-- Returns the end of the log, for a message.
function process:last_words() return (read(self.log) or ""):sub(-2000) end

return process
