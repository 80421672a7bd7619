-- What the examples share: ids, dates, tables, distributions.

package.path = "examples/?.lua;" .. package.path

local dates = require "support.dates"
local ids = require "support.ids"
local scratch = require "support.scratch"
local texttable = require "support.table"

describe("ids", function()
  it("are read however they are separated", function()
    assert.same({ 1, 20, 3 }, ids.list "1,20, 3")
    assert.same({ 1, 20 }, ids.list " 1\t\r\n020,")
    assert.same({ math.maxinteger }, ids.list "9223372036854775807")
  end)

  for text, problem in pairs {
    [""] = "there is no id", [" , "] = "there is no id",
    ["1,0"] = "'0' is not an id: a whole number from 1 on",
    ["-1"] = "'-1' is not an id: a whole number from 1 on",
    ["1.0"] = "'1.0' is not an id: a whole number from 1 on",
    ["9223372036854775808"] = "'9223372036854775808' is not an id: a whole number from 1 on",
    ["7,007"] = "the id 7 is there twice",
  } do
    it(("are not %q"):format(text), function()
      local list, message = ids.list(text)
      assert.is_nil(list)
      assert.equal(problem, message)
    end)
  end

  it("are written to a file, and read from one with comments", function()
    local path = scratch.path()
    finally(function() os.remove(path) end)
    assert.is_true(ids.write(path, { 3, 1, 2 }))
    assert.same({ 3, 1, 2 }, ids.read(path))
    scratch.write(path, "\u{FEFF}# of Monday\r\n3,1 # two of them\r\n\r\n2")
    assert.same({ 3, 1, 2 }, ids.read(path))
    scratch.write(path, "1\nx\n")
    local list, problem = ids.read(path)
    assert.is_nil(list)
    assert.equal(path .. ": 'x' is not an id: a whole number from 1 on", problem)
    assert.same({ nil, "/: Is a directory" }, { ids.read "/" })
  end)

  it("say where they cannot be written", function()
    assert.same({ nil, "/none/ids: No such file or directory" }, { ids.write("/none/ids", { 1 }) })
  end)
end)

describe("dates", function()
  it("are days, from their first second to their last, or moments", function()
    assert.equal("2025-01-31T00:00:00Z", dates.first "2025-01-31")
    assert.equal("2025-01-31T23:59:59Z", dates.last "2025-01-31")
    assert.equal("2025-01-31T12:00:00Z", dates.first "2025-01-31T12:00:00Z")
    assert.is_nil(dates.first "31.1.2025")
    assert.is_nil(dates.last "2025-01-31T12:00:00+02:00")
  end)

  for _, text in ipairs {
    "2025-13-01", "2025-00-10", "2025-02-30", "2025-02-29", "2025-01-32", "2025-01-00",
    "2025-01-31T24:00:00Z", "2025-01-31T12:60:00Z",
  } do
    it(("are not %s, which no calendar has"):format(text), function()
      local date, problem = dates.first(text)
      assert.is_nil(date)
      assert.matches(text, problem, 1, true)
    end)
  end

  it("are leap days", function()
    assert.equal("2024-02-29T00:00:00Z", dates.first "2024-02-29")
  end)

  it("are compared with the server's times", function()
    local first, last = dates.first "2025-01-31", dates.last "2025-01-31"
    assert.is_true(dates.is_between("2025-01-31T23:59:59.999999Z", first, last))
    assert.is_true(dates.is_between("2025-01-31 00:00:00", first, last))
    assert.is_false(dates.is_between("2025-01-30T23:59:59.999999Z", first, last))
    assert.is_false(dates.is_between("2025-02-01T00:00:00Z", first, last))
    assert.is_true(dates.is_between("1999-01-01T00:00:00Z", nil, last))
    assert.is_true(dates.is_between("2999-01-01T00:00:00Z", first, nil))
  end)
end)

describe("tables", function()
  it("have columns as wide as what stands in them, whatever script it is in", function()
    assert.equal([[
  name    count
  Müller      1
  日本語     20
  eté         -
  👍        0.5  yes
]], texttable.text { { "name", "count", "" }, { "Müller", 1, "" }, { "日本語", 20, "" },
      { "eté", nil, "" }, { "👍", 0.5, true } })
  end)

  it("show what is not there, and what a terminal would obey", function()
    assert.equal("-", texttable.show(nil))
    assert.equal("-", texttable.show(require "cekura".null))
    assert.equal("no", texttable.show(false))
    assert.equal("2.5", texttable.show(2.5))
    assert.equal(" [2Jred", texttable.show "\27[2Jred")
    assert.equal("a b", texttable.show "a\u{9B}b")
    assert.equal("caf?", texttable.show "caf\xE9")
  end)

  it("cut off what is long, between characters", function()
    assert.equal(("x"):rep(40), texttable.show(("x"):rep(40)))
    assert.equal(("x"):rep(39) .. "…", texttable.show(("x"):rep(41)))
    local wide = texttable.show(("日"):rep(30))
    assert.equal(("日"):rep(19) .. "…", wide)
    assert.equal(39, texttable.width(wide))
  end)
end)

describe("distributions", function()
  local distribution = require "support.distribution"
  local function of(eval_type, values)
    return distribution.text({ name = "M", eval_type = eval_type }, values)
  end

  it("have least, median and most of what is measured", function()
    assert.equal("M (numeric): 3 values.\n  min  median  max\n    1       3    9\n",
      of("numeric", { 9, 1, 3 }))
    assert.equal("M (numeric): 4 values.\n  min  median  max\n    1     2.5    9\n",
      of("numeric", { 9, 1, 3, 2 }))
  end)

  it("have how often each occurs of all else", function()
    assert.equal("M (enum): 3 values.\n  value  calls\n  a          1   33%  ##########\n"
      .. "  b          2   67%  ####################\n", of("enum", { "b", "a", "b" }))
    assert.equal("M (numeric): 2 values.\n  value  calls\n  1          1   50%  ###############\n"
      .. "  n/a        1   50%  ###############\n", of("numeric", { 1, "n/a" }))
    assert.equal("M (enum): 0 values.\n", of("enum", {}))
  end)
end)
