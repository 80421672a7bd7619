"""One TCP connection of the fault server, plain or TLS, served by a thread of its own.

It knows no HTTP. A connection can end in every way that TCP and TLS allow. The main thread reads
`resting` and `moves` to see whether everything that has arrived was also read (see Server.settle).
"""

import select
import socket
import ssl
import struct
import time

CHUNK = 65536


class Gone(Exception):
    """The connection has ended, by the peer or by this side."""


class Ordered(Exception):
    """server:kill_idle ends or disturbs an idle connection."""


class Wire:
    def __init__(self, sock, number):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.number = number
        self.open = True
        self.spoke = False  # a byte of a request has arrived
        self.idle = False  # between two requests
        self.order = None  # how, from kill_idle
        self.patience = None  # when a read times out
        self.resting = None  # "reading", "writing", "asleep"; None while working
        self.moves = 0  # number of times that it resumed work
        self.alarm, self.bell = socket.socketpair()
        self.reader = select.poll()
        self.reader.register(sock, select.POLLIN)
        self.reader.register(self.bell, select.POLLIN)
        self.writer = select.poll()
        self.writer.register(sock, select.POLLOUT)
        self.peeker = select.poll()
        self.peeker.register(sock, select.POLLIN)

    # ---- called by the main thread

    def is_settled(self):
        """Returns whether the thread of this connection has read everything that arrived."""
        before, resting = self.moves, self.resting
        unread = resting == "reading" and self.has_bytes()
        return not self.open or (resting is not None and not unread and self.moves == before)

    def is_resumed(self):
        return False

    def has_bytes(self):
        return self.open and bool(self.peeker.poll(0))

    def obey(self, order):
        self.order = order
        try:
            self.alarm.send(b"!")
        except OSError:
            self.order = None  # the connection has ended meanwhile

    # ---- waiting

    def rest(self, how, wait, *arguments):
        self.resting = how
        try:
            return wait(*arguments)
        finally:
            self.moves += 1  # before resting, because a reader of None must also see this
            self.resting = None

    def await_bytes(self):
        wait = None
        if self.patience is not None:
            wait = max(0, self.patience - time.monotonic()) * 1000
        if not self.rest("reading", self.reader.poll, wait):
            raise Gone
        if self.order is not None:
            self.bell.recv(1)
            if self.idle:
                raise Ordered
            self.order = None  # too late: a request is arriving

    def sleep(self, seconds):
        self.rest("asleep", time.sleep, seconds)

    def hold(self, wait):
        self.rest("asleep", wait)

    # ---- bytes

    def recv_raw(self, limit):
        while True:
            try:
                return self.sock.recv(limit)
            except BlockingIOError:
                self.await_bytes()
            except OSError as problem:
                raise Gone from problem

    def send_raw(self, data):
        data = memoryview(data)
        while data:
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                self.rest("writing", self.writer.poll)
            except OSError as problem:
                raise Gone from problem

    def handshake(self):
        pass

    def recv(self, limit):
        """Returns at least one byte, or b"" at the end of the stream."""
        return self.recv_raw(limit)

    def send(self, data):
        self.send_raw(data)

    def relay(self, far, sent):
        """Relays bytes in both directions until one side ends, and keeps those to the far side."""
        ready = select.poll()
        ready.register(self.sock, select.POLLIN)
        ready.register(far, select.POLLIN)
        while True:
            for fd, _ in self.rest("reading", ready.poll):
                is_near = fd == self.sock.fileno()
                data = self.recv_raw(CHUNK) if is_near else far.recv(CHUNK)
                if not data:
                    return
                if is_near:
                    sent += data
                    far.sendall(data)
                else:
                    self.send_raw(data)

    # ---- endings

    def cork(self):
        """Delays sent bytes until the FIN, so that both arrive together."""
        if hasattr(socket, "TCP_CORK"):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    def goodbye(self, notify=True):
        """Sends a FIN. Reading continues."""
        del notify  # TCP has only the FIN
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as problem:
            raise Gone from problem

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        for each in self.sock, self.alarm, self.bell:
            each.close()
        self.idle = self.open = False
        self.order = None


class TlsWire(Wire):
    """TLS over memory buffers, so that a script can truncate its bytes anywhere."""

    def __init__(self, sock, number, context):
        super().__init__(sock, number)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.kept = b""  # bytes that were read early

    def flush(self):
        self.send_raw(self.outgoing.read())

    def drive(self, function, *arguments):
        """Calls OpenSSL until it needs no more bytes. Returns None at the end of the stream."""
        while True:
            try:
                result = function(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.recv_raw(CHUNK)
                if not data:
                    return None
                self.incoming.write(data)
            except ssl.SSLZeroReturnError:  # close_notify
                return None
            except ssl.SSLError as problem:
                raise Gone from problem

    def handshake(self):
        self.drive(self.tls.do_handshake)
        if self.tls.version() is None:
            raise Gone

    def cut_handshake(self):
        """Ends the connection in the middle of the server's first flight."""
        self.incoming.write(self.recv_raw(CHUNK))
        try:
            self.tls.do_handshake()
        except ssl.SSLError:  # OpenSSL waits for the client
            pass
        flight = self.outgoing.read()
        self.send_raw(flight[: len(flight) // 2])
        self.goodbye(notify=False)

    def recv(self, limit):
        if self.kept:
            data, self.kept = self.kept[:limit], self.kept[limit:]
            return data
        return self.drive(self.tls.read, limit) or b""

    def is_resumed(self):
        return bool(self.tls.session_reused)

    def keep_what_is_here(self):
        """Reads pending data first, because OpenSSL's shutdown fails permanently on data."""
        try:
            while data := self.tls.read(CHUNK):
                self.kept += data
        except ssl.SSLError:  # all data was read
            pass

    def send(self, data):
        for start in range(0, len(data), CHUNK):
            self.tls.write(data[start : start + CHUNK])
            self.flush()

    def notify(self):
        """Sends a close_notify."""
        self.keep_what_is_here()
        try:
            self.tls.unwrap()
        except ssl.SSLError:  # the peer's close_notify is missing
            pass
        self.flush()

    def goodbye(self, notify=True):
        if notify:
            self.notify()
        super().goodbye()
