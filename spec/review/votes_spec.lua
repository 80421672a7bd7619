-- cekura-review votes, run as a user would run it.
-- Above all: no row is lost, and no row that was accepted is sent again.

local Review = require "support.review"
local child = require "support.child"
local clock = require "support.clock"
local scratch = require "support.scratch"
local sheet = require "cekura.review.sheet"
local system = require "system"

local SEED = math.tointeger(os.getenv "SEED") or os.time()
local HEADER = "run_id,metric_id,thumbs_up,expected_value,feedback\r\n"
local REJECTS = "line,error," .. HEADER
local NO_ERRORS = ""

describe("cekura-review votes", function()
  local example, server, environment

  before_each(function()
    example = Review.new "votes"
    example.always = { "--no-progress" }
    server, environment = example.server, example.environment
  end)
  after_each(function() example:close() end)

  local function path_of(name) return example:path(name) end
  local function write(name, text) return example:write(name, text) end
  local function run(...) return example:run(...) end

  -- Writes a sheet of rows, each a line without its end. Returns its path.
  local function write_rows(rows, header)
    return write("votes.csv", (header or HEADER) .. table.concat(rows, "\r\n") .. "\r\n")
  end

  local function bodies()
    local found = {}
    for _, request in ipairs(server:requests()) do
      local id = request.path:match "/runs/(%d+)/"
      if id then found[id] = request.body end
    end
    return found
  end

  -- Returns the first runs with a value of metric 55.
  local function runs(count)
    local ids = {}
    for id, run_of in pairs(server:state "runs") do
      if run_of.metrics[55] then ids[#ids + 1] = id end
    end
    table.sort(ids)
    return table.move(ids, 1, count, 1, {})
  end

  -- Returns { [run_id] = number of votes } in the requests from one on, and the number of requests.
  local function arrivals(from)
    local counts, requests = {}, server:requests()
    for i = from or 1, #requests do
      local id = requests[i].path:match "/runs/(%d+)/"
      counts[id] = (counts[id] or 0) + 1
    end
    return counts, #requests
  end

  describe("sends a sheet", function()
    it("with quotes, line breaks, columns in any order and every type", function()
      local path = write("votes.csv",
        "\u{FEFF}feedback,expected_value, run_id ,thumbs_up,metric_id\r\n"
        .. '"Agent missed the ""reschedule"" step,\r\nagain",2,5544,no,55\r\n\r\n'
        .. ',null,5545,TRUE,55\n"",2.0,005546,1,55\n,,,,\n')
      local output, errors, code = run(path)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 3, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({
        ["5544"] = [[{"metric_id":55,"thumbs_up":false,"expected_value":2,]]
          .. [["feedback":"Agent missed the \"reschedule\" step,\r\nagain"}]],
        ["5545"] = '{"metric_id":55,"thumbs_up":true,"expected_value":null}',
        ["5546"] = '{"metric_id":55,"thumbs_up":true,"expected_value":2}',
      }, bodies())
      assert.equal(2, server:state("runs", 5544).metrics[55].expected_value)
    end)

    it("without a column for feedback", function()
      local _, errors, code = run(write_rows({ "5544,55,no,2" },
        "run_id,metric_id,thumbs_up,expected_value\r\n"))
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
    end)

    it("with --apply, but not together with --dry-run", function()
      local path = write_rows { "5544,55,no,2," }
      local _, errors, code = run(path, "--apply", "--dry-run")
      assert.equal(2, code)
      assert.matches("can not be used together", errors)
      assert.equal(0, #server:requests())
      local output
      output, _, code = run(path, "--apply")
      assert.same({ "ok 1, failed 0, skipped 0, unknown 0\n", 0 }, { output, code })
    end)

    it("with progress on stderr by default", function()
      local path = write_rows { "5544,55,no,2," }
      example.always = {}
      local output, errors, code = run(path)
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
      assert.matches("^1 of 1 done", errors)
      assert.equal(0, code)
    end)

    it("only once, in two runs", function()
      local path = write_rows { "5544,55,no,2,", "5545,55,yes,3," }
      run(path)
      server:clear()
      local output, errors, code = run(path)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 0, failed 0, skipped 2, unknown 0\n", output)
      assert.equal(0, code)
      assert.equal(0, #server:requests())
    end)

    it("and after a correction only the new rows", function()
      run(write_rows { "5544,55,no,2,", "5545,55,yes,3," })
      server:clear()
      local output = run(write_rows { "5545,55,no,3,", "5544,55,no,2,", "5546,55,no,3," })
      assert.equal("ok 2, failed 0, skipped 1, unknown 0\n", output)
      assert.same({
        ["5545"] = '{"metric_id":55,"thumbs_up":false,"expected_value":3}',
        ["5546"] = '{"metric_id":55,"thumbs_up":false,"expected_value":3}',
      }, bodies())
    end)

    it("but not with the journal of another sheet", function()
      run(write_rows { "5544,55,no,2," })
      local other = write("other.csv", HEADER .. "5545,55,no,2,\r\n")
      server:clear()
      local output, errors, code = run(other, "--journal", path_of "votes.csv.journal")
      assert.equal("", output)
      assert.matches("^cekura%-review votes: [^\n]*votes%%20of%%20votes%.csv[^\n]*\n$", errors)
      assert.equal(2, code)
      assert.equal(0, #server:requests())
    end)
  end)

  -- Returns the votes that arrived, in order: { run, body }.
  local function votes()
    local list = {}
    for _, request in ipairs(server:requests()) do
      local id = request.path:match "/runs/(%d+)/mark_metric_vote/"
      if id then list[#list + 1] = { id, request.body } end
    end
    return list
  end

  -- Returns the expected values that arrived, as JSON, for run 5544 and those after it.
  local function expected_values()
    local list = {}
    for _, vote in ipairs(votes()) do
      list[tonumber(vote[1]) - 5543] = vote[2]:match '"expected_value":(.-)[,}]'
    end
    return list
  end

  -- Returns rows with these expected values of a metric.
  local function rows_of(metric_id, cells)
    local rows = {}
    for i, cell in ipairs(cells) do
      rows[i] = ('%d,%d,no,"%s",'):format(5543 + i, metric_id, (cell:gsub('"', '""')))
    end
    return rows
  end

  describe("reads an expected value by the kind of its metric:", function()
    for metric_id, case in pairs {
      [55] = { "a number", { "2", "2\u{A0}", "2,5", "\u{FEFF}2", "1\u{A0}234,5", '"2"', "+3" },
        { "2", "2", "2.5", "2", "1234.5", "2", "3" } },
      [53] = { "a rating", { "4,5", " 3 ", "2\u{202F}" }, { "4.5", "3", "2" } },
      [54] = { "passed or failed", { "True", "FALSE", "wahr", "no", "5", "0", "Passed", "5,0" },
        { "true", "false", "true", "false", "5", "0", "true", "5" } },
      [52] = { "a word", { "Confirmed", " cancelled\u{A0}", '"unresolved"' },
        { '"confirmed"', '"cancelled"', '"unresolved"' } },
    } do
      it(case[1], function()
        local _, errors = run(write_rows(rows_of(metric_id, case[2])))
        assert.equal(NO_ERRORS, errors:gsub("[^\n]*status 400[^\n]*\n", ""))
        assert.same(case[3], expected_values())
      end)
    end

    for metric_id, cells in pairs {
      [55] = { "True", "booked", "2x", "1,234", "0x10", "nan", "1 2", "[2]", "2;5" },
      [53] = { "good", "TRUE" },
      [54] = { "maybe", "[]" },
      [52] = { "elsewhere", "confirm", "True" },
    } do
      it(("metric %d refuses other values before anything is sent"):format(metric_id),
        function()
          local path = write_rows(rows_of(metric_id, cells))
          local output, errors, code = run(path)
          assert.equal("", output)
          for i in ipairs(cells) do
            assert.matches((":%d: expected_value: m[^\n]*, got "):format(i + 1), errors)
          end
          assert.equal(2, code)
          assert.same({}, votes())
          assert.is_nil(io.open(path .. ".journal"))
        end)
    end

    it("any value if the metric cannot be read", function()
      server:faults { { method = "GET", path = "/metrics/55/", status = 403, times = 9 } }
      local _, errors, code = run(write_rows(rows_of(55, { "True", "some words", "2\u{A0}" })))
      assert.equal(NO_ERRORS, errors)
      assert.equal(0, code)
      assert.same({ "true", '"some words"', "2" }, expected_values())
    end)

    it("numbers and null without reading the metric", function()
      run(write_rows(rows_of(55, { "2", "2.5", "null", "-1", "1e1" })))
      for _, request in ipairs(server:requests()) do assert.equal("POST", request.method) end
    end)
  end)

  it("accepts thumbs_up as people and spreadsheets write it", function()
    local words = { "True", "WAHR", "ja\u{A0}", "1.0", "Falsch", "n", "0,0" }
    local rows = {}
    for i, word in ipairs(words) do rows[i] = ('%d,55,"%s",2,'):format(5543 + i, word) end
    local _, errors = run(write_rows(rows))
    assert.equal(NO_ERRORS, errors)
    for i, vote in ipairs(votes()) do
      local id = tonumber(vote[1]) - 5543
      assert.equal(tostring(id <= 4), vote[2]:match '"thumbs_up":(%a+)', words[i])
    end
  end)

  describe("reads sheets as Excel writes them,", function()
    for what, text in pairs {
      semicolons = "Run ID;Metric-Id;Thumbs Up;EXPECTED_VALUE;Feedback\r\n"
        .. "5544;55;ja;2,5;a, b\r\n5545;55;WAHR;3;\"c;d\"\r\n",
      tabs = "run id\tmetric id\tthumbs up\texpected value\tfeedback\r\n"
        .. "5544\t55\tja\t2,5\ta, b\r\n5545\t55\tWAHR\t3\tc;d\r\n",
      ["a line that names the separator"] = "\u{FEFF}sep=;\r\n"
        .. "run_id;metric_id;thumbs_up;expected_value;feedback\r\n"
        .. "5544;55;ja;2,5;a, b\r\n5545;55;WAHR;3;\"c;d\"\r\n",
      ["empty columns at the end"] = "run_id;metric_id;thumbs_up;expected_value;feedback;;;\r\n"
        .. "5544;55;ja;2,5;a, b;;\r\n5545;55;WAHR;3;\"c;d\";;;\r\n;;;;;;;\r\n",
      commas = "run_id,metric_id,thumbs_up,expected_value,feedback,,\r\n"
        .. '5544,55,ja,"2,5","a, b",,\r\n5545,55,WAHR,3,c;d,,\r\n',
    } do
      it("with " .. what, function()
        local output, errors, code = run(write("votes.csv", text))
        assert.equal(NO_ERRORS, errors)
        assert.equal("ok 2, failed 0, skipped 0, unknown 0\n", output)
        assert.equal(0, code)
        local found = bodies()
        assert.equal('{"metric_id":55,"thumbs_up":true,"expected_value":2.5,"feedback":"a, b"}',
          found["5544"])
        assert.equal('{"metric_id":55,"thumbs_up":true,"expected_value":3,"feedback":"c;d"}',
          found["5545"])
      end)
    end

    it("and writes rejects in the same dialect", function()
      local path = write("votes.csv", "\u{FEFF}sep=;\r\nRun ID;metric_id;thumbs_up;"
        .. "expected_value;feedback;;\r\n999999;55;ja;2,5;a;;\r\n5544;55;ja;3;;;\r\n")
      local rejects = path_of "rejects.csv"
      run(path, "--rejects", rejects)
      local text = scratch.read(rejects)
      assert.matches("^\u{FEFF}sep=;\r\nline;error;Run ID;metric_id;thumbs_up;expected_value;"
        .. "feedback\r\n3;[^\r]*;999999;55;ja;2,5;a\r\n$", text)
      scratch.write(rejects, (text:gsub("999999", "5546")))
      local output = run(rejects, "--rejects", path_of "again.csv")
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
      run(path, "--rejects", rejects)
    end)

    it("but refuses a surplus cell and a duplicate column", function()
      local _, errors, code = run(write("votes.csv",
        "run_id;metric_id;thumbs_up;expected_value;\r\n5544;55;ja;2;x\r\n"))
      assert.matches(":2: the header has 4 columns, this row has 5", errors)
      assert.equal(2, code)
      _, errors, code = run(write("votes.csv",
        "run_id;Run ID;metric_id;thumbs_up;expected_value\n"))
      assert.matches('columns "run_id" and "Run ID" are the same', errors)
      assert.equal(2, code)
    end)
  end)

  it("sends a vote again after a correction was taken back", function()
    local a, b = { "5544,55,no,2," }, { "5544,55,no,3," }
    for i, rows in ipairs { a, b, a, b, b } do
      local output, errors, code = run(write_rows(rows))
      assert.equal(NO_ERRORS, errors)
      assert.equal(i < 5 and "ok 1, failed 0, skipped 0, unknown 0\n"
        or "ok 0, failed 0, skipped 1, unknown 0\n", output)
      assert.equal(0, code)
    end
    assert.equal(4, #votes())
    assert.equal(3, server:state("runs", 5544).metrics[55].expected_value)
  end)

  it("ignores a refused correction", function()
    run(write_rows { "5544,55,no,2," })
    server:faults { { status = 400, body = { detail = "no" }, path = "/5544/" } }
    local _, _, code = run(write_rows { "5544,55,no,3," })
    assert.equal(1, code)
    server:faults()
    server:clear()
    local output = run(write_rows { "5544,55,no,2," })
    assert.equal("ok 0, failed 0, skipped 1, unknown 0\n", output)
    assert.same({}, votes())
  end)

  describe("refuses its sheet as --rejects or --journal by", function()
    local REJECTED = "line,error,run_id,metric_id,thumbs_up,expected_value\r\n"
      .. "2,no,5544,55,no,2\r\n"
    local path

    before_each(function() path = write("votes.csv", REJECTED) end)

    local function link(how, from, to)
      assert(os.execute(("exec env -u LD_PRELOAD ln %s %s %s"):format(how, from, to)))
    end

    for what, alias_of in pairs {
      ["a path with a dot"] = function() return path_of "./votes.csv" end,
      ["a symbolic link"] = function()
        link("-s", "votes.csv", path_of "alias.csv")
        return path_of "alias.csv"
      end,
      ["a hard link"] = function()
        link("", path, path_of "alias.csv")
        return path_of "alias.csv"
      end,
      ["a folder that is a link"] = function()
        link("-s", example.folder, path_of "here")
        return path_of "here/votes.csv"
      end,
    } do
      it(what, function()
        local alias = alias_of()
        for _, option in ipairs { "--rejects", "--journal" } do
          local output, errors, code = run(path, option, alias)
          assert.equal("", output)
          assert.equal(("cekura-review votes: %s would overwrite the sheet: name another file\n")
            :format(option), errors)
          assert.equal(2, code)
        end
        assert.equal(REJECTED, scratch.read(path))
        assert.same({}, votes())
      end)
    end

    it("a link to a journal that does not exist yet", function()
      link("-s", "votes.csv.journal", path_of "rejects.csv")
      local _, errors, code = run(path, "--rejects", path_of "rejects.csv")
      assert.equal("cekura-review votes: --rejects and --journal must be two files\n", errors)
      assert.equal(2, code)
    end)
  end)

  it("loses no row at a Ctrl-C: it writes those that were not sent to the rejects", function()
    server:faults { { status = 400, path = "/5544/", times = math.huge },
      { delay = 0.3, times = math.huge } }
    local rows = {}
    for i = 1, 40 do rows[i] = 5543 + i .. ",55,no,2," end
    local path, rejects = write_rows(rows), path_of "rejects.csv"
    local process = example:start(path, "--rejects", rejects, "--concurrency", "2")
    example:await_requests("mark_metric_vote", 4)
    process:signal "INT"
    local _, code = process:finish()
    assert.equal(130, code)
    local there, rejected = {}, assert(sheet.open(scratch.read(rejects)))
    for row in function() return rejected:read() end do
      there[row.cells.run_id] = row.cells.error
    end
    local done = 0
    for line in (scratch.read(path .. ".journal")):gmatch "[^\n]+" do
      local id = line:match " done (%d+):"
      if id then
        done = done + 1
        assert.is_nil(there[id])
        there[id] = "done"
      end
    end
    assert.is_true(done < 40)
    for i = 1, 40 do assert.is_truthy(there[tostring(5543 + i)], i) end
    assert.matches("400", there["5544"])
    assert.matches("it was not sent", there["5555"])
  end)

  it("loses no row if the journal cannot be written", function()
    local rows, ids = {}, runs(40)
    for i, id in ipairs(ids) do rows[i] = id .. ",55,no,2," end
    local path, rejects = write_rows(rows), path_of "rejects.csv"
    local words = example:command(path, "--rejects", rejects)
    local output, code = child.run_checked(child.on_full_disk(4, words), environment)
    assert.matches("votes.csv.journal: File too large", output, 1, true)
    assert.not_equal(0, code)
    local there = {}
    for id in (scratch.read(path .. ".journal")):gmatch " done (%d+):" do there[id] = true end
    local rejected = assert(sheet.open(scratch.read(rejects)))
    for row in function() return rejected:read() end do
      assert.is_nil(there[row.cells.run_id])
      there[row.cells.run_id] = true
    end
    for _, id in ipairs(ids) do assert.is_true(there[tostring(id)], id) end
  end)

  describe("before anything is sent", function()
    local function refuses(expected, ...)
      local output, errors, code = run(...)
      assert.equal("", output)
      assert.equal("cekura-review votes: " .. expected .. "\n", errors)
      assert.equal(2, code)
      assert.equal(0, #server:requests())
      assert.is_nil(io.open(path_of "votes.csv.journal"))
    end

    for what, row in pairs {
      ["an empty sheet"] = { "", "PATH: is empty" },
      ["a sheet of empty lines"] = { "\r\n\r\n", "PATH: is empty" },
      ["a header without rows"] = { HEADER, "PATH: there is no row below the header" },
      ["a header with empty rows"] =
        { HEADER .. ",,,,\r\n", "PATH: there is no row below the header" },
      ["a file that is not text"] = { "PK\3\4\20\0\6\0\8\0\0\0!\0",
        "PATH: is not CSV: it has NUL bytes. Save the sheet as CSV in UTF-8" },
      ["no header"] = { "5544,,no,2,\r\n", "PATH: line 1: column 2 has no name" },
      ["a sheet separated by colons"] = { "run_id:metric_id\r\n",
        'PATH: column "run_id:metric_id": unknown column; '
        .. 'column "run_id" or "call_log_id" is missing; column "metric_id" is missing; column '
        .. '"thumbs_up" is missing; column "expected_value" is missing; the cells must be '
        .. 'separated by commas, semicolons or tabs' },
      ["a misspelt column"] = { "run_id,metric_id,thumbs_up,expected_value,feedbak\r\n1,2,3,4,5",
        'PATH: column "feedbak": unknown column, did you mean "feedback"? '
          .. "--extra-columns ignores columns of your own" },
      ["a missing column"] = { "run_id,metric_id,expected_value\r\n1,2,3",
        'PATH: column "thumbs_up" is missing' },
      ["a duplicate column"] = { "run_id,metric_id,run_id\r\n",
        'PATH: line 1: two columns are named "run_id"' },
    } do
      it("refuses " .. what, function()
        local path = write("votes.csv", row[1])
        refuses(row[2]:gsub("PATH", path), path)
      end)
    end

    it("refuses a missing file, and a folder", function()
      refuses(path_of "none.csv" .. ": No such file or directory", path_of "none.csv")
      refuses(example.folder .. ": Is a directory", example.folder)
    end)

    local HELP = "; --help shows how it is used"
    for what, row in pairs {
      ["no sheet"] = { {}, "missing argument 'sheet'" .. HELP },
      ["two sheets"] = { { "SHEET", "b.csv" }, "too many arguments" .. HELP },
      ["an unknown option"] = { { "SHEET", "--dryrun" },
        "unknown option '--dryrun'. Did you mean '--dry-run'? --help shows how it is used" },
      ["a concurrency of 0"] = { { "SHEET", "--concurrency", "0" },
        "'0' is not a whole number from 1 on" .. HELP },
      ["a concurrency that is not a number"] = { { "SHEET", "--concurrency", "many" },
        "'many' is not a whole number from 1 on" .. HELP },
    } do
      it("refuses " .. what, function()
        local words = { table.unpack(row[1]) }
        if words[1] == "SHEET" then words[1] = write_rows { "5544,55,no,2," } end
        refuses(row[2], table.unpack(words))
      end)
    end

    it("refuses to overwrite the sheet or the journal", function()
      local path = write_rows { "5544,55,no,2," }
      for _, option in ipairs { "--rejects", "--journal" } do
        refuses(option .. " would overwrite the sheet: name another file", path, option, path)
      end
      refuses("--rejects and --journal must be two files", path, "--rejects", path .. ".journal")
      assert.equal(HEADER .. "5544,55,no,2,\r\n", scratch.read(path))
    end)

    it("refuses a file of rejects that cannot be written", function()
      local rejects = path_of "none/rejects.csv"
      refuses("--rejects: " .. rejects .. ": No such file or directory",
        write_rows { "5544,55,no,2," }, "--rejects", rejects)
    end)

    it("refuses a file of rejects that is another file", function()
      local path = write_rows { "5544,55,no,2," }
      local other = write("other.csv", HEADER)
      refuses("--rejects: " .. other .. " exists, and is not a file of rejects: name another file",
        path, "--rejects", other)
      assert.equal(HEADER, scratch.read(other))
    end)

    it("refuses a missing key", function()
      environment.CEKURA_API_KEY = false
      refuses("cekura: api_key: is required: set CEKURA_API_KEY in the environment, or "
        .. "give it to cekura.new (config)", write_rows { "5544,55,no,2," })
    end)

    it("refuses an empty key, except for a dry run", function()
      environment.CEKURA_API_KEY = ""
      refuses("cekura: api_key: is required: set CEKURA_API_KEY in the environment, or "
        .. "give it to cekura.new (config)", write_rows { "5544,55,no,2," })
      local output, _, code = run(path_of "votes.csv", "--dry-run")
      assert.matches("^Votes to send: 1,", output)
      assert.equal(0, code)
    end)

    it("refuses a file of rejects for a dry run", function()
      local _, errors, code = run(write_rows { "5544,55,no,2," }, "--dry-run", "--rejects",
        path_of "rejects.csv")
      assert.equal("cekura-review votes: --rejects has no use with --dry-run, which sends nothing; "
        .. "--help shows how it is used\n", errors)
      assert.equal(2, code)
      assert.is_nil(io.open(path_of "rejects.csv"))
    end)

    it("refuses an invalid address", function()
      environment.CEKURA_API_URL = "ftp://127.0.0.1"
      refuses("cekura: api_url: must begin with https:// (config)", write_rows { "5544,55,no,2," })
    end)

    it("says what to install if argparse is missing", function()
      environment.LUA_PATH = "lua/?.lua;lua/?/init.lua"
      local output, errors, code = run(write_rows { "5544,55,no,2," })
      assert.equal("", output)
      assert.matches("^cekura%-review needs argparse, 0.7.1 or newer: luarocks install", errors)
      assert.equal(2, code)
    end)
  end)

  describe("lists every bad row", function()
    local BAD = {
      "5544,55,no,2,", ",55,no,2,", 'x,55,maybe,2,"a\nb"', "5545,55,no,,", "5546,55,no,2",
      '5547,"55"6,no,2,', "5548,55,no,1e999,", "5549,55,no,2,\xFF", "05544, 55,yes,3,",
    }

    local LIST = [[
PATH:2: run_id: the same run and metric as in line 11
PATH:3: run_id: is required
PATH:4: run_id: must be an id: a whole number from 1 to 9223372036854775807, got "x"
PATH:4: thumbs_up: must be true or false, got "maybe"
PATH:6: expected_value: is required (null says that there is none)
PATH:7: the header has 5 columns, this row has 4
PATH:8: there is text after a closing quote
PATH:9: expected_value: must be a finite number, got an infinity
PATH:10: feedback: must be valid UTF-8
PATH:11: run_id: the same run and metric as in line 2
]]

    it("and sends nothing", function()
      local rows = { table.unpack(BAD) }
      rows[#rows + 1] = "5550,55,yes,3,"
      local path = write_rows(rows)
      local output, errors, code = run(path)
      assert.equal("", output)
      assert.equal(LIST:gsub("PATH", path) .. "cekura-review votes: 9 of 10 rows are bad, so "
        .. "nothing was "
        .. "sent. Correct them, or leave them out with --skip-bad\n", errors)
      assert.equal(2, code)
      assert.equal(0, #server:requests())
    end)

    it("and leaves them out with --skip-bad", function()
      local rows = { "5551,55,yes,3,", table.unpack(BAD, 2) }
      rows[#rows + 1] = "5550,55,yes,3,"
      local path = write_rows(rows)
      local output, errors, code = run(path, "--skip-bad", "--rejects", path_of "rejects.csv")
      assert.equal("ok 3, failed 0, skipped 0, unknown 0\n", output)
      assert.is_truthy(errors:find(path .. ":4: thumbs_up: must be true or false", 1, true))
      assert.equal(1, code)
      assert.same({ "5544", "5550", "5551" }, (function()
        local ids = {}
        for id in pairs(bodies()) do ids[#ids + 1] = id end
        table.sort(ids)
        return ids
      end)())
      local rejects = assert(sheet.open(scratch.read(path_of "rejects.csv")))
      assert.same({ line = 2, cells = {
        line = "3", error = "run_id: is required", run_id = "", metric_id = "55", thumbs_up = "no",
        expected_value = "2", feedback = "",
      } }, rejects:read())
      assert.same({ line = 3, cells = {
        line = "4", run_id = "x", metric_id = "55", thumbs_up = "maybe", expected_value = "2",
        feedback = "a\nb", error = "run_id: must be an id: a whole number from 1 to "
          .. '9223372036854775807, got "x"; thumbs_up: must be true or false, got "maybe"',
      } }, rejects:read())
    end)

    it("without control characters", function()
      local path = write_rows { '5544,55,"\27[2Jno\194\155",2,' }
      local _, errors = run(path)
      assert.is_nil(errors:find "\27")
      assert.is_nil(errors:find "\194\155")
      _, errors = run(write("votes.csv", 'run_id,"\27[2J\n"\n'))
      assert.is_nil(errors:find "\27")
      assert.matches("^[^\n]+\n$", errors)
    end)

    it("with cells of any length", function()
      local long, wide = ("x"):rep(1 << 20), ("0"):rep(1000000) .. "x"
      local path = write_rows { "5544,55,no,2," .. long:sub(1, 1048000) }
      local output, _, code = run(path, "--dry-run")
      assert.matches("^Votes to send: 1,", output)
      assert.equal(0, code)
      local errors
      output, errors = run(write_rows { "5544,52,no," .. wide .. ",", "5544,55,no," .. wide .. ",",
        (" "):rep(1000000) .. "x,55,no,2," }, "--dry-run", "--skip-bad")
      assert.matches("^Votes to send: 0,", output)
      assert.is_true(#errors < 1000)
      _, output, code = run(write_rows { "5544,55,no,2," .. long .. long }, "--dry-run")
      assert.matches("the row of line 2 does not end", output)
      assert.equal(2, code)
    end)

    it("with an open quote", function()
      local path = write_rows { "5544,55,no,2,", '5545,55,no,2,"never closed', "5546,55,no,2," }
      local _, errors, code = run(path)
      assert.equal(path .. ":3: a quote is never closed\ncekura-review votes: 1 of 2 rows are "
        .. "bad, so "
        .. "nothing was sent. Correct them, or leave them out with --skip-bad\n", errors)
      assert.equal(2, code)
    end)
  end)

  describe("--dry-run", function()
    it("sends nothing, and prints the first request", function()
      local path = write_rows { '5544,55,no,2,"said ""no"""', "5545,55,yes,3," }
      local output, errors, code = run(path, "--dry-run")
      assert.equal(NO_ERRORS, errors)
      assert.equal("Votes to send: 2, without those that the journal has as done.\n"
        .. "The first:\n\nPOST " .. server.url .. "/test_framework/v1/runs/5544/mark_metric_vote/\n"
        .. [[{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":"said \"no\""}]]
        .. "\n", output)
      assert.equal(0, code)
      assert.equal(0, #server:requests())
      assert.is_nil(io.open(path .. ".journal"))
      assert.is_nil(io.open(path_of "rejects.csv"))
    end)

    it("needs no key", function()
      environment.CEKURA_API_KEY = false
      local output, _, code = run(write_rows { "5544,55,no,2," }, "--dry-run")
      assert.matches("^Votes to send: 1,", output)
      assert.equal(0, code)
    end)

    describe("reads the metrics", function()
      it("and prints the value that would be sent", function()
        local output, errors, code = run(write_rows { "5544,57,no,True," }, "--dry-run")
        assert.equal(NO_ERRORS, errors)
        assert.matches('"expected_value":true', output, 1, true)
        assert.equal(0, code)
        output, errors, code = run(write_rows { '5544,55,no,"2,5",' }, "--dry-run")
        assert.equal(NO_ERRORS, errors)
        assert.matches('"expected_value":2.5', output, 1, true)
        assert.equal(0, code)
        assert.same({}, votes())
      end)

      it("and refuses a value that a metric cannot have", function()
        local output, errors, code = run(write_rows { "5544,55,no,True," }, "--dry-run")
        assert.equal("", output)
        assert.matches(":2: expected_value: must be a number", errors, 1, true)
        assert.equal(2, code)
      end)

      for what, change in pairs {
        ["a key"] = function() environment.CEKURA_API_KEY = false end,
        ["a key that is right"] = function() environment.CEKURA_API_KEY = "other" end,
        ["a server"] = function() environment.CEKURA_API_URL = "http://127.0.0.1:1" end,
      } do
        it("and continues with a warning without " .. what, function()
          change()
          local output, errors, code = run(write_rows { "5544,55,no,True,", "5545,57,no,True," },
            "--dry-run")
          assert.matches("^Votes to send: 2,", output)
          assert.matches("cekura-review votes: the metrics cannot be read, and the expected "
            .. "values are "
            .. "not checked: ", errors, 1, true)
          assert.equal(0, code)
        end)
      end
    end)

    it("lists bad rows", function()
      local path = write_rows { "5544,55,maybe,2,", "5545,55,no,2," }
      local output, errors, code = run(path, "--dry-run")
      assert.equal("", output)
      assert.matches(":2: thumbs_up: must be true or false", errors)
      assert.equal(2, code)
      output, errors, code = run(path, "--dry-run", "--skip-bad")
      assert.matches("^Votes to send: 1,", output)
      assert.matches(":2: thumbs_up: must be true or false", errors)
      assert.equal(1, code)
    end)

    it("checks 100,000 rows", function()
      local rows = {}
      for i = 1, Review.is_slow and 1000 or 100000 do
        rows[i] = i .. ',55,no,2,"Agent missed it, again"'
      end
      local output, errors, code = run(write_rows(rows), "--dry-run")
      assert.equal(NO_ERRORS, errors)
      assert.matches("^Votes to send: " .. #rows .. ",", output)
      assert.equal(0, code)
    end)
  end)

  describe("a row that the server refuses", function()
    it("is in the file of rejects, which can be corrected and sent", function()
      local path = write_rows { "5544,55,no,2,", '999999,55,no,2,"a, ""b"""', "5545,999,no,2," }
      local rejects = path_of "rejects.csv"
      local output, _, code = run(path, "--rejects", rejects)
      assert.equal("ok 1, failed 2, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      local text = scratch.read(rejects)
      assert.matches("^line,error,run_id,metric_id,thumbs_up,expected_value,feedback\r\n3,", text)
      assert.matches('[^\r]*404[^\r]*,999999,55,no,2,"a, ""b"""\r\n4,', text)
      assert.matches("[^\r]*400[^\r]*,5545,999,no,2,\r\n$", text)

      write("rejects.csv", text:gsub("999999", "5546"):gsub(",999,", ",55,"))
      output, _, code = run(rejects, "--rejects", path_of "again.csv")
      assert.equal("ok 2, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
      assert.equal('{"metric_id":55,"thumbs_up":false,"expected_value":2,"feedback":"a, \\"b\\""}',
        bodies()["5546"])
      assert.equal(REJECTS, scratch.read(path_of "again.csv"))
    end)

    it("is listed with its line and error if there is no file of rejects", function()
      local path = write_rows { "5544,55,no,2,", "999999,55,no,2,", "x,55,no,2,", "5545,999,no,2," }
      local output, errors, code = run(path, "--skip-bad")
      assert.equal("ok 1, failed 2, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      local lines = {}
      for line in errors:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.equal(3, #lines, errors)
      assert.matches("votes.csv:4: run_id: must be an id", lines[1], 1, true)
      assert.matches("votes.csv:3: runs.mark_metric_vote: status 404", lines[2], 1, true)
      assert.matches("votes.csv:5: runs.mark_metric_vote: status 400: metric_id", lines[3], 1, true)
    end)

    it("is listed up to twenty times, with the number of others", function()
      local rows = {}
      for i = 1, 23 do rows[i] = 999000 + i .. ",55,no,2," end
      local _, errors = run(write_rows(rows))
      local _, lines = errors:gsub("status 404", "")
      assert.equal(20, lines)
      assert.matches("\ncekura-review votes: 3 more rows were not accepted: ", errors, 1, true)
    end)

    it("for a wrong key is listed with the advice to check it", function()
      environment.CEKURA_API_KEY = "not-the-key"
      local _, errors, code = run(write_rows { "5544,55,no,2," })
      assert.matches("votes.csv:2: .*401.*CEKURA_API_KEY", errors)
      assert.equal(2, code)
    end)

    it("is counted even if the file of rejects cannot be written", function()
      if not io.open "/dev/full" then return pending "needs /dev/full" end
      local output, errors, code = run(write_rows { "999999,55,no,2," }, "--rejects", "/dev/full")
      assert.equal("ok 0, failed 1, skipped 0, unknown 0\n", output)
      assert.equal("cekura-review votes: --rejects: /dev/full: No space left on device\n", errors)
      assert.equal(1, code)
    end)

    it("is sent again by the next run, and then removed from the rejects", function()
      local path, rejects = write_rows { "5544,55,no,2,", "5545,55,no,2," }, path_of "rejects.csv"
      server:faults { { status = 400, body = { detail = "not now" }, path = "/5545/" } }
      local output, _, code = run(path, "--rejects", rejects)
      assert.equal("ok 1, failed 1, skipped 0, unknown 0\n", output)
      assert.equal(1, code)
      assert.matches("not now", scratch.read(rejects))
      server:clear()
      output, _, code = run(path, "--rejects", rejects)
      assert.equal("ok 1, failed 0, skipped 1, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ ["5545"] = 1 }, (arrivals()))
      assert.equal(REJECTS, scratch.read(rejects))
    end)

    it("for a wrong key ends the run early", function()
      environment.CEKURA_API_KEY = "another-key"
      local rows = {}
      for i, id in ipairs(runs(60)) do rows[i] = id .. ",55,no,2," end
      local output, errors, code = run(write_rows(rows), "--concurrency", "4")
      local failed = math.tointeger(output:match "^ok 0, failed (%d+), skipped 0, unknown 0\n$")
      assert.is_true(failed <= 4)
      assert.matches("^cekura%-review votes: gave up, with " .. 60 - failed
        .. " rows left: [^\n]*401[^\n]*run the same command again to continue\n$", errors)
      assert.equal(2, code)
      assert.equal(failed, #server:requests())
    end)

    it("like twenty rows before it ends the run early", function()
      server:faults { { status = 503, headers = { ["Retry-After"] = "0" }, times = math.huge } }
      local rows = {}
      for i, id in ipairs(runs(80)) do rows[i] = id .. ",55,no,2," end
      local path, rejects = write_rows(rows), path_of "rejects.csv"
      local output, errors, code = run(path, "--concurrency", "4", "--rejects", rejects)
      local unknown = math.tointeger(output:match "^ok 0, failed 0, skipped 0, unknown (%d+)\n$")
      assert.is_true(unknown >= 20 and unknown <= 24)
      assert.matches("cekura%-review votes: it is unknown whether " .. unknown .. " rows "
        .. "arrived", errors)
      assert.matches("cekura%-review votes: gave up, with " .. 80 - unknown .. " rows left: "
        .. "[^\n]*503",
        errors)
      assert.equal(4, code)
      assert.is_true(#server:requests() <= unknown * 4)
      local _, lines = scratch.read(rejects):gsub("\r\n", "")
      assert.equal(1 + unknown, lines)
      server:faults()
      output, errors, code = run(path, "--rejects", rejects)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 80, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
    end)

    it("because it is not running has exit code 4", function()
      local path = write_rows { "5544,55,no,2," }
      server:stop()
      local output, _, code = run(path)
      assert.equal("ok 0, failed 1, skipped 0, unknown 0\n", output)
      assert.equal(4, code)
    end)
  end)

  local function write_ids(ids)
    local rows = {}
    for i, id in ipairs(ids) do rows[i] = id .. ",55,no,2," end
    return write_rows(rows)
  end

  -- Waits for a number of requests, at most some seconds.
  local function await_requests(count, seconds)
    local give_up = system.monotime() + (seconds or clock.LIMIT)
    while #server:requests() < count and system.monotime() < give_up do system.sleep(0.002) end
  end

  -- Returns the runs with this event in the journal. A truncated last line does not count.
  local function journal_has(path, word)
    local ids = {}
    for line in (scratch.read(path .. ".journal") or ""):gmatch "([^\n]*)\n" do
      local id = line:match("^%S+ " .. word .. " (%d+):55:")
      if id then ids[id] = true end
    end
    return ids
  end

  local function size(set)
    local count = 0
    for _ in pairs(set) do count = count + 1 end
    return count
  end

  local function votes_by_run()
    local ids = {}
    for _, vote in ipairs(server:state "votes") do ids[tostring(vote.id)] = true end
    return ids
  end

  it("says after a Ctrl-C how to continue, and continues", function()
    server:faults { { delay = 0.05, times = math.huge } }
    local ids = runs(400)  -- too many for the time until the signal
    local path = write_ids(ids)
    local process = example:start(path)
    await_requests(10)
    process:signal "INT"
    local output, code = process:finish()
    server:faults()
    assert.equal("cekura-review votes: interrupted: run the same command again to "
      .. "continue\n", output)
    assert.equal(130, code)
    local done, sent = journal_has(path, "done"), select(2, arrivals())
    assert.is_true(sent < #ids)
    local errors
    output, errors, code = run(path)
    assert.equal(NO_ERRORS, errors)
    assert.matches("^ok %d+, failed 0, skipped " .. size(done) .. ", unknown 0\n$", output)
    assert.equal(0, code)
    for id in pairs((arrivals(sent + 1))) do assert.is_nil(done[id], id) end
    assert.equal(#ids, size(votes_by_run()))
  end)

  describe("killed again and again", function()
    local kills = 0

    teardown(function()
      print(("\ncekura-review votes: killed %d times (SEED=%d)"):format(kills, SEED))
    end)

    -- Kills a run after a random number of requests, up to `most`. Returns true; nil, its output
    -- and its exit code if it ended before.
    local function run_and_kill(path, most)
      local before = #server:requests()
      local process = example:start(path, "--concurrency", tostring(math.random(16)))
      -- The process may end before.
      await_requests(before + math.random(0, most), Review.is_slow and 30 or 2)
      system.sleep(math.random() * 0.02)
      process:signal "KILL"
      local output, code = process:finish()
      if code ~= 137 and code ~= 9 then return nil, output, code end
      kills = kills + 1
      return true
    end

    it("sends every vote, and no accepted vote again", function()
      math.randomseed(SEED)
      server:faults { { delay = 0.01, times = math.huge } }
      local ids = runs(Review.is_slow and 100 or 400)
      local path = write_ids(ids)
      local killed, output, code
      for round = 1, 200 do
        local done, sent = journal_has(path, "done"), select(2, arrivals())
        killed, output, code = run_and_kill(path, #ids // 6)
        for id in pairs((arrivals(sent + 1))) do
          assert.is_nil(done[id], ("run %s again in round %d, SEED=%d"):format(id, round, SEED))
        end
        if not killed then break end
      end
      assert.is_falsy(killed, "never came to its end, SEED=" .. SEED)
      assert.is_true(code == 0 or code == 4, ("%s\nSEED=%d"):format(output, SEED))
      local sent = select(2, arrivals())
      local done = journal_has(path, "done")
      local errors
      output, errors, code = run(path)
      assert.equal(NO_ERRORS, errors)
      assert.equal(("ok %d, failed 0, skipped %d, unknown 0\n"):format(#ids - size(done),
        size(done)), output)
      assert.equal(0, code)
      for id in pairs((arrivals(sent + 1))) do assert.is_nil(done[id], id) end
      assert.equal(#ids, size(votes_by_run()))
      assert.equal(#ids, size(journal_has(path, "done")))
      assert.is_true(kills >= 3, kills .. " kills, SEED=" .. SEED)
    end)

    it("sends the rows again whose outcome is unknown, and no others", function()
      local ids = runs(8)
      server:faults { { delay = 60, skip = 1, times = math.huge } }
      local path, rejects = write_ids(ids), path_of "rejects.csv"
      local process = example:start(path)
      await_requests(8)
      example:await_file("votes.csv.journal", " done ")
      process:signal "KILL"
      process:finish()
      local done = next(journal_has(path, "done"))
      server:faults()
      server:clear()
      local output, errors, code = run(path, "--rejects", rejects)
      assert.equal(NO_ERRORS, errors)
      assert.equal("ok 7, failed 0, skipped 1, unknown 0\n", output)
      assert.equal(0, code)
      local counts, count = arrivals()
      assert.is_nil(counts[done])
      assert.equal(7, size(counts))
      assert.equal(7, count)
      assert.equal(REJECTS, scratch.read(rejects))
    end)

    it("sends a vote again that arrived, which counts once", function()
      server:faults { { applied = true, delay = 60 } }
      local path = write_rows { "5544,55,no,2," }
      local process = example:start(path)
      await_requests(1)
      process:signal "KILL"
      process:finish()
      local output, _, code = run(path)
      assert.equal("ok 1, failed 0, skipped 0, unknown 0\n", output)
      assert.equal(0, code)
      assert.same({ ["5544"] = 2 }, (arrivals()))
      assert.equal(2, server:state("runs", 5544).metrics[55].expected_value)
    end)
  end)
end)
