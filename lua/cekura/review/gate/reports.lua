--- The reports of a gate for a pipeline: JUnit's XML, and Markdown for a summary page. They only
--- report: the exit code decides.

local cases = require "cekura.review.gate.cases"
local files = require "cekura.review.internal.files"
local junit = require "cekura.review.junit"
local markdown = require "cekura.review.gate.markdown"
local text = require "cekura.review.internal.text"
local verdicts = require "cekura.review.gate.verdict"

local reports = {}

---@class cekura.review.Link
---@field url string
---@field expires_at string

-- ---- JUnit ----

-- The suite of the checks has this name, and each other suite that of a scenario.
local CHECKS = "thresholds"

local OUTCOMES = { failed = "failure", person = "error", unclear = "skipped" }

--- Returns a case of JUnit, without names. The text has the message too, because GitLab shows only
--- the text.
local function case_of(outcome, message, explanation)
  if outcome == "passed" then return {} end
  return { [outcome] = { message = message, type = outcome == "failure" and "threshold" or nil,
    text = explanation and explanation .. "\n" .. message or message } }
end

local function suite_of_checks(verdict)
  local suite = { name = CHECKS, cases = {} }
  for i, row in ipairs(verdicts.rows(verdict)) do
    local check = verdict.checks[i - 1]
    if check then
      local value = check.found and row[3] or "no value"
      local case = case_of(OUTCOMES[check.verdict] or "passed",
        ("%s: found %s, wanted %s"):format(row[#row], value, check.wanted))
      case.classname, case.name = CHECKS, ("%s %s"):format(check.name, check.wanted)
      suite.cases[#suite.cases + 1] = case
    end
  end
  return suite
end

--- Returns a report of the checks, and of what each metric says of each run. Jenkins would take
--- the part of a scenario's name before a dot for a package.
local function xml_of(verdict, suites)
  local all = { suite_of_checks(verdict) }
  for i, suite in ipairs(suites) do
    local copy = { name = suite.name, cases = {},
      properties = { { name = "result", value = tostring(verdict.result.id) } } }
    for j, case in ipairs(suite.cases) do
      copy.cases[j] = case_of(case.outcome,
        ("run %d: %s"):format(case.run_id, case.message or ""), case.explanation)
      copy.cases[j].classname, copy.cases[j].name = suite.name:gsub("%.", "_"), case.name
    end
    all[i + 1] = copy
  end
  return junit.xml(all)
end

-- ---- Markdown ----

local MOST_ROWS = 50  -- GitHub refuses a summary above 1 MiB
local LONGEST_CELL = 300

local function table_of_checks(verdict)
  local rows = verdicts.rows(verdict)
  for _, row in ipairs(rows) do
    for column = 1, #rows[1] do row[column] = markdown.text(row[column]) end
  end
  return markdown.table(rows)
end

local function table_of_cases(suites)
  local rows, count = { { "scenario", "metric", "run", "outcome", "explanation" } }, 0
  for _, suite in ipairs(suites) do
    for _, case in ipairs(suite.cases) do
      if case.outcome == "failure" or case.outcome == "error" then
        count = count + 1
        if count <= MOST_ROWS then
          rows[count + 1] = { markdown.text(case.scenario, LONGEST_CELL),
            markdown.text(case.name, LONGEST_CELL), tostring(case.run_id),
            markdown.text(case.message, LONGEST_CELL),
            markdown.text(case.explanation, LONGEST_CELL) }
        end
      end
    end
  end
  if count == 0 then return "" end
  local more = count > MOST_ROWS and ("\nThese are the first %d.\n"):format(MOST_ROWS) or ""
  return ("\n%s did not pass:\n\n%s%s"):format(text.count(count, "case"), markdown.table(rows),
    more)
end

local SHARED = "\n%s, open to anybody who has it until %s\n"

local function markdown_of(verdict, suites, link)
  local name = markdown.text(verdict.result.name, LONGEST_CELL)
  local shared = link and SHARED:format(markdown.link("Link to the result", link.url),
    markdown.text(link.expires_at)) or ""
  local word = verdict.word:gsub("^%l", string.upper)
  return ("### %s: result %d\n\n%s\n\n%s%s%s"):format(word, verdict.result.id, name,
    table_of_checks(verdict), table_of_cases(suites), shared)
end

-- ---- writing ----

--- Appends to a file, after an empty line if it has any text. Returns true, or nil and a message.
local function append(path, content)
  local file <close>, problem = io.open(path, "ab")
  if not file then return nil, problem end
  local size = file:seek "end"
  local written
  written, problem = file:write((size or 0) > 0 and "\n" or "", content)
  if written then written, problem = file:close() end
  if written then return true end
  return nil, ("%s: %s"):format(path, problem)
end

--- Writes the reports that the options name. Returns the problems, one line for each report that
--- could not be written.
local function write(options, xml, summary)
  local problems = {}
  local function note(done, problem)
    if not done then problems[#problems + 1] = problem end
  end
  if options.junit then note(files.replace(options.junit, xml)) end
  if options.summary then note(append(options.summary, summary)) end
  return problems
end

--- Writes the reports of a verdict.
---@param options { junit: string?, summary: string?, metric: table[] }
---@param verdict cekura.review.Verdict
---@param link cekura.review.Link?
---@return string[] problems
function reports.write(options, verdict, link)
  if not options.junit and not options.summary then return {} end
  local suites = cases.of(verdict.result, options.metric)
  return write(options, xml_of(verdict, suites), markdown_of(verdict, suites, link))
end

--- Writes reports that say why there is no verdict, so that those of an earlier run do not remain.
---@param options { junit: string?, summary: string? }
---@param message string
---@return string[] problems
function reports.write_none(options, message)
  local case = { classname = CHECKS, name = "verdict",
    error = { message = message, text = message } }
  return write(options, junit.xml { { name = CHECKS, cases = { case } } },
    ("### No verdict\n\n%s\n"):format(markdown.text(message)))
end

return reports
