"""The process of the fault server, which misbehaves by script. faults.lua starts and documents it.

    python3 -E -B [-S] fault_server.py '{"cert": PATH, "key": PATH, "alpn": [PROTOCOL]}'

It listens on a free port of 127.0.0.1. It reads one command per line from stdin and writes one reply
per line to stdout, as JSON in latin-1, so that a byte is a character. It ends when stdin ends, and
therefore with the process that started it.
"""

import json
import os
import select
import signal
import socket
import ssl
import sys
import threading
import time
import traceback

from fault_conversation import (
    BEFORE_HANDSHAKE,
    ENDING,
    Conversation,
    is_for_connection,
    meet,
    meet_plain,
)
from fault_ledger import Ledger
from fault_wire import Gone, TlsWire, Wire

PATIENCE = 30  # seconds in which an immediate effect must occur, on a busy machine too


def tls_context(options):
    if not options.get("cert"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["cert"], options["key"])
    context.set_alpn_protocols(options.get("alpn") or ["http/1.1"])
    return context


VERBS = {name[3:] for name in dir(Conversation) if name.startswith("do_")}
VERBS |= BEFORE_HANDSHAKE | ENDING


def read_line():
    """Returns one command, or b"" at the end. The next command follows the reply."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(0, 65536)
        if not data:
            return b""
        line += data
    return line


class Server:
    def __init__(self, options):
        self.context = tls_context(options)
        self.ledger = Ledger()
        self.alive = []  # (wire, conversation) of the open connections
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener.setblocking(False)

    # ---- connections

    def accept_all(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            self.accepted += 1
            wire = self.wrap(sock)
            with self.ledger.lock:
                self.ledger.wires.append(wire)
                entry = None
                if self.ledger.script and is_for_connection(self.ledger.script[0]):
                    entry = self.ledger.script.pop(0)
            self.alive = [each for each in self.alive if each.open] + [wire]
            threading.Thread(target=self.attend, args=(wire, entry), daemon=True).start()

    def wrap(self, sock):
        if self.context is None:
            return Wire(sock, self.accepted)
        return TlsWire(sock, self.accepted, self.context)

    def attend(self, wire, entry):
        try:
            if entry and self.context:
                meet(wire, entry)
            elif entry:
                meet_plain(Conversation(wire, self.ledger), entry)
            wire.handshake()
            wire.conversation = Conversation(wire, self.ledger)
            wire.conversation.talk()
        except Gone:
            pass
        except Exception:
            traceback.print_exc()
        finally:
            wire.close()

    def settle(self):
        """Waits until the ledger has everything that has arrived."""
        end = time.monotonic() + PATIENCE
        while True:
            self.accept_all()
            if all(wire.is_settled() for wire in self.alive):
                return
            if time.monotonic() > end:
                raise RuntimeError("the fault server is too busy to say what has arrived")
            time.sleep(0.0005)

    # ---- commands

    def check(self, entries):
        for entry in entries:
            for step in entry:
                if step[0] not in VERBS:
                    raise ValueError("no such step: %s" % step[0])
        return entries

    def do_script(self, command):
        entries = self.check([list(entry or []) for entry in command["entries"] or []])
        with self.ledger.lock:
            self.ledger.script = entries

    def do_usual(self, command):
        self.check([command["entry"]])
        with self.ledger.lock:
            self.ledger.usual = command["entry"]

    def do_plan(self, command):
        for entries in command["plan"].values():
            self.check(entries)
        with self.ledger.lock:
            self.ledger.plan, self.ledger.usual = command["plan"], [["planned"]]

    def do_ledger(self, _command):
        self.settle()
        return self.ledger.rows()

    def do_wait(self, command):
        end = time.monotonic() + command["seconds"]
        while len(self.ledger.deliveries) < command["count"]:
            if time.monotonic() > end:
                return False
            time.sleep(0.0005)
            self.accept_all()
        return True

    def do_release(self, _command):
        self.ledger.release()

    def do_deliveries(self, _command):
        self.settle()
        return len(self.ledger.deliveries)

    def do_connections(self, _command):
        self.settle()
        return len(self.ledger.wires)

    def do_silent(self, _command):
        self.settle()
        return sum(not wire.spoke for wire in self.ledger.wires)

    def do_resumed(self, _command):
        self.settle()
        return sum(wire.is_resumed() for wire in self.ledger.wires)

    def do_open(self, _command):
        self.settle()
        return sum(wire.open for wire in self.alive)

    def do_kill_idle(self, command):
        self.settle()
        idle = [wire for wire in self.alive if wire.idle]
        how = command["how"]
        if how in ("close_next", "reset_next"):
            for wire in idle:
                wire.conversation.doom = how[: -len("_next")]
        elif how in ("fin", "reset", "tls_cut", "notify", "forge"):
            for wire in idle:
                wire.obey(how)
            end = time.monotonic() + PATIENCE
            while any(wire.order for wire in idle) and time.monotonic() < end:
                time.sleep(0.0005)
        else:
            raise ValueError("kill_idle: no such way: %s" % how)
        return len(idle)

    def do_clear(self, _command):
        self.settle()
        self.ledger.clear()

    # ---- the control channel

    def say(self, value):
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        sys.stdout.buffer.write(line.encode("latin-1") + b"\n")
        sys.stdout.buffer.flush()

    def obey(self, line):
        try:
            command = json.loads(line.decode("latin-1"))
            self.say({"value": getattr(self, "do_" + command["do"])(command)})
        except ValueError as problem:  # a mistake in the spec
            self.say({"error": str(problem)})
        except Exception as problem:
            traceback.print_exc()
            self.say({"error": repr(problem)})

    def run(self):
        self.say({"value": self.listener.getsockname()[1]})
        poller = select.poll()
        poller.register(0, select.POLLIN)
        poller.register(self.listener, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poller.poll()]
            self.accept_all()
            if 0 in ready:
                line = read_line()
                if not line:
                    return
                self.obey(line)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the spec handles Ctrl-C
    os.closerange(3, 65536)  # inherited sockets of the spec
    Server(json.loads(sys.argv[1])).run()
    os._exit(0)  # does not wait for the threads of the connections
