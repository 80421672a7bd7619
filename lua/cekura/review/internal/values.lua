--- Values of metrics and of reviewers: when two of them agree, and how people write them in the
--- cells of a sheet. Values in responses are read by cekura.values alone.
---
---     kind                     means                       is written in a cell as
---     binary                   passed or failed            5 or 0, true or false, yes or no
---     numeric                  a number                    2, 2.5, 2,5, 1 234
---     continuous_qualitative   an impression, from 0 to 5  a number; half a point apart agrees
---     enum                     one of the metric's words   the word, in upper or lower case

local cekura = require "cekura"
local internal = require "cekura.internal"
local ascii = require "cekura.internal.ascii"
local api = require "cekura.values"

local values = {}

-- Shown for a metric without a value.
values.NONE = "no value"

-- ---- text ----

-- The characters that spreadsheets write for a space.
local BLANKS = { "\u{A0}", "\u{2007}", "\u{2009}", "\u{202F}", "\u{FEFF}" }

--- Returns the text with `space` for each of the blanks; by default as many spaces as it has bytes.
local function with_spaces(text, space)
  if not text:find "[\x80-\xFF]" then return text end
  for _, blank in ipairs(BLANKS) do text = text:gsub(blank, space or (" "):rep(#blank)) end
  return text
end

--- Returns the text without spaces of any kind around it, in linear time.
---@param text string
function values.trimmed(text)
  local plain = with_spaces(text)
  local first = plain:find "[^ \t-\r]"
  return first and text:sub(first, #plain:match "^.*[^ \t-\r]") or ""
end

-- ---- numbers ----

local LONGEST = 100  -- bytes of a number
local AMBIGUOUS = "may be a whole number or a fraction: write it without the comma"

--- Returns digits without the separators of thousands; nil unless the groups have three digits.
local function ungrouped(digits, separator)
  if not digits:find(separator, 1, true) then return digits end
  local first, rest = digits:match("^(%d%d?%d?)(.*)$")
  if not first then return nil end
  local _, count = rest:gsub(("%%%s%%d%%d%%d"):format(separator), "")
  return count * 4 == #rest and first .. rest:gsub("%D", "") or nil
end

--- Returns the whole part of a number without separators; nil if it is not valid.
local function whole_of(text, mark)
  for _, separator in ipairs { " ", "'", mark == "," and "." or "," } do
    local digits = ungrouped(text, separator)
    if digits and digits:find "^%d*$" then return digits end
  end
end

--- Returns a number in Lua's notation. Returns nil if the text is not a number, nil and a message
--- if it may mean two numbers.
local function lua_number(text)
  local sign, whole, mark, fraction = text:match "^([+-]?)([%d ',.]-)([,.]?)(%d*)$"
  if not sign or whole .. fraction == "" then return nil end
  if mark == "" then whole, fraction = whole .. fraction, "" end
  if mark == "," and #fraction == 3 and whole:find "^[1-9]%d?%d?$" then return nil, AMBIGUOUS end
  local digits = whole_of(whole, mark)
  return digits and ("%s%s%s%s"):format(sign, digits, mark == "" and "" or ".", fraction)
end

--- Returns nil for a number that is too large.
local function as_number(text)
  local found = tonumber(text)
  if math.abs(found) == math.huge then return nil end
  return math.tointeger(found) or found
end

--- Parses a number: 2, 2.5, 1e3, 2,5, 1 234,5. Returns nil if the text is not a number, nil and a
--- message if it may mean two numbers.
---@param text string
function values.number(text)
  text = values.trimmed(text)
  if #text > LONGEST then return nil end
  if text:find "^[+-]?%d+%.?%d*[eE][+-]?%d+$" or text:find "^[+-]?%d+%.?%d*$" then
    return as_number(text)
  end
  text = with_spaces(text, " "):gsub("\u{2212}", "-"):gsub("\u{2019}", "'")
  local number, problem = lua_number(text)
  if not number then return nil, problem end
  return as_number(number)
end

-- ---- true and false ----

local BOOLEANS = {}
for word in ("true yes y wahr ja vrai oui verdadero vero si waar"):gmatch "%a+" do
  BOOLEANS[word] = true
end
for word in ("false no n falsch nein faux non falso onwaar nee"):gmatch "%a+" do
  BOOLEANS[word] = false
end

--- Parses true or false as people and spreadsheets write it. Returns nil for other text.
---@param text string
---@return boolean?
function values.boolean(text)
  local number = values.number(text)
  if number == 1 then return true elseif number == 0 then return false end
  return BOOLEANS[ascii.lower(values.trimmed(text))]
end

local PASSED = { passed = true, pass = true, failed = false, fail = false, success = true,
  failure = false }

--- Parses the value of a binary metric. Returns true, false or a number; nil for other text.
local function verdict_of(text)
  local number = values.number(text)
  if number then return number end
  local word = ascii.lower(values.trimmed(text))
  if PASSED[word] ~= nil then return PASSED[word] end
  return BOOLEANS[word]
end

-- ---- kinds ----

--- Returns a word in the spelling of the metric; a word that the metric does not have, unchanged.
local function known_word(word, words)
  local similar
  for _, known in ipairs(words or {}) do
    local text = tostring(known)
    if text == word then return known end
    if ascii.lower(text) == ascii.lower(word) then similar = similar or known end
  end
  return similar or word
end

local IMPRESSION = 0.5  -- ratings agree up to this distance
local ROUNDING = 1e-9   -- 4.4 - 3.9 is above 0.5 in binary

local KINDS = {
  binary = { label = "Passed or failed" },
  enum = { label = "One of several values" },
  continuous_qualitative = { label = "Rating", tolerance = IMPRESSION },
  numeric = { label = "Number" },
}

local NAMES = { binary = "binary", enum = "enum", number = "numeric" }

--- Returns the kind of a metric by its eval_type; nil for an unknown one.
function values.kind_of(eval_type)
  return KINDS[eval_type] and eval_type or NAMES[api.kind_of(eval_type)]
end

--- Returns the kind of a metric; "numeric" for an unknown one.
function values.type_of(eval_type) return values.kind_of(eval_type) or "numeric" end

--- Returns the name of a kind that a person reads.
function values.label(kind) return KINDS[kind].label end

-- ---- responses ----

--- Returns a value that cekura.values has read, with words for true and false.
function values.word(value)
  if type(value) == "boolean" then return value and "passed" or "failed" end
  return value
end

--- Returns a value of a metric or a reviewer in the form in which values are compared: "passed" or
--- "failed", a number, or a word; nil for none, or for one that cannot be read.
---@param words any[]? the words of an enum metric
function values.read(kind, value, words)
  local found = values.word(api.read(api.kind_of(kind), value))
  if kind == "enum" and found then return tostring(known_word(values.trimmed(found), words)) end
  return found
end

local function is_equal(one, other)
  if type(one) ~= "string" or type(other) ~= "string" then return one == other end
  return ascii.lower(one) == ascii.lower(other)
end

--- Returns whether two results of `values.read` agree.
function values.agree(kind, said, expected)
  local tolerance = KINDS[kind].tolerance
  if tolerance and type(said) == "number" and type(expected) == "number" then
    return math.abs(said - expected) <= tolerance + ROUNDING
  end
  return is_equal(said, expected)
end

--- Returns whether the values of a metric and a reviewer agree, in whatever form they are encoded;
--- false if one of them is missing or cannot be read.
function values.are_same(eval_type, said, expected)
  local kind = values.type_of(eval_type)
  local one, other = values.read(kind, said), values.read(kind, expected)
  return one ~= nil and values.agree(kind, one, other)
end

--- Returns whether two values are equal, without a tolerance.
function values.are_equal(eval_type, one, other)
  local kind = values.type_of(eval_type)
  return is_equal(values.read(kind, one), values.read(kind, other))
end

--- Returns a value as a number: passed is 5, failed is 0. Returns nil if it is not a number.
function values.measure(eval_type, value)
  local found = api.read(api.kind_of(eval_type) or "number", value)
  if type(found) == "boolean" then return found and 5 or 0 end
  return type(found) == "number" and found or nil
end

--- Returns a value as a person reads it: 3, 4.25, passed.
function values.show(value)
  if value == nil then return values.NONE end
  if math.type(value) == "float" then return ("%.4g"):format(value) end
  return tostring(value)
end

-- ---- cells ----

-- Spellings of spreadsheets and pandas.
local SPELLED = { TRUE = true, True = true, FALSE = false, False = false }

--- Returns the value of JSON, and any other text unchanged. Returns nil and a message for an empty
--- list within other JSON, which lua-cjson 2.1.0 decodes as an object.
local function any(text)
  text = values.trimmed(text)
  if SPELLED[text] ~= nil then return SPELLED[text] end
  if text:find "^%[%s*%]$" then return cekura.array {} end
  local value = internal.read_json(text)
  if value == nil then return text end
  if type(value) == "table" and text:find "%[%s*%]" then
    return nil, "contains an empty list, which lua-cjson decodes as an object"
  end
  return value
end

--- Returns the text inside a cell that is a JSON string.
local function unquoted(text)
  local value = text:find '^%s*"' and any(text)
  return type(value) == "string" and value or text
end

local function number_cell(text)
  local number, problem = values.number(unquoted(text))
  if number then return number end
  return nil, problem or "must be a number: the metric gives numbers"
end

local function binary_cell(text)
  local verdict = verdict_of(unquoted(text))
  if verdict ~= nil then return verdict end
  return nil, "must be true or false, or 5 or 0: the metric says passed or failed"
end

--- Accepts any word if the metric names none.
local function enum_cell(text, words)
  local word, names = known_word(values.trimmed(unquoted(text)), words), {}
  for i, known in ipairs(words or {}) do
    if known == word then return word end
    names[i] = tostring(known)
  end
  if #names == 0 then return word end
  return nil, "must be one of the metric's words: " .. table.concat(names, ", ")
end

local CELLS = {
  binary = binary_cell, numeric = number_cell, continuous_qualitative = number_cell,
  enum = enum_cell,
}

--- Returns whether a value that cekura.values has read is the one that a person has written.
---@param row cekura.MetricValue
---@param text string
function values.is_written(row, text)
  if row.kind == "binary" then return row.value == api.read("binary", verdict_of(text)) end
  if row.kind == "number" then return row.value == values.number(text) end
  return row.value ~= nil and ascii.lower(values.trimmed(row.value))
    == ascii.lower(values.trimmed(text))
end

--- Returns whether the meaning of a cell depends on its metric. Numbers and null do not.
function values.needs_metric(text)
  text = values.trimmed(text)
  return text ~= "" and text ~= "null" and type(any(text)) ~= "number"
end

local SHOWN = 40  -- bytes of a cell in a message

local function shown(text)
  if #text <= SHOWN then return text end
  return text:sub(1, SHOWN):gsub("[\xC0-\xFF][\x80-\xBF]*$", "") .. "…"
end

--- Returns the expected value that a cell means. Returns nil and a message if the metric cannot
--- have it.
---@param text string not blank
---@param metric table? of metrics:get; nil if it is unknown
function values.cell(text, metric)
  local read = metric and values.needs_metric(text) and CELLS[values.kind_of(metric.eval_type)]
  if not read then return any(text) end
  local value, problem = read(text, metric.enum_values)
  if value == nil then return nil, ('%s, got "%s"'):format(problem, shown(values.trimmed(text))) end
  return value
end

return values
