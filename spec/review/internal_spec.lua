-- Modules of cekura.review.internal.
-- These are ids, times, tables, distributions, values and files; csv and diff have their own specs.

local times = require "cekura.review.internal.times"
local ids = require "cekura.review.internal.ids"
local scratch = require "support.scratch"
local texttable = require "cekura.review.internal.table"

describe("ids", function()
  it("are separated by commas or spaces", function()
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
    ["7,007"] = "the id 7 is listed twice",
  } do
    it(("cannot be %q"):format(text), function()
      local list, message = ids.list(text)
      assert.is_nil(list)
      assert.equal(problem, message)
    end)
  end

  it("are read from a file with comments", function()
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

  it("return an error if they cannot be written", function()
    assert.same({ nil, "/none/ids: No such file or directory" }, { ids.write("/none/ids", { 1 }) })
  end)
end)

describe("times", function()
  it("parse dates, from their first second to their last, and times", function()
    assert.equal("2025-01-31T00:00:00Z", times.first "2025-01-31")
    assert.equal("2025-01-31T23:59:59Z", times.last "2025-01-31")
    assert.equal("2025-01-31T12:00:00Z", times.first "2025-01-31T12:00:00Z")
    assert.is_nil(times.first "31.1.2025")
    assert.is_nil(times.last "2025-01-31T12:00:00+02:00")
  end)

  for _, text in ipairs {
    "2025-13-01", "2025-00-10", "2025-02-30", "2025-02-29", "2025-01-32", "2025-01-00",
    "2025-01-31T24:00:00Z", "2025-01-31T12:60:00Z",
  } do
    it(("refuse %s, which does not exist"):format(text), function()
      local date, problem = times.first(text)
      assert.is_nil(date)
      assert.matches(text, problem, 1, true)
    end)
  end

  it("accept leap days", function()
    assert.equal("2024-02-29T00:00:00Z", times.first "2024-02-29")
  end)

  it("are compared with times of the API", function()
    local first, last = times.first "2025-01-31", times.last "2025-01-31"
    assert.is_true(times.is_between("2025-01-31T23:59:59.999999Z", first, last))
    assert.is_true(times.is_between("2025-01-31 00:00:00", first, last))
    assert.is_false(times.is_between("2025-01-30T23:59:59.999999Z", first, last))
    assert.is_false(times.is_between("2025-02-01T00:00:00Z", first, last))
    assert.is_true(times.is_between("1999-01-01T00:00:00Z", nil, last))
    assert.is_true(times.is_between("2999-01-01T00:00:00Z", first, nil))
  end)
end)

describe("tables", function()
  it("have columns as wide as their cells in every script", function()
    assert.equal([[
  name    count
  Müller      1
  日本語     20
  eté         -
  👍        0.5  yes
]], texttable.text { { "name", "count", "" }, { "Müller", 1, "" }, { "日本語", 20, "" },
      { "eté", nil, "" }, { "👍", 0.5, true } })
  end)

  it("show missing values as a dash, and no control characters", function()
    assert.equal("-", texttable.show(nil))
    assert.equal("-", texttable.show(require "cekura".null))
    assert.equal("no", texttable.show(false))
    assert.equal("2.5", texttable.show(2.5))
    assert.equal(" [2Jred", texttable.show "\27[2Jred")
    assert.equal("a b", texttable.show "a\u{9B}b")
    assert.equal("caf?", texttable.show "caf\xE9")
  end)

  it("truncate long cells between characters", function()
    assert.equal(("x"):rep(40), texttable.show(("x"):rep(40)))
    assert.equal(("x"):rep(39) .. "…", texttable.show(("x"):rep(41)))
    local wide = texttable.show(("日"):rep(30))
    assert.equal(("日"):rep(19) .. "…", wide)
    assert.equal(39, texttable.width(wide))
  end)
end)

describe("distributions", function()
  local distribution = require "cekura.review.calls.distribution"
  local function of(eval_type, values)
    return distribution.text({ name = "M", eval_type = eval_type }, values)
  end

  it("of measurements have minimum, median and maximum", function()
    assert.equal("M (numeric): 3 values.\n  min  median  max\n    1       3    9\n",
      of("numeric", { 9, 1, 3 }))
    assert.equal("M (numeric): 4 values.\n  min  median  max\n    1     2.5    9\n",
      of("numeric", { 9, 1, 3, 2 }))
  end)

  it("of other values have frequencies", function()
    assert.equal("M (enum): 3 values.\n  value  calls\n  a          1   33%  ##########\n"
      .. "  b          2   67%  ####################\n", of("enum", { "b", "a", "b" }))
    assert.equal("M (numeric): 2 values.\n  value  calls\n  1          1   50%  ###############\n"
      .. "  n/a        1   50%  ###############\n", of("numeric", { 1, "n/a" }))
    assert.equal("M (enum): 0 values.\n", of("enum", {}))
  end)
end)

describe("saved ids", function()
  local path

  before_each(function() path = scratch.path() end)
  after_each(function() os.remove(path) end)

  it("are read without duplicates", function()
    assert(ids.write(path, { 3, 1, 2 }))
    assert.same({ 3, 1, 2 }, ids.saved(path))
    scratch.write(path, "7\n7\n8\n# 3 ids, all of them\n")
    assert.same({ 7, 8 }, ids.saved(path))
  end)

  it("are nil without a file", function()
    assert.same({}, { ids.saved(path) })
  end)

  it("are refused if the file is truncated anywhere", function()
    assert(ids.write(path, { 1301, 1302, 1303 }))
    local whole = scratch.read(path)
    for size = 0, #whole - 1 do
      scratch.write(path, whole:sub(1, size))
      assert.same({ nil, path .. ": is not complete" }, { ids.saved(path) })
    end
  end)
end)

describe("values", function()
  local null = require "cekura".null
  local values = require "cekura.review.internal.values"

  it("agree in every encoding", function()
    for eval_type, groups in pairs {
      binary = {
        { 5, 5.0, "5", true, "True", "TRUE", "passed", "pass", 1 },
        { 0, "0", false, "False", "failed", "Fail" },
      },
      binary_workflow_adherence = { { true, 5 }, { false, 0 } },
      numeric = { { 2, 2.0, "2", "2.0" }, { 1234.5, "1234.5" } },
      enum = { { "2", 2, 2.0, " 2 " }, { "booked", "booked\u{A0}", "Booked" } },
      unheard_of = { { 2, "2" }, { 3, "3" } },
    } do
      for _, group in ipairs(groups) do
        for _, one in ipairs(group) do
          assert.is_true(values.are_same(eval_type, group[1], one), eval_type .. tostring(one))
          assert.is_false(values.are_same(eval_type, "other", one), eval_type .. tostring(one))
        end
      end
      assert.is_false(values.are_same(eval_type, groups[1][1], groups[2][1]))
      assert.is_false(values.are_same(eval_type, groups[1][1], null))
    end
  end)

  it("that are missing or cannot be read agree with nothing", function()
    for _, row in ipairs { { "binary", 3, 3 }, { "binary", "maybe", "maybe" }, { "binary" },
      { "numeric", "x", "x" }, { "binary", null, null }, { "binary", 3, true }, { "enum", "", "" },
    } do
      assert.is_false(values.are_same(row[1], row[2], row[3]))
    end
  end)

  it("of ratings agree half a point apart, but are not equal", function()
    assert.is_true(values.are_same("continuous_qualitative", 4, "4.5"))
    assert.is_false(values.are_same("continuous_qualitative", 4, 4.6))
    assert.is_false(values.are_equal("continuous_qualitative", 4, 4.5))
  end)

  it("are measured, with passed as 5", function()
    assert.equal(5, values.measure("binary", true))
    assert.equal(0, values.measure("binary", "failed"))
    assert.equal(5, values.measure("binary", 5))
    assert.is_nil(values.measure("numeric", true))
    assert.equal(2.5, values.measure("numeric", "2.5"))
    assert.is_nil(values.measure("enum", "booked"))
    assert.is_nil(values.measure("binary", "?"))
  end)

  it("of a long text are parsed in linear time", function()
    assert.is_nil((values.number(("0"):rep(1000000) .. "x")))
    assert.is_nil((values.number(("\u{A0}"):rep(500000))))
    assert.equal(7, values.number((" "):rep(500000) .. "7" .. ("\u{A0}"):rep(500000)))
  end)
end)

describe("files", function()
  local files = require "cekura.review.internal.files"

  it("are equal through links, also before they exist", function()
    local folder = scratch.folder()
    finally(function() scratch.remove(folder) end)
    local function path(name) return folder .. "/" .. name end
    assert(os.execute(("cd %s && env -u LD_PRELOAD ln -s b a && env -u LD_PRELOAD ln -s a c")
      :format(folder)))
    assert.is_true(files.are_same(path "a", path "b"))
    assert.is_true(files.are_same(path "c", path "./b"))
    assert.is_false(files.are_same(path "a", path "d"))
    assert(files.replace(path "c", "text"))
    assert.equal("text", scratch.read(path "b"))
    assert.equal("link", require "lfs".symlinkattributes(path "c", "mode"))
    assert.is_true(files.are_same(path "a", path "b"))
  end)

  it("that link to each other cause no endless loop", function()
    local folder = scratch.folder()
    finally(function() scratch.remove(folder) end)
    assert(os.execute(("cd %s && env -u LD_PRELOAD ln -s b a && env -u LD_PRELOAD ln -s a b")
      :format(folder)))
    assert.is_false(files.are_same(folder .. "/a", folder .. "/x"))
    assert.is_nil((files.replace(folder .. "/a", "text")))
  end)
end)
