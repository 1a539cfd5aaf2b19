"""The load: blocking sockets in a process of its own, one command at a time as smtp-source does.

`python -m bench.ingress.client JOB PORT ARGUMENTS` prints seconds, or the replies' times.
"""

import argparse
import math
import socket
import sys
import threading
import time

ENVELOPE = (b"MAIL FROM:<load@bench.example>\r\n", b"RCPT TO:<sink@destination.example>\r\n", b"DATA\r\n")
HEADER = b"From: load@bench.example\r\nTo: sink@destination.example\r\nSubject: load\r\n\r\n"
LINE = b"All work and no play makes a dull message, said the benchmark again.\r\n"
BASE64 = b"QWxsIHdvcmsgYW5kIG5vIHBsYXkgbWFrZXMgYSBkdWxsIG1lc3NhZ2Ugc2FpZCB0aGUgYmVuY2ht\r\n"
LARGE = 1_000_000
"""Octets from which on a message is what mail of that size is, an attachment in base64."""


def message(octets: int) -> bytes:
    """Return a message of about so many octets, its final dot included."""
    line = LINE if octets < LARGE else BASE64
    return HEADER + line * math.ceil(octets / len(line)) + b".\r\n"


class Session:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read(b"220")
        self.say(b"EHLO load.bench.example\r\n", b"250")

    def say(self, octets: bytes, code: bytes) -> None:
        """Send, and read one whole reply. Raise RuntimeError if it is another."""
        self._socket.sendall(octets)
        self._read(code)

    def send(self, content: bytes) -> None:
        """Send one message."""
        for line, code in zip(ENVELOPE, (b"250", b"250", b"354"), strict=True):
            self.say(line, code)
        self.say(content, b"250")

    def quit(self) -> None:
        """Say goodbye."""
        self.say(b"QUIT\r\n", b"221")
        self._socket.close()

    def _read(self, code: bytes) -> None:
        reply = b""
        while not reply.endswith(b"\r\n") or reply[reply[:-2].rfind(b"\n") + 1 :][3:4] == b"-":
            received = self._socket.recv(65536)
            if not received:
                raise RuntimeError(f"closed after {reply!r}")
            reply += received
        if not reply.startswith(code):
            raise RuntimeError(f"wanted {code!r}, got {reply!r}")


def upload(port: int, messages: int, octets: int, *, keep: bool) -> None:
    """Send messages over one connection, or each over one of its own."""
    content = message(octets)
    session = Session(port) if keep else None
    for _ in range(messages):
        one = session or Session(port)
        one.send(content)
        if session is None:
            one.quit()
    if session is not None:
        session.quit()


def together(port: int, sessions: int, messages: int, octets: int, *, keep: bool) -> float:
    """Upload over several connections at a time, `messages` each; return the seconds it took."""
    threads = [
        threading.Thread(target=upload, args=(port, messages, octets), kwargs={"keep": keep}) for _ in range(sessions)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def noops(port: int, seconds: float) -> list[float]:
    """Return the reply times of NOOPs sent every five milliseconds for so long."""
    session = Session(port)
    times = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        session.say(b"NOOP\r\n", b"250")
        times.append(time.perf_counter() - began)
        time.sleep(0.005)
    session.quit()
    return times


def idle(port: int, sessions: int) -> None:
    """Open sessions that have said EHLO, say so, and keep them until standard input ends."""
    kept = [Session(port) for _ in range(sessions)]
    print(len(kept), flush=True)
    sys.stdin.read()


def main() -> None:
    """Do one job."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["upload", "noop", "idle"])
    parser.add_argument("port", type=int)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--messages", type=int, default=1)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    if given.job == "upload":
        print(together(given.port, given.sessions, given.messages, given.size, keep=given.keep), flush=True)
    elif given.job == "noop":
        print(*noops(given.port, given.seconds), flush=True)
    else:
        idle(given.port, given.sessions)


if __name__ == "__main__":
    main()
