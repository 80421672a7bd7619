-- cekura-review votes --shard: the parts of a sheet.
-- Together they send each row exactly once, also after interruptions.

local Review = require "support.review"
local scratch = require "support.scratch"

local MIXED = "run_id,call_log_id,metric_id,thumbs_up,expected_value\n"
local VOTE, PARTS = "/mark_metric_vote/", 3

describe("cekura-review votes --shard", function()
  local example, server, rows

  before_each(function()
    example = Review.new("votes", { votes_feed_lab = false })
    example.always = { "--no-progress" }
    server, rows = example.server, {}
    for id, run in pairs(server:state "runs") do
      if run.status == "completed" and run.metrics[55] and run.metrics[53] and #rows < 40 then
        table.insert(rows, id .. ",,55,no,2")
        table.insert(rows, id .. ",,53,no,2")
      end
    end
    for id, call in pairs(server:state "call_logs") do
      if call.agent_id == 231 and call.metrics[55] and #rows < 60 then
        table.insert(rows, "," .. id .. ",55,no,2")
      end
    end
  end)
  after_each(function() example:close() end)

  local function write(list)
    return example:write("votes.csv", MIXED .. table.concat(list, "\n") .. "\n")
  end

  -- Returns { ["path metric"] = times } of the votes that arrived, and their number.
  local function votes()
    local times, count = {}, 0
    for _, request in ipairs(server:requests()) do
      if request.path:find(VOTE, 1, true) then
        local vote = request.path .. " " .. request.body:match '"metric_id":(%d+)'
        times[vote], count = (times[vote] or 0) + 1, count + 1
      end
    end
    return times, count
  end

  local function size(set)
    local count = 0
    for _ in pairs(set) do count = count + 1 end
    return count
  end

  it("sends each row exactly once, and all rows about a call in one part", function()
    local path, sent, part_of, sets = write(rows), 0, {}, 0
    for part = 1, PARTS do
      server:clear()
      local output, errors, code = example:run("--lab", "--shard", part .. "/" .. PARTS, path)
      assert.equal("", errors)
      assert.equal(0, code)
      local times, count = votes()
      assert.is_true(count > 0 and count < #rows)
      assert.equal(count, size(times))
      assert.matches(("^ok %d, failed 0, skipped 0, unknown 0\ntest sets: ok "):format(count),
        output)
      sent, sets = sent + count, sets + tonumber(output:match "test sets: ok (%d+)")
      for vote in pairs(times) do
        local call = vote:match "^(%S+)"
        assert.equal(part, part_of[call] or part)
        part_of[call] = part
      end
    end
    assert.equal(#rows, sent)
    assert.equal(size(part_of), sets)
    assert.equal(40, sets)
  end)

  it("has a journal for each part, and continues with it", function()
    local path = write(rows)
    for part = 1, PARTS do example:run("--shard", part .. "/" .. PARTS, path) end
    assert.is_nil(scratch.read(path .. ".journal"))
    server:clear()
    for part = 1, PARTS do
      assert.matches("done", scratch.read(("%s.journal.%d-of-%d"):format(path, part, PARTS)))
      assert.matches("^ok 0, failed 0, skipped %d+, unknown 0\n$",
        (example:run("--shard", part .. "/" .. PARTS, path)))
    end
    assert.equal(0, #server:requests())
  end)

  it("killed in parallel and started again, repeats only what was in flight", function()
    server:faults { { delay = 60, skip = 12, times = math.huge } }
    local path, processes = write(rows), {}
    for part = 1, PARTS do
      processes[part] =
        example:start("--shard", part .. "/" .. PARTS, "--concurrency", "2", path)
    end
    example:await_requests(VOTE, 12 + 2 * PARTS)
    for part = 1, PARTS do
      processes[part]:signal "KILL"
      processes[part]:finish()
    end
    local before = votes()
    server:faults()
    server:clear()
    for part = 1, PARTS do
      local _, errors, code = example:run("--shard", part .. "/" .. PARTS, path)
      assert.equal("", errors)
      assert.equal(0, code)
    end
    local after, count = votes()
    assert.equal(#rows - 12, count)
    local repeated = 0
    for vote, times in pairs(after) do
      assert.equal(1, times)
      repeated = repeated + (before[vote] or 0)
      before[vote] = 1
    end
    assert.equal(2 * PARTS, repeated)
    assert.equal(#rows, size(before))
  end)

  it("writes each bad or refused row into the rejects of one part", function()
    table.insert(rows, 3, "x,,55,no,2")
    table.insert(rows, 7, "x,,55,no,2")
    table.insert(rows, 9, "999999,,55,no,2")
    table.insert(rows, 11, '"5544"5,,55,no,2')
    local path, lines = write(rows), {}
    for part = 1, PARTS do
      local _, errors, code = example:run("--skip-bad", "--shard", part .. "/" .. PARTS,
        "--rejects", example:path "rejects.csv", path)
      local text = scratch.read(example:path(("rejects.csv.%d-of-3"):format(part)))
      for line in text:gmatch "\n(%d+),[^\n]+" do lines[#lines + 1] = tonumber(line) end
      local _, listed = errors:gsub("votes%.csv:%d+: ", "")
      local _, bad = text:gsub("\n%d+,[^\n]-must be an id", "")
      local _, torn = text:gsub("\n%d+,[^\n]-after a closing quote", "")
      assert.equal(bad + torn, listed)
      assert.equal(select(2, text:gsub("\n%d", "")) > 0 and 1 or 0, code)
    end
    table.sort(lines)
    assert.same({ 4, 8, 10, 12 }, lines)
    assert.equal(#rows - 3, select(2, votes()))
  end)

  it("sends nothing from any part if a row is bad", function()
    table.insert(rows, "x,,55,no,2")
    local path = write(rows)
    for part = 1, PARTS do
      local _, errors, code = example:run("--shard", part .. "/" .. PARTS, path)
      assert.matches(":62: run_id: must be an id", errors)
      assert.equal(2, code)
    end
    assert.equal(0, #server:requests())
  end)

  it("is set by the variables of a pipeline's parallel jobs", function()
    example.environment.CI_NODE_INDEX, example.environment.CI_NODE_TOTAL = "2", "3"
    local path = write(rows)
    example:run(path)
    local by_variables = votes()
    assert.is_truthy(scratch.read(path .. ".journal.2-of-3"))
    server:clear()
    os.remove(path .. ".journal.2-of-3")
    example:run("--shard", "2/3", path)
    assert.same(by_variables, (votes()))
  end)
end)
