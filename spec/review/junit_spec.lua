-- JUnit's XML: exact bytes, and the rules of Jenkins' schema.

local junit = require "cekura.review.junit"
local junit10 = require "support.junit10"

-- Returns the message and the text of a failure, as a parser reads them.
local function read_back(value)
  local suites = junit10.read(junit.xml { { name = value, cases = {
    { name = value, classname = value, failure = { message = value, text = value } },
  } } })
  local case = suites[1][1]
  assert.equal(suites[1].name, case.name)
  assert.equal(case.name, case.classname)
  assert.equal(case.name, case.failure.message)
  assert.equal(case.failure.message, case.failure.text)
  return case.failure.text
end

describe("junit.xml", function()
  it("has these bytes", function()
    assert.equal([=[
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" errors="1">
  <testsuite name="Book a first visit" tests="3" failures="1" errors="1" skipped="1" ]=]
      .. [=[timestamp="2025-11-20T05:00:00Z">
    <properties>
      <property name="result" value="431"/>
    </properties>
    <testcase classname="visits" name="Empathy" time="1.500"/>
    <testcase name="Steps &amp; &quot;more&quot;">
      <failure message="1 &lt; 2" type="threshold">one
two ]]&gt;</failure>
      <system-out>run 5544</system-out>
    </testcase>
    <testcase name="Latency">
      <skipped message="does not apply"/>
      <error/>
    </testcase>
  </testsuite>
</testsuites>
]=], junit.xml { { name = "Book a first visit", timestamp = "2025-11-20T05:00:00Z",
      properties = { { name = "result", value = 431 } }, cases = {
        { classname = "visits", name = "Empathy", time = 1.5 },
        { name = 'Steps & "more"', output = "run 5544",
          failure = { message = "1 < 2", type = "threshold", text = "one\ntwo ]]>" } },
        { name = "Latency", skipped = { message = "does not apply" }, error = {} },
      } } })
  end)

  it("is valid without suites, and without cases", function()
    assert.equal('<?xml version="1.0" encoding="UTF-8"?>\n'
      .. '<testsuites tests="0" failures="0" errors="0"/>\n', junit.xml {})
    assert.equal(1, #junit10.read(junit.xml { { name = "", cases = {}, properties = {} } }))
  end)

  it("keeps every character that XML has", function()
    for _, value in ipairs { "]]>", "<![CDATA[x]]>", "a & b &amp; &#0;", [['"`]], "<!-- -- -->",
      "<?xml?>", "tab\tline\nreturn\r\n", " blanks  ", "Grüße, 世界 🙂", "\u{D7FF}\u{E000}\u{FFFD}",
      "\u{10FFFF}", "%s %d", "" } do
      assert.equal(value, read_back(value))
    end
  end)

  it("removes control characters and invalid UTF-8", function()
    for value, kept in pairs {
      ["a\0b\1c\8d\11e\12f\14g\31h\127i"] = "abcdefghi", ["\27[31mred\27[0m"] = "[31mred[0m",
      ["a\u{80}b\u{85}c\u{9F}d\u{A0}e"] = "abcd\u{A0}e", ["a\u{FFFE}b\u{FFFF}c"] = "abc",
      ["\xFFa\xC0\x80b\xED\xA0\x80c\xE2\x82"] = "abc", ["\xF4\x90\x80\x80é\xC3"] = "é",
      ["\xC2\xFF\x85"] = "", ["\xEF\xFF\xBF\xBE"] = "",
    } do
      assert.equal(kept, read_back(value))
    end
  end)

  it("is valid for any bytes", function()
    for seed = 1, 100 do
      math.randomseed(seed)
      local bytes = {}
      for i = 1, 60 do
        bytes[i] = math.random(4) == 1 and string.char(math.random(0, 255))
          or ({ "<", "&", "]]>", '"', "\r", "\xE2", "\x82", "é", "\u{FFFF}" })[math.random(9)]
      end
      read_back(table.concat(bytes))
    end
  end)

  it("cuts a text of more than 32 KiB between two characters", function()
    assert.equal(("é"):rep(16384) .. "…", read_back(("é"):rep(100000)))
    assert.equal("x" .. ("世"):rep(10922) .. "…", read_back("x" .. ("世"):rep(100000)))
    assert.equal(32 * 1024, #read_back(("x"):rep(32 * 1024)))
  end)

  it("writes numbers with a point", function()
    assert.matches('time="0.250"', junit.xml { { name = "a", cases = {
      { name = "b", time = 0.25 } } } }, 1, true)
  end)
end)
