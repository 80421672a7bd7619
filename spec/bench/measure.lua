-- Measures programs: functions that return the words of a command for a number of calls.
local shell = require "bench.shell"
local measure = {}

-- Each instrument runs words and returns a record of numbers, or nil and a message.
local instruments = {}

-- cpu and wall in milliseconds, memory in KiB.
function instruments.usage(words, options)
  local output, problem = shell.try(shell.words(shell.build "usage", options or {}, words))
  if not output then return nil, problem end
  local cpu, wall, memory, descriptors = output:match "(%S+) (%S+) (%S+) (%S+)"
  return {
    cpu = cpu * 1000, wall = wall * 1000, memory = tonumber(memory),
    descriptors = tonumber(descriptors),
  }
end

function instruments.descriptors(words) return instruments.usage(words, { "-d" }) end

-- Runs an instrument that writes its report to a file.
local function report_of(words, before, path)
  local output, problem = shell.try(shell.words(before, words))
  local file <close> = io.open(path)
  os.remove(path)
  if not output then return nil, problem end
  return file:read "a"
end

-- callgrind counts `rep movsb` once for each byte that it copies; the processor counts it once. The
-- tunable makes glibc copy large blocks with other instructions.
local WITHOUT_REP = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1073741824"

function instruments.callgrind(words)
  local path = os.tmpname()
  local report, problem = report_of(words, { "env", WITHOUT_REP, "valgrind", "--tool=callgrind",
    "--log-file=" .. path, "--callgrind-out-file=/dev/null" }, path)
  if not report then return nil, problem end
  return { instructions = tonumber(report:match "Collected : (%d+)") }
end

local function by_perf(words)
  local path = os.tmpname()
  local report = report_of(words, { "perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter",
    "-o", path }, path)
  return report and tonumber(report:match "(%d+),[^\n]*raw_syscalls")
end

local function by_strace(words)
  local path = os.tmpname()
  local report, problem = report_of(words, { "strace", "-f", "-c", "-o", path }, path)
  if not report then return nil, problem end
  return tonumber(report:match "\n%s*[%d.]+%s+[%d.]+%s+%d+%s+(%d+)[%s%d]*total")
end

-- strace slows a program down so much that each response has arrived when it is awaited.
function instruments.system_calls(words)
  local count, problem = by_perf(words)
  if not count then count, problem = by_strace(words) end
  if not count then return nil, problem end
  return { system_calls = count }
end

-- Returns the record of one call: the difference of a long run and a short one excludes the start.
local function of_one_call(run, program, short, long)
  local less, problem = run(program(short))
  if not less then return nil, problem end
  local more
  more, problem = run(program(long))
  if not more then return nil, problem end
  local record = {}
  for name, value in pairs(more) do record[name] = (value - less[name]) / (long - short) end
  return record
end

-- Returns the record of `count` calls in one run, with its calls per second.
local function of_one_run(run, program, count)
  local record, problem = run(program(count))
  if not record then return nil, problem end
  if record.wall then record.speed = count / record.wall * 1000 end
  return record
end

-- `share` divides the numbers of calls.
local function sample(row, program, share)
  local run = instruments[row.instrument]
  if row.once then return of_one_run(run, program, row.once) end
  return of_one_call(run, program, row.short // share, row.long // share)
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function add(lists, record)
  for name, value in pairs(record) do
    lists[name] = lists[name] or {}
    table.insert(lists[name], value)
  end
end

local function medians(lists)
  local result = {}
  for name, list in pairs(lists) do result[name] = median(list) end
  return result
end

local function ratios_of(ours, other)
  local ratios = {}
  for name, value in pairs(ours) do ratios[name] = value / other[name] end
  return ratios
end

-- Measures both programs of a row alternately, so that a slower machine slows both. Returns
-- { ours, other, ratio }, each a record of medians; without row.other the last two are empty.
-- Returns nil and a message if a program fails.
function measure.row(row)
  local ours, other, ratio = {}, {}, {}
  for _ = 1, row.rounds do
    local a, b, problem
    a, problem = sample(row, row.ours, 1)
    if not a then return nil, problem end
    add(ours, a)
    if row.other then
      b, problem = sample(row, row.other, row.other_share or 1)
      if not b then return nil, problem end
      add(other, b)
      add(ratio, ratios_of(a, b))
    end
  end
  return { ours = medians(ours), other = medians(other), ratio = medians(ratio) }
end

return measure
