-- Time limits of the specs, and functions that measure time.
-- The limits are longer under ASan and valgrind, and with CEKURA_BUSY=yes, which says that other
-- processes use the processors too.
local monotime = require "system".monotime  -- luasystem is a dependency of busted

local tool = os.getenv "CEKURA_RUN" or ""  -- the tool that the specs run under
local is_busy = os.getenv "CEKURA_BUSY" == "yes"
local is_slow = tool ~= "" or is_busy

-- Seconds of a timeout that a spec expects to expire; everything else is faster.
local function short()
  if tool:find "valgrind" then return 1 end
  if tool ~= "" then return 0.5 end
  return is_busy and 0.3 or 0.15
end

local clock = {
  is_slow = is_slow,
  LIMIT = is_slow and 120 or 15,   -- seconds after which a spec fails
  OVERRUN = is_slow and 8 or 0.2,  -- seconds that a call may take beyond its deadline
  AT_ONCE = is_slow and 8 or 0.3,  -- seconds within which a call returns that does not wait
  END = is_slow and 20 or 0.35,    -- seconds from a signal to the end of a process
  SHORT = short(),
}

-- Returns the seconds that a function takes, and its results.
function clock.time(fn, ...)
  local started = monotime()
  return (function(...) return monotime() - started, ... end)(fn(...))
end

-- Calls a function up to three times until it takes at most `most` seconds, because other processes
-- use the processor too. Raises an error otherwise.
function clock.within(most, fn)
  local taken
  for _ = 1, 3 do
    taken = clock.time(fn)
    if taken <= most then return end
  end
  error(("took %.3f seconds, limit %.3f"):format(taken, most), 2)
end

-- Calls a function up to three times until it raises no error. Use it if a function succeeds only
-- within a timeout, which other processes may let pass.
function clock.patiently(fn)
  for _ = 1, 2 do
    if pcall(fn) then return end
  end
  fn()
end

return clock
