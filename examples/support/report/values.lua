--- What metrics and reviewers say: how a cell of a sheet, an expected value and a metric's value
--- are read, and when two of them are the same. Everything that reads values goes by this.
---
---     kind                     means                       is written as
---     binary                   passed or failed            5 or 0, true or false, yes or no
---     numeric                  a number                    2, 2.5, 2,5, 1 234
---     continuous_qualitative   an impression, from 0 to 5  the same; half a point apart agrees
---     enum                     one of the metric's words   the word, in any case of letters

local cekura = require "cekura"
local cjson = require "cjson"

local values = {}

-- What a person reads for a metric that said nothing.
values.NONE = "no value"

-- ---- text ----

-- U+00A0, 2007, 2009, 202F and FEFF: what spreadsheets write for a space, or add unseen.
local BLANKS = { "\u{A0}", "\u{2007}", "\u{2009}", "\u{202F}", "\u{FEFF}" }

-- `space` stands for each of them; nil: as many spaces as they have bytes.
local function with_spaces(text, space)
  if not text:find "[\x80-\xFF]" then return text end
  for _, blank in ipairs(BLANKS) do text = text:gsub(blank, space or (" "):rep(#blank)) end
  return text
end

--- Without spaces of any kind around it, in linear time.
---@param text string
function values.trimmed(text)
  local plain = with_spaces(text)
  local first = plain:find "[^ \t-\r]"
  return first and text:sub(first, #plain:match "^.*[^ \t-\r]") or ""
end

--- Letters of ASCII alone, whatever the locale.
function values.lower(text)
  return (text:gsub("[A-Z]", function(letter) return string.char(letter:byte() + 32) end))
end

-- ---- numbers ----

local LONGEST = 100  -- characters of a number
local AMBIGUOUS = "may be a whole number or a fraction: write it without the comma"

--- Without what separates groups of three digits; nil where the groups are not of three.
local function ungrouped(digits, separator)
  if not digits:find(separator, 1, true) then return digits end
  local first, rest = digits:match("^(%d%d?%d?)(.*)$")
  if not first then return nil end
  local _, count = rest:gsub(("%%%s%%d%%d%%d"):format(separator), "")
  return count * 4 == #rest and first .. rest:gsub("%D", "") or nil
end

--- The whole number before a mark, without what separates its groups; nil where it is none.
local function whole_of(text, mark)
  for _, separator in ipairs { " ", "'", mark == "," and "." or "," } do
    local digits = ungrouped(text, separator)
    if digits and digits:find "^%d*$" then return digits end
  end
end

--- A sign, digits and a fraction, as Lua writes a number. nil and a message, or nil alone.
local function digits_of(text)
  local sign, whole, mark, fraction = text:match "^([+-]?)([%d ',.]-)([,.]?)(%d*)$"
  if not sign or whole .. fraction == "" then return nil end
  if mark == "" then whole, fraction = whole .. fraction, "" end
  if mark == "," and #fraction == 3 and whole:find "^[1-9]%d?%d?$" then return nil, AMBIGUOUS end
  local digits = whole_of(whole, mark)
  return digits and ("%s%s%s%s"):format(sign, digits, mark == "" and "" or ".", fraction)
end

--- nil for what is too large.
local function as_number(text)
  local found = tonumber(text)
  if math.abs(found) == math.huge then return nil end
  return math.tointeger(found) or found
end

--- The number that a text stands for: 2, 2.5, 1e3, 2,5, 1 234,5. nil and a message where it may be
--- one of two; nil alone where it is not a number.
---@param text string
function values.number(text)
  text = values.trimmed(text)
  if #text > LONGEST then return nil end
  if text:find "^[+-]?%d+%.?%d*[eE][+-]?%d+$" or text:find "^[+-]?%d+%.?%d*$" then
    return as_number(text)
  end
  text = with_spaces(text, " "):gsub("\u{2212}", "-"):gsub("\u{2019}", "'")
  local digits, problem = digits_of(text)
  if not digits then return nil, problem end
  return as_number(digits)
end

local function number_of(value)
  if type(value) == "string" then return (values.number(value)) end
  return type(value) == "number" and (math.tointeger(value) or value) or nil
end

-- ---- true and false ----

local BOOLEANS = {}
for word in ("true yes y wahr ja vrai oui verdadero vero si waar"):gmatch "%a+" do
  BOOLEANS[word] = true
end
for word in ("false no n falsch nein faux non falso onwaar nee"):gmatch "%a+" do
  BOOLEANS[word] = false
end

--- What a word says, as people and spreadsheets write it; nil where it says neither.
---@param text string
---@return boolean?
function values.boolean(text)
  local number = values.number(text)
  if number == 1 then return true elseif number == 0 then return false end
  return BOOLEANS[values.lower(values.trimmed(text))]
end

local PASSED = { passed = true, pass = true, failed = false, fail = false, success = true,
  failure = false }

--- Of a binary metric: true, false or a number; nil where it is none of them.
local function verdict_of(text)
  local number = values.number(text)
  if number then return number end
  local word = values.lower(values.trimmed(text))
  if PASSED[word] ~= nil then return PASSED[word] end
  return BOOLEANS[word]
end

-- ---- kinds ----

local function read_binary(value)
  if type(value) == "string" then
    local verdict = verdict_of(value)
    if verdict == nil then return values.trimmed(value) end
    value = verdict
  end
  if type(value) == "number" then value = value > 0 end
  return value == true and "passed" or value == false and "failed" or tostring(value)
end

local function read_number(value)
  local number = number_of(value)
  if number then return number end
  return type(value) == "string" and values.trimmed(value) or tostring(value)
end

--- One of the metric's words as the metric writes it; any other word as it is.
local function known_word(word, words)
  local similar
  for _, known in ipairs(words or {}) do
    local text = tostring(known)
    if text == word then return known end
    if values.lower(text) == values.lower(word) then similar = similar or known end
  end
  return similar or word
end

local function read_word(value, words)
  if type(value) == "string" then return tostring(known_word(values.trimmed(value), words)) end
  return tostring(math.type(value) == "float" and math.tointeger(value) or value)
end

local IMPRESSION = 0.5  -- ratings that far apart count as the same one

--- How each kind of metric is read, and what it is called.
local KINDS = {
  binary = { read = read_binary, label = "Passed or failed" },
  enum = { read = read_word, label = "One of several values" },
  continuous_qualitative = { read = read_number, label = "Rating", tolerance = IMPRESSION },
  numeric = { read = read_number, label = "Number" },
}

--- The kind of a metric by its eval_type, or by the type of what it says; nil for one that is not
--- known. Older types have longer names, "binary_…".
function values.kind_of(eval_type)
  local name = tostring(eval_type)
  if name:find "^binary" then name = "binary" end
  return KINDS[name] and name or nil
end

--- The same, of which what is not known counts as a number.
function values.type_of(eval_type) return values.kind_of(eval_type) or "numeric" end

function values.label(kind) return KINDS[kind].label end

-- ---- answers ----

--- An enum has its value in `enum` or `value`, all others have a score.
local IN_ENUM, IN_OTHERS = { "enum", "value", "score" }, { "score", "value", "enum" }

--- What a metric says of a call, of an entry in the call's evaluation.
function values.of_entry(entry)
  for _, name in ipairs(entry.type == "enum" and IN_ENUM or IN_OTHERS) do
    if entry[name] ~= nil and entry[name] ~= cekura.null then return entry[name] end
  end
end

--- A value as it is compared; nil for none.
---@param words any[]? the metric's, of an enum
function values.read(kind, value, words)
  if value == nil or value == cekura.null then return nil end
  return KINDS[kind].read(value, words)
end

local function is_equal(one, other)
  if type(one) ~= "string" or type(other) ~= "string" then return one == other end
  return values.lower(one) == values.lower(other)
end

--- Whether two values that have been read are the same.
function values.agree(kind, said, expected)
  local tolerance = KINDS[kind].tolerance
  if tolerance and type(said) == "number" and type(expected) == "number" then
    return math.abs(said - expected) <= tolerance
  end
  return is_equal(said, expected)
end

--- Whether a metric and a reviewer say the same, in whatever form they do.
function values.are_same(eval_type, said, expected)
  local kind = values.type_of(eval_type)
  return values.agree(kind, values.read(kind, said), values.read(kind, expected))
end

--- Whether two values are equal, without any tolerance.
function values.are_equal(eval_type, one, other)
  local kind = values.type_of(eval_type)
  return is_equal(values.read(kind, one), values.read(kind, other))
end

--- A value as a number: passed is 5, and failed 0. nil where it is none.
function values.measure(eval_type, value)
  local is_binary = values.kind_of(eval_type) == "binary"
  if type(value) == "boolean" and not is_binary then return value and 1 or 0 end
  local number = number_of(value)
  if number or not is_binary then return number end
  local read = values.read("binary", value)
  return read == "passed" and 5 or read == "failed" and 0 or nil
end

--- A value as a person reads it: 3, 4.25, passed.
function values.show(value)
  if value == nil then return values.NONE end
  if math.type(value) == "float" then return ("%.4g"):format(value) end
  return tostring(value)
end

-- ---- cells ----

local json = cjson.new()
json.decode_invalid_numbers(false)
local marks_lists = json.decode_array_with_array_mt ~= nil  -- lua-cjson 2.1.0 cannot
if marks_lists then json.decode_array_with_array_mt(true) end

--- 2 and not 2.0, which is what lua-cjson 2.1.0 reads.
local function whole_numbers(value)
  if math.type(value) == "float" then return math.tointeger(value) or value end
  if type(value) ~= "table" then return value end
  for key, item in pairs(value) do value[key] = whole_numbers(item) end
  return value
end

-- As spreadsheets and pandas write them.
local SPELLED = { TRUE = true, True = true, FALSE = false, False = false }

--- JSON where it is JSON, and otherwise the text itself. nil and a message for what cannot be told.
local function any(text)
  text = values.trimmed(text)
  if SPELLED[text] ~= nil then return SPELLED[text] end
  if text:find "^%-?[1-9]%d*$" then text = math.tointeger(tonumber(text)) or text end
  if math.type(text) then return text end  -- exact, also where lua-cjson has floats only
  if text:find "^%[%s*%]$" then return cekura.array {} end
  local ok, value = pcall(json.decode, text)
  if not ok then return text end
  if type(value) == "table" and not marks_lists and text:find "%[%s*%]" then
    return nil, "has an empty list inside, which this version of lua-cjson takes for an object"
  end
  return whole_numbers(value)
end

--- "2" in quotes is what is between them.
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

local function enum_cell(text, words) return known_word(values.trimmed(unquoted(text)), words) end

local CELLS = { binary = binary_cell, numeric = number_cell, continuous_qualitative = number_cell,
  enum = enum_cell }

--- Whether it depends on the metric what a cell says: a number and null say it by themselves.
function values.needs_metric(text)
  text = values.trimmed(text)
  return text ~= "" and text ~= "null" and type(any(text)) ~= "number"
end

local SHOWN = 40  -- bytes of a cell in a message

local function shown(text)
  if #text <= SHOWN then return text end
  return text:sub(1, SHOWN):gsub("[\xC0-\xFF][\x80-\xBF]*$", "") .. "…"
end

--- What a cell expects of a metric; nil and a message where it cannot be that.
---@param text string not blank
---@param metric table? as metrics:get returns it; nil where nothing is known of it
function values.cell(text, metric)
  local read = metric and values.needs_metric(text) and CELLS[values.kind_of(metric.eval_type)]
  if not read then return any(text) end
  local value, problem = read(text, metric.enum_values)
  if value == nil then return nil, ('%s, got "%s"'):format(problem, shown(values.trimmed(text))) end
  return value
end

return values
