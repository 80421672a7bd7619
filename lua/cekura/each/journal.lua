--- The journal of `client:each`: a text file that records which items were started and how they
--- ended, so that a later run continues from there.
---
---     cekura journal 1 api=https://api.cekura.ai work=votes.csv
---     2026-11-21T04:20:11Z started 5544:55
---     2026-11-21T04:20:12Z failed 5544:55 not_found: no such run
---     2026-11-21T04:20:12Z spent evaluations=4 evaluations_unknown=0 calls=1 calls_unknown=0 …
---
--- The first line says what the journal belongs to. A line "spent" sums up what the items of a run
--- have spent; a run that has spent nothing, or was killed, has none. Each other line is an event;
--- the last event of a key is its state. Keys may form groups, such as all votes on one run: then a
--- key has a state only until another key of its group is started and does not fail.
---
--- Lines are written whole, so that a killed process tears at most the last one. A line without its
--- end is not an event. Only `sync` makes lines survive a crash of the machine.
---
--- A journal keeps the last event of each key in memory, about a hundred bytes per key.

require "cekura.core"  -- preloads cekura.internal
local ascii = require "cekura.internal.ascii"
local internal = require "cekura.internal"

local journal = {}

local VERSION = "1"
local TIME = "!%Y-%m-%dT%H:%M:%SZ"
local START = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ "
local LINE = START .. "([a-z]+) ([^ ]+)(.*)$"
local FIELDS = { "evaluations", "evaluations_unknown", "calls", "calls_unknown", "uncounted" }
local SPENT = START .. "spent " .. table.concat(FIELDS, "=(%d+) ") .. "=(%d+)$"
local MESSAGE = "^ [^\0-\x1F\x7F]+$"
local LONGEST_MESSAGE = 300  -- bytes

local is_outcome = { done = true, failed = true, unknown = true }

-- ---- text ------------------------------------------------------------------------------------

--- Returns the text with `replace(byte)` for every byte that is not valid UTF-8.
local function replace_invalid(text, replace)
  local parts, at = {}, 1
  repeat
    local _, bad = utf8.len(text, at)
    parts[#parts + 1] = text:sub(at, (bad or 0) - 1)
    if bad then
      parts[#parts + 1] = replace(text:sub(bad, bad))
      at = bad + 1
    end
  until not bad
  return table.concat(parts)
end

local function escape_byte(byte) return ("%%%02X"):format(byte:byte()) end
local function escape_bytes(bytes) return (bytes:gsub(".", escape_byte)) end

--- Returns the text as one word that any terminal shows. No two texts have the same word.
local function escape(text)
  if not text:find "[^!-$&-~]" then return text end
  text = text:gsub("[\0-\x20%%\x7F]", escape_byte)
  text = text:gsub("\xC2[\x80-\x9F]", escape_bytes)  -- control characters U+0080 to U+009F
  return replace_invalid(text, escape_byte)
end

local function unescape(word)
  return (word:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- Returns the text on one line, of at most LONGEST_MESSAGE bytes.
local function flatten(text)
  text = text:gsub("\xC2[\x80-\x9F]", " "):gsub("[\0-\x20\x7F]+", " "):gsub("^ ", "")
  text = replace_invalid(text, function() return "?" end)
  if #text > LONGEST_MESSAGE then
    text = text:sub(1, utf8.offset(text, 0, LONGEST_MESSAGE + 1) - 1)
  end
  return (text:gsub(" $", ""))
end

--- Returns the text of a key, or nil if the value cannot be one. 5, 5.0 and "5" are the same key,
--- as 5 and 5.0 are in a table. Two different floats have different texts.
---@return string?
function journal.text_of(key)
  if type(key) == "string" and key ~= "" then return key end
  if type(key) ~= "number" or key ~= key then return nil end
  local integer = math.tointeger(key)
  return integer and ("%d"):format(integer) or ascii.format("%.17g", key)
end

local function word_of(key)
  local text = journal.text_of(key)
  if text then return escape(text) end
  local what = key == "" and "an empty string" or type(key) == "number" and "NaN" or type(key)
  error("journal: a key is a string or a number, not " .. what, 3)
end

-- ---- reading ---------------------------------------------------------------------------------

--- Returns the event and the key, as a word; nil if the line is not an event.
local function parse(line)
  local event, word, rest = line:match(LINE)
  if is_outcome[event] then
    if rest ~= "" and not (rest:find(MESSAGE) and utf8.len(rest)) then return nil end
  elseif event ~= "started" or rest ~= "" then
    return nil
  end
  if escape(unescape(word)) ~= word then return nil end
  return event, word
end

--- Adds the numbers of a line "spent" to the journal's sum. Returns false if it is not such a line.
local function add_spent(self, line)
  local digits = { line:match(SPENT) }
  for i, name in ipairs(FIELDS) do
    local number = digits[i] and math.tointeger(tonumber(digits[i]))
    if not number then return false end
    local sum = (self.sum[name] or 0) + number
    self.sum[name] = sum >= number and sum or math.maxinteger  -- as in C: no sum overflows
  end
  return true
end

--- Iterates over the lines that have an end, each with the number of bytes up to that end.
local function lines(content)
  local size = 0
  return function()
    local stop = content:find("\n", size + 1, true)
    if not stop then return nil end
    local line = content:sub(size + 1, stop - 1)
    size = stop
    return line, size
  end
end

--- Returns whether a first line is that header. Other spellings of the same address are equal.
local function is_header(line, header)
  local before, api, after = line:match "^(cekura journal [0-9]+ api=)([^ ]*)(.*)$"
  return before ~= nil and before .. escape(internal.normal_url(unescape(api))) .. after == header
end

--- Returns why a run with this header cannot continue a file with that first line; nil if it can.
local function header_problem(line, header)
  if line and is_header(line, header) then return nil end
  local version, rest = (line or ""):match "^cekura journal (%d+)( .*)$"
  if not version then return "not a journal, and left as it is: name another file" end
  if version ~= VERSION then
    return ("a journal of version %s, and this is a cekura for version %s: name another file")
      :format(version, VERSION)
  end
  if not (rest:find "^ api=[^ ]*$" or rest:find "^ api=[^ ]* work=[^ ]*$") then
    return "line 1 is damaged: name another file"
  end
  return ("a journal of other work: it belongs to %s, and this run to%s. Name another file, or "
    .. "give the `work` that it belongs to"):format(flatten(rest), header:match " api=.*")
end

--- Records an event of a key. In a group, a failure supersedes nothing: it had no effect.
local function note(self, event, word)
  local states, before = self.states, self.before
  states[word] = event
  local group = self.group and self.group(unescape(word))
  if not group then return end
  local last = self.last[group]
  if event ~= "failed" then
    if last ~= word then self.last[group], before[word] = word, last end
    return
  end
  while last and states[last] == "failed" do last, before[last] = before[last], nil end
  self.last[group] = last
end

--- Records all events. Returns how many bytes are whole lines, or nil and what is wrong.
local function read_events(self, content, header)
  local next_line = lines(content)
  local first, size = next_line()
  local problem = header_problem(first, header)
  if problem then return nil, problem end
  local number = 1
  for line, after in next_line do
    number, size = number + 1, after
    local event, word = parse(line)
    if not (event or add_spent(self, line)) then
      return nil, ("line %d is damaged: %q. Put it right, or name another file")
        :format(number, flatten(line))
    end
    if event then note(self, event, word) end
  end
  return size
end

-- ---- opening -----------------------------------------------------------------------------------

---@class cekura.Journal
---@field private path string
---@field private file userdata? nil once it is closed
---@field private states table<string, string> the last event of each key, as a word
---@field private group fun(key: string): string? | nil
---@field private last table<string, string> by group: the last key, as a word
---@field private before table<string, string> by key: the last key of its group before it
---@field private sum table<string, integer> what all runs have spent
---@field private unsynced boolean whether a line may not be on disk yet
---@field private lost string? why a sync failed
---@field private now integer? the second of `time`
---@field private time string? the time of the last line, as text
local Journal = {}
Journal.__index = Journal
Journal.__name = "cekura.Journal"

--- Reads the file, or completes a header of which only the start was written. Cuts off a torn line.
local function load(self, header)
  local content, problem = self.file:read()
  if not content then return nil, problem end
  if #content < #header and header:sub(1, #content) == content then
    local ok
    ok, problem = self.file:append(header:sub(#content + 1))
    if ok then ok, problem = self:sync() end
    if ok then ok, problem = internal.sync_folder(self.path:match "^.*/" or ".") end
    return ok, problem
  end
  local size
  size, problem = read_events(self, content, header:sub(1, -2))
  if not size then return nil, self.path .. ": " .. problem end
  if size == #content then return true end
  return self.file:truncate(size)
end

local function header_of(options)
  assert(type(options) == "table" and type(options.api) == "string", "journal: `api` is missing")
  assert(options.work == nil or type(options.work) == "string", "journal: `work` is not a string")
  local api = escape(internal.normal_url(options.api))
  local header = ("cekura journal %s api=%s"):format(VERSION, api)
  if options.work then header = header .. " work=" .. escape(options.work) end
  return header .. "\n"
end

---@class cekura.JournalOptions
---@field api string the client's api_url
---@field work string? what the items are, such as the file that they come from
---@field group? fun(key: string): string? names the group of a key; nil for none

--- Opens a journal, or begins one if the file is missing or empty. Cuts off a last line without its
--- end. A file that is not a journal of this work is left as it is. A file is locked: no two
--- journals have it open. A file that is replaced or deleted while it is open takes no more events.
---@param path string
---@param options cekura.JournalOptions
---@return cekura.Journal?
---@return string? problem
function journal.open(path, options)
  local header = header_of(options)
  local self = setmetatable({ path = path, file = false, states = {}, sum = {},
    unsynced = true,  -- an earlier run may have been killed before it synced
    group = options.group, last = {}, before = {} }, Journal)
  local problem
  self.file, problem = internal.open_file(path)
  if not self.file then return nil, problem end
  local read, loaded, why = pcall(load, self, header)
  if read and loaded then return self end
  self.file:close()  -- also if memory ran out: nobody could open it before a collection
  if not read then error(loaded, 0) end
  return nil, why
end

-- ---- events ------------------------------------------------------------------------------------

local function closed(self) return self.path .. ": this journal has been closed" end

--- Returns the time as text, which changes once per second.
local function time_of(self)
  local now = os.time()
  if now ~= self.now then self.now, self.time = now, os.date(TIME, now) end
  return self.time
end

--- Writes a line for each word, with one write: all lines, or none.
local function write(self, event, words, message)
  if not self.file then return nil, closed(self) end
  local first, last, texts = time_of(self) .. " " .. event .. " ", message .. "\n", {}
  for i, word in ipairs(words) do texts[i] = first .. word .. last end
  local ok, problem = self.file:append(table.concat(texts))
  if not ok then return nil, problem end
  for _, word in ipairs(words) do note(self, event, word) end
  self.unsynced = true
  return true
end

--- Returns the last event of a key in this run and earlier ones; nil if there was none, or if
--- another key of its group superseded it.
---@param key string|number
---@return nil|"started"|"done"|"failed"|"unknown"
function Journal:state(key)
  if not self.file then error(closed(self), 2) end
  local word = word_of(key)
  local group = self.group and self.group(unescape(word))
  local last = group and self.last[group]
  if last and last ~= word then return nil end
  return self.states[word]
end

--- Iterates over all keys, as text, with the last event of each.
---@return fun(): string?, string?
function Journal:entries()
  local word, event
  return function()
    word, event = next(self.states, word)
    if word then return unescape(word), event end
  end
end

--- Records that an item is started. The line survives the process.
---@param key string|number
---@return true?
---@return string? problem
function Journal:start(key)
  return write(self, "started", { word_of(key) }, "")
end

--- Records that several items are started, or that none is.
---@param keys (string|number)[]
---@return true?
---@return string? problem
function Journal:start_all(keys)
  local words = {}
  for i, key in ipairs(keys) do words[i] = word_of(key) end
  return write(self, "started", words, "")
end

--- Records how an item ended. The line survives the process.
---@param key string|number
---@param outcome "done"|"failed"|"unknown"
---@param message any? shown with tostring, on one line
---@return true?
---@return string? problem
function Journal:finish(key, outcome, message)
  if not is_outcome[outcome] then
    error(('journal: expected "done", "failed" or "unknown", not %s'):format(outcome), 2)
  end
  local text = message == nil and "" or flatten(tostring(message))
  return write(self, outcome, { word_of(key) }, text == "" and "" or " " .. text)
end

--- Records what the items of this run have spent.
---@param spent cekura.Spent
---@return true?
---@return string? problem
function Journal:add_spent(spent)
  if not self.file then return nil, closed(self) end
  local texts = {}
  for i, name in ipairs(FIELDS) do texts[i] = ("%s=%d"):format(name, spent[name]) end
  local line = time_of(self) .. " spent " .. table.concat(texts, " ")
  local ok, problem = self.file:append(line .. "\n")
  if not ok then return nil, problem end
  self.unsynced = true
  return add_spent(self, line)
end

--- Returns what all runs have spent that have recorded it: a run that was killed has not.
---@return table<string, integer> # the fields of cekura.Spent, except `in_flight`
function Journal:spent()
  local copy = {}
  for _, name in ipairs(FIELDS) do copy[name] = self.sum[name] or 0 end
  return copy
end

--- Returns once every line is on disk. After a failure it always fails: the system forgets what it
--- could not write, and would report a success the next time.
---@return true?
---@return string? problem
function Journal:sync()
  if not self.file then return nil, closed(self) end
  if self.lost then return nil, self.lost end
  if not self.unsynced then return true end
  local ok, problem = self.file:sync()
  self.unsynced, self.lost = not ok, problem
  return ok, problem
end

--- Syncs and closes the file. A second call is a no-op. The collector closes a journal without a
--- sync.
---@return true?
---@return string? problem
function Journal:close()
  if not self.file then return true end
  local ok, problem = self:sync()
  self.file:close()
  self.file = nil
  return ok, problem
end

Journal.__close = Journal.close

return journal
