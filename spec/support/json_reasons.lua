-- The reasons why a response is read or refused although RFC 8259 says otherwise or leaves the
-- decision to the reader. The JSON specs name one of them for each such case.
return {
  -- lua-cjson reads these. A response is not refused if its meaning is unambiguous.
  DIGITS = "strtod reads a number without digits on one side of its point",
  CONTROL = "a control character that should have been escaped is kept",

  EMPTY = "a successful response without a body is read as true",

  LONE = "a lone surrogate becomes U+FFFD",
  INFINITE = "JSON has no such number: it becomes null",
  RANGE = "a number out of range becomes the nearest float, which may be an infinity",
  DEPTH = "a reader may limit the depth (RFC 8259, 9): the limit is 128",
  MARK = "a reader may skip a byte order mark (RFC 8259, 8.1)",
  UTF8 = "bytes that are not UTF-8 become U+FFFD, as in the decoders of browsers and of Python",
  NUL = "a NUL byte is not text, and UTF-16 is not UTF-8 (RFC 8259, 8.1)",
}
