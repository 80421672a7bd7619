"""Prints the value that Python's json reads from each given file, as fields of a Lua table.

An integer that a float cannot represent becomes the nearest float, as in lua-cjson. The code that
loads the table defines null and inf. U+FFFD replaces invalid UTF-8 and lone surrogates; a byte order
mark is skipped.
"""

import json
import re
import sys

EXACT_BELOW = 2**53


def string(text):
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return '"' + "".join(rf"\x{byte:02x}" for byte in text.encode()) + '"'


def number(value):
    is_exact = isinstance(value, int) and abs(value) < EXACT_BELOW
    return str(value) if is_exact else float(value).hex()


def lua(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return "{" + ",".join(map(lua, value)) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"[{string(name)}]={lua(value[name])}" for name in value) + "}"
    return number(value)


for path in sys.argv[1:]:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        print(f"[{string(path)}]={lua(json.load(file))},")
