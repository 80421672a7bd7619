"""HTTP/1.1 from raw bytes: no library, which would repair what has to stay broken."""

import socket
import time
import zlib
from collections import deque

from fault_conversation import DEFAULT_ENTRY, Conversation, with_reading
from fault_wire import CHUNK, Gone

MEBIBYTE = 1 << 20


def answer(status, headers, body):
    """A proper answer. Headers that are given replace those it would have anyway."""
    given = {name.lower() for name, _ in headers}
    if status != 204:
        usual = ["Content-Type", "application/json"], ["Content-Length", str(len(body))]
        headers = headers + [pair for pair in usual if pair[0].lower() not in given]
    lines = ["HTTP/1.1 %d Scripted" % status] + ["%s: %s" % tuple(pair) for pair in headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


class Http1(Conversation):
    def __init__(self, wire, ledger):
        super().__init__(wire, ledger)
        self.arriving = None  # the request that bytes belong to
        self.waiting = deque()  # requests that have no answer yet

    def serve(self):
        while True:
            self.wire.idle = not self.waiting
            while not self.waiting:  # a single byte: what a script does not read stays unread
                if not self.receive(1):
                    raise Gone
            self.wire.idle = False
            request = self.waiting.popleft()
            self.run(request, self.next_entry())
            self.do_read(request)  # else its rest would be taken for the next one

    def next_entry(self):
        """HTTP/2's own steps mean nothing here, and the protocol is the client's choice."""
        entry = super().next_entry()
        known = all(hasattr(self, "do_" + step[0]) for step in entry)
        return entry if known else with_reading(DEFAULT_ENTRY)

    def receive(self, limit):
        """Some bytes, into the ledger at once. False at the end of the stream."""
        data = rest = self.wire.recv(limit)
        while rest:
            if self.arriving is None or self.arriving.complete:
                self.arriving = self.ledger.begin(self.wire)
                self.waiting.append(self.arriving)
            rest = self.arriving.feed(rest)
        return bool(data)

    # ---- reading

    def do_read(self, request):
        self.receive_until(lambda: request.complete)

    def do_read_head(self, request):
        while not request.has_head:
            if not self.receive(1):  # no byte of the body
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
        """A true gzip file of `size` spaces, written as it is sent: 1 KiB stands for 1 MiB.

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
        """What a proxy does with CONNECT. What is sent through becomes the request's body."""
        host, _, port = request.path.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.wire.relay(far, request.body)
        raise Gone
