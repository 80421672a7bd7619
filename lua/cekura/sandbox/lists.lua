--- Lists, newest first and a page at a time.

local errors = require "cekura.sandbox.errors"
local json = require "cekura.sandbox.json"
local select = require "cekura.sandbox.select"

local array, null = json.array, json.null

local lists = {}

local DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 20, 100

--- Returns the URL of another page of the same list.
local function page_url(request, page)
  local query = {}
  for part in request.query:gmatch "[^&]+" do
    if not part:find "^page=" then query[#query + 1] = part end
  end
  query[#query + 1] = "page=" .. page
  return ("http://%s%s?%s"):format(request.headers.host or "localhost", request.path,
    table.concat(query, "&"))
end

--- Returns the views of some items with the fields that `ql` selects; or nil and a problem.
local function views_of(items, view, ql)
  local results, selection, problem = array {}, nil, nil
  if ql then selection, problem = select.parse(ql) end
  if problem then return nil, problem end
  for i, item in ipairs(items) do
    results[i] = view(item)
    if selection then results[i], problem = select.from(results[i], selection) end
    if problem then return nil, problem end
  end
  return results
end

--- Returns the status and the body of a page.
---@param list table[]
---@param args table it may have page, page_size, include_count and ql
---@param request cekura.sandbox.Request
---@param view fun(item: table): table
function lists.page(list, args, request, view)
  local size = math.min(math.max(args.page_size or DEFAULT_PAGE_SIZE, 1), MAX_PAGE_SIZE)
  local page, pages = args.page or 1, math.max(math.ceil(#list / size), 1)
  if page < 1 or page > pages then return 404, { detail = "Invalid page." } end
  local items = { table.unpack(list, (page - 1) * size + 1, math.min(page * size, #list)) }
  local results, problem = views_of(items, view, args.ql)
  if not results then return errors.bad("ql", "%s", problem) end
  return 200, {
    count = args.include_count ~= false and #list or nil, results = results,
    next = page < pages and page_url(request, page + 1) or null,
    previous = page > 1 and page_url(request, page - 1) or null,
  }
end

--- Returns the items for which test(item) is true, newest first.
function lists.newest_first(list, test)
  local found = {}
  for i = #list, 1, -1 do
    if test(list[i]) then found[#found + 1] = list[i] end
  end
  return found
end

return lists
