"""Prints the value that Python's json reads from each given file, as fields of a Lua table.

An integer beyond 64 bits becomes the nearest float. The code that loads the table defines null and
inf. U+FFFD replaces invalid UTF-8 and lone surrogates; a byte order
mark is skipped.
"""

import json
import re
import sys


def string(text):
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return '"' + "".join(rf"\x{byte:02x}" for byte in text.encode()) + '"'


def number(value):
    is_integer = isinstance(value, int) and -(2**63) <= value < 2**63
    return hex(value % 2**64) if is_integer else float(value).hex()


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
