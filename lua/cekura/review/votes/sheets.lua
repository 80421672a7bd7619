--- Sends the votes of a whole sheet, or checks them in a dry run: for `votes`, and for step 2 of
--- `labs`.

local cekura = require "cekura"

local command = require "cekura.review.internal.command"
local files = require "cekura.review.internal.files"
local new_outcome = require "cekura.review.votes.outcome"
local output = require "cekura.review.internal.output"
local rows = require "cekura.review.votes.rows"
local sending = require "cekura.review.votes.sending"
local shard = require "cekura.review.internal.shard"
local steps = require "cekura.review.votes.steps"

local sheets = {}

-- ---- options ----

--- Sets the paths of the files that the command writes, and checks that they are other files.
local function set_paths(options)
  options.journal = shard.path(options.shard, options.journal or options.sheet .. ".journal")
  options.rejects = options.rejects and shard.path(options.shard, options.rejects)
  for _, name in ipairs { "journal", "rejects" } do
    if options[name] and files.are_same(options[name], options.sheet) then
      command.fail("usage", "--%s would overwrite the sheet: name another file", name)
    end
  end
  if options.rejects and files.are_same(options.rejects, options.journal) then
    command.fail("usage", "--rejects and --journal must be two files")
  end
end

--- A dry run needs no key.
local function new_client(options)
  local without_key = options.dry_run and not command.setting "CEKURA_API_KEY"
  local client, err = cekura.new { api_key = without_key and "dry-run" or nil }
  if not client then command.fail(command.code_of(err), "%s", err) end
  return client
end

-- ---- checking ----

local UNCHECKED = "the metrics cannot be read, and the expected values are not checked: %s"
local ALL_BAD = "%d of %d rows are bad, so nothing was sent. %s"
local REMEDY = "Correct them, or leave them out with --skip-bad"

local function list_problems(path, bad)
  for _, row in ipairs(bad) do
    for _, problem in ipairs(rows.problems(row)) do
      command.complain("%s:%d: %s", path, row.line, problem)
    end
  end
end

--- Checks the rows. Returns the good ones and the bad ones of the shard; or all bad ones, and a
--- message if nothing may be sent.
local function check(client, list, options)
  local done, problem = rows.add_metrics(client, list)
  if not done then
    if not options.dry_run then command.fail(command.code_of(problem), "%s", problem) end
    command.say(UNCHECKED, tostring(problem))
  end
  local good, bad = rows.check(client, list)
  if #bad > 0 and not options.skip_bad then
    return {}, bad, ALL_BAD:format(#bad, #list, options.remedy or REMEDY)
  end
  return shard.select(options.shard, good, rows.shard_key),
    shard.select(options.shard, bad, rows.shard_key)
end

-- ---- the command ----

--- Prints the number of requests of each step, and the first one. Returns them for --json.
local function print_plan(client, good, options)
  local plans = {}
  for _, step in ipairs(steps.of(options)) do
    local items = step.items(good)
    output.print(step.plan:format(#items))
    plans[step.data] = { planned = #items }
    if #items > 0 then
      local first = assert(step.send(client, items[1], { dry_run = true }))
      output.print(("The first:\n\n%s %s\n%s"):format(first.method, first.url, first.body))
      plans[step.data].first = { method = first.method, url = first.url, body = first.body }
    end
  end
  return plans
end

--- Sends the votes of a sheet, or checks them with `dry_run`. Returns the name of the exit code and
--- the data for --json.
---@param options table of the command line; `remedy` replaces the advice about bad rows
function sheets.send(options)
  set_paths(options)
  local client <close> = new_client(options)
  local opened, ignored = rows.open(options.sheet, client, options.extra_columns)
  local list, blank = rows.read(options.sheet, opened)
  if blank > 0 then command.say("rows that are not filled in, and left out: %d", blank) end
  local good, bad, problem = check(client, list, options)
  list_problems(options.sheet, bad)
  local outcome = new_outcome(bad)
  local data = { ignored_columns = cekura.array(ignored), blank = blank }
  if problem then
    command.say("%s", problem)
    data.error, data.rejected = problem, outcome:rejected()
    return "usage", data
  end
  local numbers
  if options.dry_run then
    numbers = print_plan(client, good, options)
  else
    numbers = sending.perform {
      client = client, sheet = opened, rows = good, outcome = outcome, options = options,
    }
  end
  data.rejected, data.votes, data.test_sets = outcome:rejected(), numbers.votes, numbers.test_sets
  return outcome.code, data
end

return sheets
