-- cekura-review sandbox and completion: a server in the foreground, and scripts for shells.

local child = require "support.child"
local sandbox = require "cekura.sandbox"
local scratch = require "support.scratch"

local function run(...)
  return child.run_checked_apart({ child.lua, "bin/cekura-review", ... }, { TERM = false })
end

describe("cekura-review sandbox", function()
  it("serves until SIGINT or SIGTERM, and then ends with success", function()
    for _, signal in ipairs { "INT", "TERM" } do
      local process =
        child.start_checked { child.lua, "bin/cekura-review", "sandbox", "--port", "0" }
      local url, line
      repeat
        line = assert(process:line())
        url = line:match "CEKURA_API_URL=(%S+)" or url
      until line == "Ctrl-C ends it."
      process.lines = {}  -- this command may print its key
      local output = child.run_checked({ child.lua, "bin/cekura-review", "call", "runs.get",
        "run_id=5544" }, { CEKURA_API_URL = url, CEKURA_API_KEY = "sandbox-key",
        no_proxy = "127.0.0.1" })
      assert.matches('"id":5544', output)
      process:signal(signal)
      local _, code = process:finish()
      assert.equal(0, code)
    end
  end)

  it("reports in one line that the port is in use, or is not a port", function()
    local first <close> = sandbox.start()
    for port, problem in pairs {
      [tostring(first.port)] = "cannot listen on 127%.0%.0%.1:[^\n]*; %-%-port names another port",
      many = "'many' is not a port",
    } do
      local output, errors, code = run("sandbox", "--port", port)
      assert.equal("", output)
      assert.matches("^cekura%-review sandbox: " .. problem .. "[^\n]*\n$", errors)
      assert.equal(2, code)
    end
  end)

  it("names the rock if the sandbox is not installed, and so does demo", function()
    local text = [[
      table.insert(package.searchers, 2, function(name)
        if name == "cekura.sandbox.main" then
          error("module 'cekura.sandbox.main' not found:", 0)
        end
      end)
      dofile "bin/cekura-review"
    ]]
    for _, name in ipairs { "sandbox", "demo" } do
      local path = scratch.path()
      scratch.write(path, text)
      local output, errors, code = child.run_checked_apart { child.lua, path, name }
      assert.equal("", output)
      assert.matches("^cekura%-review " .. name .. ": cekura.sandbox is not installed: install the "
        .. "rock cekura%-sandbox[^\n]*\n$", errors)
      assert.equal(2, code)
    end
  end)
end)

describe("cekura-review completion", function()
  -- Returns what bash offers for the last of the words.
  local function completed(...)
    local path = scratch.path()
    scratch.write(path, (run("completion", "bash")))
    local words = { "cekura-review", ... }
    local shell = [[
      source "$1"; shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      function_name=$(complete -p cekura-review | sed 's/.*-F \([^ ]*\).*/\1/')
      "$function_name" cekura-review "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      echo "${COMPREPLY[*]}"
    ]]
    local command = table.move(words, 1, #words, 6, { "bash", "-c", shell, "bash", path })
    return (child.run(command):gsub("\n$", ""))
  end

  it("completes subcommands, options and choices in bash", function()
    assert.equal("gate", completed "ga")
    assert.matches("%-%-max%-evaluations", completed("call", "--max"))
    assert.equal("yes no", completed("calls", "--success", ""))
  end)

  it("prints a script for each shell that the shell can read", function()
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      local script, errors, code = run("completion", shell)
      assert.equal("", errors)
      assert.equal(0, code)
      assert.matches("\n$", script)
      local path = scratch.path()
      scratch.write(path, script)
      local output, problem =
        child.run { "sh", "-c", ('! command -v %s >/dev/null || %s -n "$1"'):format(shell, shell),
          "sh", path }
      assert.equal("", output)
      assert.equal(0, problem)
    end
  end)
end)
