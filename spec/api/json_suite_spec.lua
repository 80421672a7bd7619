-- JSONTestSuite (spec/data/json_suite), file by file, as a server's response. The name of a file
-- has the expected outcome: y_ is read, with the values that Python reads; n_ is an error; i_ may
-- be either. The exceptions of this library, and its choices, are named here.
local cekura = require "cekura"
local calls = require "support.calls"
local child = require "support.child"
local faults = require "support.faults"
local python = require "support.python"
local reasons = require "support.json_reasons"

local FOLDER = "spec/data/json_suite/"
local FILES = { y = 95, n = 188, i = 35 }

-- ---- named: read -------------------------------------------------------------------------------

-- n: { why, value }
local READ = {
  ["n_number_-2..json"] = { reasons.DIGITS, { -2 } },
  ["n_number_0.e1.json"] = { reasons.DIGITS, { 0 } },
  ["n_number_2.e+3.json"] = { reasons.DIGITS, { 2000 } },
  ["n_number_2.e-3.json"] = { reasons.DIGITS, { 0.002 } },
  ["n_number_2.e3.json"] = { reasons.DIGITS, { 2000 } },
  ["n_number_neg_real_without_int_part.json"] = { reasons.DIGITS, { -0.123 } },
  ["n_number_real_without_fractional_part.json"] = { reasons.DIGITS, { 1 } },
  ["n_string_unescaped_newline.json"] = { reasons.CONTROL, { "new\nline" } },
  ["n_string_unescaped_tab.json"] = { reasons.CONTROL, { "\t" } },
  ["n_number_NaN.json"] = { reasons.INFINITE, { cekura.null } },
  ["n_number_infinity.json"] = { reasons.INFINITE, { cekura.null } },
  ["n_number_minus_infinity.json"] = { reasons.INFINITE, { cekura.null } },
  ["n_structure_no_data.json"] = { reasons.EMPTY, true },
}

-- i: why; the values are those of Python
local ROUNDED = {
  ["i_number_double_huge_neg_exp.json"] = reasons.RANGE,
  ["i_number_huge_exp.json"] = reasons.RANGE,
  ["i_number_neg_int_huge_exp.json"] = reasons.RANGE,
  ["i_number_pos_double_huge_exp.json"] = reasons.RANGE,
  ["i_number_real_neg_overflow.json"] = reasons.RANGE,
  ["i_number_real_pos_overflow.json"] = reasons.RANGE,
  ["i_number_real_underflow.json"] = reasons.RANGE,
  ["i_number_too_big_neg_int.json"] = reasons.RANGE,
  ["i_number_too_big_pos_int.json"] = reasons.RANGE,
  ["i_number_very_big_negative_int.json"] = reasons.RANGE,
}

-- i: why; the values are those of Python with invalid UTF-8 replaced
local MENDED = {
  ["i_object_key_lone_2nd_surrogate.json"] = reasons.LONE,
  ["i_string_1st_surrogate_but_2nd_missing.json"] = reasons.LONE,
  ["i_string_1st_valid_surrogate_2nd_invalid.json"] = reasons.LONE,
  ["i_string_incomplete_surrogate_and_escape_valid.json"] = reasons.LONE,
  ["i_string_incomplete_surrogate_pair.json"] = reasons.LONE,
  ["i_string_incomplete_surrogates_escape_valid.json"] = reasons.LONE,
  ["i_string_invalid_lonely_surrogate.json"] = reasons.LONE,
  ["i_string_invalid_surrogate.json"] = reasons.LONE,
  ["i_string_inverted_surrogates_U+1D11E.json"] = reasons.LONE,
  ["i_string_lone_second_surrogate.json"] = reasons.LONE,
  ["i_string_invalid_utf-8.json"] = reasons.UTF8,
  ["i_string_iso_latin_1.json"] = reasons.UTF8,
  ["i_string_lone_utf8_continuation_byte.json"] = reasons.UTF8,
  ["i_string_not_in_unicode_range.json"] = reasons.UTF8,
  ["i_string_overlong_sequence_2_bytes.json"] = reasons.UTF8,
  ["i_string_overlong_sequence_6_bytes.json"] = reasons.UTF8,
  ["i_string_overlong_sequence_6_bytes_null.json"] = reasons.UTF8,
  ["i_string_truncated-utf-8.json"] = reasons.UTF8,
  ["i_string_UTF-8_invalid_sequence.json"] = reasons.UTF8,
  ["i_string_UTF8_surrogate_U+D800.json"] = reasons.UTF8,
  ["i_structure_UTF-8_BOM_empty_object.json"] = reasons.MARK,
}

-- ---- named: errors ------------------------------------------------------------------------------

local REFUSED = {
  ["i_string_utf16BE_no_BOM.json"] = reasons.NUL,
  ["i_string_utf16LE_no_BOM.json"] = reasons.NUL,
  ["i_string_UTF-16LE_with_BOM.json"] = reasons.NUL,
  ["i_structure_500_nested_arrays.json"] = reasons.DEPTH,
}

-- ---- the files ---------------------------------------------------------------------------------

local function listed()
  local names = {}
  for name in child.run { "ls", FOLDER }:gmatch "[^\n]+%.json" do names[#names + 1] = name end
  return names
end

local function content(name)
  local file <close> = assert(io.open(FOLDER .. name, "rb"))
  return file:read "a"
end

local function is_valid(name) return name:find "^y_" ~= nil end

-- Returns { [path] = value }: what Python reads from the valid files, and from those whose values
-- this library rounds or mends.
local function python_reads(names)
  local words = { python, "-E", "-B", "-S", "spec/support/json_values.py" }
  for _, name in ipairs(names) do
    if is_valid(name) or ROUNDED[name] or MENDED[name] then words[#words + 1] = FOLDER .. name end
  end
  local output, code = child.run(words)
  assert(code == 0, output)
  local environment = { null = cekura.null, inf = math.huge }
  return assert(load("return {" .. output .. "}", "=python", "t", environment))()
end

local names = listed()
local values = python_reads(names)

-- Returns whether a file must be read, its value, and the reason if it is named.
local function verdict(name)
  if READ[name] then return true, READ[name][2], READ[name][1] end
  if REFUSED[name] then return false, nil, REFUSED[name] end
  local why = ROUNDED[name] or MENDED[name]
  return is_valid(name) or why ~= nil, values[FOLDER .. name], why
end

describe("JSONTestSuite", function()
  local server, client

  setup(function()
    server = faults.start()
    client = assert(cekura.new { api_url = server.url, api_key = "the-key", max_attempts = 1,
      keep_null = true })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  it("is complete", function()
    local counts = {}
    for _, name in ipairs(names) do
      local kind = name:sub(1, 1)
      counts[kind] = (counts[kind] or 0) + 1
    end
    assert.same(FILES, counts)
  end)

  it("has every file that is named here, in the right list", function()
    local is_there = {}
    for _, name in ipairs(names) do is_there[name] = true end
    for list, kind in pairs { [READ] = "n", [ROUNDED] = "i", [MENDED] = "i", [REFUSED] = "i" } do
      for name in pairs(list) do
        assert.is_true(is_there[name], name)
        assert.equal(kind, name:sub(1, 1), name)
      end
    end
  end)

  it("has only i_ files that are named once here", function()
    for _, name in ipairs(names) do
      local count = 0
      for _, list in ipairs { ROUNDED, MENDED, REFUSED } do
        if list[name] then count = count + 1 end
      end
      assert.equal(name:find "^i_" and 1 or 0, count, name)
    end
  end)

  for _, name in ipairs(names) do
    local is_read, value, why = verdict(name)
    local outcome = name .. (is_read and " is read" or " is an error")

    it(why and ("%s (%s)"):format(outcome, why) or outcome, function()
      server:script { faults.ok(content(name)) }
      local read, other = calls.vote(client)
      if is_read then
        assert.is_not_nil(value)
        assert.same(value, read)
        assert.equal(200, other.status)
      else
        assert.is_nil(read)
        assert.same({ "response", "yes" }, { other.kind, other.applied })
        assert.is_nil(tostring(other):find "[%c]")
      end
    end)
  end
end)
