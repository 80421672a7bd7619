--- The checks of a gate against an earlier result: nothing may be clearly worse.

local compare = require "cekura.review.compare"

local command = require "cekura.review.internal.command"

local base = {}

--- Returns the earlier result as the API writes it. Ends the command unless it is completed.
function base.get(client, options)
  if options.base == options.result then
    command.fail("usage", "result %d is the newest one: name an earlier one with --base",
      options.base)
  end
  local raw = command.found("result", options.base,
    client.results:get { result_id = options.base })
  if raw.status ~= "completed" then
    command.fail("usage", "--base: result %d is not completed: its status is %s", options.base,
      tostring(raw.status))
  end
  return raw
end

local VERDICTS = { better = "ok", ["no change"] = "ok", worse = "failed" }

local function check_of(change, options)
  local verdict = VERDICTS[change.verdict] or options.confidence and "unclear" or "ok"
  return {
    name = change.id and ("metric %d, change"):format(change.id) or "success rate, change",
    metric_id = change.id, is_change = true, wanted = ("not worse than %d"):format(options.base),
    found = change.change, low = change.low, high = change.high, runs = change.n,
    verdict = change.n > 0 and verdict or "person",
  }
end

--- Returns the ids of the metrics for which the thresholds say that higher values are better, and
--- of those for which lower ones are. Thresholds on both sides of a range do not say it.
local function directions_of(thresholds)
  local wants, higher, lower = { [">"] = {}, ["<"] = {} }, {}, {}
  for _, wanted in ipairs(thresholds) do
    if not wanted.value then wants[wanted.compare:sub(1, 1)][wanted.id] = true end
  end
  for id in pairs(wants[">"]) do
    if not wants["<"][id] then higher[#higher + 1] = id end
  end
  for id in pairs(wants["<"]) do
    if not wants[">"][id] then lower[#lower + 1] = id end
  end
  return higher, lower
end

--- Adds a check of the success of the runs, and one of each metric of which it is known which
--- values are better.
---@param list cekura.review.Check[]
---@param before table the response of results:get
---@param after table
---@param options { base: integer, confidence: number?, metric: table[] }
function base.add(list, before, after, options)
  local higher, lower = directions_of(options.metric)
  local found = compare.results(before, after, { confidence = options.confidence,
    higher_is_better = higher, lower_is_better = lower })
  for _, warning in ipairs(found.warnings) do command.say("%s", warning) end
  list[#list + 1] = check_of(found.success, options)
  for _, change in ipairs(found.metrics) do
    if change.better and change.n > 0 then list[#list + 1] = check_of(change, options) end
  end
end

return base
