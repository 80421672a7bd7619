--- The turns of a call, made from its scenario and its facts when they are asked for: most
--- transcripts are never read.

local json = require "cekura.sandbox.json"
local random = require "cekura.sandbox.random"
local scenarios = require "cekura.sandbox.data.scenarios"

local dialogue = {}

local SPEAKERS = { M = "Main Agent", T = "Testing Agent" }
local SECONDS_PER_WORD = 0.4

--- Returns the text of each {name} in the call `id`.
local function fillings_of(seed, id)
  local chosen = {}
  for name, choices in pairs(scenarios.fillings) do
    chosen[name] = random.pick(choices, seed, id, name)
  end
  return chosen
end

--- Returns `text` with its {names} filled in for the call `id`.
function dialogue.fill(text, seed, id)
  return (text:gsub("{(%w+)}", fillings_of(seed, id)))
end

local function tenths(seconds) return math.floor(seconds * 10) / 10 end

--- Returns the turns of a call, with times in seconds from its start.
function dialogue.turns(scenario, facts, seed, id)
  local turns, time, fillings = json.array {}, 0.8, fillings_of(seed, id)
  local function add(line)
    local content = line[2]:gsub("{(%w+)}", fillings)
    local _, words = content:gsub("%S+", "")
    local ends = time + 0.4 + words * SECONDS_PER_WORD
    turns[#turns + 1] = {
      role = SPEAKERS[line[1]], content = content,
      start_time = tenths(time), end_time = tenths(ends), timestamp = tenths(time),
    }
    time = ends + (line[1] == "T" and facts.latency / 1000 or 0.6)
  end
  for _, part in ipairs(scenario.parts) do
    for _, line in ipairs(part) do
      if (not line.when or facts[line.when]) and not (line.unless and facts[line.unless]) then
        add(line)
      end
    end
  end
  return turns
end

--- Returns minutes and seconds, as in "01:10".
function dialogue.clock(seconds)
  return ("%02d:%02d"):format(seconds // 60, math.floor(seconds % 60))
end

--- Returns the turns as text, one line each: "[00:01] Testing Agent: Hello."
function dialogue.text(turns)
  local lines = {}
  for i, turn in ipairs(turns) do
    lines[i] = ("[%s] %s: %s"):format(dialogue.clock(turn.start_time), turn.role, turn.content)
  end
  return table.concat(lines, "\n")
end

--- Returns the duration of the call in seconds.
function dialogue.duration(turns)
  return #turns > 0 and turns[#turns].end_time or 0
end

return dialogue
