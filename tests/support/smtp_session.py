"""One session of the scripted SMTP destination (smtp_server.py), and the steps a script is made of."""

import base64
import hmac
import select
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from tests.support.smtp_server import SmtpServer


class Drop(NamedTuple):
    """Close the connection."""


class Reset(NamedTuple):
    """Close it with a RST."""


class Hang(NamedTuple):
    """Say nothing until the client leaves."""


class Delay(NamedTuple):
    """Answer late."""

    seconds: float
    reply: str


class Raw(NamedTuple):
    """Send these octets and close: half a reply, say."""

    octets: bytes


class Drip(NamedTuple):
    """Send octets one by one, each in a segment of its own, and begin again at the end if they are no whole reply."""

    octets: bytes
    seconds: float = 0.0
    """Between two of them."""

    @property
    def is_whole(self) -> bool:
        """Whether it is a reply, of one line."""
        return self.octets.endswith(b"\n") and self.octets[3:4] == b" "


Step = str | Drop | Reset | Hang | Delay | Raw | Drip
Script = Mapping[str, Step | list[Step]]


@dataclass(frozen=True)
class Transaction:
    """One message the server answered 2xx for."""

    session: int
    peer: str
    helo: str
    sender: str
    """Without angle brackets; "" is the null sender."""
    mail_params: tuple[str, ...]
    recipients: tuple[str, ...]
    """The accepted ones."""
    rcpt_params: dict[str, tuple[str, ...]]
    content: bytes
    """Octets as the client meant them: dot-unstuffed, the final CRLF kept."""
    tls: bool
    user: str | None
    chunked: bool = False
    """Whether it came by BDAT."""


@dataclass
class State:
    """What one session knows."""

    number: int
    peer: str
    helo: str = ""
    sender: str | None = None
    mail_params: tuple[str, ...] = ()
    recipients: list[str] = field(default_factory=list)
    rcpt_params: dict[str, tuple[str, ...]] = field(default_factory=dict)
    user: str | None = None
    lmtp: bool = False
    chunks: bytes = b""

    def reset(self) -> None:
        self.sender, self.mail_params, self.recipients, self.rcpt_params, self.chunks = None, (), [], {}, b""


class Left(Exception):  # noqa: N818  (an event: the client, or the script, has ended the session)
    pass


class Session:
    """One client."""

    def __init__(self, server: "SmtpServer", connection: socket.socket, state: State) -> None:
        self.server = server
        self.connection = connection
        self.state = state
        self._buffer = b""

    @property
    def secure(self) -> bool:
        return isinstance(self.connection, ssl.SSLSocket)

    def run(self) -> None:
        if self.server.implicit_tls:
            self._start_tls()
        if self.connection.family != socket.AF_UNIX:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reply("220 destination.test ESMTP", "GREETING")
        while True:
            line = self._line()
            self.server.record(line)
            verb = line.partition(" ")[0].upper()
            handler = getattr(self, f"_do_{verb.lower()}", None)
            if handler is None:
                self._reply("502 5.5.1 unknown command", verb)
            else:
                handler(line)

    def _do_ehlo(self, line: str) -> None:
        self.state.reset()
        self.state.helo = line.partition(" ")[2]
        keywords = self.server.ehlo_lines(secure=self.secure)
        lines = ["destination.test", *keywords]
        text = "\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{keyword}" for i, keyword in enumerate(lines))
        self._reply(text, "EHLO")

    def _do_lhlo(self, line: str) -> None:
        self._do_ehlo(line)
        self.state.lmtp = True

    def _do_helo(self, line: str) -> None:
        self.state.reset()
        self.state.helo = line.partition(" ")[2]
        self._reply("250 destination.test", "HELO")

    def _do_starttls(self, _: str) -> None:
        if self._reply("220 2.0.0 go ahead", "STARTTLS"):
            self._start_tls()
            self.state.reset()

    def _start_tls(self) -> None:
        context = self.server.tls_context
        if context is None:
            raise Left
        self._buffer = b""
        try:
            plain, self.connection = self.connection, context.wrap_socket(self.connection, server_side=True)
            self.server.replace(plain, self.connection)
        except (ssl.SSLError, OSError) as error:
            raise Left from error

    def _do_auth(self, line: str) -> None:
        _, mechanism, *initial = line.split(" ")
        if mechanism not in self.server.mechanisms:
            self._reply("504 5.5.4 unknown", "AUTH")
            return
        user, proven = self._credentials(mechanism, initial)
        if proven:
            self.state.user = user
            self._reply("235 2.7.0 authenticated", "AUTH")
        else:
            self._reply("535 5.7.8 wrong", "AUTH")

    def _credentials(self, mechanism: str, initial: list[str]) -> tuple[str, bool]:
        """Return who it is, and whether the password is right."""
        if mechanism == "CRAM-MD5":
            challenge = b"<1896.697170952@destination.test>"
            answer = base64.b64decode(self._ask(base64.b64encode(challenge).decode())).decode()
            user, _, digest = answer.rpartition(" ")
            secret = self.server.users.get(user, "").encode()
            return user, hmac.compare_digest(digest, hmac.new(secret, challenge, "md5").hexdigest())
        if mechanism == "PLAIN":
            blob = initial[0] if initial else self._ask("")
            _, user, password = base64.b64decode(blob).decode().split("\0")
        else:
            first = initial[0] if initial else self._ask("VXNlcm5hbWU6")
            user = base64.b64decode(first).decode()
            password = base64.b64decode(self._ask("UGFzc3dvcmQ6")).decode()
        return user, self.server.users.get(user) == password

    def _ask(self, challenge: str) -> str:
        self.connection.sendall(f"334 {challenge}\r\n".encode())
        return self._line()

    def _do_mail(self, line: str) -> None:
        address, params = _path(line)
        if self._reply("250 2.1.0 ok", f"MAIL {address}", "MAIL"):
            self.state.reset()
            self.state.sender, self.state.mail_params = address, params

    def _do_rcpt(self, line: str) -> None:
        address, params = _path(line)
        if self._reply("250 2.1.5 ok", f"RCPT {address}", "RCPT"):
            self.state.recipients.append(address)
            self.state.rcpt_params[address] = params

    def _do_data(self, _: str) -> None:
        if not self.state.recipients:
            self._reply("554 5.5.1 no valid recipients", "DATA")
            return
        if not self._reply("354 go on", "DATA"):
            return
        early = self.server.step("EARLY")
        if early is not None:
            self._read()
            self._perform(early)
            self._stall()
        self._take(self._content())

    def _do_bdat(self, line: str) -> None:
        _, size, *last = line.split()
        octets = self._exactly(int(size))
        if not self.state.recipients:
            self._reply("503 5.5.1 no valid recipients", "BDAT")
            return
        self.state.chunks += octets
        if last:
            self._take(self.state.chunks, chunked=True)
        else:
            self._reply("250 2.0.0 ok", "BDAT")

    def _take(self, content: bytes, *, chunked: bool = False) -> None:
        """Keep and answer a message: once, or once for each recipient if the client speaks LMTP (RFC 2033)."""
        recipients = self.state.recipients
        if not self.state.lmtp:
            step = self.server.step(".")
            self._keep(content, recipients if _is_positive(step) else [], chunked=chunked)
            self.state.reset()
            self._perform(step if step is not None else "250 2.0.0 queued")
            return
        steps = [self.server.step(f". {recipient}", ".") for recipient in recipients]
        taken = [recipient for recipient, step in zip(recipients, steps, strict=True) if _is_positive(step)]
        self._keep(content, taken, chunked=chunked)
        self.state.reset()
        for step in steps:
            self._perform(step if step is not None else "250 2.0.0 delivered")

    def _keep(self, content: bytes, recipients: list[str], *, chunked: bool) -> None:
        """Keep a message, before the reply: a client that has its 250 finds it there."""
        if not recipients:
            return
        state = self.state
        transaction = Transaction(
            session=state.number,
            peer=state.peer,
            helo=state.helo,
            sender=state.sender or "",
            mail_params=state.mail_params,
            recipients=tuple(recipients),
            rcpt_params=dict(state.rcpt_params),
            content=content,
            tls=self.secure,
            user=state.user,
            chunked=chunked,
        )
        self.server.received(transaction)

    def _do_rset(self, _: str) -> None:
        self.state.reset()
        self._reply("250 2.0.0 ok", "RSET")

    def _do_noop(self, _: str) -> None:
        self._reply("250 2.0.0 ok", "NOOP")

    def _do_quit(self, _: str) -> None:
        self._reply("221 2.0.0 bye", "QUIT")
        raise Left

    def _reply(self, default: str, *keys: str) -> bool:
        """Answer as scripted, or by default; True if that was positive."""
        step = self.server.step(*keys)
        return self._perform(default if step is None else step)

    def _perform(self, step: Step) -> bool:
        if isinstance(step, Delay):
            time.sleep(step.seconds)
            step = step.reply
        if isinstance(step, str):
            self.connection.sendall(
                "".join(f"{line}\r\n" for line in step.split("\n")).encode("utf-8", "surrogateescape")
            )
            return step[:1] in {"2", "3"}
        if isinstance(step, Drip):
            return self._drip(step)
        if isinstance(step, Raw):
            self.connection.sendall(step.octets)
        if isinstance(step, Hang):
            while self.connection.recv(4096):
                pass
        if isinstance(step, Reset):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Left

    def _drip(self, step: Drip) -> bool:
        while True:
            for octet in step.octets:
                self.connection.sendall(bytes([octet]))
                time.sleep(step.seconds)
            if step.is_whole:
                return step.octets[:1] in {b"2", b"3"}

    def _stall(self) -> NoReturn:
        """Read no more; ends with the server, for a client that leaves cannot say so to a closed window."""
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        poll.poll()
        raise Left

    def _line(self) -> str:
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode("utf-8", "surrogateescape")

    def _content(self) -> bytes:
        received = bytearray(b"\r\n")  # so that an empty message's dot stands after a line end as well
        received += self._buffer
        self._buffer = b""
        start = 0
        while (end := received.find(b"\r\n.\r\n", start)) < 0:
            start = max(0, len(received) - 4)
            received += self._read()
        self._buffer = bytes(received[end + 5 :])
        return bytes(received[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]

    def _exactly(self, size: int) -> bytes:
        received = bytearray(self._buffer)
        while len(received) < size:
            received += self._read()
        self._buffer = bytes(received[size:])
        return bytes(received[:size])

    def _fill(self) -> None:
        self._buffer += self._read()

    def _read(self) -> bytes:
        chunk = self.connection.recv(65536)
        if not chunk:
            raise Left
        return chunk


def _is_positive(step: Step | None) -> bool:
    if isinstance(step, Drip):
        return step.is_whole and step.octets[:1] == b"2"
    return step is None or isinstance(step, Delay) or (isinstance(step, str) and step[:1] == "2")


def _path(line: str) -> tuple[str, tuple[str, ...]]:
    """Split `MAIL FROM:<a@b> SIZE=1` into the address and its parameters."""
    start, end = line.index("<"), line.rindex(">")
    return line[start + 1 : end], tuple(line[end + 1 :].split())
