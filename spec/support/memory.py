"""Runs a command and searches its memory for a text while it is paused.

    python3 -E -B -S memory.py REVERSED COMMAND…

The text is passed reversed, so that no command line contains it. When the command writes a line
"look NAME", its readable private memory is searched; then it gets a line on its stdin.

Prints one JSON object: `looks`, NAME -> a list of finds, each [memory region, bytes before, bytes
after]; `output`, the output of the command; and its exit code.
"""

import json
import re
import subprocess
import sys

MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r..)p \S+ \S+ \S+\s*(.*)")
AROUND = 64  # bytes
SKIPPED = ("[vvar]", "[vsyscall]")


def mappings(pid):
    with open(f"/proc/{pid}/maps") as lines:
        for line in lines:
            found = MAPPING.match(line)
            if found and found[4] not in SKIPPED:
                yield int(found[1], 16), int(found[2], 16), found[4]


def read(memory, start, end):
    try:
        memory.seek(start)
        return memory.read(end - start)
    except OSError:  # reserved, but not readable
        return b""


def look(pid, text):
    finds = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, name in mappings(pid):
            content = read(memory, start, end)
            for hit in re.finditer(re.escape(text), content):
                before = content[max(0, hit.start() - AROUND) : hit.start()]
                behind = content[hit.end() : hit.end() + AROUND]
                finds.append([name, before.decode("latin-1"), behind.decode("latin-1")])
    return finds


def main(text, command):
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    looks, output = {}, b""
    for line in child.stdout:
        if line.startswith(b"look "):
            looks[line[5:].strip().decode()] = look(child.pid, text)
            child.stdin.write(b"\n")
            child.stdin.flush()
        else:
            output += line
    result = {"looks": looks, "output": output.decode("latin-1"), "code": child.wait()}
    print(json.dumps(result))


main(sys.argv[1][::-1].encode(), sys.argv[2:])
