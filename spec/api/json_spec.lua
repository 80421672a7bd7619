-- JSON in responses, case by case (RFC 8259): valid JSON is read, invalid JSON is an error of kind
-- "response", and the exceptions of lua-cjson are named.
local cekura = require "cekura"
local calls = require "support.calls"
local faults = require "support.faults"
local internal = require "cekura.internal"
local reasons = require "support.json_reasons"

local null = cekura.null
local CONTROL, DEPTH, DIGITS = reasons.CONTROL, reasons.DEPTH, reasons.DIGITS
local INFINITE, LONE, MARK = reasons.INFINITE, reasons.LONE, reasons.MARK
local RANGE, UTF8 = reasons.RANGE, reasons.UTF8

local FFFD = "\u{FFFD}"

local deep = {}
for _ = 1, 127 do deep = { deep } end

-- { what, text, value } of valid JSON. The types of a list's items are compared, too.
local VALID = {
  { "null", "null", null },
  { "true", "true", true },
  { "false", "false", false },
  { "a number alone", "42", 42 },
  { "a negative number alone", "-0.5", -0.5 },
  { "a string alone", '"a"', "a" },
  { "an empty string alone", '""', "" },
  { "an empty list", "[]", {} },
  { "an empty object", "{}", {} },
  { "an object with an empty name", '{"":0}', { [""] = 0 } },
  { "a name twice: the last one counts", '{"a":1,"a":2}', { a = 2 } },
  { "a name twice, with the same value", '{"a":1,"a":1}', { a = 1 } },
  { "a name with an escaped NUL", '{"a\\u0000b":1}', { ["a\0b"] = 1 } },
  { "a name with an escape", '{"\\u0061":1}', { a = 1 } },
  { "a long name", '{"' .. ("x"):rep(5000) .. '":1}', { [("x"):rep(5000)] = 1 } },
  { "lists in lists", "[[],[[]],[1,[2]]]", { {}, { {} }, { 1, { 2 } } } },
  { "objects in objects", '{"a":{"b":{"c":1}}}', { a = { b = { c = 1 } } } },
  { "several nulls", "[1,null,null,2]", { 1, null, null, 2 } },
  { "the depth that is allowed", ("["):rep(128) .. ("]"):rep(128), deep },

  { "every blank", " \t\r\n[ \t\r\n1 \t\r\n, 2 ] \t\r\n", { 1, 2 } },
  { "blanks in an object", '{ "a" : 1 , "b" : 2 }', { a = 1, b = 2 } },
  { "blanks in empty ones", "[[ ],{ }]", { {}, {} } },
  { "a line feed at the end", "[1]\n", { 1 } },
  { "no blank at all", '{"a":[1,{"b":null}],"c":true}', { a = { 1, {} }, c = true } },

  { "0", "[0]", { 0 } },
  { "-0", "[-0]", { 0 } },
  { "0.0", "[0.0]", { 0 } },
  { "0e1", "[0e1]", { 0 } },
  { "0e+1", "[0e+1]", { 0 } },
  { "a digit", "[7]", { 7 } },
  { "a negative number", "[-123]", { -123 } },
  { "a fraction", "[123.456]", { 123.456 } },
  { "a fraction with zeros", "[1.000]", { 1 } },
  { "a small fraction", "[-0.000000001]", { -1e-9 } },
  { "an exponent", "[1e2]", { 100 } },
  { "a large exponent letter", "[1E22]", { 1e22 } },
  { "a positive exponent", "[1e+2]", { 100 } },
  { "a negative exponent", "[1E-2]", { 0.01 } },
  { "an exponent with a zero before it", "[1e02]", { 100 } },
  { "a fraction with an exponent", "[123.456e78]", { 123.456e78 } },
  { "the largest float", "[1.7976931348623157e308]", { 1.7976931348623157e308 } },
  { "the smallest float", "[5e-324]", { 5e-324 } },
  { "many digits", "[0.1000000000000000055511151231257827]", { 0.1 } },
  { "the largest exact integer", "[9007199254740991]", { 9007199254740991 } },

  { "all short escapes", [=["\"\\\/\b\f\n\r\t"]=], '"\\/\b\f\n\r\t' },
  { "an escaped letter", [=["\u0041"]=], "A" },
  { "hexadecimal digits of both sizes", [=["\u00e9\u00E9"]=], "éé" },
  { "an escaped NUL", [=["\u0000"]=], "\0" },
  { "an escaped control character", [=["\u001f\u007f"]=], "\x1F\x7F" },
  { "an escape of three bytes", [=["\u20ac"]=], "€" },
  { "a pair of surrogates", [=["\ud834\udd1e"]=], "𝄞" },
  { "the first pair, and the last", [=["\ud800\udc00\udbff\udfff"]=], "\u{10000}\u{10FFFF}" },
  { "two pairs", [=["\uD83D\uDE00\uD83D\ude01"]=], "😀😁" },
  { "noncharacters", [=["\ufffe\uffff\ufdd0"]=], "\u{FFFE}\u{FFFF}\u{FDD0}" },
  { "an escaped line separator", [=["\u2028\u2029"]=], "\u{2028}\u{2029}" },
  { "a line separator", '"\u{2028}\u{2029}"', "\u{2028}\u{2029}" },
  { "an escaped backslash before a u", [=["\\u0041"]=], "\\u0041" },
  { "escaped backslashes alone", [=["\\\\"]=], "\\\\" },
  { "a DEL", '"\x7F"', "\x7F" },
  { "a solidus", '"a/b"', "a/b" },
  { "an apostrophe", [=["it's"]=], "it's" },
  { "UTF-8 of two, three and four bytes", '"é€𝄞"', "é€𝄞" },
  { "the last character", '"\u{10FFFF}"', "\u{10FFFF}" },
  { "a noncharacter", '"\u{FFFF}"', "\u{FFFF}" },
  { "a byte order mark in a string", '"\u{FEFF}a"', "\u{FEFF}a" },
  { "blanks and brackets in a string", '" [{,:}] "', " [{,:}] " },
  { "a comment in a string", '"a/*b*/c//d"', "a/*b*/c//d" },
}

-- { what, text } of invalid JSON, or, with a reason, of JSON that a reader may refuse.
local INVALID = {
  { "blanks alone", " " },
  { "a word", "hello" },
  { "two values", "1 2" },
  { "two lists", "[][]" },
  { "a value and a bracket", "[1]]" },
  { "a value and a brace", '{"a":1}}' },
  { "a value and a comma", "[1]," },
  { "a value and a word", "[1]x" },
  { "a value and a comment", "[1]/**/" },
  { "a value and a line of comment", "[1]//" },
  { "a value and a hash", "[1]#" },
  { "a comment before it", "/**/[1]" },
  { "a value and a NUL", "[1]\0" },
  { "a value, a NUL and more", '{"success":true}\0{"success":false}' },
  { "a NUL before it", "\0[1]" },
  { "a NUL within it", "[1,\0002]" },
  { "a NUL alone", "\0" },
  { "an opening bracket", "[" },
  { "a closing bracket", "]" },
  { "an opening brace", "{" },
  { "a closing brace", "}" },
  { "a comma", "," },
  { "a comma before the first item", "[,1]" },
  { "a comma after the last item", "[1,]" },
  { "two commas", "[1,,2]" },
  { "only commas", "[,]" },
  { "no comma", "[1 2]" },
  { "a colon in a list", '["a":1]' },
  { "a semicolon", "[1;2]" },
  { "a list without an end", "[1" },
  { "a list without an end, after a comma", "[1," },
  { "the wrong end of a list", "[1}" },
  { "an object without an end", '{"a":1' },
  { "an object without a value", '{"a":}' },
  { "an object that ends after a name", '{"a"}' },
  { "an object that ends after a colon", '{"a":' },
  { "the wrong end of an object", '{"a":1]' },
  { "no colon", '{"a" 1}' },
  { "two colons", '{"a"::1}' },
  { "a comma for a colon", '{"a",1}' },
  { "a comma after the last member", '{"a":1,}' },
  { "two commas between members", '{"a":1,,"b":2}' },
  { "a comma before the first member", '{,"a":1}' },
  { "a name without quotes", "{a:1}" },
  { "a number for a name", "{1:1}" },
  { "null for a name", "{null:1}" },
  { "a list for a name", "{[]:1}" },
  { "single quotes around a name", "{'a':1}" },
  { "single quotes", "['a']" },
  { "lists without an end, 100,000", ("["):rep(100000) },
  { "objects without an end, 100,000", ('{"a":'):rep(100000) },
  { "a level too many", ("["):rep(129) .. ("]"):rep(129), DEPTH },
  { "100,000 levels", ("["):rep(100000) .. ("]"):rep(100000), DEPTH },

  { "a form feed for a blank", "[\f1]" },
  { "a vertical tab for a blank", "[\v1]" },
  { "a no-break space for a blank", "[\u{A0}1]" },
  { "a zero-width space for a blank", "[\u{200B}1]" },
  { "a word joiner alone", "\u{2060}" },
  { "half a byte order mark", "\xEF\xBB[1]" },
  { "UTF-16, little end first", "\xFF\xFE[\0001\0]\0" },
  { "UTF-16, big end first", "\xFE\xFF\0[\0001\0]" },
  { "UTF-16 without a mark", "[\0001\0]\0" },
  { "UTF-32", "[\0\0\0001\0\0\0]\0\0\0" },

  { "NaN and a letter", "[NaNx]" },
  { "NaN after a digit", "[1NaN]" },
  { "NaN for a name", "{NaN:1}" },
  { "Infinity with a plus", "[+Infinity]" },
  { "a bad byte and an open string", '"\xFF' },
  { "half of true", "[tru]" },
  { "half of false", "[fals]" },
  { "half of null", "[nul]" },
  { "True", "[True]" },
  { "FALSE", "[FALSE]" },
  { "Null", "[Null]" },
  { "None", "[None]" },
  { "nullx", "[nullx]" },
  { "true and a digit", "[true1]" },
  { "undefined", "[undefined]" },

  { "nan", "[nan]" },
  { "-NaN", "[-NaN]" },
  { "inf", "[inf]" },
  { "a plus", "[+1]" },
  { "a minus alone", "[-]" },
  { "two minuses", "[--1]" },
  { "a minus and a blank", "[- 1]" },
  { "a minus and a word", "[-foo]" },
  { "a minus behind", "[1-]" },
  { "a difference", "[1-2]" },
  { "a zero before it", "[01]" },
  { "two zeros", "[00]" },
  { "a zero before it, negative", "[-012]" },
  { "a zero before a fraction", "[00.5]" },
  { "a zero before a fraction, negative", "[-00.0]" },
  { "a point alone", "[.]" },
  { "a point first", "[.5]" },
  { "a point first, after a plus", "[+.5]" },
  { "two points", "[1.2.3]" },
  { "an exponent without digits", "[1e]" },
  { "an exponent of a sign", "[1e+]" },
  { "an exponent of a sign after a fraction", "[1.5e-]" },
  { "an exponent alone", "[e1]" },
  { "two exponents", "[1e2e3]" },
  { "two exponent letters", "[1eE2]" },
  { "a fraction in the exponent", "[1e1.5]" },
  { "hexadecimal digits", "[0x1F]" },
  { "negative hexadecimal digits", "[-0x1F]" },
  { "hexadecimal letters", "[1F]" },
  { "octal digits", "[0o17]" },
  { "binary digits", "[0b1]" },
  { "a hexadecimal exponent", "[0x1p3]" },
  { "a suffix", "[1L]" },
  { "underscores", "[1_000]" },
  { "a blank between digits", "[1 000]" },
  { "digits of another script", "[\u{FF11}]" },
  { "a letter after the digits", "[123abc]" },

  { "an open string", '"' },
  { "an open string in a list", '["a' },
  { "a string that ends in a backslash", '["\\' },
  { "an escaped end", [=["\"]=] },
  { "an unknown escape", [=["\a"]=] },
  { "an escaped apostrophe", [=["\'"]=] },
  { "a hexadecimal escape", [=["\x41"]=] },
  { "an octal escape", [=["\101"]=] },
  { "an escape in large letters", [=["\N"]=] },
  { "a large U", [=["\U0041"]=] },
  { "an escaped line break", '"\\\n"' },
  { "an escaped tab", '"\\\t"' },
  { "an escaped NUL byte", '"\\\0"' },
  { "an escaped character", '"\\é"' },
  { "a u alone", [=["\u"]=] },
  { "three digits", [=["\u004"]=] },
  { "three digits and a letter", [=["\u004g"]=] },
  { "digits with a sign", [=["\u+041"]=] },
  { "a code point in braces", [=["\u{41}"]=] },
  { "a raw NUL", '"a\0b"' },
  { "an escape outside of a string", [=[[\u0041]]=] },
  { "an escaped quote around a string", [=[[\"a\"]]=] },
  { "half of an escape in a pair", [=["\ud834\ud"]=] },

  { "no UTF-8 outside of a string", "[1\xE5]" },
}

-- { what, text, value, reason } of text that is read although it is invalid, or may be refused.
local MENDED = {
  { "a byte order mark", "\u{FEFF}[1]", { 1 }, MARK },
  { "NaN", "[NaN]", { null }, INFINITE },
  { "Infinity", "[Infinity]", { null }, INFINITE },
  { "-Infinity", "[-Infinity]", { null }, INFINITE },
  { "a lone high surrogate", [=["\ud834"]=], FFFD, LONE },
  { "a lone low surrogate", [=["\udd1e"]=], FFFD, LONE },
  { "a high surrogate and a letter", [=["\ud834a"]=], FFFD .. "a", LONE },
  { "a high surrogate and another escape", [=["\ud834\u0041"]=], FFFD .. "A", LONE },
  { "a high surrogate and a short escape", [=["\ud834\n"]=], FFFD .. "\n", LONE },
  { "two high surrogates", [=["\ud834\ud834"]=], FFFD .. FFFD, LONE },
  { "a pair the wrong way round", [=["\udd1e\ud834"]=], FFFD .. FFFD, LONE },
  { "a byte that is no UTF-8", '"\xFF"', FFFD, UTF8 },
  { "a lone tail", '"\x80"', FFFD, UTF8 },
  { "half a character", '"\xE2\x82"', FFFD, UTF8 },
  { "a character that is cut by the end", '"\xC3"', FFFD, UTF8 },
  { "an overlong solidus", '"\xC0\xAF"', FFFD:rep(2), UTF8 },
  { "an overlong NUL", '"\xC0\x80"', FFFD:rep(2), UTF8 },
  { "an overlong form of three bytes", '"\xE0\x80\xAF"', FFFD:rep(3), UTF8 },
  { "an overlong form of four bytes", '"\xF0\x80\x80\xAF"', FFFD:rep(4), UTF8 },
  { "an encoded surrogate", '"\xED\xA0\x80"', FFFD:rep(3), UTF8 },
  { "a pair of encoded surrogates", '"\xED\xA0\xB4\xED\xB4\x9E"', FFFD:rep(6), UTF8 },
  { "more than the last character", '"\xF4\x90\x80\x80"', FFFD:rep(4), UTF8 },
  { "five bytes", '"\xF8\x88\x80\x80\x80"', FFFD:rep(5), UTF8 },
  { "Latin-1", '"\xE9"', FFFD, UTF8 },
  { "a name that is no UTF-8", '{"\xFF":1}', { [FFFD] = 1 }, UTF8 },
  { "a bad byte among good ones", '{"a":"é\xFF€","b":["\\\"\xE2\x82"]}',
    { a = "é" .. FFFD .. "€", b = { '"' .. FFFD } }, UTF8 },
  { "half a character before a good one", '"\xF0\x9F\x98é"', FFFD .. "é", UTF8 },
  { "bad bytes in a long text", '["' .. ("x"):rep(5000) .. "\xC3(" .. ("y"):rep(5000) .. '"]',
    { ("x"):rep(5000) .. FFFD .. "(" .. ("y"):rep(5000) }, UTF8 },
  { "a lone surrogate in a name", [=[{"\ud800":"\uD83D\uDE00\udc00"}]=],
    { [FFFD] = "😀" .. FFFD }, LONE },
  { "a lone surrogate before a pair", [=["\ud83d\ud83d\ude00"]=], FFFD .. "😀", LONE },
  { "an escaped backslash before what looks like one", [=["\\ud800\ud800"]=], "\\ud800" .. FFFD,
    LONE },
  { "a byte order mark before a word", "\u{FEFF}true", true, MARK },
  { "NaN alone", "NaN", null, INFINITE },
  { "NaN in an object, which is left out", '{"a":NaN,"b":[NaN,-Infinity,1]}',
    { b = { null, null, 1 } }, INFINITE },
  { "NaN, and the same word in strings", [=[{"NaN":"Infinity","a\"NaN":["-Infinity\\",NaN]}]=],
    { NaN = "Infinity", ['a"NaN'] = { "-Infinity\\", null } }, INFINITE },
  { "everything at once", '\u{FEFF}{"a":"\xFF\\udfff","b":[Infinity]}',
    { a = FFFD .. FFFD, b = { null } }, INFINITE },
}

-- { what, text, value, reason } of text that may be read or refused: other versions of lua-cjson
-- may be stricter.
local LENIENT = {
  { "a point last", "[1.]", { 1 }, DIGITS },
  { "a point last, negative", "[-0.]", { 0 }, DIGITS },
  { "a point before an exponent", "[2.e3]", { 2000 }, DIGITS },
  { "a zero and a point before an exponent", "[0.e1]", { 0 }, DIGITS },
  { "a point after a minus", "[-.5]", { -0.5 }, DIGITS },
  { "a raw line feed", '"a\nb"', "a\nb", CONTROL },
  { "a raw tab", '"a\tb"', "a\tb", CONTROL },
  { "a raw unit separator", '"\x1F"', "\x1F", CONTROL },
  { "a raw control character in a name", '{"a\nb":1}', { ["a\nb"] = 1 }, CONTROL },
  { "a large exponent", "[1e400]", { math.huge }, RANGE },
  { "a large negative number", "[-1e400]", { -math.huge }, RANGE },
  { "an exponent of many digits", "[1e99999999999999999999]", { math.huge }, RANGE },
  { "a very small number", "[1e-400]", { 0 }, RANGE },
  { "an integer beyond 2^64", "[123456789012345678901234567890]", { 1.2345678901234568e29 },
    RANGE },
}

describe("JSON in a response", function()
  local server, client

  setup(function()
    server = faults.start()
    client = assert(cekura.new { api_url = server.url, api_key = "the-key", max_attempts = 1 })
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:clear() end)

  local function answered(text)
    server:script { faults.ok(text) }
    return calls.vote(client)
  end

  for _, row in ipairs(VALID) do
    local what, text, value = table.unpack(row, 1, 3)

    it("is read: " .. what, function()
      local read, response = answered(text)
      assert.same(value, read)
      assert.equal(200, response.status)
    end)
  end

  for _, row in ipairs(MENDED) do
    local what, text, value, why = table.unpack(row, 1, 4)

    it(("is read: %s (%s)"):format(what, why), function()
      local read, response = answered(text)
      assert.same(value, read)
      assert.equal(200, response.status)
    end)
  end

  for _, row in ipairs(INVALID) do
    local what, text = table.unpack(row, 1, 2)

    it("is an error: " .. what, function()
      local read, err = answered(text)
      assert.is_nil(read)
      assert.same({ "response", "yes" }, { err.kind, err.applied })
      assert.is_nil(tostring(err):find "[%c]")
    end)
  end

  for _, row in ipairs(LENIENT) do
    local what, text, value, why = table.unpack(row, 1, 4)

    it(("is read or an error: %s (%s)"):format(what, why), function()
      local read, other = answered(text)
      if read == nil then assert.equal("response", other.kind)
      else assert.same(value, read) end
    end)
  end
end)

describe("internal.json", function()
  it("writes names in order, and whole floats as integers", function()
    assert.equal('{"":2,"a":[1,2.5,null,[],{}],"a\\u0000":true,"b":{"c":-3,"d":1e+300}}',
      internal.json { b = { d = 1e300, c = -3.0 }, a = { 1, 2.5, null, cekura.array {}, {} },
        ["a\0"] = true, [""] = 2.0 })
  end)

  it("returns nil and the path of a value that JSON cannot represent", function()
    assert.same({ nil, "value.a[2]: must be a JSON value, got a function" },
      { internal.json { a = { 1, print } } })
    assert.same({ nil, "body: must be a finite number, got an infinity" },
      { internal.json(math.huge, "body") })
  end)
end)
