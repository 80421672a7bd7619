-- What the specs of tasks have in common.
local assert = require "luassert"
local clock = require "support.clock"

local tasks = {}

-- A client's options with which no wait for a retry ends.
tasks.NEVER = { timeout = 60, deadline = 80000, backoff = { base = 80000, cap = 80000 } }

-- A variable that calls the function when it is closed.
function tasks.closing(fn)
  return setmetatable({}, { __close = function(_, raised) fn(raised) end })
end

-- Steps the client until the condition holds.
function tasks.drive(client, holds)
  local till = os.time() + clock.LIMIT
  while not holds() do
    assert(os.time() < till, "the condition never held")
    assert(client:step(0.01) ~= nil)
  end
end

function tasks.is_cancelled(task, applied)
  local value, err = task:wait()
  assert.is_nil(value)
  assert.same({ "cancelled", applied or "no" }, { err.kind, err.applied })
  assert.is_true(task:ended())
  assert.equal(applied or "no", task:applied())
  assert.is_nil(tostring(err):find "[\r\n]")
end

-- No task is left, and nothing is to be waited for.
function tasks.is_idle(client)
  assert.is_false(client:step())
  assert.is_nil(client:timeout())
end

return tasks
