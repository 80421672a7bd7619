-- Numbers in a response: the same with each version of lua-cjson. 2.1.0 decodes every number as a
-- float; 2.1.0.14 and newer decode integers exactly, and clamp those beyond 64 bits. The specs run
-- with the lua-cjson that is installed, or that CJSON names, and with one that clamps.
local faults = require "support.faults"
local script = require "support.script"

local BUILD = os.getenv "CEKURA_BUILD" or "build"
local CPATH = os.getenv "LUA_CPATH" or ";;"
local CLAMPING = ("%s/clamping/?.so;%s"):format(BUILD, CPATH)

-- { JSON, value }; a float has a point or an exponent, or is inf.
local VALUES = {
  { "0", "0" }, { "-0", "0" }, { "7", "7" }, { "-123", "-123" },
  { "999999999999999", "999999999999999" },
  { "-999999999999999", "-999999999999999" },
  { "1000000000000001", "1000000000000001" },
  { "9007199254740991", "9007199254740991" },
  { "9007199254740992", "9007199254740992" },
  { "9007199254740993", "9007199254740993" },
  { "-9007199254740993", "-9007199254740993" },
  { "1234567890123456789", "1234567890123456789" },
  { "9223372036854775807", "9223372036854775807" },
  { "-9223372036854775807", "-9223372036854775807" },
  { "-9223372036854775808", "-9223372036854775808" },

  -- integers beyond 64 bits
  { "9223372036854775808", "9.223372036854776e+18" },
  { "-9223372036854775809", "-9.223372036854776e+18" },
  { "18446744073709551616", "1.8446744073709552e+19" },
  { "100000000000000000000000000000", "1e+29" },
  { "-100000000000000000000000000000", "-1e+29" },
  { "1" .. ("0"):rep(300), "1e+300" },
  { "1" .. ("0"):rep(400), "inf" }, { "-1" .. ("0"):rep(400), "-inf" },

  -- with a point or an exponent: whole numbers are integers up to 2^53
  { "5.0", "5" }, { "-0.0", "0" }, { "1e2", "100" }, { "1E15", "1000000000000000" },
  { "9007199254740991.0", "9007199254740991" },
  { "9007199254740993.0", "9007199254740992.0" },
  { "1e16", "1e+16" }, { "1234567890123456789e1", "1.2345678901234567e+19" },
  { "1234567890123456e-3", "1234567890123.456" }, { "1.5", "1.5" },
  { "0.1234567890123456789", "0.12345678901234568" },
  { "-3.14159265358979323846264338327950288", "-3.141592653589793" },
  { "1234567890123456.5", "1234567890123456.5" },
  { "1e400", "inf" }, { "-1e400", "-inf" }, { "1e-400", "0" },
  { "1e" .. ("9"):rep(20), "inf" }, { "1e-" .. ("9"):rep(20), "0" },

  -- within other values
  { " 1234567890123456789\r\n", "1234567890123456789" },
  { "[1234567890123456789]", "[1234567890123456789]" },
  { "[1,1234567890123456789 , -9007199254740993,2.5]",
    "[1,1234567890123456789,-9007199254740993,2.5]" },
  { '{"a":1234567890123456789}', '{"a"=1234567890123456789}' },
  { '{"a":{"b" : [[1234567890123456789\n]]\t}}', '{"a"={"b"=[[1234567890123456789]]}}' },
  { '{"a":null,"b":1234567890123456789,"c":[null]}', '{"b"=1234567890123456789,"c"=[null]}' },
  { '{"a":1234567890123456789,"a":1}', '{"a"=1}' },
  { '{"a":[1],"a":1234567890123456789}', '{"a"=1234567890123456789}' },
  { ("["):rep(128) .. "1234567890123456789" .. ("]"):rep(128),
    ("["):rep(128) .. "1234567890123456789" .. ("]"):rep(128) },
  { "\u{FEFF}[NaN,1234567890123456789,-Infinity]", "[null,1234567890123456789,null]" },

  -- digits that are no number
  { '"1234567890123456789"', '"1234567890123456789"' },
  { '{"1234567890123456789":"-1234567890123456789,"}',
    '{"1234567890123456789"="-1234567890123456789,"}' },
  { [=[["[1234567890123456789]", "\"1234567890123456789,", "\\", 1234567890123456789]]=],
    [=[["[1234567890123456789]",""1234567890123456789,","\",1234567890123456789]]=] },
  { '["\xFF1234567890123456789", "\u{FF}1234567890123456789", 1234567890123456789]',
    '["\u{FFFD}1234567890123456789","\u{FF}1234567890123456789",1234567890123456789]' },
}

-- Invalid texts with long runs of digits.
local INVALID = {
  "[01234567890123456789]", "[-01234567890123456789]", "[+1234567890123456789]",
  "[--1234567890123456789]", "[0x1234567890123456789]", "[1234567890123456789a]",
  "[1234567890123456789-1]", "[1 1234567890123456789]", "[1234567890123456789 1]",
  "[1234567890123456789", "[1234567890123456789,]", "1234567890123456789]",
  "{1234567890123456789:1}", '{1234567890123456789 : "a"}', "{1234567890123456789}",
  '{"a":1,1234567890123456789}', '{"a"1234567890123456789}', "[1234567890123456789e]",
  "[1234567890123456789.5.5]", '["a"1234567890123456789]', "[true1234567890123456789]",
  "[e1234567890123456789]", [=[[\u1234567890123456789]]=], "[1234567890123456789\0]",
}

local READER = [[
  local cekura = require "cekura"
  local calls = require "support.calls"
  local function shown(value)
    if value == nil then return "an error" end
    if value == cekura.null then return "null" end
    if type(value) == "string" then return '"' .. value .. '"' end
    if math.type(value) == "integer" then return ("%%d"):format(value) end
    local text
    for digits = 15, 17 do
      text = ("%%." .. digits .. "g"):format(value)
      if tonumber(text) == value then break end
    end
    return text:find "^-?%%d+$" and text .. ".0" or text
  end
  local function written(value)
    if type(value) ~= "table" or value == cekura.null then return shown(value) end
    local parts = {}
    for i, item in ipairs(value) do parts[i] = written(item) end
    if parts[1] then return "[" .. table.concat(parts, ",") .. "]" end
    for name, item in pairs(value) do parts[#parts + 1] = shown(name) .. "=" .. written(item) end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
  end
  local client <close> = assert(cekura.new { api_url = %q, api_key = "the-key", max_attempts = 1 })
  for _ = 1, %d do
    local value, err = calls.vote(client)
    print(value == nil and err.kind or written(value))
  end
]]

describe("numbers in a response", function()
  local server

  setup(function() server = faults.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  -- Returns a line for each response: its value, or the kind of the error.
  local function read(texts, cpath)
    local entries, lines = {}, {}
    for i, text in ipairs(texts) do entries[i] = faults.ok(text) end
    server:script(entries)
    local output = script.run(READER:format(server.url, #texts), { LUA_CPATH = cpath })
    for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
    return lines
  end

  for _, row in ipairs {
    { "the lua-cjson of this run", CPATH }, { "a lua-cjson that clamps", CLAMPING },
  } do
    local what, cpath = row[1], row[2]

    it("are exact integers up to 64 bits, else floats, with " .. what, function()
      local texts, expected = {}, {}
      for i, value in ipairs(VALUES) do texts[i], expected[i] = value[1], value[2] end
      assert.same(expected, read(texts, cpath))
    end)

    it("do not make invalid JSON valid, with " .. what, function()
      local expected = {}
      for i = 1, #INVALID do expected[i] = "response" end
      assert.same(expected, read(INVALID, cpath))
    end)
  end

  it("are clamped by the lua-cjson of the specs that clamps", function()
    local output = script.run([[
      print(table.unpack(require "cjson".decode
        "[100000000000000000000, -100000000000000000000, 9007199254740993, 1.0]"))]],
      { LUA_CPATH = CLAMPING })
    assert.equal("9223372036854775807\t-9223372036854775808\t9007199254740993\t1.0\n", output)
  end)
end)
