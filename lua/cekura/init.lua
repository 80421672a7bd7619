--- The module `cekura`: `cekura.core` with the functions that are written in Lua.
--- `cekura.types` has the types, for editors.

local cekura = require "cekura.core"
local internal = require "cekura.internal"
local later = require "cekura.internal.later"
local names = require "cekura.internal.names"
local require = require  -- a host may take it from its scripts

for _, name in ipairs {
  "each", "each.journal", "each.progress", "each.worker", "estimate", "internal.check",
  "internal.prices", "pages", "pages.windows", "values", "wait", "wait.call_logs",
  "wait.freshness", "wait.job", "wait.result",
} do
  later.prepare("cekura." .. name)
end

internal.client_methods.each = later.method(function() return require "cekura.each" end)

for _, name in ipairs { "results", "runs", "calls" } do
  internal.resource_methods[name].pages = later.method(function()
    return require "cekura.pages"(name)
  end)
end

for _, name in ipairs { "results", "metric_reviews", "metrics", "calls" } do
  internal.resource_methods[name].wait = later.method(function()
    return require "cekura.wait"[name]
  end)
end

local view_of, data_of = {}, {}  -- table -> its read-only view, and the reverse
local READ_ONLY = {}

--- Returns the read-only view of a table, whose tables are read-only, too; or any other value.
local function frozen(value)
  if type(value) ~= "table" then return value end
  local view = view_of[value]
  if not view then
    view = setmetatable({}, READ_ONLY)
    view_of[value], data_of[view] = view, value
  end
  return view
end

function READ_ONLY.__index(view, key) return frozen(data_of[view][key]) end
function READ_ONLY.__len(view) return #data_of[view] end
function READ_ONLY.__newindex() error("cekura.endpoints is read-only", 2) end
READ_ONLY.__metatable = "read-only"

function READ_ONLY.__pairs(view)
  local following, data = pairs(data_of[view])
  return function(_, key)
    local name, value = following(data, key)
    return name, frozen(value)
  end, view
end

cekura.endpoints = frozen(cekura.endpoints)

--- Methods of the default client, which the first call of one of them creates: `cekura:each(…)`.
local OF_CLIENTS = {
  "each", "request", "spent", "spawn", "sleep", "step", "pollfd", "events", "timeout",
}

for _, name in ipairs(OF_CLIENTS) do
  cekura[name] = function(self, ...)
    if self ~= cekura then error(("call it with a colon: cekura:%s(…)"):format(name), 2) end
    local client, problem = internal.default_client()
    if not client then return nil, problem end
    return client[name](client, ...)
  end
end

--- Iterates over a list in slices: `for slice in cekura.chunks(ids, 100) do … end`. Raises
--- unless it gets a list and a size.
---@param list any[] a list without holes
---@param size integer items per slice, at least 1
---@return fun(): any[]? # the next slice, a new table each time
function cekura.chunks(list, size)
  if list == cekura then error("call it with a dot: cekura.chunks(…)", 2) end
  if type(list) ~= "table" then error("chunks: expected a list", 2) end
  local problem = require "cekura.internal.check".list_problem(list)
  if problem then error("chunks: the list " .. problem, 2) end
  if math.type(size) ~= "integer" or size < 1 then
    error("chunks: expected a positive whole size", 2)
  end
  local first = 1
  return function()
    if first > #list then return nil end
    local last = math.min(first + size - 1, #list)
    local slice = table.move(list, first, last, 1, {})
    first = last + 1
    return slice
  end
end

--- Returns what each metric says of a run or a call log: `cekura.values(run)[1].value`. All
--- encodings are read alike: 5 or 0, 1 or 0, true or false, "pass" or "fail" in upper or lower
--- case, and the field `passed` are true or false of a binary metric, and of no other kind.
---
--- - The metrics are `evaluation.metrics`, or `metrics` in a list, in the response's order. A call
---   that has not been evaluated returns an empty list; items that are not objects are skipped.
--- - `kind` follows from the metric's `eval_type` or `type`: `numeric` and `continuous_qualitative`
---   are numbers. Without a known type it is that of the value in JSON, so that 5 is a number, and
---   nil if there is no value.
--- - `applies` is false and `value` is nil if the response has no value: null, an empty text or no
---   field. The metric did not apply or has not been evaluated: neither a pass nor a failure.
--- - A value that cannot be read for its kind, such as 3 of a binary metric or "n/a" of a number,
---   is not guessed: `value` is nil, and `applies` is true.
--- - `id` is an integer and `name` a string; nil if the response has something else.
---
--- Raises unless it gets one run or one call log.
---@param call cekura.Run|cekura.CallLog as the client returned it
---@return cekura.MetricValue[]
function cekura.values(call)
  if call == cekura then error("call it with a dot: cekura.values(…)", 2) end
  if type(call) ~= "table" or call[1] ~= nil then
    error(("values: expected a run or a call log, got %s"):format(
      type(call) == "table" and "a list" or call == cekura.null and "null" or type(call)), 2)
  end
  return require "cekura.values".rows(call)
end

--- Returns how many metric evaluations a call would start, and an estimate of their price. Makes
--- calls that only read.
function cekura.estimate(...) return require "cekura.estimate" (...) end

for name, methods in pairs(internal.resource_methods) do names.guard(methods, name) end

-- A client looks names up in a function of its own: the line that uses the name is a level higher.
names.guard(internal.client_methods, "a client",
  { internal.resource_methods, { api_url = true } }, 3)
names.guard(internal.task_methods, "a task")

return names.guard(cekura, "cekura")
