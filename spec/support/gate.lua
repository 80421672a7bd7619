-- `cekura-review gate` against a sandbox whose results a spec can make up.

local Review = require "support.review"
local json = require "cjson".new()

local gates = {}

-- Returns a Review of `gate` with more methods. `options` are the sandbox's.
function gates.new(options)
  local gate = Review.new("gate", options)
  gate.always = { "--interval", "0.05", "--no-progress" }
  local made = {}  -- rules by result

  -- Makes a result have these runs: { success, scenario?, status?, personality?, [i] = entries of
  -- metrics }. `fields` are further ones of the result.
  function gate.make(_, id, list, fields)
    local runs = {}
    for i, run in ipairs(list) do
      local metrics = table.move(run, 1, #run, 1, {})
      runs[tostring(id * 100 + i)] = { id = id * 100 + i, status = run.status or "completed",
        success = run.success, scenario = run.scenario_id or 1, evaluation = { metrics = metrics },
        scenario_name = run.scenario or "Book a first visit", personality_name = run.personality }
    end
    local body = { id = id, status = "completed", name = "made", runs = runs }
    for name, value in pairs(fields or {}) do body[name] = value end
    made[id] = { method = "GET", path = ("/results/%d/$"):format(id), times = math.huge,
      body = body }
    local rules = {}
    for _, rule in pairs(made) do rules[#rules + 1] = rule end
    gate.server:faults(rules)
  end

  -- Runs it with --json. Returns the object, and what was written to stderr.
  function gate:judge(...)
    local output, errors, code = self:run("--json", ...)
    local said = json.decode(output)
    assert(code == said.exit_code, errors)
    return said, errors
  end

  return gate
end

-- Entries of metrics.
function gates.binary(value)
  return { id = 54, name = "Avoids Medical Advice", type = "binary", score = value }
end

function gates.rating(value)
  return { id = 53, name = "Empathy", type = "continuous_qualitative", score = value }
end

function gates.number(value)
  return { id = 56, name = "Latency", type = "numeric", score = value }
end

-- Returns runs of which the first `passed` of `all` pass.
function gates.passing(passed, all)
  local list = {}
  for i = 1, all do list[i] = { success = i <= passed, gates.binary(i <= passed) } end
  return list
end

return gates
