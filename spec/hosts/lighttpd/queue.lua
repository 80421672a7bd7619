-- Queues a vote, and does not block: appends a line to the file that helper.lua empties.
local request = lighty.r.req_attr
local text = "pong\n"

if request["uri.path"] == "/vote" then
  local file <close> = assert(io.open(os.getenv "QUEUE", "a"))
  assert(file:write(request["uri.query"], "\n"))
  text = "queued\n"
end

lighty.r.resp_body:set(text)
return 200
