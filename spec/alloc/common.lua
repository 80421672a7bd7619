-- What the scripts share that spec/c/alloc.c runs.
local common = {}

-- Whether that is what a call may end with when memory runs out: a result, nil and an error, or
-- Lua's own error. Takes what pcall returned.
function common.check(ok, value, err)
  if ok then
    assert(value ~= nil or err.kind, "neither a result nor an error")
  else
    assert(tostring(value):find("memory", 1, true), value)
  end
end

-- Nothing waits long here: what hangs is a failure.
function common.options(url, on_event)
  return { api_url = url, api_key = "sandbox-key", proxy = "", deadline = 5, backoff_base = 0.001,
    backoff_cap = 0.002, on_event = on_event }
end

function common.vote(client, run_id)
  return client.runs:mark_metric_vote {
    run_id = run_id or 5544, metric_id = 55, thumbs_up = false, expected_value = { 1, "two" },
    feedback = ("a reason "):rep(100),
  }
end

return common
