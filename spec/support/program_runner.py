"""Runs a random program of combination_spec, sends it signals, and kills it if it hangs.

    python3 -E -S -B program_runner.py SECONDS WORD…

The program writes one JSON object per line. The runner handles these, and passes on the others:

    {"what": "after", "delay": 0.1, "signal": "INT"}
    {"what": "after", "delay": 0.1, "signal": "STOP", "seconds": 0.3}   SIGCONT follows
    {"what": "over"}     no signal follows; an empty line on stdin confirms it

The runner adds {"what": "stop", "start": …, "finish": …} for each SIGSTOP, {"what": "hang"} when it
had to end the program, and {"what": "exit", "code": …} at the end.
"""

import heapq
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time


lines_out = []  # written at the end, because the reader starts then


def say(**record):
    lines_out.append(json.dumps(record).encode())


class Run:
    def __init__(self, seconds, words):
        self.child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.end = time.monotonic() + seconds
        self.alarms = []  # (when, number, function, arguments), a heap
        self.numbers = itertools.count()
        self.stopped_at = None
        self.rest = b""  # the beginning of an incomplete line

    # ---- signals

    def at(self, when, function, *arguments):
        heapq.heappush(self.alarms, (when, next(self.numbers), function, arguments))

    def send(self, name, seconds):
        self.child.send_signal(getattr(signal, "SIG" + name))
        if name == "STOP":
            self.stopped_at = time.monotonic()
            self.at(self.stopped_at + seconds, self.resume)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)
        say(what="stop", start=self.stopped_at, finish=time.monotonic())
        self.stopped_at = None

    def give_up(self):
        say(what="hang")
        self.child.kill()
        self.end = float("inf")

    # ---- output of the program

    def obey(self, line):
        record = json.loads(line)
        if record["what"] == "over":
            self.alarms.clear()
            if self.stopped_at:
                self.resume()
            self.child.stdin.write(b"\n")
            self.child.stdin.flush()
        elif record["what"] == "after":
            when = time.monotonic() + record["delay"]
            self.at(when, self.send, record["signal"], record.get("seconds"))

    def read(self):
        data = os.read(self.child.stdout.fileno(), 65536)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            lines_out.append(line)
            if line.startswith((b'{"what":"after"', b'{"what":"over"')):
                self.obey(line)
        return bool(data)

    def go(self):
        ready = select.poll()
        ready.register(self.child.stdout, select.POLLIN)
        while True:
            when = min(self.end, self.alarms[0][0] if self.alarms else self.end)
            if ready.poll(max(0, min(when - time.monotonic(), 3600)) * 1000):
                if not self.read():
                    break
            while self.alarms and self.alarms[0][0] <= time.monotonic():
                _, _, function, arguments = heapq.heappop(self.alarms)
                function(*arguments)
            if time.monotonic() > self.end:
                self.give_up()
        lines_out.append(self.rest)
        say(what="exit", code=self.child.wait())
        sys.stdout.buffer.write(b"\n".join(lines_out) + b"\n")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the spec handles Ctrl-C
    Run(float(sys.argv[1]), sys.argv[2:]).go()
