"""The ledger of the fault server: one delivery for each request that began to arrive."""

import re
import threading
import time


PERIOD = 10000  # 10007 passes through the plan of 7 separately
NUMBERED = re.compile(r"[/=](\d+)")
PAGE = re.compile(r"[?&]page=(\d+)")


class Delivery:
    """One request, as far as it has arrived."""

    def __init__(self, connection, at):
        self.connection = connection
        self.at = at
        self.request_line, self.method, self.path = "", "", ""
        self.headers = {}
        self.raw = bytearray()  # the head, until it is complete
        self.body = bytearray()
        self.received = 0  # bytes, head and body
        self.has_head = False
        self.complete = False
        self.note = None  # set by the step `note`
        self.answered = None  # the time when a response had been written

    def feed(self, data):
        """Takes the bytes of this request, and returns the rest."""
        self.received += len(data)
        if self.has_head:
            self.body += data
        else:
            self.raw += data
            head, blank_line, rest = self.raw.partition(b"\r\n\r\n")
            if not blank_line:
                return b""
            self.read_head(head.decode("latin-1").split("\r\n"))
            self.body += rest
        return self.find_end()

    def read_head(self, lines):
        self.has_head = True
        self.request_line = lines[0]
        self.method, self.path = (lines[0].split(" ") + ["", ""])[:2]
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.add_header(name, value.strip())

    def add_header(self, name, value):
        name = name.lower()
        known = self.headers.get(name)
        self.headers[name] = value if known is None else known + ", " + value

    def find_end(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            self.complete = self.body.endswith(b"0\r\n\r\n")
            return b""
        length = int(self.headers.get("content-length", "0"))
        self.complete = len(self.body) >= length
        rest = bytes(self.body[length:])
        del self.body[length:]
        self.received -= len(rest)
        return rest

    def planned_for(self):
        """Returns the number in its path or body, and its page as "/2" or ""."""
        found = NUMBERED.search(self.path) or re.search(rb"(\d+)", self.body)
        page = PAGE.search(self.path)
        return int(found[1]) if found else 0, "/" + page[1] if page else ""

    def as_row(self, n):
        row = {
            "n": n,
            "connection": self.connection,
            "at": self.at,
            "request_line": self.request_line,
            "method": self.method,
            "path": self.path,
            "headers": self.headers.copy(),
            "body": self.body.decode("latin-1"),
            "complete": self.complete,
        }
        extra = {"note": self.note, "answered": self.answered}
        return row | {name: value for name, value in extra.items() if value is not None}


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.started = time.monotonic()
        self.deliveries = []
        self.script = []
        self.usual = None  # the entry of requests when the script is empty
        self.plan = {}  # { key: entries }, see NUMBERED
        self.progress = {}  # { (number, page): number of entries taken from its plan }
        self.crowd = 0  # requests in a step "limited"
        self.changed = threading.Condition(self.lock)  # a delivery has begun, or `releases` has grown
        self.releases = 0
        self.is_released = False  # since the last clear
        self.wires = []  # accepted since the last clear

    def clear(self):
        with self.lock:
            self.deliveries, self.script = [], []
            self.usual = None
            self.plan, self.progress = {}, {}
            self.wires = []
            self.is_released = False

    def release(self):
        """Ends the waits that have begun, and those until the next clear."""
        with self.lock:
            self.releases += 1
            self.is_released = True
            self.changed.notify_all()

    def wait(self, count):
        """Waits for a release, or until so many deliveries have begun."""
        with self.lock:
            before = self.releases
            while not self.is_released and self.releases == before:
                if len(self.deliveries) >= count:
                    return
                self.changed.wait()

    def come_in(self, most):
        """Returns whether there is room for one more request, which must leave again."""
        with self.lock:
            if self.crowd >= most:
                return False
            self.crowd += 1
            return True

    def go_out(self):
        with self.lock:
            self.crowd -= 1

    def begin(self, wire):
        delivery = Delivery(wire.number, time.monotonic() - self.started)
        wire.spoke = True
        with self.lock:
            self.deliveries.append(delivery)
            self.changed.notify_all()
        return delivery

    def next_entry(self, is_wanted):
        """Takes the first matching entry from the script; returns None if there is none."""
        with self.lock:
            for index, entry in enumerate(self.script):
                if is_wanted(entry):
                    return self.script.pop(index)
            return self.usual if self.usual and is_wanted(self.usual) else None

    def next_planned(self, number, page):
        """Returns the next entry of a number's plan; the last one is repeated."""
        key = str(number % PERIOD) + page
        with self.lock:
            entries = self.plan.get(key) or self.plan["usual"]
            taken = self.progress.get((number, page), 0)
            self.progress[number, page] = taken + 1
            return entries[min(taken, len(entries) - 1)]

    def rows(self):
        with self.lock:
            return [delivery.as_row(i + 1) for i, delivery in enumerate(self.deliveries)]
