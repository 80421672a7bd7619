--- The cost of a command before it starts: the number of metric evaluations, an estimate of their
--- credits, and the balance. It ends a command that cannot be paid or exceeds --max-evaluations.

local cekura = require "cekura"
local command = require "cekura.review.internal.command"
local output = require "cekura.review.internal.output"
local prices = require "cekura.internal.prices"
local responses = require "cekura.review.internal.responses"
local spent = require "cekura.review.internal.spent"
local text = require "cekura.review.internal.text"
local texttable = require "cekura.review.internal.table"

local cost = {}

---@class cekura.review.Limits
---@field apply boolean? whether the evaluations are started now
---@field at_most boolean? whether `evaluations` is an upper bound
---@field max_evaluations integer? the option of this name
---@field hint string? what to do if there are more
---@field refusal string? the name of the exit code if the balance is too low; "failed" by default

---@class cekura.review.Size: cekura.review.Limits
---@field evaluations integer
---@field made_of string how the number comes about: "2 runs × 3 metrics"
---@field metric_ids integer[] each is evaluated equally often
---@field scopes table[] arguments of metrics:list that show their prices

--- Returns the scope of the option --agent or --project, or of an object of the API.
function cost.scope(agent, project)
  return agent and { agent_id = agent } or { project_id = project }
end

--- Returns a client whose calls together start no more than --max-evaluations, if they are started.
---@param options table
---@param more table? further options of the client
function cost.client(options, more)
  local all = more or {}
  all.spend_limit = options.apply and options.max_evaluations or nil
  return assert(cekura.new(all))
end

-- ---- the estimate ----

local cache = {}  -- "agent 231" -> { [metric id] = price }

--- Returns the prices, or nil and an error. Each scope is read once.
local function prices_of(client, scopes)
  local found = {}
  for _, scope in ipairs(scopes) do
    local key = scope.agent_id and "agent " .. scope.agent_id
      or "project " .. tostring(scope.project_id)
    local list, err = cache[key], nil
    if not list then list, err = prices.read(client, { scope }) end
    if not list then return nil, err end
    cache[key] = list
    for id, price in pairs(list) do found[id] = price end
  end
  return found
end

--- Returns cekura.Estimate; without credits, but with an error, if the prices cannot be read.
local function estimate_of(client, size)
  local estimate = { evaluations = size.evaluations, unknown_metrics = cekura.array {} }
  local known, err = prices_of(client, size.scopes)
  if not known then return estimate, err end
  estimate.credits, estimate.unknown_metrics =
    prices.sum(known, size.metric_ids, size.evaluations / math.max(#size.metric_ids, 1))
  return estimate
end

local MOST_NAMED = 10

--- Returns words for the metrics without a price; "" if there are none.
local function assumption(unknown)
  local count = #unknown
  if count == 0 then return "" end
  local named = table.concat(unknown, ", ", 1, math.min(count, MOST_NAMED))
  if count > MOST_NAMED then named = ("%s and %d more"):format(named, count - MOST_NAMED) end
  return (", assuming %s for each conversation: the API names no price of metric %s")
    :format(prices.ASSUMED, named)
end

local function credits_text(number)
  return ("%s credit%s"):format(texttable.show(number + 0.0), number == 1 and "" or "s")
end

---@param problem any why the estimate is not complete
local function print_estimate(estimate, made_of, problem)
  if not estimate.evaluations then return text.print("Estimate: unknown: %s.", problem) end
  local price = estimate.credits
    and credits_text(estimate.credits) .. assumption(estimate.unknown_metrics)
    or ("at an unknown price: %s"):format(problem)
  text.print("Estimate: %s (%s), %s.", text.count(estimate.evaluations, "metric evaluation"),
    made_of, price)
end

-- ---- the balance ----

--- Returns whether the subscription buys credits beyond the balance. The document of
--- billing-info-retrieve: "-1 disables overage".
local function has_overage(info)
  local pack = (info.subscription_status or {}).pack or {}
  return (tonumber(pack.subscription_overage) or -1) >= 0
end

--- Returns the number of credits; nil unless the value is a number or a decimal text.
local function number_of(value)
  local is_text = type(value) == "string" and value:find "^%-?%d+%.?%d*$"
  local number = (is_text or type(value) == "number") and tonumber(value)
  return number and math.abs(number) < math.huge and number or nil  -- false for NaN
end

--- Prints the balance. Returns it, in credits, and whether more may be spent. It is nil if it is
--- unknown: a key that may not read it is not an error.
local function print_balance(client)
  local info, err = responses.balance(client.billing:info {})
  local credits = info and number_of(info.credits_remaining)
  if not credits then
    output.print(("Balance: unknown: %s."):format(err or "billing.info names no number of credits"))
    return nil
  end
  output.print(("Balance: %s credits (the last half hour may be missing)."):format(
    texttable.show(info.credits_remaining)))
  return credits, has_overage(info)
end

-- ---- both ----

--- Returns why --max-evaluations refuses this; nil if it permits it.
local function limit_problem(limits, estimate)
  local count, most = estimate.evaluations, limits.max_evaluations
  if not most then return nil end
  if not count or estimate.evaluations_at_least then
    return "--max-evaluations does not limit a call that may start more evaluations than are known"
  end
  return count > most and ("%s are more than --max-evaluations %d"):format(
    text.count(count, "evaluation"), most) or nil
end

--- Ends the command if it would start more than --max-evaluations permits. A plan only says so.
local function check_limit(limits, estimate)
  local problem = limit_problem(limits, estimate)
  if not problem then return end
  if limits.apply then
    command.fail("usage", "%s: nothing was started%s", problem, limits.hint or "")
  end
  text.print("%s: --apply would not start this%s.", problem, limits.hint or "")
end

--- Returns whether the balance pays for the credits. A price that is unknown is not zero.
local function is_enough(balance, credits)
  if credits then return credits <= balance end
  return balance > 0
end

--- Ends the command if the balance is too low. A plan only says so.
local function check_balance(limits, credits, balance, has_more)
  if not balance or is_enough(balance, credits) then return end
  if has_more then
    output.print "The balance is too low: the subscription buys further credits (overage)."
  elseif not limits.apply then
    output.print "The balance is too low: --apply would not start this."
  else
    command.fail(limits.refusal or "failed", "the balance of %s credits is too low%s: not started",
      texttable.show(balance),
      credits and " for the estimate of " .. texttable.show(credits) or "")
  end
end

--- Prints the estimate and the balance. Ends the command if they forbid to start it. Returns both,
--- for --json.
local function show(client, limits, estimate, made_of, problem)
  if limits.apply then spent.watch(client, limits.at_most) end
  print_estimate(estimate, made_of, problem)
  local balance, has_more = print_balance(client)
  check_limit(limits, estimate)
  check_balance(limits, estimate.credits, balance, has_more)
  return estimate, balance
end

--- Does that for evaluations that the command has counted.
---@param size cekura.review.Size
function cost.show(client, size)
  local estimate, err = estimate_of(client, size)
  return show(client, size, estimate, size.made_of, err)
end

local UNBOUNDED = "no document says how many metric evaluations it starts"

--- Does that for a call of an endpoint, whose evaluations are counted by cekura.estimate.
---@param limits cekura.review.Limits
function cost.show_call(client, endpoint, arguments, limits)
  local estimate, err = cekura.estimate(client, endpoint, arguments)
  if err and err.kind == "validation" then error(err, 0) end
  estimate = estimate or { exact = false, unknown_metrics = cekura.array {} }
  local bound = estimate.evaluations_at_least and "at least" or estimate.exact and "exactly"
    or "at most"
  limits.at_most = bound == "at most"
  return show(client, limits, estimate, bound, err or UNBOUNDED)
end

--- Prints the server's estimate for one sample, which is missing unless the server sends it.
---@param estimate string?
function cost.print_per_sample(estimate)
  if (estimate or "") ~= "" then text.print("  estimated cost per sample: %s", estimate) end
end

return cost
