-- Functions that the specs of tasks share: options, a variable with __close, and checks.
local assert = require "luassert"
local clock = require "support.clock"

local tasks = {}

-- Options of a client whose waits for a retry do not end within a test.
tasks.NEVER = { timeout = 60, deadline = 80000, backoff = { base = 80000, cap = 80000 } }

-- Returns a value whose __close calls the function.
function tasks.closing(fn)
  return setmetatable({}, { __close = function(_, raised) fn(raised) end })
end

-- Steps the client until holds() is true.
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

-- Fails unless the client has no task, and nothing to wait for.
function tasks.is_idle(client)
  assert.is_false(client:step())
  assert.is_nil(client:timeout())
end

return tasks
