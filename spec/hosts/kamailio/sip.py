"""Sends SIP requests over UDP, all at once: sip.py PORT METHOD TARGET COUNT.
Prints the reason of each response. A number sign in TARGET is replaced by 1, 2, … COUNT."""
import selectors
import socket
import sys
import time

port, method, target, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
wait = selectors.DefaultSelector()
for number in range(1, count + 1):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", port))
    unique = f"{number}-{time.monotonic_ns()}"
    sock.send("\r\n".join([
        f"{method} sip:votes@127.0.0.1:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{sock.getsockname()[1]};branch=z9hG4bK-{unique}",
        f"From: <sip:caller@127.0.0.1>;tag={unique}", f"To: <sip:votes@127.0.0.1>;tag=1",
        f"Call-ID: {unique}", f"CSeq: 1 {method}", "Max-Forwards: 10",
        f"X-Vote: {target.replace('#', str(number))}", "Content-Length: 0", "", ""]).encode())
    wait.register(sock, selectors.EVENT_READ)
left, end = count, time.monotonic() + 30
while left and time.monotonic() < end:
    for key, _ in wait.select(1):
        try:
            print(key.fileobj.recv(65536).decode().split("\r\n")[0].split(" ", 2)[2], flush=True)
        except ConnectionRefusedError:
            print("refused", flush=True)
        wait.unregister(key.fileobj)
        left -= 1
