-- The rows of `make bench`. Each row is
--   name         for ROWS=
--   ours, other  programs; without `other` the row has no ratio
--   instrument   usage, descriptors, callgrind or system_calls, see measure.lua
--   short, long  numbers of calls, whose difference is one call; or
--   once         the number of calls of one run
--   other_share  divides these numbers for the other program, if it is much slower
--   rounds       how often both are measured
--   figures      { what, field of the record, unit, record of the target, relation, target }; the
--                last three may be absent
local programs = require "bench.programs"
local shell = require "bench.shell"

-- Each group returns rows for the servers `s`, see servers.lua.
local groups = {}

function groups.vote(s)
  return { {
    name = "vote", instrument = "callgrind", short = 200, long = 1200, rounds = 3,
    ours = programs.client(s.http, "vote"), other = programs.plain(s.http, "vote", "reuse"),
    figures = { { "a vote in sequence", "instructions", "k", "ratio", "≤", 1.00 } },
  } }
end

-- Returns a function that measures votes of `each`, and of the plain multi program.
local function votes_at_once(s, n)
  return function(row)
    row.name, row.ours = row.name .. "-" .. n, programs.client(s.http, "vote", n)
    row.other = programs.plain_multi(s.http, "vote", "reuse", n)
    for _, figure in ipairs(row.figures) do figure[1] = figure[1]:format(n) end
    return row
  end
end

function groups.each(s)
  local rows = {}
  for _, n in ipairs { 16, 64 } do
    local votes = votes_at_once(s, n)
    rows[#rows + 1] = votes {
      name = "each", instrument = "callgrind", short = 500, long = 1500, rounds = 3,
      figures = { { "a vote of `each`, %d at once", "instructions", "k" } },
    }
    rows[#rows + 1] = votes {
      name = "wall", instrument = "usage", once = 10000, rounds = 7,
      figures = {
        { "10,000 votes of `each`, %d at once: time", "wall", "ms", "ratio", "≤", 1.25 },
        { "10,000 votes of `each`, %d at once: CPU", "cpu", "ms" },
      },
    }
    rows[#rows + 1] = votes {
      name = "syscalls", instrument = "system_calls", short = 1000, long = 3000, rounds = 3,
      figures = {
        { "system calls of a vote of `each`, %d at once", "system_calls", "", "ours", "≤", 4.5 },
      },
    }
  end
  return rows
end

function groups.logs(s)
  return { {
    -- Lua's seed of hashes varies: the ratio of one round does so by 0.01.
    name = "logs", instrument = "callgrind", short = 2, long = 7, rounds = 5,
    ours = programs.logs(s.http), other = programs.decode(s.logs),
    figures = { { "a response of 1.2 MB, against `cjson.decode` alone", "instructions", "k",
      "ratio", "≤", 1.15 } },
  } }
end

-- Calls that spend credits have a connection each, here over TLS with the system's authorities.
function groups.paid(s)
  local function trusting(program) return programs.under(s.trusting, program) end
  return { {
    name = "paid-tls", instrument = "usage", short = 100, long = 400, rounds = 5,
    ours = trusting(programs.client(s.tls, "evaluate")),
    other = trusting(programs.plain(s.tls, "evaluate", "fresh")),
    figures = {
      { "a paid call over TLS: CPU", "cpu", "ms", "ours", "≤", 1 },
      { "a paid call over TLS: memory that remains", "memory", "KiB", "ours", "≤", 4 },
    },
  }, {
    name = "paid-64", instrument = "usage", once = 1000, rounds = 3,
    ours = trusting(programs.client(s.slow_tls, "evaluate", 64)),
    other = trusting(programs.plain_multi(s.slow_tls, "evaluate", "fresh", 64)),
    figures = {
      { "1,000 paid calls over TLS, 64 at once, slow server: calls per second", "speed", "", "ours",
        "≥", 1000 },
      { "1,000 paid calls over TLS, 64 at once: memory", "memory", "MiB", "ours", "≤", 40 },
    },
  } }
end

function groups.descriptors(s)
  local function limited(program)
    return programs.under({ "sh", "-c", 'ulimit -n 256 && exec "$@"', "sh" }, program)
  end
  return { {
    name = "descriptors", instrument = "descriptors", once = 600, rounds = 1,
    ours = limited(programs.client(s.http, "evaluate")),
    other = limited(programs.plain(s.http, "evaluate", "fresh")),
    figures = { { "600 paid calls with `ulimit -n 256`: descriptors", "descriptors", "", "ours",
      "≤", 20 } },
  } }
end

-- The slow server responds after 50 ms, and the slow disk syncs in 5 ms.
function groups.waits(s)
  local slow_disk = { "env", "LD_PRELOAD=" .. shell.build "../slow_sync.so" }
  return { {
    name = "journal", instrument = "usage", once = 2560, rounds = 3,
    ours = programs.under(slow_disk, programs.client(s.slow, "vote", 64, s.journal)),
    other = programs.plain_multi(s.slow, "vote", "reuse", 64),
    figures = { { "votes with a journal on a slow disk, slow server, 64 at once: votes per second",
      "speed", "", "ratio", "≥", 0.80 } },
  }, {
    name = "limited", instrument = "usage", once = 4000, rounds = 3,
    ours = programs.client(s.limited, "vote", 64),
    other = programs.plain_multi(s.limited, "vote", "reuse", 32),
    figures = { { "64 votes at once, slow server that rejects beyond 32: votes per second", "speed",
      "", "ratio", "≥", 0.75 } },
  } }
end

function groups.start(s)
  return { {
    name = "start", instrument = "usage", once = 1, rounds = 31,
    ours = programs.client(s.http, "vote"), other = programs.plain(s.http, "vote", "reuse"),
    figures = { { "start: `require`, client, first vote", "wall", "ms", "ours", "≤", 8 } },
  } }
end

function groups.many(s)
  return { {
    name = "many", instrument = "usage", short = 8192, long = 16384, rounds = 3,
    ours = programs.client(s.slowest, "vote", 4096), other = programs.client(s.http, "vote", 16),
    -- 4,096 votes are in flight only if the server takes long.
    figures = { { "a vote of `each`, 4,096 at once, against 16 at once: CPU", "cpu", "ms", "ratio",
      "≤", 7 } },
  }, {
    name = "items", instrument = "usage", once = 100000, rounds = 3,
    ours = programs.client(s.http, "vote", 16),
    other = programs.plain_multi(s.http, "vote", "reuse", 16),
    figures = { { "100,000 items of `each`, 16 at once: memory", "memory", "MiB", "ours",
      "≤", 12.4 } },
  }, {
    name = "tasks", instrument = "usage", once = 4096, rounds = 3,
    ours = programs.client(s.slow, "vote", 1024),
    other = programs.plain_multi(s.slow, "vote", "reuse", 1024),
    figures = { { "1,024 tasks, slow server: memory", "memory", "MiB", "ours", "≤", 45 } },
  } }
end

-- The libraries that a user would choose instead.
function groups.rivals(s)
  local rows = {}
  for _, rival in ipairs(programs.rivals) do
    for _, n in ipairs { 1, 16 } do
      rows[#rows + 1] = {
        name = ("rival-%s-%d"):format(rival.name, n), rival = rival.name, concurrency = n,
        instrument = "usage", short = 4000, long = 12000, other_share = rival.share, rounds = 3,
        ours = programs.client(s.http, "vote", n > 1 and n or nil),
        other = programs.rival(rival, s.http, n),
        figures = { { "a vote", "cpu", "ms" } },
      }
    end
  end
  return rows
end

local ORDER = { "vote", "each", "logs", "paid", "descriptors", "waits", "start", "many", "rivals" }

return function(s)
  local all = {}
  for _, name in ipairs(ORDER) do
    local rows = groups[name](s)
    table.move(rows, 1, #rows, #all + 1, all)
  end
  return all
end
