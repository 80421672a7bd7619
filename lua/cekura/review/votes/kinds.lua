--- The two kinds of calls that a vote can be on: runs of a test, and production calls. A row of a
--- sheet has the id of one of them.

local cekura = require "cekura"

--- A kind of calls, by the column with its id.
---@class cekura.review.VoteKind
---@field column string
---@field noun string
---@field prefix string before the id in keys of the journal; two calls have different keys
---@field endpoint cekura.Endpoint of a vote
---@field vote fun(client: table, vote: table, options: table?): any, any
---@field label fun(client: table, id: string, metrics: table[], options: table?): any, any creates
---the test set of a call, or changes the existing one

local kinds = {}

kinds.run_id = {
  column = "run_id", noun = "run", prefix = "",
  endpoint = cekura.endpoints["runs.mark_metric_vote"],
  vote = function(client, vote, options) return client.runs:mark_metric_vote(vote, options) end,
  label = function(client, id, metrics, options)
    return client.test_sets:create_from_run({ run_id = id, metrics = metrics }, options)
  end,
}

kinds.call_log_id = {
  column = "call_log_id", noun = "call log", prefix = "call:",
  endpoint = cekura.endpoints["calls.mark_metric_vote"],
  vote = function(client, vote, options) return client.calls:mark_metric_vote(vote, options) end,
  label = function(client, id, metrics, options)
    return client.test_sets:create_from_call_log({ call_log_id = id, metrics = metrics }, options)
  end,
}

local DRY = { dry_run = true }

--- Returns the problems that the client finds in a vote, { [field] = message }; nil if there are
--- none.
---@param kind cekura.review.VoteKind
function kinds.problems(client, kind, vote)
  local _, err = kind.vote(client, vote, DRY)
  if not err then return nil end
  local problems = {}
  for path, messages in pairs(err.fields or { [""] = { err.message } }) do
    problems[path] = messages[1]:gsub("cekura%.null", "null")
  end
  return problems
end

return kinds
