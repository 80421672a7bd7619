"""HTTP/2 by script: the h2 library keeps the protocol, each stream plays its entry."""

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from hyperframe.frame import GoAwayFrame

from fault_conversation import Conversation
from fault_wire import CHUNK, Gone


class Stream:
    def __init__(self, number, delivery, steps):
        self.number = number
        self.delivery = delivery
        self.steps = steps
        self.reset = False  # by the client


def error_code(name):
    return h2.errors.ErrorCodes[name]


class Http2(Conversation):
    def __init__(self, wire, ledger):
        super().__init__(wire, ledger)
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        self.h2 = h2.connection.H2Connection(config)
        self.streams = {}  # those that have no whole answer yet
        self.ready = []  # those whose steps can begin
        self.last = 0  # the newest stream's number
        self.most = 0  # how many there were at once

    def talk(self):
        try:
            super().talk()
        except h2.exceptions.ProtocolError as problem:  # the client has left meanwhile
            raise Gone from problem

    def serve(self):
        self.h2.initiate_connection()
        self.flush()
        while True:
            while self.ready:
                stream = self.ready.pop(0)
                self.run(stream, stream.steps)
            self.wire.idle = not self.streams
            if not self.receive(CHUNK):
                raise Gone
            self.wire.idle = False

    def flush(self):
        data = self.h2.data_to_send()
        if not self.over:
            self.wire.send(data)

    def receive(self, limit):
        data = self.wire.recv(limit)
        try:
            for event in self.h2.receive_data(data):
                self.take(event)
        except h2.exceptions.ProtocolError as problem:
            self.flush()
            raise Gone from problem
        self.flush()
        return bool(data)

    # ---- what the client sent

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.begin(event)
            return
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if stream:
                stream.delivery.body += event.data
        elif isinstance(event, h2.events.StreamEnded) and stream:
            stream.delivery.complete = True
            if stream.steps and stream.steps[0] == ["read"]:
                self.ready.append(stream)
        elif isinstance(event, h2.events.StreamReset) and stream:
            stream.reset = True
            self.streams.pop(stream.number)

    def begin(self, event):
        delivery = self.ledger.begin(self.wire)
        for name, value in event.headers:
            delivery.add_header(name, value)
        delivery.method = delivery.headers.pop(":method", "")
        delivery.path = delivery.headers.pop(":path", "")
        delivery.request_line = "%s %s HTTP/2" % (delivery.method, delivery.path)
        if self.over:
            return
        stream = Stream(event.stream_id, delivery, self.next_entry())
        self.streams[stream.number] = stream
        self.last = stream.number
        self.most = max(self.most, len(self.streams))
        if stream.steps[0] != ["read"]:
            self.ready.append(stream)

    # ---- steps

    def do_read(self, stream):
        self.receive_until(lambda: stream.delivery.complete or stream.reset)

    def do_gather(self, _stream, count):
        self.receive_until(lambda: self.most >= count)

    def do_read_head(self, _stream):
        pass  # HEADERS are where a stream begins

    def do_note(self, stream, text):
        stream.delivery.note = text

    def do_answer(self, stream, status, headers, body):
        given = {name.lower() for name, _ in headers}
        headers = list(headers)
        if "content-type" not in given:
            headers.append(["content-type", "application/json"])
        if "content-length" not in given:
            headers.append(["content-length", "%d" % len(body)])
        self.do_headers(stream, status, headers)
        self.do_data(stream, body)
        self.do_end(stream)

    def do_headers(self, stream, status, headers):
        if stream.reset:
            return
        fields = [(":status", "%d" % status)]
        fields += [(name.lower(), value) for name, value in headers]
        self.h2.send_headers(stream.number, fields)
        self.flush()

    def do_data(self, stream, text):
        data = text.encode("latin-1")
        while data and not stream.reset:
            room = self.h2.local_flow_control_window(stream.number)
            if room == 0:
                if not self.receive(CHUNK):
                    raise Gone
                continue
            size = min(room, self.h2.max_outbound_frame_size, len(data))
            self.h2.send_data(stream.number, data[:size])
            self.flush()
            data = data[size:]

    def do_flood(self, stream, text):
        while not stream.reset:
            self.do_data(stream, text)

    def do_end(self, stream):
        if stream.reset:
            return
        self.h2.end_stream(stream.number)
        if not stream.delivery.complete:  # RFC 9113, 8.1: "no more of your body"
            self.h2.reset_stream(stream.number, error_code("NO_ERROR"))
        self.flush()
        self.streams.pop(stream.number)

    def do_rst_stream(self, stream, code):
        if stream.reset:
            return
        self.h2.reset_stream(stream.number, error_code(code))
        self.flush()
        self.streams.pop(stream.number)

    def do_goaway(self, stream, which, code):
        last = stream.number if which == "covering" else max(0, stream.number - 2)
        self.send_goaway(last, code)

    def say_goaway(self):
        self.send_goaway(self.last, "NO_ERROR")

    def send_goaway(self, last, code):
        """Past the library, which would not answer any stream afterwards."""
        frame = GoAwayFrame(0, last_stream_id=last, error_code=error_code(code))
        self.wire.send(frame.serialize())

    def do_hang(self, _stream):
        pass  # other streams go on
