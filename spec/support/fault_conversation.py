"""HTTP/1.1 by script, from raw bytes, because a library would repair deliberate faults.

A step is a list: the verb, then its arguments. The verb `x` is the method `do_x`. Text that
came from Lua is latin-1: one character is one byte.
"""

import math
import socket
import time
import zlib
from collections import deque

from fault_wire import CHUNK, Gone, Ordered

DEFAULT_ENTRY = [["note", "default"], ["answer", 200, [], '{"success": true}']]
BEFORE_HANDSHAKE = {
    "close_before_handshake",
    "reset_before_handshake",
    "hang_before_handshake",
    "cut_handshake",
}
READING = {"read", "read_head", "read_bytes", "read_body"}
ENDING = {"close", "reset", "tls_cut"}
MEBIBYTE = 1 << 20
LINGER = 5  # seconds to read after a FIN


def is_for_connection(entry):
    return bool(entry) and entry[0][0] in BEFORE_HANDSHAKE


def is_for_request(entry):
    return not is_for_connection(entry)


def with_reading(entry):
    """Prepends a step that reads the request, unless the first step reads or ends."""
    begins = entry[0][0] if entry else "read"
    return entry if begins in READING or begins in ENDING else [["read"]] + entry


def meet(wire, entry):
    """Plays an entry that ends a TLS connection before its handshake."""
    how = entry[0][0]
    if how == "reset_before_handshake":
        wire.reset()
        raise Gone
    if how == "close_before_handshake":
        wire.goodbye(notify=False)
    elif how == "cut_handshake":
        wire.cut_handshake()
    while wire.recv_raw(CHUNK):
        pass
    raise Gone


def meet_plain(conversation, entry):
    """Plays such an entry without TLS, where the arriving bytes are a request."""
    step = entry[0][0].split("_")[0]  # close, reset, hang; cut
    getattr(conversation, "do_" + step, conversation.do_close)(None)


def answer(status, headers, body):
    """Returns a valid response. Given headers replace the default ones."""
    given = {name.lower() for name, _ in headers}
    if status != 204:
        usual = ["Content-Type", "application/json"], ["Content-Length", str(len(body))]
        headers = headers + [pair for pair in usual if pair[0].lower() not in given]
    lines = ["HTTP/1.1 %d Scripted" % status] + ["%s: %s" % tuple(pair) for pair in headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


class Conversation:
    def __init__(self, wire, ledger):
        self.wire = wire
        self.ledger = ledger
        self.doom = None  # "close" or "reset", for the next request
        self.over = False  # a FIN was sent; later bytes are only counted
        self.arriving = None  # the request that the next bytes belong to
        self.waiting = deque()  # requests without a response so far

    def serve(self):
        while True:
            self.wire.idle = not self.waiting
            while not self.waiting:  # one byte, so that the script decides how much is read
                if not self.receive(1):
                    raise Gone
            self.wire.idle = False
            request = self.waiting.popleft()
            self.run(request, self.next_entry())
            self.do_read(request)  # otherwise its rest would count as the next request

    def talk(self):
        try:
            self.serve()
        except Ordered:
            self.obey(self.wire.order)

    def obey(self, order):
        self.wire.idle = False
        if order == "reset":
            self.do_reset(None)
        elif order == "forge":
            self.wire.send(answer(200, [], '{"success": "forged"}'))
        elif order == "notify":
            self.wire.notify()
        else:
            self.wire.goodbye(notify=order != "tls_cut")
        self.wire.order = None  # kill_idle has been obeyed
        self.linger()

    def next_entry(self):
        if self.doom is not None:
            entry, self.doom = [[self.doom]], None
            return [["read"]] + entry if entry == [["close"]] else entry
        entry = self.ledger.next_entry(is_for_request)
        return with_reading(DEFAULT_ENTRY if entry is None else entry)

    def run(self, request, steps):
        for verb, *arguments in steps:
            getattr(self, "do_" + verb)(request, *arguments)

    def receive(self, limit):
        """Reads bytes into the ledger. Returns False at the end of the stream."""
        data = rest = self.wire.recv(limit)
        while rest:
            if self.arriving is None or self.arriving.complete:
                self.arriving = self.ledger.begin(self.wire)
                self.waiting.append(self.arriving)
            rest = self.arriving.feed(rest)
        return bool(data)

    def receive_until(self, is_enough):
        while not is_enough():
            if not self.receive(CHUNK):
                raise Gone

    def linger(self):
        """Reads on after a FIN, because closing with unread bytes would send a reset."""
        self.over = True
        self.wire.patience = time.monotonic() + LINGER
        while self.receive(CHUNK):
            pass
        raise Gone

    # ---- steps

    def do_note(self, request, text):
        request.note = text

    def do_limited(self, request, most, seconds, headers):
        """Waits and answers 200, or 429 if too many requests are in this step."""
        if not self.ledger.come_in(most):
            self.do_note(request, "refused")
            self.do_answer(request, 429, headers, '{"detail": "too many"}')
            return
        self.do_note(request, "taken")
        self.wire.sleep(seconds)
        self.ledger.go_out()
        self.do_answer(request, 200, [], '{"success": true}')

    def do_planned(self, request):
        """Plays the plan's entry for the number in the request."""
        self.run(request, self.ledger.next_planned(*request.planned_for()))

    def do_sleep(self, _request, seconds):
        self.wire.sleep(seconds)

    def do_held(self, _request, count=math.inf):
        self.wire.hold(lambda: self.ledger.wait(count))

    def do_cork(self, _request):
        self.wire.cork()

    def do_next(self, _request, doom):
        self.doom = doom

    def do_close(self, _request):
        self.wire.goodbye()
        self.linger()

    def do_tls_cut(self, _request):
        self.wire.goodbye(notify=False)
        self.linger()

    def do_reset(self, _request):
        self.wire.reset()
        raise Gone

    # ---- reading

    def do_read(self, request):
        self.receive_until(lambda: request.complete)

    def do_read_head(self, request):
        while not request.has_head:
            if not self.receive(1):  # never read a byte of the body
                raise Gone

    def do_read_bytes(self, request, count):
        while request.received < count and not request.complete:
            if not self.receive(min(CHUNK, int(count) - request.received)):
                raise Gone

    def do_read_body(self, request, count):
        self.do_read_head(request)
        self.do_read_bytes(request, request.received - len(request.body) + count)

    # ---- writing

    def do_send(self, _request, data):
        self.wire.send(data.encode("latin-1"))

    def do_send_slowly(self, _request, data, seconds_per_byte):
        for byte in data:
            self.wire.send(byte.encode("latin-1"))
            self.wire.sleep(seconds_per_byte)

    def do_answer(self, request, status, headers, body):
        self.wire.send(answer(int(status), list(headers), body))
        request.answered = time.monotonic()

    def do_flood(self, _request, data):
        data = data.encode("latin-1")
        while True:
            self.wire.send(data)

    def do_gzip_bomb(self, _request, size):
        """Sends a valid gzip file of `size` spaces, compressed as it is sent: 1 KiB unpacks to 1 MiB.

        After a full flush deflate remembers nothing, so the same bytes can be sent again.
        """
        count, plain = max(1, int(size) // MEBIBYTE), b" " * MEBIBYTE
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        block = deflate.compress(plain) + deflate.flush(zlib.Z_FULL_FLUSH)
        start = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
        end = deflate.flush()
        length = len(start) + count * len(block) + len(end) + 8
        head = [["Content-Encoding", "gzip"], ["Content-Length", str(length)]]
        self.wire.send(answer(200, head, "") + start)
        check = 0
        for _ in range(count):
            self.wire.send(block)
            check = zlib.crc32(plain, check)
        size = count * MEBIBYTE & 0xFFFFFFFF
        self.wire.send(end + check.to_bytes(4, "little") + size.to_bytes(4, "little"))

    def do_hang(self, _request):
        while self.receive(CHUNK):
            pass
        raise Gone

    def do_tunnel(self, request):
        """Acts as a proxy on CONNECT. The bytes of the tunnel become the request's body."""
        host, _, port = request.path.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.wire.relay(far, request.body)
        raise Gone
