--- JUnit's XML, in which pipelines read the results of tests.
---
---     local junit = require "cekura.review.junit"
---     file:write(junit.xml { { name = "Book a first visit", cases = {
---       { classname = "Book a first visit", name = "Empathy",
---         failure = { message = "2, wanted >=3", text = "The agent was curt." } } } } })
---
--- The text is valid against junit-10.xsd of Jenkins' plugin xUnit (jenkinsci/xunit-plugin,
--- src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd). GitLab reads the same elements;
--- of two cases with the same classname and name, it shows one.

local ascii = require "cekura.internal.ascii"
local text = require "cekura.review.internal.text"

local junit = {}

---@class cekura.review.JunitSuite
---@field name string
---@field cases cekura.review.JunitCase[]
---@field timestamp string? as in ISO 8601
---@field properties { name: string, value: string }[]?

--- A case without failure, error and skipped has passed.
---@class cekura.review.JunitCase
---@field name string
---@field classname string? Jenkins takes the part before the last dot for a package
---@field time number? seconds
---@field failure cekura.review.JunitProblem?
---@field error cekura.review.JunitProblem?
---@field skipped cekura.review.JunitProblem?
---@field output string? what the case wrote to stdout

---@class cekura.review.JunitProblem
---@field message string?
---@field type string?
---@field text string?

local LONGEST = 32 * 1024  -- bytes of a text; GitLab refuses files above 30 MB

-- XML 1.0, section 2.2, has no other control characters than these three. C1 and DEL are allowed,
-- but no text means them.
local function is_allowed(byte) return byte == "\t" or byte == "\n" or byte == "\r" end

--- Returns the value as characters of XML, without control characters, and cut if it is long.
local function clean(value)
  local found = text.utf8(tostring(value), ""):gsub("[\0-\31\127]", function(byte)
    return is_allowed(byte) and byte or ""
  end):gsub("\xC2[\x80-\x9F]", ""):gsub("\xEF\xBF[\xBE\xBF]", "")
  if #found <= LONGEST then return found end
  return text.utf8(found:sub(1, LONGEST), "") .. "…"
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["\r"] = "&#13;", ["\n"] = "&#10;", ["\t"] = "&#9;" }

--- A parser would read a return as a line feed (XML 1.0, section 2.11). Every > is escaped, because
--- a text must not contain ]]>.
local function escape(value) return (clean(value):gsub("[&<>\r]", ESCAPES)) end

--- In attributes, a parser would also read tabs and line feeds as blanks (section 3.3.3).
local function attribute(name, value)
  if value == nil then return "" end
  return (' %s="%s"'):format(name, (clean(value):gsub('[&<>"\r\n\t]', ESCAPES)))
end

local function element(name, attributes, content)
  if content == "" then return ("<%s%s/>\n"):format(name, attributes) end
  return ("<%s%s>%s</%s>\n"):format(name, attributes, content, name)
end

local PROBLEMS = { "skipped", "error", "failure" }

local function case_xml(case)
  local parts = {}
  for _, name in ipairs(PROBLEMS) do
    local problem = case[name]
    if problem then
      parts[#parts + 1] = "      " .. element(name,
        attribute("message", problem.message) .. attribute("type", problem.type),
        escape(problem.text or ""))
    end
  end
  if case.output then
    parts[#parts + 1] = "      " .. element("system-out", "", escape(case.output))
  end
  local attributes = attribute("classname", case.classname) .. attribute("name", case.name)
    .. attribute("time", case.time and ascii.format("%.3f", case.time))
  local content = #parts > 0 and "\n" .. table.concat(parts) .. "    " or ""
  return "    " .. element("testcase", attributes, content)
end

local function properties_xml(properties)
  if not properties or #properties == 0 then return "" end
  local parts = { "    <properties>\n" }
  for _, property in ipairs(properties) do
    parts[#parts + 1] = "      " .. element("property",
      attribute("name", property.name) .. attribute("value", property.value), "")
  end
  parts[#parts + 1] = "    </properties>\n"
  return table.concat(parts)
end

--- Returns how many cases there are, and how many have a failure, an error, or were skipped.
local function count(cases)
  local counts = { tests = #cases, failure = 0, error = 0, skipped = 0 }
  for _, case in ipairs(cases) do
    for _, name in ipairs(PROBLEMS) do
      if case[name] then counts[name] = counts[name] + 1 end
    end
  end
  return counts
end

local function count_attributes(counts)
  return attribute("tests", counts.tests) .. attribute("failures", counts.failure)
    .. attribute("errors", counts.error)
end

local function suite_xml(suite, counts)
  local parts = { properties_xml(suite.properties) }
  for i, case in ipairs(suite.cases) do parts[i + 1] = case_xml(case) end
  local content = table.concat(parts)
  return "  " .. element("testsuite", attribute("name", suite.name) .. count_attributes(counts)
    .. attribute("skipped", counts.skipped) .. attribute("timestamp", suite.timestamp),
    content ~= "" and "\n" .. content .. "  " or "")
end

--- Returns the suites as JUnit's XML in UTF-8. Control characters and invalid UTF-8 are removed; a
--- text above 32 KiB is cut.
---@param suites cekura.review.JunitSuite[]
---@return string
function junit.xml(suites)
  local total, parts = { tests = 0, failure = 0, error = 0 }, {}
  for i, suite in ipairs(suites) do
    local counts = count(suite.cases)
    for name in pairs(total) do total[name] = total[name] + counts[name] end
    parts[i] = suite_xml(suite, counts)
  end
  local content = table.concat(parts)
  return '<?xml version="1.0" encoding="UTF-8"?>\n' .. element("testsuites",
    count_attributes(total), content ~= "" and "\n" .. content or "")
end

return junit
