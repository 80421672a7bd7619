-- RFC 3339 timestamps in C (src/text/timestamp.c), against the C library's calendar.
require "cekura.core"
local timestamp = require "cekura.internal".timestamp

local SEED = math.tointeger(os.getenv "SEED") or os.time()

describe("a timestamp", function()
  it("is read as seconds since 1970, and the digits of its fraction", function()
    assert.same({ 0, "" }, { timestamp "1970-01-01T00:00:00Z" })
    assert.same({ 1735689600, "123456" }, { timestamp "2025-01-01T00:00:00.123456Z" })
    assert.same({ 1735689600, "500" }, { timestamp "2025-01-01T01:30:00.500+01:30" })
    assert.same({ 1735689600, "" }, { timestamp "2024-12-31T12:30:00-11:30" })
    assert.same({ -62167219200, "" }, { timestamp "0000-01-01T00:00:00Z" })
    assert.same({ 253402300799, "" }, { timestamp "9999-12-31T23:59:59Z" })
  end)

  it("of a leap second is the next second", function()
    assert.equal(1735689600, (timestamp "2024-12-31T23:59:60Z"))
  end)

  it("agrees with os.date on random days (SEED=" .. SEED .. ")", function()
    math.randomseed(SEED)
    for _ = 1, 2000 do
      local seconds = math.random(-62167219200, 253402300799)
      local text = os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
      text = ("0"):rep(20 - #text) .. text
      assert.equal(seconds, (timestamp(text)), text)
    end
  end)

  it("in any other form is nil", function()
    for _, text in ipairs {
      "", "2025-01-01", "2025-01-01T00:00:00", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00.Z",
      "2025-01-01T00:00:00.", "2025-01-01T00:00:00.5",
      "2025-01-01T00:00:00+0200", "2025-01-01T00:00:00x00:00", "2025-01-01T00:00:00Z\0",
      "+025-01-01T00:00:00Z", 1735689600, true, {},
    } do
      assert.is_nil(timestamp(text), tostring(text))
    end
    assert.is_nil(timestamp(nil))
  end)
end)
