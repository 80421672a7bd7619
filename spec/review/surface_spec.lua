-- What all subcommands of cekura-review have in common: --help, --json, wrong words, lost output, a
-- narrow terminal, Ctrl-C. Waits that Ctrl-C ends are in the spec of their subcommand.

local Review = require "support.review"
local child = require "support.child"
local json = require "cjson".new()
local lfs = require "lfs"
local terminal = require "support.terminal"

local HERE = lfs.currentdir()

-- { words of a typical use, exit code for lost output, options of the sandbox }; "@" begins a path
-- in a folder of its own.
local CASES = {
  votes = { { "@votes.csv", "--no-progress" }, 1 },
  reevaluate = { { "373", "--metrics", "55" }, 1 },
  bulk = { { "--metrics", "55", "--results", "371", "--no-progress" }, 1 },
  calls = { { "--agent", "231", "--metric", "55", "--limit", "2" }, 1 },
  improve = { { "--metrics", "55", "--state", "@improve" }, 1 },
  labs = { { "--metric", "55", "--agent", "231", "--want", "1", "--state", "@labs" }, 1 },
  gate = { { "--result", "373", "--min-success-rate", "0" }, 4 },
  compare = { { "373", "431" }, 1 },
  report = { { "--results", "373", "--no-progress", "--output", "@page.html" }, 1,
    { votes_feed_lab = true } },
  sample = { { "--results", "373", "--metric", "55", "--n", "3", "--no-progress" }, 1 },
  export = { { "values", "--results", "373", "--metric", "55,56", "--no-progress" }, 1 },
  call = { { "runs.get", "run_id=5544" }, 1 },
  completion = { { "bash" }, 1 },
  demo = { {}, 1 },
  sandbox = {},
}

-- Subcommands that read a server and end.
local READING = {}
for name in pairs(CASES) do
  if name ~= "sandbox" and name ~= "demo" and name ~= "completion" then READING[name] = true end
end

local function new(name)
  local review = Review.new(name, CASES[name][3])
  review:write("votes.csv", "run_id,metric_id,thumbs_up,expected_value\n5544,55,no,2\n")
  return review
end

-- Returns the words of a typical use, and more.
local function words_of(review, name, ...)
  local words = { ... }
  for i, word in ipairs(CASES[name][1]) do
    table.insert(words, i, (word:gsub("^@", review.folder .. "/")))
  end
  return table.unpack(words)
end

-- Runs it in a shell with a redirection of its stdout; the shell's code is the command's.
local function run_with(review, redirection, ...)
  local command = { "sh", "-c", ('{ "$@"; echo "code $?" >&2; } %s'):format(redirection), "sh" }
  local words = review:command(...)
  table.move(words, 1, #words, #command + 1, command)
  local _, errors = child.run_checked_apart(command, review.environment)
  return errors, math.tointeger(errors:match "code (%d+)\n$")
end

-- Returns the bytes that a terminal got, of which each is a character in the text.
local function bytes_of(text)
  return (text:gsub(utf8.charpattern, function(char) return string.char(utf8.codepoint(char)) end))
end

-- Tables are indented; two blanks separate their columns.
local function is_table_row(line) return line:find "^  +%S.*%S  +%S" ~= nil end

local function each_command(check)
  local names = {}
  for name in pairs(CASES) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do check(name) end
end

describe("cekura-review", function()
  it("lists exactly the subcommands of this spec", function()
    local listed = {}
    local output = child.run_checked { child.lua, "bin/cekura-review", "--help" }
    for name in output:match "\nCommands:(\n.-)\n\n":gmatch "\n   (%l+)" do listed[name] = true end
    for name in pairs(CASES) do assert.is_true(listed[name], name) end
    for name in pairs(listed) do assert.is_truthy(CASES[name], name) end
  end)

  each_command(function(name)
    describe(name, function()
      local review

      before_each(function() review = new(name) end)
      after_each(function() review:close() end)

      it("refuses wrong words in one line, before anything is sent", function()
        local output, errors, code = review:run "--nonsense"
        assert.equal("", output)
        assert.matches("^cekura%-review " .. name .. ": [^\n]*%-%-help shows how it is used\n$",
          errors)
        assert.equal(2, code)
        output, errors, code = review:run("--nonsense", "--json")
        assert.matches("^[^\n]*\n$", errors)
        local data = json.decode(output)
        assert.same({ name, 2, "string" }, { data.command, data.exit_code, type(data.error) })
        assert.equal(2, code)
        assert.same({}, review.server:requests())
      end)

      it("shows an example in its help, which fits into 40 columns", function()
        review.environment.COLUMNS = "40"
        local output, errors, code = review:run "--help"
        assert.equal("", errors)
        assert.equal(0, code)
        assert.matches("\nExample:\n +cekura%-review " .. name, output)
        for line in output:gmatch "[^\n]+" do assert.is_true(utf8.len(line) <= 40, line) end
      end)

      if name == "sandbox" then return end

      it("accepts the example of its help", function()
        local example = require("cekura.review.commands." .. name).example
        local command = { "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", review.folder,
          child.lua, HERE .. "/bin/cekura-review" }
        for word in example:gmatch "%S+" do
          command[#command + 1] = word:match "^'(.*)'$" or word
        end
        local environment = { CEKURA_AGENT_ID = "231" }
        for variable, value in pairs(review.environment) do environment[variable] = value end
        for _, variable in ipairs { "LUA_PATH", "LUA_CPATH" } do
          environment[variable] = (os.getenv(variable) or ""):gsub("[^;]+", function(path)
            return path:find "^[/;]" and path or HERE .. "/" .. path
          end)
        end
        local _, errors, code = child.run_checked_apart(command, environment)
        assert.is_nil(errors:find("mistake", 1, true), errors)
        assert.not_equal(2, code, errors)
      end)

      it("reports output that is lost", function()
        if not io.open "/dev/full" then return pending "needs /dev/full" end
        for _, redirection in ipairs { ">/dev/full", "| true" } do
          local errors, code = run_with(review, redirection, words_of(review, name))
          assert.matches("cekura%-review " .. name .. ": the output is not complete: stdout: "
            .. "[^\n]+\n", errors)
          assert.equal(CASES[name][2], code, errors)
        end
      end)

      it("prints one JSON object with --json, and tables for a narrow terminal", function()
        local words = { name, words_of(review, name, "--json") }
        for i, word in ipairs(words) do words[i] = ("%q"):format(word) end
        review.environment.TERM, review.environment.NO_COLOR = "xterm", "1"
        local ran = terminal.run(40, ('require "cekura.review.main" { %s }'):format(
          table.concat(words, ", ")), review.environment)
        assert.matches("^{[^\n]*}\n$", ran.stdout)
        local data = json.decode(ran.stdout)
        assert.same({ name, ran.code }, { data.command, data.exit_code }, ran.stderr)
        local shown = bytes_of(ran.stderr)
        assert.is_nil(shown:find "\27%[[%d;]*m", shown)
        for line in shown:gmatch "[^\r\n]+" do
          if is_table_row(line) and name ~= "report" then  -- its table is a page
            assert.is_true(utf8.len(line) <= 40, line)
          end
        end
      end)

      if not READING[name] then return end

      it("ends on Ctrl-C with its advice", function()
        review.server:faults { { delay = 20, times = math.huge } }
        local process = review:start(words_of(review, name))
        review:await_requests "."
        process:signal "INT"
        local output, code = process:finish()
        local advice = require("cekura.review.commands." .. name).advice
        assert.is_truthy(output:find(advice, 1, true), output)
        assert.equal(130, code, output)
      end)
    end)
  end)
end)

describe("a file on stdout", function()
  for option, name in pairs { ["--rejects"] = "votes", ["--html"] = "compare",
    ["--junit"] = "gate", ["--summary"] = "gate", ["--output"] = "export" } do
    it(("is refused with --json: %s of %s"):format(option, name), function()
      local review <close> = new(name)
      for _, path in ipairs { "/dev/stdout", "/dev/fd/1" } do
        local output, errors, code = review:run(words_of(review, name, "--json", option, path))
        assert.equal(2, json.decode(output).exit_code)
        assert.equal(("cekura-review %s: %s: --json needs stdout; name a file\n")
          :format(name, option), errors)
        assert.equal(2, code)
        assert.same({}, review.server:requests())
      end
    end)
  end
end)

describe("output that is lost", function()
  it("by --help is reported", function()
    local review <close> = Review.new "votes"
    local errors, code = run_with(review, ">/dev/full", "--help")
    assert.matches("the output is not complete", errors)
    assert.not_equal(0, code)
  end)

  it("by votes loses neither votes nor rejects", function()
    for _, redirection in ipairs { ">&-", ">/dev/full", "| true" } do
      local review <close> = Review.new "votes"
      local path = review:write("votes.csv",
        "run_id,metric_id,thumbs_up,expected_value\n5544,55,no,2\n999999,55,no,2\n")
      local errors, code =
        run_with(review, redirection, path, "--no-progress", "--rejects", path .. ".rejects")
      assert.matches("the output is not complete: stdout", errors)
      assert.equal(1, code)
      local file <close> = assert(io.open(path .. ".rejects"))
      assert.matches("\r\n3,[^\r]*,999999,55,no,2\r\n$", file:read "a")
      assert.equal(4, #review:sent())
    end
  end)

  it("on stderr is not a success", function()
    local review <close> = Review.new "improve"
    local command = { "sh", "-c", '"$@" 2>/dev/full', "sh" }
    local words = review:command("--metrics", "55", "--start", "--state", review:path "state",
      "--interval", "0.05")
    table.move(words, 1, #words, #command + 1, command)
    local _, _, code = child.run_checked_apart(command, review.environment)
    assert.equal(1, code)
  end)
end)
