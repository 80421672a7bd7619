-- What the scripts share that spec/c/alloc.c runs.
local common = {
  descriptors = _G.descriptors,  -- how many are open: spec/c/alloc.c's
  -- Runs that spec/stress/alloc_spec.lua's server is slow to answer for, or unable to.
  SLOW = 77777,
  BROKEN = 66666,
}

-- Whether that is what a call may end with when memory runs out: a result, nil and an error, or
-- Lua's own error, raised or as what a task has failed with. (Of a stack that cannot grow, Lua does
-- not say why: it calls it an overflow.) Takes what pcall returned.
function common.check(ok, value, err)
  local raised = tostring(not ok and value or err)
  if not ok or (value == nil and not err.kind) then
    assert(raised:find "memory" or raised:find "stack overflow", raised)
  end
end

-- Nothing waits long here: what hangs is a failure.
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
