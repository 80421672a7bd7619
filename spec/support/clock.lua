-- Time, as the specs measure it.
local monotime = require "system".monotime  -- of luasystem, which busted depends on

local tool = os.getenv "CEKURA_RUN" or ""  -- what `make asan` and `make valgrind` put before specs
local is_checked = tool ~= ""
local clock = {
  LIMIT = is_checked and 120 or 15,   -- seconds in which anything has ended
  OVERRUN = is_checked and 3 or 0.2,  -- seconds that a call may take beyond its deadline
  AT_ONCE = is_checked and 3 or 0.3,  -- seconds that are no wait at all
  -- seconds of a timeout to be met; whatever is not to meet it is faster
  SHORT = tool:find "valgrind" and 1 or is_checked and 0.5 or 0.15,
}

-- The seconds that a function takes, and what it returns.
function clock.time(fn, ...)
  local started = monotime()
  return (function(...) return monotime() - started, ... end)(fn(...))
end

-- Calls a function until it takes no more than `most` seconds, at most three times: other
-- processes take the processor too. Then it has failed.
function clock.within(most, fn)
  local taken
  for _ = 1, 3 do
    taken = clock.time(fn)
    if taken <= most then return end
  end
  error(("took %.3f seconds, and not %.3f"):format(taken, most), 2)
end

return clock
