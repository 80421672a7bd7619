--- What was said in a call: made from its scenario and its facts whenever somebody asks, because
--- most transcripts are never looked at.

local catalogue = require "cekura.sandbox.catalogue"
local json = require "cekura.sandbox.json"
local random = require "cekura.sandbox.random"

local dialogue = {}

local SPEAKERS = { M = "Main Agent", T = "Testing Agent" }
local SECONDS_PER_WORD = 0.4

local function is_said(line, facts)
  return (not line.when or facts[line.when]) and not (line.unless and facts[line.unless])
end

--- The names in braces, as this call fills them.
local function fillings_of(seed, id)
  local chosen = {}
  for name, choices in pairs(catalogue.fillings) do
    chosen[name] = random.pick(choices, seed, id, name)
  end
  return chosen
end

--- `text` with its {names} filled in for the call `id`.
function dialogue.fill(text, seed, id)
  return (text:gsub("{(%w+)}", fillings_of(seed, id)))
end

--- The turns of a call: { role, content, start_time, end_time, timestamp }, seconds from its start.
function dialogue.turns(scenario, facts, seed, id)
  local turns, time, fillings = json.array {}, 0.8, fillings_of(seed, id)
  for _, line in ipairs(scenario.lines) do
    if is_said(line, facts) then
      local content = line[2]:gsub("{(%w+)}", fillings)
      local _, words = content:gsub("%S+", "")
      local ends = time + 0.4 + words * SECONDS_PER_WORD
      turns[#turns + 1] = {
        role = SPEAKERS[line[1]], content = content,
        start_time = math.floor(time * 10) / 10, end_time = math.floor(ends * 10) / 10,
        timestamp = math.floor(time * 10) / 10,
      }
      time = ends + (line[1] == "T" and facts.latency / 1000 or 0.6)
    end
  end
  return turns
end

--- Minutes and seconds, as in "01:10".
function dialogue.clock(seconds)
  return ("%02d:%02d"):format(seconds // 60, math.floor(seconds % 60))
end

--- The turns as text, a line each: "[00:01] Testing Agent: Hello."
function dialogue.text(turns)
  local lines = {}
  for i, turn in ipairs(turns) do
    lines[i] = ("[%s] %s: %s"):format(dialogue.clock(turn.start_time), turn.role, turn.content)
  end
  return table.concat(lines, "\n")
end

--- How long the call took, in seconds.
function dialogue.duration(turns)
  return #turns > 0 and turns[#turns].end_time or 0
end

return dialogue
