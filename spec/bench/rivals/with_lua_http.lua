-- with_lua_http.lua URL KEY USER-AGENT BODY CONCURRENCY COUNT: votes with lua-http, over one
-- kept-alive connection per worker. `request:go` would open one per vote.

-- Debian has the modules for Lua 5.1 to 5.3 only. Those in Lua run with 5.4, too.
package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.2/?.lua"

local cqueues = require "cqueues"
local http_client = require "http.client"
local http_headers = require "http.headers"
local json = require "cjson"

local url, key, agent, body, concurrency, count = table.unpack(arg)
local host, port, path = url:match "^http://([^:/]+):(%d+)(/.*)$"
local fields, left = json.decode(body), tonumber(count)

-- The body as a string: lua-cjson writes the fields in any order, so that the bytes would differ.
local function text()
  json.encode(fields)
  return body
end

local function headers_of(length)
  local headers = http_headers.new()
  headers:append(":method", "POST")
  headers:append(":authority", host .. ":" .. port)
  headers:append(":path", path)
  headers:append("content-type", "application/json")
  headers:append("x-cekura-api-key", key)
  headers:append("accept", "application/json")
  headers:append("user-agent", agent)
  headers:append("content-length", tostring(length))
  return headers
end

local function vote(connection)
  local content = text()
  local stream = assert(connection:new_stream())
  assert(stream:write_headers(headers_of(#content), false))
  assert(stream:write_body_from_string(content))
  assert(stream:get_headers():get ":status" == "200")
  return json.decode(assert(stream:get_body_as_string()))
end

local function worker()
  local connection = assert(http_client.connect { host = host, port = tonumber(port), tls = false })
  while left > 0 do
    left = left - 1
    vote(connection)
  end
  connection:close()
end

local queue = cqueues.new()
for _ = 1, tonumber(concurrency) do queue:wrap(worker) end
assert(queue:loop())
