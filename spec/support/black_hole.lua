-- A loopback port that neither accepts nor refuses connections, because its queue is full.
-- Connecting to it times out.
local python = require "support.python"
local black_hole = {}

local program = [[
import select, socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
waiting = []
for _ in range(8):
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(listener.getsockname())
    waiting.append(sock)
print(listener.getsockname()[1], flush=True)
pipe = select.poll()
pipe.register(1, 0)
pipe.poll()  # returns when the reader has closed the pipe
]]

-- Returns a table like a fault server's, with `url`, `port` and `stop`, which is also its __close.
function black_hole.start()
  local command = "exec env -u LD_PRELOAD %s -E -B -S -c '%s'"
  local pipe = assert(io.popen(command:format(python, program)))
  local port = pipe:read "n"
  local function stop() pipe:close() end
  return setmetatable({ url = "http://127.0.0.1:" .. port, port = port, stop = stop },
    { __close = stop })
end

return black_hole
