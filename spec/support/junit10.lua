-- The rules of junit-10.xsd, the schema of Jenkins' plugin xUnit (jenkinsci/xunit-plugin, the file
-- src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd), and a reader of XML
-- 1.0 that accepts what junit.lua may write, and nothing else.

local junit10 = {}

-- SUREFIRE_TIME of the schema: digits, perhaps in groups with commas, and a fraction.
local function is_time(value) return value:find "^[0-9,]*%.?[0-9]*$" ~= nil end

local function any() return true end

local PROBLEM = { text = true, attributes = { type = any, message = any } }

-- { [element] = { children, text = whether it may have text, attributes = { [name] = test },
-- required } }. The children of every element may be in any order.
local RULES = {
  testsuites = { children = { testsuite = true }, attributes = { name = any, time = is_time,
    tests = any, failures = any, errors = any } },
  testsuite = {
    children = { testsuite = true, properties = true, testcase = true, ["system-out"] = true,
      ["system-err"] = true },
    required = { "name", "tests", "failures", "errors" },
    attributes = { name = any, tests = any, failures = any, errors = any, group = any,
      time = is_time, skipped = any, timestamp = any, hostname = any, id = any, package = any,
      file = any, log = any, url = any },
  },
  properties = { children = { property = true }, attributes = {} },
  property = { required = { "name", "value" }, attributes = { name = any, value = any } },
  testcase = {
    children = { skipped = true, error = true, failure = true, ["system-out"] = true,
      ["system-err"] = true },
    required = { "name" },
    attributes = { name = any, time = any, classname = any, group = any },
  },
  skipped = PROBLEM, error = PROBLEM, failure = PROBLEM,
  ["system-out"] = { text = true, attributes = {} },
  ["system-err"] = { text = true, attributes = {} },
}

-- ---- XML ----

local NAMED = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'" }

local function decode(text)
  assert(not text:find "<" and not text:find "]]>", "markup in a text")
  for reference in text:gmatch "&([^;]*;?)" do
    assert(NAMED[reference:sub(1, -2)] or reference:find "^#%d+;$", "a reference: &" .. reference)
  end
  return (text:gsub("&#?(%w+);", function(name)
    return NAMED[name] or utf8.char(math.tointeger(tonumber(name)))
  end))
end

-- XML 1.0, section 2.2: Char.
local function check_characters(text)
  for _, code in utf8.codes(text) do  -- raises for what is not UTF-8
    assert(code == 9 or code == 10 or code == 13 or code >= 0x20 and code <= 0xD7FF
      or code >= 0xE000 and code <= 0xFFFD or code >= 0x10000, "not a character of XML")
  end
end

local function read_attributes(text)
  local attributes = {}
  local rest = text:gsub('%s+([%w:-]+)="([^"]*)"', function(name, value)
    assert(not attributes[name], "an attribute twice")
    assert(not value:find "[\t\n\r]", "blanks that a parser would change")
    attributes[name] = decode(value)
    return ""
  end)
  assert(rest:find "^%s*/?$", "not attributes: " .. rest)
  return attributes
end

-- Returns the root: { name, attributes, text, [1] = a child, … }.
local function read(text)
  check_characters(text)
  local declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
  assert(text:sub(1, #declaration) == declaration, "no declaration")
  local stack, at = { { text = "" } }, #declaration + 1
  while at <= #text do
    local before, slash, name, rest, after = text:match("^([^<]*)<(/?)([%a-]+)([^>]*)>()", at)
    local top = stack[#stack]
    if not before then
      assert(text:find("^%s*$", at) and #stack == 1 and #top == 1, "not one root")
      return top[1]
    end
    top.text = top.text .. decode(before)
    if slash == "" then
      local element = { name = name, attributes = read_attributes(rest), text = "" }
      top[#top + 1] = element
      if not rest:find "/$" then stack[#stack + 1] = element end
    else
      assert(rest == "" and table.remove(stack).name == name, "not the end of the last element")
    end
    at = after
  end
  error "the text ends too early"
end

-- ---- the schema ----

local function check(element)
  local name = element.name
  local rule = assert(RULES[name], "an unknown element: " .. name)
  for attribute, value in pairs(element.attributes) do
    local test = rule.attributes[attribute]
    assert(test and test(value), ("%s: %s=%s"):format(name, attribute, value))
  end
  for _, required in ipairs(rule.required or {}) do
    assert(element.attributes[required], ("%s has no %s"):format(name, required))
  end
  assert(rule.text or element.text:find "^%s*$", name .. " has text")
  for _, child in ipairs(element) do
    assert((rule.children or {})[child.name], ("%s in %s"):format(child.name, name))
    check(child)
  end
end

-- Returns the suites of a report as they were written: { name, attributes, [i] = case }, whose
-- problems are in `failure`, `error` and `skipped`. Raises an error if the report is not valid.
function junit10.read(text)
  local root = read(text)
  check(root)
  assert(root.name == "testsuites" or root.name == "testsuite", "the root")
  local suites = {}
  for i, element in ipairs(root) do
    local suite = { name = element.attributes.name, attributes = element.attributes }
    for _, item in ipairs(element) do
      if item.name == "testcase" then
        local case = { name = item.attributes.name, classname = item.attributes.classname }
        for _, problem in ipairs(item) do
          case[problem.name] = { message = problem.attributes.message, text = problem.text }
        end
        suite[#suite + 1] = case
      end
    end
    suites[i] = suite
  end
  return suites, root.attributes
end

return junit10
