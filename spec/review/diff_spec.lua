-- The difference between two texts (cekura.review.internal.diff).
-- Random texts check that no line is lost.

local diff = require "cekura.review.internal.diff"

local SEED = math.tointeger(os.getenv "SEED") or os.time()

-- Returns the rows as text: "-b +c".
local function marks(old, new)
  local words = {}
  for i, row in ipairs(diff.rows(old, new)) do words[i] = row.mark .. row.line end
  return table.concat(words, ",")
end

-- Returns the text of the rows with these marks.
local function text_of(rows, pattern)
  local lines = {}
  for _, row in ipairs(rows) do
    if row.mark:find(pattern) then lines[#lines + 1] = row.line .. "\n" end
  end
  return table.concat(lines)
end

describe("diff.rows", function()
  it("returns common, removed and added lines in order", function()
    assert.equal(" a,-b,+c, d", marks("a\nb\nd", "a\nc\nd"))
    assert.equal(" a, b", marks("a\nb", "a\nb\n"))
    assert.equal("+a,+,+b", marks("", "a\n\nb"))
    assert.equal("-a", marks("a", ""))
    assert.equal("", marks("", ""))
  end)

  it("contains both texts", function()
    math.randomseed(SEED)
    for _ = 1, 200 do
      local texts = {}
      for i = 1, 2 do
        local lines = {}
        for n = 1, math.random(0, 8) do lines[n] = ("abc"):sub(math.random(3)):sub(1, 1) .. "\n" end
        texts[i] = table.concat(lines)
      end
      local rows = diff.rows(texts[1], texts[2])
      assert.equal(texts[1], text_of(rows, "[ -]"), "SEED=" .. SEED)
      assert.equal(texts[2], text_of(rows, "[ +]"), "SEED=" .. SEED)
    end
  end)
end)
