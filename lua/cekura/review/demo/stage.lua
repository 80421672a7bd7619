--- The output of the demo, which fits the terminal, and the state of its sandbox.
--- A Stage has a sandbox, a client of it, and the ids that the demo uses.

local cekura = require "cekura"
local output = require "cekura.review.internal.output"
local load_sandbox = require "cekura.review.internal.sandbox"
local texttable = require "cekura.review.internal.table"
local values = require "cekura.review.internal.values"

local Stage = {}
Stage.__index = Stage

-- ---- printing ----

local WIDTH = 100  -- columns, unless the terminal has fewer

local function width() return math.min(output.columns() or WIDTH, WIDTH) end

--- Prints formatted text, in lines that fit the terminal and begin with `indent`. A longer word has
--- a line of its own.
function Stage.say(indent, format, ...)
  local line
  for word in format:format(...):gmatch "%S+" do
    local longer = line and line .. " " .. word or indent .. word
    if line and #longer > width() then
      output.print(line)
      longer = indent .. word
    end
    line = longer
  end
  output.print(line)
end

--- Prints an empty line.
function Stage.blank() output.print() end

--- Prints the title on the left and the call on the right, or below it.
function Stage.heading(title, call)
  local gap = width() - #title - #call
  Stage.blank()
  if gap > 0 then
    output.print(title .. (" "):rep(gap) .. call)
  else
    Stage.say("", "%s", title)
    Stage.say("   ", "%s", call)
  end
  Stage.blank()
end

function Stage.table(rows) output.write(texttable.text(rows, "   ")) end

--- Prints and notes the response of a call that succeeded.
function Stage:response(name, response)
  self.say("   ", "Status %d after %d attempt, %.1f ms.", response.status, response.attempts,
    response.elapsed * 1000)
  table.insert(self.calls, { call = name, status = response.status, attempts = response.attempts })
end

--- Returns "3 -> 2".
function Stage.change(before, after)
  return texttable.show(before) .. " -> " .. texttable.show(after)
end

-- ---- the sandbox and its state ----

--- Starts the sandbox, of which one metric is shown. Close the stage at the end.
function Stage.open(metric_id)
  local server = load_sandbox().start { evaluation_time = 0.3 }
  local client = assert(cekura.new {
    api_url = server.url, api_key = server.api_key,
    proxy = "",  -- ignores the proxy of the environment
  })
  return setmetatable({ server = server, client = client, metric_id = metric_id,
    calls = cekura.array {}, errors = cekura.array {} }, Stage)
end

function Stage:close()
  self.client:close()
  self.server:stop()
end

function Stage:state(part, id) return self.server:state(part, id) end

function Stage:balance() return self:state("balance").remaining | 0 end

function Stage:metric() return self:state("metrics", self.metric_id) end

--- Returns the metric's entry for a run or a call log: { value, expected_value, … }, or an empty
--- table.
function Stage:verdict(part, id) return self:state(part, id).metrics[self.metric_id] or {} end

--- Returns the metric's values for these runs or call logs, in a table by index.
function Stage:values_of(part, list)
  local said = {}
  for i, id in ipairs(list) do said[i] = self:verdict(part, id).value end
  return said
end

--- Returns the newest results of the metric's agents.
function Stage:results(count)
  local has_metric, list = {}, {}
  for _, id in ipairs(self:metric().agents) do has_metric[id] = true end
  for id, result in pairs(self:state "results") do
    if has_metric[result.agent_id] then list[#list + 1] = id end
  end
  table.sort(list, function(a, b) return a > b end)
  return table.move(list, 1, count, 1, {})
end

--- Returns in how many of the reviewed runs the metric agrees with the reviewer.
function Stage:agreement()
  local same, all, runs = 0, 0, self:state "runs"
  local eval_type = self:metric().eval_type
  for _, result in pairs(self:state "results") do
    for _, id in ipairs(result.run_ids) do
      local said = runs[id].metrics[self.metric_id]
      if said and said.expected_value ~= nil then
        all = all + 1
        if values.are_same(eval_type, said.value, said.expected_value) then same = same + 1 end
      end
    end
  end
  return ("%d of %d reviewed runs"):format(same, all)
end

--- Waits until done() is true, at most ten seconds.
function Stage:wait_until(done)
  local give_up = os.time() + 10
  while not done() do
    if os.time() > give_up then error("the sandbox has not finished in time", 0) end
    assert(self.client:sleep(0.05))  -- os.execute "sleep" would keep Ctrl-C from this process
  end
end

-- ---- costs and errors ----

--- Prints what a call would cost, without sending it.
---@param request cekura.DryRun
function Stage.cost(request)
  Stage.say("   ", "A dry run sends nothing, and says: this would start %d metric evaluations.",
    request.evaluations)
  Stage.say("   ", "%s %s", request.method, request.url)
  Stage.blank()
end

--- Prints what cekura.estimate says of a call. Returns the number of evaluations.
function Stage:estimate(endpoint, arguments)
  local found = assert(cekura.estimate(self.client, endpoint, arguments))
  self.say("   ", "cekura.estimate only reads, and says: this would start %s%d metric evaluations,",
    found.evaluations_at_least and "at least " or "", found.evaluations)
  self.say("   ", "which cost about %s credits.", texttable.show(found.credits + 0.0))
  self.blank()
  return found.evaluations
end

function Stage:spent(before)
  self.say("   ", "Credits: %d before, %d now: %d spent.", before, self:balance(),
    before - self:balance())
end

--- Prints and notes the error of a call.
function Stage:error(about, err)
  self.say("   ", "%s", about)
  self.blank()
  self.say("      ", "%s", tostring(err))
  self.blank()
  self.say("      ", "kind = %q, applied = %q, status = %s", err.kind, err.applied,
    texttable.show(err.status))
  self.blank()
  table.insert(self.errors, { kind = err.kind, applied = err.applied, status = err.status })
end

return Stage
