-- The work of each host: a function returns a line of text, and the host's script delivers it.
local votes = {}

local function line(err) return err.kind .. " " .. err.applied end

-- Votes on a run. The sandbox records the feedback, by which run.lua counts the votes.
function votes.one(client, run_id, feedback)
  local vote, err = client.runs:mark_metric_vote {
    run_id = run_id, metric_id = 55, thumbs_up = true, expected_value = 3, feedback = feedback,
  }
  return vote and "ok" or line(err)
end

-- Votes on ten runs, several at a time.
function votes.ten(client, feedback)
  local runs = {}
  for run_id = 5540, 5549 do runs[#runs + 1] = run_id end
  local report, err = client:each(runs, function(run_id)
    return client.runs:mark_metric_vote {
      run_id = run_id, metric_id = 55, thumbs_up = true, expected_value = 3,
      feedback = feedback .. "-" .. run_id,
    }
  end)
  return report and report.ok .. " ok" or line(err)
end

-- Answers /vote?run=5544&id=text and /each?id=text.
function votes.answer(client, path, query)
  local run_id, id = query:match "run=(%d+)", query:match "id=([%w-]+)"
  if path == "/vote" then return votes.one(client, run_id, id) end
  if path == "/each" then return votes.ten(client, id) end
  return "pong"
end

return votes
