-- Why an answer is read, or refused, where RFC 8259 says otherwise or leaves it to the reader.
return {
  -- lua-cjson reads these, and an answer is never refused for what has one meaning only
  DIGITS = "strtod reads it: a number that lacks the digits on one side of its point",
  CONTROL = "it stands for itself: a control character that should have been escaped",

  EMPTY = "no body is no JSON text, but a success that says no more: true",

  LONE = "half of a pair of surrogates is not a character, and becomes U+FFFD",
  INFINITE = "JSON has no such number: it becomes null",
  RANGE = "beyond what a float can say: the nearest of them, if only an infinity",
  DEPTH = "a reader may limit the depth (RFC 8259, 9): ours is 128",
  MARK = "a reader may skip a byte order mark (RFC 8259, 8.1)",
  UTF8 = "what is not UTF-8 becomes U+FFFD, as in the decoders of browsers and of Python",
  NUL = "a NUL byte is not text, and UTF-16 is not UTF-8 (RFC 8259, 8.1)",
}
