"""Runs a command in a terminal and answers its prompt as a person would.

    python3 -E -B -S prompt.py PROMPT ANSWER COMMAND…

Types ANSWER when the terminal shows PROMPT. Prints one JSON object: the output before the answer
(null if the prompt did not appear), all output, and the exit code.
"""

import json
import os
import pty
import sys


def converse(terminal, prompt, answer):
    shown, before = b"", None
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # a terminal reports its end as an error
            return shown, before
        shown += chunk
        if before is None and prompt in shown:
            before = shown
            os.write(terminal, answer)


def main(prompt, answer, command):
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown, before = converse(terminal, prompt.encode(), answer.encode())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"before": before and before.decode(), "shown": shown.decode(), "code": code}))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
