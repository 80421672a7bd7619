--- Writes lua/cekura/types.lua and docs/reference.md from the contract (cekura.endpoints) and from
--- tools/manual.lua, which has the types that the contract does not have.
---
---     lua5.4 tools/generate.lua [FOLDER]     FOLDER (default: .) has lua/cekura and docs

local cekura = require "cekura.core"
local manual = dofile "tools/manual.lua"

local folder = arg[1] or "."

-- ---- text ----

local Text = {}
Text.__index = Text

local function new_text() return setmetatable({}, Text) end

--- Adds a line, formatted if there are arguments.
function Text:line(format, ...)
  self[#self + 1] = select("#", ...) > 0 and format:format(...) or format or ""
end

function Text:block(text) self:line((text:gsub("\n$", ""))) end

function Text:write(path)
  local file = assert(io.open(path, "w"))
  assert(file:write(table.concat(self, "\n"), "\n"))
  assert(file:close())
end

--- Joins the parts that are not empty.
local function join(separator, ...)
  local parts = {}
  for _, part in ipairs { ... } do
    if part ~= "" then parts[#parts + 1] = part end
  end
  return table.concat(parts, separator)
end

local function code(text) return ("`%s`"):format(text) end

local function map(list, f)
  local new = {}
  for i, item in ipairs(list) do new[i] = f(item) end
  return new
end

-- ---- the contract ----

--- Returns the words of an enum, without those that are deprecated.
local function words_of(field)
  local words = {}
  for _, word in ipairs(field.enum) do
    if not manual.deprecated[word] then words[#words + 1] = word end
  end
  return words
end

--- Returns the resources in the order in which they first appear, each with its endpoints.
local function resources()
  local list, by_name = {}, {}
  for _, endpoint in ipairs(cekura.endpoints) do
    local resource = by_name[endpoint.resource]
    if not resource then
      resource = { name = endpoint.resource, endpoints = {} }
      by_name[endpoint.resource] = resource
      list[#list + 1] = resource
    end
    table.insert(resource.endpoints, endpoint)
  end
  return list
end

local function is_choice(endpoint, field)
  for _, name in ipairs(endpoint.one_of or {}) do
    if name == field.name then return true end
  end
  return false
end

local function is_optional(endpoint, field)
  return not field.required and not is_choice(endpoint, field)
end

--- A signature with more fields names only those that are required.
local MOST_NAMES = 10

-- ---- names in the sources ----

--- Returns the set of the names that the pattern captures, such as the first one of each row.
local function names_in(path, pattern)
  local file = assert(io.open(path))
  local names = {}
  for name in file:read "a":gmatch(pattern) do names[name] = true end
  file:close()
  return names
end

--- Raises unless the manual has the names of the source, and no others.
local function prove(what, known, listed)
  for _, name in ipairs(listed) do
    if not known[name] then error(("tools/manual.lua: there is no %s %q"):format(what, name), 0) end
    known[name] = nil
  end
  local missing = next(known)
  if missing then error(("tools/manual.lua: the %s %q is missing"):format(what, missing), 0) end
end

local function prove_manual()
  prove("option", names_in("src/lua/request/options.c", '\n  { "([%w_]+)", [A-Z]+, [%w_]'),
    map(manual.options, function(option) return option.name end))
  prove("option of each", names_in("lua/cekura/each.lua", '\n  { "([%w_]+)", '),
    map(manual.each_options, function(option) return option.name end))
  prove("option of wait", names_in("lua/cekura/wait.lua", '\n  { "([%w_]+)", '),
    map(manual.wait_options, function(option) return option.name end))
  local kinds = names_in("src/policy/outcome.c", '%[CK_KIND_[A-Z_]+%] = "([%w_]+)"')
  kinds.ok = nil
  prove("kind", kinds, map(manual.kinds, function(kind) return kind[1] end))
end

-- ---- types.lua ----

local function class_of(endpoint) return ("cekura.%s"):format(endpoint.name) end

local function enum_alias(endpoint, field)
  return ("%s.%s"):format(class_of(endpoint), field.name)
end

local LUALS = {
  integer = "integer", number = "number", string = "string", boolean = "boolean", any = "any",
  object = "table<string, any>",
}

local LUALS_FORMAT = { id = "cekura.Id", json = "table<string, any>|string" }

local luals_type  -- function(endpoint, field): the type of a field

--- Returns the type of an object with the fields.
local function luals_object(endpoint, fields)
  return ("{ %s }"):format(table.concat(map(fields, function(field)
    return ("%s%s: %s"):format(field.name, field.required and "" or "?",
      luals_type(endpoint, field))
  end), ", "))
end

function luals_type(endpoint, field)
  local name = LUALS_FORMAT[field.format] or LUALS[field.items or field.type]
  if field.enum then name = enum_alias(endpoint, field) end
  if field.fields then name = luals_object(endpoint, field.fields) end
  if field.type == "array" then name = name .. "[]" end
  return field.nullable and field.type ~= "any" and name .. "|cekura.null" or name
end

--- Returns the type of a call's value: a class of the manual, or what the contract's text says.
local function luals_result(endpoint)
  local class, text = manual.results[endpoint.name], endpoint.returns
  if class then return class end
  local literal = text:match "^%b{}$"
  if literal then return (literal:gsub("%s*=%s*", ": ")) end
  return text:find "^true" and "true" or "any"
end

local function add_class(text, name, fields, comment)
  text:line()
  if comment then text:line("--- %s", comment) end
  text:line("---@class %s", name)
  for _, field in ipairs(fields) do
    text:line("%s", join(" ", "---@field", field.name, field.type, field.text))
  end
end

local function add_alias(text, name, rows, comment)
  text:line()
  text:line("--- %s", comment)
  text:line("---@alias %s", name)
  for _, row in ipairs(rows) do text:line('---| "%s" # %s', row[1], row[2]) end
end

--- Returns where the value of an option comes from if it is not given.
local function default_of(option)
  local default = option.default and "default: " .. option.default
  return option.environment and join(", ", "else " .. code(option.environment), default or "")
    or default
end

--- Returns the options as fields of a class; `chosen(option)` says which of them.
local function option_fields(options, chosen)
  local fields = {}
  for _, option in ipairs(options) do
    if not chosen or chosen(option) then
      fields[#fields + 1] = {
        name = option.name .. "?", type = option.type,
        text = ("%s (%s)"):format(option.text, default_of(option)),
      }
    end
  end
  return fields
end

local function is_for_client(option) return option.call ~= "only" end
local function is_for_call(option) return option.call end
local function is_inherited(option) return option.call and option.name ~= "dry_run" end

local function add_common_types(text)
  text:line()
  text:line "--- JSON's null: `cekura.null`, the same value as `cjson.null`."
  text:line "---@class cekura.null: lightuserdata"
  text:line()
  text:line "--- A positive whole number up to 2^63-1, or a string of decimal digits."
  text:line "---@alias cekura.Id integer|string"
  add_alias(text, "cekura.Kind", manual.kinds, "The kind of failure.")
  add_alias(text, "cekura.Applied", manual.applied, "Whether the server acted on a failed call.")
  add_class(text, "cekura.Error", manual.error,
    "The error of a failed call. `tostring(err)` is one line that says what to do.")
  add_class(text, "cekura.Response", manual.response, "The second result of a successful call.")
  add_class(text, "cekura.Event", manual.event, "The argument of `on_event`.")
  add_class(text, "cekura.Options", option_fields(manual.options, is_for_client),
    "Options of `cekura.new`.")
  add_class(text, "cekura.CallOptions", option_fields(manual.options, is_for_call),
    "Options of a single call; they precede the client's.")
  add_class(text, "cekura.DryRunOptions", option_fields(manual.options, is_inherited),
    "Options of a call that is not sent.")
  text:line "---@field dry_run true sends nothing, and returns what would be sent"
  add_class(text, "cekura.DryRun", manual.dry_run, "The request that a call would send.")
  add_class(text, "cekura.EachOptions", option_fields(manual.each_options),
    "Options of `client:each`.")
  add_class(text, "cekura.WaitOptions", option_fields(manual.wait_options),
    "Options of the waits.")
  add_class(text, "cekura.Request", manual.request, "Arguments of `client:request`.")
  add_class(text, "cekura.Spent", manual.spent, "The evaluations that calls have started.")
  add_class(text, "cekura.Report", manual.report, "The outcome of `client:each`.")
  add_class(text, "cekura.Progress", manual.progress, "The progress of `client:each` or a wait.")
  for _, class in ipairs(manual.classes) do
    add_class(text, class.name, class.fields, class.text)
  end
end

local function add_enums(text, endpoint)
  for _, field in ipairs(endpoint.fields) do
    if field.enum then
      text:line()
      text:line("---@alias %s", enum_alias(endpoint, field))
      for _, value in ipairs(words_of(field)) do text:line('---| "%s"', value) end
    end
  end
end

local function length_of_list(field)
  if field.type ~= "array" then return "" end
  if field.max_items then
    return (" (%d to %d of them)"):format(field.min_items or 0, field.max_items)
  end
  return field.min_items and (" (at least %d)"):format(field.min_items) or ""
end

local function add_arguments(text, endpoint)
  add_enums(text, endpoint)
  text:line()
  text:line("---@class (exact) %s.Arguments", class_of(endpoint))
  for _, field in ipairs(endpoint.fields) do
    local choice = is_choice(endpoint, field)
      and (" (exactly one of %s)"):format(table.concat({ table.unpack(endpoint.one_of) }, ", "))
      or ""
    local optional = not field.required and "?" or ""
    text:line("---@field %s%s %s %s%s%s", field.name, optional, luals_type(endpoint, field),
      field.description, length_of_list(field), choice)
  end
end

local function add_method(text, endpoint)
  local class = class_of(endpoint)
  text:line()
  text:line("--- %s", endpoint.summary)
  text:line "---"
  text:line("--- `%s %s`%s", endpoint.method, endpoint.path,
    endpoint.spends_credits and "; spends credits" or "")
  text:line("---@param arguments %s.Arguments", class)
  text:line "---@param options? cekura.CallOptions"
  text:line("---@return %s? value", luals_result(endpoint))
  text:line "---@return cekura.Response|cekura.Error response_or_err"
  text:line("---@overload fun(self: cekura.%s, arguments: %s.Arguments, options: %s): %s",
    endpoint.resource, class, "cekura.DryRunOptions", "cekura.DryRun?, cekura.Error?")
  text:line("function %s:%s(arguments, options) end", endpoint.resource, endpoint.call)
end

local function add_callable(text, f, name)
  text:line()
  text:line("--- %s", f.text)
  for _, param in ipairs(f.params) do
    text:line("%s", join(" ", "---@param", param[1], param[2], param[3]))
  end
  for _, result in ipairs(f.returns) do
    text:line("%s", join(" ", "---@return", result[2], result[1], result[3]))
  end
  local names = map(f.params, function(param) return (param[1]:gsub("%?", "")) end)
  text:line("function %s(%s) end", name, table.concat(names, ", "))
end

local function add_methods(text, class)
  for _, method in ipairs(manual.methods) do
    if method.class == class then
      add_callable(text, method, ("%s:%s"):format(class, method.name))
    end
  end
end

local function add_resource(text, resource)
  for _, endpoint in ipairs(resource.endpoints) do add_arguments(text, endpoint) end
  text:line()
  text:line("---@class cekura.%s", resource.name)
  text:line("local %s = {}", resource.name)
  for _, endpoint in ipairs(resource.endpoints) do add_method(text, endpoint) end
  add_methods(text, resource.name)
end

--- The module has the methods of the default client.
local function add_default_methods(text)
  for _, method in ipairs(manual.methods) do
    if method.class == "Client" and method.name ~= "close" then
      add_callable(text, method, "cekura:" .. method.name)
    end
  end
end

local TASK = [[

--- A function that runs in a coroutine of its own, concurrently with others.
---@class cekura.Task
local Task = {}]]

local CLIENT = [[

--- A client: settings, a key, and open connections.
---@class cekura.Client]]

local CONTRACT = [[

---@class (exact) cekura.Field
---@field name string
---@field type "integer"|"number"|"string"|"boolean"|"array"|"object"|"any"
---@field items "integer"|"string"|"object"|"any"|nil of an array
---@field fields cekura.Field[]? of the objects in an array
---@field format "id"|"int32"|"date-time"|"json"|"selection"|nil of the value or its items
---@field required boolean
---@field nullable boolean
---@field enum string[]?
---@field minimum integer?
---@field min_length integer?
---@field max_length integer?
---@field min_items integer?
---@field max_items integer?
---@field place "path"|"query"|"body"
---@field description string

---@class (exact) cekura.Endpoint
---@field name string "runs.mark_metric_vote"
---@field resource string "runs"
---@field call string "mark_metric_vote"
---@field operation string its operationId in the API's documents
---@field method string
---@field path string
---@field summary string
---@field returns string
---@field spends_credits boolean
---@field idempotent boolean
---@field one_of string[]? exactly one of these fields must be given
---@field evaluations string[]? the product of these lists' lengths is what a call starts
---@field evaluations_at_least boolean that product is a lower bound
---@field range { from: string, to: string, days: integer }? the fields of a range of times
---@field partial boolean changes only the fields that are given; one besides the id is required
---@field fields cekura.Field[]

---@class cekura
---@field _VERSION string
---@field null cekura.null
---@field endpoints cekura.Endpoint[]|table<string, cekura.Endpoint> the contract, read-only]]

local function add_resource_fields(text, list)
  for _, resource in ipairs(list) do
    text:line("---@field %s cekura.%s", resource.name, resource.name)
  end
end

local function types()
  local text, list = new_text(), resources()
  text:line "---@meta cekura.core"
  text:line()
  text:line "-- Written by tools/generate.lua (`make generate`): do not edit."
  add_common_types(text)
  for _, resource in ipairs(list) do add_resource(text, resource) end
  text:block(CLIENT)
  add_resource_fields(text, list)
  text:line "---@field api_url string where its calls go"
  text:line "local Client = {}"
  add_methods(text, "Client")
  text:block(TASK)
  add_methods(text, "Task")
  text:block(CONTRACT)
  add_resource_fields(text, list)
  text:line "local cekura = {}"
  for _, f in ipairs(manual.functions) do add_callable(text, f, "cekura." .. f.name) end
  add_default_methods(text)
  text:line()
  text:line "return cekura"
  return text
end

-- ---- reference.md ----

local function add_table(text, heads, rows)
  text:line("| %s |", table.concat(heads, " | "))
  text:line("|%s", (" --- |"):rep(#heads))
  for _, row in ipairs(rows) do
    local cells = map(row, function(cell) return (cell:gsub("|", "\\|")) end)
    text:line("| %s |", table.concat(cells, " | "))
  end
end

local has_heading = {}
for _, class in ipairs(manual.classes) do has_heading[class.name] = true end

--- Returns the anchor of a heading, as GitHub makes it.
local function anchor(title) return (title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")) end

local function link(title, shown) return ("[%s](#%s)"):format(shown or title, anchor(title)) end

--- Returns a type, linked to its heading if it has one.
local function type_cell(type)
  local class = type:match "cekura%.%a+"
  return has_heading[class] and link(class, code(type)) or code(type)
end

local function add_member_table(text, members)
  add_table(text, { "field", "type", "meaning" }, map(members, function(member)
    local name, optional = member.name:gsub("%?$", "")
    return { code(name), type_cell(member.type .. (optional > 0 and "?" or "")), member.text }
  end))
end

local function add_options(text)
  text:block(manual.options_intro)
  text:line()
  add_table(text, { "option", "type", "default", "meaning", "of a call" },
    map(manual.options, function(option)
      local of_call = { [true] = "also", only = "only" }
      local default = default_of(option):gsub("^default: ", ""):gsub("^else ", "")
      return { code(option.name), code(option.type), default, option.text,
        of_call[option.call] or "" }
    end))
  text:line()
  text:line "A call with `dry_run = true` returns:"
  text:line()
  add_member_table(text, manual.dry_run)
end

local function add_pairs(text, heads, list)
  add_table(text, heads, map(list, function(pair) return { code(pair[1]), pair[2] } end))
end

local function add_errors(text)
  add_member_table(text, manual.error)
  text:line()
  add_pairs(text, { "`kind`", "what happened" }, manual.kinds)
  text:line()
  add_pairs(text, { "`applied`", "what the server did" }, manual.applied)
end

--- Returns the fields to name in a signature, and whether there are more.
local function named_fields(endpoint)
  local fields, needed = endpoint.fields, {}
  if #fields <= MOST_NAMES then return fields, false end
  for _, field in ipairs(fields) do
    if field.required then needed[#needed + 1] = field end
  end
  return needed, true
end

local function signature(endpoint)
  local names, i, fields, more = {}, 1, named_fields(endpoint)
  while i <= #fields do
    local name = fields[i].name .. (is_optional(endpoint, fields[i]) and "?" or "")
    while is_choice(endpoint, fields[i]) and fields[i + 1] and is_choice(endpoint, fields[i + 1]) do
      i = i + 1
      name = name .. " | " .. fields[i].name
    end
    names[#names + 1] = name
    i = i + 1
  end
  if more then names[#names + 1] = "…" end
  return ("client.%s:%s{ %s }"):format(endpoint.resource, endpoint.call,
    table.concat(names, ", "))
end

local function choices(field)
  return (field.type == "array" and "list of " or "one of ")
    .. table.concat(map(words_of(field), function(v) return code(v == "" and '""' or v) end), ", ")
end

local function type_in_words(field)
  local words = {
    ["id"] = "id", json = "object, or its JSON text", selection = "selection of fields",
    ["date-time"] = "date and time", any = "any JSON value",
  }
  local text = words[field.format] or words[field.items or field.type] or field.items or field.type
  if field.minimum then text = ("%s, at least %d"):format(text, field.minimum) end
  if field.max_length then text = ("%s of up to %d characters"):format(text, field.max_length) end
  if field.enum then text = choices(field)
  elseif field.type == "array" then text = ("list of %ss%s"):format(text, length_of_list(field)) end
  return text .. (field.nullable and ", or null" or "")
end

local function needed(endpoint, field)
  if not is_choice(endpoint, field) then return field.required and "yes" or "no" end
  local others = {}
  for _, name in ipairs(endpoint.one_of) do
    if name ~= field.name then others[#others + 1] = code(name) end
  end
  return "or " .. table.concat(others, ", ")
end

local function evaluations_in_words(endpoint)
  if not endpoint.evaluations then
    return endpoint.spends_credits and manual.uncounted or nil
  end
  return ("`max_evaluations` and `spend_limit` count %s%s."):format(
    table.concat(map(endpoint.evaluations, code), " × "),
    endpoint.evaluations_at_least
      and ", which is a lower bound: state the number with `evaluations`, or set `uncounted = true`"
      or "")
end

local function facts(endpoint)
  local reads = endpoint.method == "GET"
  local list = { endpoint.spends_credits and "Spends credits." or "Spends no credits." }
  if reads then list[#list + 1] = "Reads only." end
  if endpoint.idempotent and not reads then
    list[#list + 1] = "Idempotent: sending it twice has the effect of sending it once."
  end
  if endpoint.partial then list[#list + 1] = "At least one field besides the id must be given." end
  list[#list + 1] = evaluations_in_words(endpoint)
  local range = endpoint.range
  if range then
    list[#list + 1] = ("%s is at most %d days after %s; without it, it ends now. A longer range "
      .. "is refused before it is sent; `%s:pages` reads it."):format(code(range.to), range.days,
      code(range.from), endpoint.resource)
  end
  return list
end

local FALLBACK = { integer = "1", string = '"…"', boolean = "true", any = "1", array = "{ 1 }",
  number = "0.5" }

--- Returns the Lua source for a field in an example, or nil.
local function sample_of(endpoint, field)
  local own = (manual.own_samples[endpoint.name] or {})[field.name]
  if own == nil then own = manual.samples[field.name] end
  return own or nil
end

local function table_of(lines)
  return #lines == 0 and "{}" or "{\n" .. table.concat(lines, "\n") .. "\n}"
end

local function example(endpoint)
  local lines, chosen = {}, false
  for _, field in ipairs(endpoint.fields) do
    local sample = sample_of(endpoint, field)
    local choice = is_choice(endpoint, field)
    if choice and not chosen or field.required then sample = sample or FALLBACK[field.type] end
    if sample and not (choice and chosen) then
      lines[#lines + 1] = ("  %s = %s,"):format(field.name, sample)
      chosen = chosen or choice
    end
  end
  local use = manual.uses[endpoint.name] or "print(response.status)"
  return ("local value, response = assert(client.%s:%s %s)\n%s"):format(
    endpoint.resource, endpoint.call, table_of(lines), use)
end

local function add_endpoint(text, endpoint)
  text:line("### %s", endpoint.name)
  text:line()
  text:line("%s", endpoint.summary)
  text:line()
  text:line("    %s", signature(endpoint))
  text:line("    %s %s", endpoint.method, endpoint.path)
  text:line()
  for _, fact in ipairs(facts(endpoint)) do text:line("- %s", fact) end
  text:line()
  add_table(text, { "field", "type", "required", "sent in", "meaning" },
    map(endpoint.fields, function(field)
      return { code(field.name), type_in_words(field), needed(endpoint, field), field.place,
        field.description }
    end))
  text:line()
  local class = manual.results[endpoint.name]
  text:line("Returns %s%s.", class and type_cell(class) .. ": " or "",
    endpoint.returns:find "^%b{}$" and code(endpoint.returns) or endpoint.returns)
  text:line()
  text:line "```lua"
  text:line("%s", example(endpoint))
  text:line "```"
end

local function add_callables(text, list, prefix_of)
  add_table(text, { "function", "what it does", "returns" }, map(list, function(f)
    local names = map(f.params, function(param) return param[1] end)
    local results = map(f.returns, function(result) return code(result[1]) end)
    return { code(("%s%s(%s)"):format(prefix_of(f), f.name, table.concat(names, ", "))), f.text,
      table.concat(results, ", ") }
  end))
end

local PREFIXES = { Client = "client:", Task = "task:" }

local function prefix_of(method)
  return PREFIXES[method.class] or ("client.%s:"):format(method.class)
end

local function add_functions(text)
  add_callables(text, manual.functions, function() return "cekura." end)
  text:line()
  add_callables(text, manual.methods, prefix_of)
  text:line()
  text:line "The methods of a client, except `close`, are also functions of the module, for example"
  text:line "`cekura:each(…)`. They use the default client."
end

local function add_option_table(text, options)
  add_table(text, { "option", "type", "default", "meaning" }, map(options, function(option)
    return { code(option.name), code(option.type), option.default, option.text }
  end))
end

local function add_each(text)
  add_option_table(text, manual.each_options)
  text:line()
  text:line "The report:"
  text:line()
  add_member_table(text, manual.report)
  text:line()
  text:line "A progress function is called with:"
  text:line()
  add_member_table(text, manual.progress)
end

local function add_filters(text)
  text:block(manual.filters_intro)
  text:line()
  add_pairs(text, { "`field`", "type" }, manual.filter_fields)
  text:line()
  add_pairs(text, { "`op`", "meaning" }, manual.filter_operators)
end

local function add_values(text)
  text:line "The values that endpoints return. Any field may be missing."
  for _, class in ipairs(manual.classes) do
    text:line()
    text:line("### %s", class.name)
    text:line()
    text:line("%s", class.text)
    text:line()
    add_table(text, { "field", "type", "meaning" }, map(class.fields, function(field)
      return { code((field.name:gsub("%?$", ""))), type_cell(field.type), field.text }
    end))
  end
end

--- The sections after the endpoints: { title, function that adds it, titles of its parts }.
local SECTIONS = {
  { "Filters of calls.list", add_filters },
  { "Values", add_values, map(manual.classes, function(class) return class.name end) },
  { "Functions", add_functions },
  { "Options", add_options },
  { "Response", function(text) add_member_table(text, manual.response) end },
  { "Errors", add_errors },
  { "Spent", function(text) add_member_table(text, manual.spent) end },
  { "Events", function(text) add_member_table(text, manual.event) end },
  { "Arguments of client:request", function(text) add_member_table(text, manual.request) end },
  { "Options of wait", function(text) add_option_table(text, manual.wait_options) end },
  { "Options and report of client:each", add_each },
}

local function add_contents(text)
  text:line("- %s", link "Endpoints")
  for _, endpoint in ipairs(cekura.endpoints) do text:line("  - %s", link(endpoint.name)) end
  for _, section in ipairs(SECTIONS) do
    text:line("- %s", link(section[1]))
    for _, title in ipairs(section[3] or {}) do text:line("  - %s", link(title)) end
  end
end

local function reference()
  local text = new_text()
  text:line "# Reference"
  text:line()
  text:line "<!-- Written by tools/generate.lua (`make generate`): do not edit. -->"
  text:line()
  text:block(manual.introduction)
  text:line()
  add_contents(text)
  text:line()
  text:line "## Endpoints"
  for _, endpoint in ipairs(cekura.endpoints) do
    text:line()
    add_endpoint(text, endpoint)
  end
  for _, section in ipairs(SECTIONS) do
    text:line()
    text:line("## %s", section[1])
    text:line()
    section[2](text)
  end
  return text
end

prove_manual()
types():write(folder .. "/lua/cekura/types.lua")
reference():write(folder .. "/docs/reference.md")
