"""The steps that HTTP/1 and HTTP/2 have in common, and what happens before any HTTP.

A step is a list: the verb, then its arguments. The verb `x` is the method `do_x`. Text that
came from Lua is latin-1: one character is one byte.
"""

import time

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
LINGER = 5  # seconds; how long to listen after a FIN


def is_for_connection(entry):
    return bool(entry) and entry[0][0] in BEFORE_HANDSHAKE


def is_for_request(entry):
    return not is_for_connection(entry)


def with_reading(entry):
    """A request is read before anything else is done, unless the entry says otherwise."""
    begins = entry[0][0] if entry else "read"
    return entry if begins in READING or begins in ENDING else [["read"]] + entry


def meet(wire, entry):
    """Plays an entry that leaves a TLS connection without its handshake."""
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
    """The same without TLS, where what arrives nevertheless is a request."""
    step = entry[0][0].split("_")[0]  # close, reset, hang; cut
    getattr(conversation, "do_" + step, conversation.do_close)(None)


class Conversation:
    def __init__(self, wire, ledger):
        self.wire = wire
        self.ledger = ledger
        self.doom = None  # "close" or "reset": what the next request gets
        self.over = False  # a FIN was sent: what arrives is only counted

    def talk(self):
        try:
            self.serve()
        except Ordered:
            self.obey(self.wire.order)

    def obey(self, order):
        self.wire.idle = False
        if order == "reset":
            self.do_reset(None)
        if order == "goaway":
            self.say_goaway()
        self.wire.goodbye(notify=order != "tls_cut")
        self.wire.order = None  # done, as far as kill_idle is concerned
        self.linger()

    def say_goaway(self):
        pass  # HTTP/1.1 has no such thing

    def next_entry(self):
        if self.doom is not None:
            entry, self.doom = [[self.doom]], None
            return [["read"]] + entry if entry == [["close"]] else entry
        entry = self.ledger.next_entry(is_for_request)
        return with_reading(DEFAULT_ENTRY if entry is None else entry)

    def run(self, request, steps):
        for verb, *arguments in steps:
            getattr(self, "do_" + verb)(request, *arguments)

    def receive_until(self, is_enough):
        while not is_enough():
            if not self.receive(CHUNK):
                raise Gone

    def linger(self):
        """Listens on after a FIN: a close with unread bytes would become a reset."""
        self.over = True
        self.wire.patience = time.monotonic() + LINGER
        while self.receive(CHUNK):
            pass
        raise Gone

    # ---- steps

    def do_note(self, request, text):
        request.note = text

    def do_limited(self, request, most, seconds, headers):
        """Takes its time; beyond so many at once: 429."""
        if not self.ledger.come_in(most):
            self.do_note(request, "refused")
            self.do_answer(request, 429, headers, '{"detail": "too many"}')
            return
        self.do_note(request, "taken")
        self.wire.sleep(seconds)
        self.ledger.go_out()
        self.do_answer(request, 200, [], '{"success": true}')

    def do_planned(self, request):
        """What the plan has for the number in the request."""
        self.run(request, self.ledger.next_planned(*request.planned_for()))

    def do_sleep(self, _request, seconds):
        self.wire.sleep(seconds)

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
