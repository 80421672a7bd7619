--- Lists, newest first and a page at a time.

local json = require "cekura.sandbox.json"

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

function lists.page(list, args, request, view)
  local size = math.min(math.max(args.page_size or DEFAULT_PAGE_SIZE, 1), MAX_PAGE_SIZE)
  local page, pages = args.page or 1, math.max(math.ceil(#list / size), 1)
  if page < 1 or page > pages then return 404, { detail = "Invalid page." } end
  local results = array {}
  for i = (page - 1) * size + 1, math.min(page * size, #list) do
    results[#results + 1] = view(list[i])
  end
  return 200, {
    count = #list, results = results,
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
