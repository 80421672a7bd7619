"""Runs a command whose stderr is a terminal.

    python3 -E -B -S terminal.py COLUMNS COMMAND…

COLUMNS is a number, 0 for a terminal of unknown width, or "pipe" for a pipe instead of a terminal.
The command may set the width with the escape sequence ESC [8;24;COLUMNSt. The terminal resizes and
then writes a line to the command's stdin, so that a command that reads it continues in the resized
window.

Prints one JSON object: stderr and stdout, byte by byte (latin-1), and the command's exit code.
"""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import termios

RESIZE = re.compile(rb"\x1b\[8;24;([0-9]+)t")


def set_width(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))


def read(descriptor):
    """Returns the next output, or b"" at the end, which a terminal reports as an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def converse(stderr, stdin):
    """Reads until the end, and resizes on request. Returns the output."""
    text, seen = b"", 0
    while chunk := read(stderr):
        text += chunk
        for order in RESIZE.finditer(text, seen):
            seen = order.end()
            set_width(stderr, int(order[1]))
            os.write(stdin, b"\n")
    return text


def main(columns, command):
    if columns == "pipe":
        ours, theirs = os.pipe()
    else:
        ours, theirs = os.openpty()
        set_width(ours, int(columns))
    with tempfile.TemporaryFile() as stdout:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, stderr=theirs)
        os.close(theirs)
        stderr = converse(ours, child.stdin.fileno())
        code = child.wait()
        stdout.seek(0)
        texts = {"stderr": stderr.decode("latin-1"), "stdout": stdout.read().decode("latin-1")}
    print(json.dumps({**texts, "code": code}))


main(sys.argv[1], sys.argv[2:])
