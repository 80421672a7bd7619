-- A server with nothing but call logs at chosen instants. It lists them as the API's document says:
-- newest first, a page at a time, and with status 400 if the range exceeds 33 days.
--
--   local server = require "support.call_log_server".start()
--   server:control("reset", bounds)        removes everything. bounds: "inclusive" (default), or
--                                          "exclusive at the end" or "… at the beginning"
--   server:control("add", at) → id         at: whole microseconds since 1970
--   server:control("within", from, to)     the logs in the range, newest first: { id, at, is_new }
--   server:control "arrive"                from now on, each request adds a log at the end of its
--                                          range (is_new), which a reader may miss. A request
--                                          for the first page adds one at the beginning, and one in
--                                          the middle
--   server:control("fail", n)              answers the next n requests with status 400
--   server:control "requests"              the query of each request, by name
--   server:stop()
--
-- The server is that of the sandbox, whose C code loads cekura.sandbox.app into a state of its own:
-- the one in call_log_app instead of the sandbox's.
local native = require "cekura.sandbox.server"

local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"

local call_log_server = {}

-- Returns the server and its address.
function call_log_server.start()
  local path = package.path
  package.path = folder .. "call_log_app/?.lua;" .. path
  local ok, server = pcall(native.start, { port = 0 })
  package.path = path
  if not ok then error(server, 0) end
  return server, "http://127.0.0.1:" .. server:port()
end

return call_log_server
