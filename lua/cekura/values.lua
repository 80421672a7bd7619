--- The values of metrics: the one interpretation of what a run or a call log says of its metrics,
--- and of the value that a reviewer expects. Version 1 of the API's reads writes 5 or 0 for a
--- binary metric; version 2 writes true or false, and sometimes `passed`. All fields are null if
--- the metric did not apply.
---
---     kind     types                                 fields, in this order   values
---     binary   binary, binary_workflow_adherence …   score, passed, value    true, false
---     number   numeric, continuous_qualitative       score, value            a finite number
---     enum     enum                                  enum, value, score      a text, not empty
---
--- The type is `eval_type`, or `type` if `eval_type` is missing or unknown. `passed` is ignored for
--- other kinds: it says whether a number reached a threshold. A number in the `score` of an enum
--- is ignored.

local ascii = require "cekura.internal.ascii"

local null = require "cjson".null

local values = {}

-- ---- kinds -----------------------------------------------------------------------------------

--- The kinds, by the first word of a type.
local KINDS = { binary = "binary", numeric = "number", continuous = "number", number = "number",
  enum = "enum" }

--- Returns "binary", "number" or "enum" for the type of a metric or of an entry; nil for others.
---@param name any
function values.kind_of(name)
  if type(name) ~= "string" then return nil end
  return KINDS[ascii.lower(name):match "^[a-z]+"]
end

-- ---- one value -------------------------------------------------------------------------------

local LONGEST = 100  -- bytes of a number; longer texts would take quadratic time

--- Returns the finite number that a number or a JSON number in a text is, as an integer if it is
--- whole; nil for anything else.
local function read_number(value)
  if type(value) == "string"
    and (#value > LONGEST or not value:find "^[+-]?[0-9.]+[eE0-9+-]*$") then return nil end
  local number = tonumber(value)
  if not number or number - number ~= 0 then return nil end
  return math.tointeger(number) or number
end

local VERDICTS = { [true] = true, [5] = true, [1] = true, ["true"] = true, pass = true,
  passed = true, [false] = false, [0] = false, ["false"] = false, fail = false, failed = false }

local function read_verdict(value)
  if type(value) == "string" then value = read_number(value) or ascii.lower(value) end
  return VERDICTS[value]
end

--- Returns the word of an enum. A server may write the words "3" and "true" without the quotes.
local function read_word(value)
  if type(value) == "string" then return value end
  if type(value) == "boolean" then return tostring(value) end
  local number = read_number(value)
  return number and ascii.format(math.type(number) == "integer" and "%d" or "%.14g", number)
end

local READERS = { binary = read_verdict, number = read_number, enum = read_word }

--- Returns the value; nil if it is missing, null or an empty text.
local function given(value)
  if value ~= null and value ~= "" then return value end
end

--- Returns a value of a response as true, false, a number or a text; nil if there is none, or if it
--- is not a value of this kind, such as 3 of a binary metric.
---@param kind "binary"|"number"|"enum"|nil
---@param value any
function values.read(kind, value)
  if kind == nil or given(value) == nil then return nil end
  return READERS[kind](value)
end

-- ---- entries ---------------------------------------------------------------------------------

local FIELDS = { binary = { "score", "passed", "value" }, number = { "score", "value" },
  enum = { "enum", "value", "score" } }

--- Returns the value of a field of an entry; nil if it has none of this kind of metric.
local function field(entry, name, kind)
  local value = given(entry[name])
  if kind == "enum" and name == "score" and type(value) ~= "string" then return nil end
  return value
end

local KIND_OF_JSON = { boolean = "binary", number = "number", string = "enum" }

--- Returns the kind of an entry whose type is missing or unknown, by the JSON type of its first
--- value; nil without one. A number is then a number: 5 is not a pass.
local function kind_by_value(entry)
  if given(entry.enum) ~= nil then return "enum" end
  for _, name in ipairs { "score", "value", "passed" } do
    local value = given(entry[name])
    if value ~= nil then return KIND_OF_JSON[type(value)] end
  end
end

--- Returns the row of an entry, and its first value as the response has it.
---@param entry table
---@param metric_type string? of the metric, used if the entry has no known type
---@return cekura.MetricValue row
---@return any raw
function values.row(entry, metric_type)
  local kind = values.kind_of(entry.eval_type) or values.kind_of(entry.type)
    or values.kind_of(metric_type) or kind_by_value(entry)
  local value, raw
  for _, name in ipairs(FIELDS[kind] or FIELDS.number) do
    local found = field(entry, name, kind)
    if raw == nil then raw = found end
    if value == nil then value = values.read(kind, found) end
  end
  local name = type(entry.name) == "string" and entry.name or nil
  return {
    id = math.tointeger(read_number(entry.id)), name = name, kind = kind, value = value,
    applies = raw ~= nil, explanation = given(entry.explanation),
  }, raw
end

--- Returns the list of entries of a run or a call log; nil if it has none.
---@param call table
function values.entries(call)
  local evaluation = call.evaluation
  local list = type(evaluation) == "table" and evaluation.metrics
  if type(list) ~= "table" then list = call.metrics end
  return type(list) == "table" and list or nil
end

--- Returns the rows of a run or a call log, in the response's order. Items that are not objects are
--- skipped.
---@param call table
---@return cekura.MetricValue[]
function values.rows(call)
  local rows = {}
  for _, entry in ipairs(values.entries(call) or {}) do
    if type(entry) == "table" then rows[#rows + 1] = values.row(entry) end
  end
  return rows
end

return values
