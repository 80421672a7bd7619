-- `make bench`: the cost of the client, as ratios to plain C programs that do the same on libcurl.
-- callgrind counts the instructions of a long run minus those of a short run, which excludes the
-- start. These counts hardly vary. Calls per second do, so their ratio is what matters.

local LUA = arg[-1]
local BUILD = os.getenv "CEKURA_BUILD" or "build"

local function read(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local function start_server()
  local fifo = os.tmpname()
  os.remove(fifo)
  assert(os.execute("mkfifo " .. fifo))
  local input = assert(io.popen(("%s spec/bench/server.lua %s"):format(LUA, fifo), "w"))
  local ready <close> = assert(io.open(fifo))
  local url, key, ids = ready:read("l"):match "(%S+) (%S+) (%S+)"
  os.remove(fifo)
  return { url = url, key = key, ids = ids }, input -- the server ends when this is closed
end

local function instructions(command, count)
  local output = read("valgrind --tool=callgrind --callgrind-out-file=/dev/null "
    .. command:format(count) .. " 2>&1")
  return tonumber(output:match "Collected : (%d+)") or error(output)
end

-- Returns the instructions of one call. `command` has a %d for the number of calls.
local function instructions_each(command, short, long)
  return (instructions(command, long) - instructions(command, short)) / (long - short)
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Measures both alternately, because the number of polls for a response varies with the machine.
local function compare_instructions(ours, theirs, short, long)
  local a, b = {}, {}
  for i = 1, 3 do
    a[i], b[i] = instructions_each(ours, short, long), instructions_each(theirs, short, long)
  end
  return median(a), median(b)
end

local function calls_a_second(command, count)
  local seconds = read(("bash -c 'TIMEFORMAT=%%R; time %s' 2>&1"):format(command:format(count)))
  return count / assert(tonumber(seconds), seconds)
end

-- Measures both alternately, so that a slower machine slows both.
local function speed_ratio(ours, theirs, count, rounds)
  local ratios, speeds = {}, {}
  for i = 1, rounds do
    speeds[i] = calls_a_second(ours, count)
    ratios[i] = speeds[i] / calls_a_second(theirs, count)
  end
  return median(ratios), median(speeds)
end

local function say(...) print(string.format(...)) end

local AGENT = "cekura-lua/0.1.0 libcurl/" .. read("curl-config --version"):match "[%d.]+"

local function bench_votes(server)
  local ours = ("%s spec/bench/votes.lua %s %s %%d"):format(LUA, server.url, server.key)
  local plain = ("%s/bench/plain %s %s %%d \"%s\""):format(BUILD, server.url, server.key, AGENT)
  local a, b = compare_instructions(ours, plain, 200, 1200)
  say("a vote                       %9.0f instructions", a)
  say("a plain libcurl loop's       %9.0f instructions: ratio %.2f (target 1.00)", b, a / b)
  local ratio, speed = speed_ratio(ours, plain, 5000, 5)
  say("votes a second               %9.0f: ratio to the loop %.2f", speed, ratio)
end

local function bench_each(server, concurrency)
  local ours = ("%s spec/bench/votes_each.lua %s %s %%d %d")
    :format(LUA, server.url, server.key, concurrency)
  local plain = ("%s/bench/plain_multi %s %s %%d \"%s\" %d")
    :format(BUILD, server.url, server.key, AGENT, concurrency)
  local a, b = compare_instructions(ours, plain, 1000, 2000)
  say("a vote of each, %2d at once   %9.0f instructions", concurrency, a)
  say("plain libcurl multi's        %9.0f instructions: ratio %.2f (target 1.00)", b, a / b)
  local ratio, speed = speed_ratio(ours, plain, 10000, 5)
  say("votes a second               %9.0f: wall time is %.2f of plain's (target 1.10)",
    speed, 1 / ratio)
end

local function save_response(server)
  local file = os.tmpname()
  local body = ('{"project_id":14,"call_logs":[%s],"metrics":[55]}'):format(server.ids)
  local url = server.url .. "/observability/v1/call-logs/evaluate_metrics/"
  read(("curl -s -H 'X-CEKURA-API-KEY: %s' -H 'Content-Type: application/json' -d '%s' -o %s %s")
    :format(server.key, body, file, url))
  return file, assert(io.open(file)):seek "end"
end

local function bench_logs(server)
  local file, size = save_response(server)
  local ours = ("%s spec/bench/logs.lua %s %s %%d %s")
    :format(LUA, server.url, server.key, server.ids)
  local decode = ("%s spec/bench/logs.lua decode %s %%d"):format(LUA, file)
  local a, b = compare_instructions(ours, decode, 2, 12)
  os.remove(file)
  say("a response of %.2f MiB        %9.0f instructions", size / 2 ^ 20, a)
  say("cjson.decode of it alone     %9.0f instructions: ratio %.2f (target 1.20)", b, a / b)
end

local server, input = start_server()
bench_votes(server)
bench_each(server, 16)
bench_each(server, 64)
bench_logs(server)
input:close()
