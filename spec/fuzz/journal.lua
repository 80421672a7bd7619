-- The promise on journals: a file is refused and left unchanged, or it is a journal. Then its whole
-- lines stay, the last one of each key is the key's state, and new lines are read back.
local journal = require "cekura.each.journal"

local WORK = { api = "https://api.cekura.ai" }
local HEADER = "cekura journal 1 api=https://api.cekura.ai\n"
local OUTCOMES = { "done", "failed", "unknown" }

local function content_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  file:write(content)
end

local function unescaped(word)
  return (word:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- Returns { key = its last event } of whole lines, and the last key.
local function events_of(content)
  local states, last = {}, nil
  for line in content:sub(#HEADER + 1):gmatch "([^\n]*)\n" do
    local event, word = line:match "^%S+ (%l+) (%S+)"
    assert(event and line:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ ", line)
    if event ~= "spent" then
      last = unescaped(word)
      states[last] = event
    end
  end
  return states, last
end

-- Returns what the file must contain once it is open.
local function kept(content)
  if #content < #HEADER and HEADER:sub(1, #content) == content then return HEADER end
  return content:match "^.*\n"
end

local function check_states(it, states)
  for key, event in pairs(states) do
    assert(it:state(key) == event, ("%q is %s, not %s"):format(key, it:state(key), event))
  end
  for key, event in pairs(it.states) do assert(states[unescaped(key)] == event, key) end
end

-- The content is used as key and message as well: both may contain anything.
local function add_events(it, content, states, last)
  local outcome = OUTCOMES[#content % 3 + 1]
  local key = last or content:sub(1, 20)
  if key == "" then key = 1 end
  assert(it:start(key))
  assert(it:start(content .. "."))
  assert(it:finish(key, outcome, content))
  states[tostring(key)], states[content .. "."] = outcome, "started"
end

local function continue(path, content)
  local it, problem = journal.open(path, WORK)
  if not it then
    assert(type(problem) == "string" and utf8.len(problem), "no message")
    assert(not problem:find "[\0-\x1F\x7F]", problem)
    assert(content_of(path) == content, "a refused file was changed")
    return
  end
  local whole = kept(content)
  assert(content_of(path) == whole, "not the whole lines")
  local states, last = events_of(whole)
  check_states(it, states)
  add_events(it, content, states, last)
  assert(it:close())
  assert(content_of(path):sub(1, #whole) == whole, "an earlier line was changed")
  local again <close> = assert(journal.open(path, WORK))
  check_states(again, states)
end

-- Tries the content as it is, and after a header, which few inputs have.
return function(path, content)
  continue(path, content)
  write(path, HEADER .. content)
  continue(path, HEADER .. content)
end
