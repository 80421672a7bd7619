--- Calls any endpoint. Its arguments are words such as run_id=5544, and its value is JSON on
--- stdout.

local cekura = require "cekura"
local internal = require "cekura.internal"
local lists = require "cekura.internal.lists"

local command = require "cekura.review.internal.command"
local cost = require "cekura.review.internal.cost"
local output = require "cekura.review.internal.output"
local text = require "cekura.review.internal.text"
local values = require "cekura.review.internal.values"

local call = {
  name = "call",
  summary = "call any endpoint; its value is JSON on stdout",
  description = "Calls any endpoint of the client, and prints the value as JSON on stdout.",
  example = "call runs.get run_id=5544",
  advice = "a call that was sent may have taken effect",
  notes = [[
  cekura-review call --list                               the endpoints
  cekura-review call results.list agent_id=231 --all      all pages, as one list
  cekura-review call runs.bulk run_ids=5543,5544          a list
  cekura-review call metrics.update metric_id=55 name='Steps done' --dry-run
  cekura-review call calls.list agent_id=231 \
    filters_v2='{"field": "success", "op": "eq", "value": true}'

Sent are the arguments as they are written here, and nothing from the environment except the key and
the server. The endpoint says what a value means: a text is sent as it is; true, false and numbers
are what they look like; a list has commas, or is JSON; an object is JSON. null is null if the field
may be null. NAME:=JSON is always JSON: feedback:='"null"'.

stdout has the response's value and nothing else. Objects have their keys in order, whole numbers
are exact, and null is kept. With --json, the value is `value` in the object that all subcommands
print. An endpoint that spends credits is only shown, with its cost, unless --apply is given.

Exit codes: 0 done; 1 too few credits, or the server refused the call; 2 wrong usage, ids or key; 4
no connection, or an unknown outcome; 130 Ctrl-C.]],
}

-- ---- the command line ----

function call.add_options(parser)
  parser:argument("endpoint", "Such as runs.get."):args "?"
  parser:argument("arguments", "NAME=VALUE for each argument."):args "*"
  parser:flag("--list", "List the endpoints, and call none.")
  parser:flag("--all", "Read all pages of a list; the value is the list of their items.")
  parser:flag("--dry-run", "Send nothing: print what would be sent.")
  command.add_spending(parser, "Call an endpoint that spends credits")
end

--- Returns the names of the endpoints, in order.
local function endpoint_names()
  local names = {}
  for _, endpoint in ipairs(cekura.endpoints) do names[#names + 1] = endpoint.name end
  table.sort(names)
  return names
end

local function find_endpoint(name)
  if not name then command.misuse "which endpoint? call --list lists them" end
  for _, endpoint in ipairs(cekura.endpoints) do
    if endpoint.name == name then return endpoint end
  end
  local near = internal.nearest(name, endpoint_names())
  if near then command.misuse('there is no endpoint "%s", did you mean "%s"?', name, near) end
  command.misuse('there is no endpoint "%s": call --list lists them', name)
end

-- ---- arguments ----

--- Returns the value of a JSON text. Ends the command if the text is not JSON.
local function json_value(name, word)
  local value, problem = lists.read(word)
  if value == nil then command.misuse("%s: is not JSON: %s", name, problem) end
  return value
end

local function is_json(word) return word:find "^%s*[%[{]" ~= nil end

--- The client refuses text that is not of the field's type, and says why.
local READ = {
  boolean = function(word)
    if word == "true" or word == "false" then return word == "true" end
    return word
  end,
  number = function(word) return word:find "^[%d.eE+-]+$" and tonumber(word) or word end,
  string = function(word, field)
    return field.format == "json" and is_json(word) and json_value(field.name, word) or word
  end,
  array = function(word, field)
    if is_json(word) then return json_value(field.name, word) end
    local list = cekura.array {}
    for item in word:gmatch "[^,]+" do list[#list + 1] = values.trimmed(item) end
    return list
  end,
  any = function(word)
    local value = lists.read(word)
    if value == nil then return word end
    return value
  end,
  integer = function(word)
    return word:find "^%-?%d+$" and math.tointeger(tonumber(word)) or word
  end,
}

local function value_of(field, word)
  if not field then return word end  -- the client knows the nearest name
  if field.nullable and word == "null" then return cekura.null end
  return READ[field.type](word, field)
end

--- Returns the table that a call takes.
local function read_arguments(endpoint, words)
  local fields, arguments = {}, {}
  for _, field in ipairs(endpoint.fields) do fields[field.name] = field end
  for _, word in ipairs(words) do
    local name, sign, value = word:match "^([%w_]+)(:?=)(.*)$"
    if not name then command.misuse("'%s' is not NAME=VALUE, such as run_id=5544", word) end
    if arguments[name] ~= nil then command.misuse("%s is given twice", name) end
    if sign == ":=" then
      arguments[name] = json_value(name, value)
    else
      arguments[name] = value_of(fields[name], value)
    end
  end
  return arguments
end

-- ---- the list of endpoints ----

local function list_endpoints()
  local data = cekura.array {}
  for _, name in ipairs(endpoint_names()) do
    local endpoint = find_endpoint(name)
    text.print("%s%s\n    %s", name, endpoint.spends_credits and " (spends credits)" or "",
      endpoint.summary)
    data[#data + 1] = { name = name, method = endpoint.method, path = endpoint.path,
      spends_credits = endpoint.spends_credits, summary = endpoint.summary }
  end
  return "ok", { endpoints = data }
end

-- ---- calling ----

--- Returns a client, and a function that returns the value of the last response with its empty
--- lists. The client's value has them as empty objects.
local function new_client(options)
  local body
  local client = cost.client(options, {
    keep_null = true, event_bodies = true,
    on_event = function(event) if event.type == "response" then body = event.body end end,
  })
  return client, function(value)
    local exact = body and lists.read(body)
    if exact == nil then return value end
    return exact
  end
end

local function print_plan(plan)
  text.print("%s %s", plan.method, plan.url)
  if plan.body then text.print("%s", plan.body) end
end

--- Returns all items of a list, with their empty lists.
local function all_pages(resource, arguments, exact)
  local list, items, page = cekura.array {}, {}, nil
  for item in resource:pages(arguments) do
    local now = exact()
    if now ~= page then
      page, items = now, {}
      for _, one in ipairs(now.results) do items[one.id or one] = one end
    end
    list[#list + 1] = item.id and items[item.id] or item
  end
  return list
end

local function check_all(endpoint)
  local has_pages = endpoint.call == "list" and endpoint.resource ~= "metrics"
  if not has_pages then command.misuse("--all: %s has no pages", endpoint.name) end
end

--- Returns the value of the endpoint.
local function value_from(client, endpoint, arguments, estimate, options, exact)
  local resource = client[endpoint.resource]
  if options.all then return all_pages(resource, arguments, exact) end
  local method = resource[endpoint.call]
  local size = estimate and not estimate.evaluations_at_least and estimate.evaluations or nil
  return exact(assert(method(resource, arguments, { evaluations = size })))
end

function call.run(options)
  if options.list then
    if options.endpoint then command.misuse "--list calls no endpoint" end
    return list_endpoints()
  end
  output.reserve_stdout()
  local endpoint = find_endpoint(options.endpoint)
  if options.all then check_all(endpoint) end
  local arguments = read_arguments(endpoint, options.arguments)
  local client <close>, exact = new_client(options)
  local resource = client[endpoint.resource]
  local is_plan = options.dry_run or endpoint.spends_credits and not options.apply
  local estimate = endpoint.spends_credits and cost.show_call(client, endpoint.name, arguments,
    { apply = not is_plan, max_evaluations = options.max_evaluations })
  if is_plan then
    local plan = assert(resource[endpoint.call](resource, arguments, { dry_run = true }))
    print_plan(plan)
    output.print("Nothing was sent" .. (options.dry_run and "." or ": --apply does it."))
    return "ok", { request = { method = plan.method, url = plan.url, body = plan.body,
      evaluations = plan.evaluations }, estimate = estimate or nil }
  end
  local value = value_from(client, endpoint, arguments, estimate, options, exact)
  if not options.json then output.write_data(assert(internal.json(value)), "\n") end
  return "ok", { value = value }
end

return call
