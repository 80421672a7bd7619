-- Functions that the scripts of spec/c/alloc.c share: options, a vote, and a check of the result.
local common = {
  descriptors = _G.descriptors,  -- returns the number of open descriptors; from spec/c/alloc.c
  -- Runs for which the server of spec/stress/alloc_spec.lua responds late, with an error, or with a
  -- Deprecation header.
  SLOW = 77777,
  BROKEN = 66666,
  DEPRECATED = 55555,
}

-- Takes the results of pcall. Raises an error unless a call may end with them when no memory is
-- left: with a value, with nil and an error, or with Lua's own error. If a stack cannot grow for
-- lack of memory, Lua reports an overflow.
function common.check(ok, value, err)
  local raised = tostring(not ok and value or err)
  if not ok or (value == nil and not err.kind) then
    assert(raised:find "memory" or raised:find "stack overflow", raised)
  end
end

-- Returns the options of a client whose calls end within seconds, so that a hang is a failure.
function common.options(url, on_event)
  assert(url, "no server")
  return { api_url = url, api_key = "sandbox-key", proxy = "", deadline = 5, max_attempts = 2,
    backoff = { base = 0.001, cap = 0.002 }, on_event = on_event }
end

function common.vote(client, run_id)
  return client.runs:mark_metric_vote {
    run_id = run_id or 5544, metric_id = 55, thumbs_up = false, expected_value = { 1, "two" },
    feedback = ("a reason "):rep(100),
  }
end

return common
