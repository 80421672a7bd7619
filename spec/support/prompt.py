"""A terminal for the specs that a person answers: runs a command whose three streams are one.

    python3 -E -B -S prompt.py PROMPT ANSWER COMMAND…

Types ANSWER once the terminal shows PROMPT. Prints one JSON object: what the terminal had shown
when it was typed (null: the prompt did not come), all that it showed, and the exit code.
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
        except OSError:  # how a terminal announces the end
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
