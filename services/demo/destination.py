"""The demonstration's destination: a real SMTP server that keeps what it gets and refuses whom it is told to."""

import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a TCP port of this machine that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Mail(NamedTuple):
    """One delivered message."""

    sender: str
    """"" is the null sender."""
    recipient: str
    content: bytes


class Destination:
    """Answers for every domain of the demonstration; `replies` scripts single recipients."""

    def __init__(self) -> None:
        self.replies: dict[str, list[str]] = {}
        """Recipient -> the replies to its RCPT commands, the last of which repeats; others get 250."""
        self.refused: list[tuple[str, str]] = []
        """(recipient, reply) of each RCPT that was not answered 250."""
        self._mails: list[Mail] = []
        self._changed = threading.Condition()
        self.port = free_port()
        self._controller = Controller(self, hostname=HOST, port=self.port, server_hostname="destination.example")

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's hook)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer a RCPT as scripted."""
        replies = self.replies.get(address.lower(), ["250 2.1.5 Ok"])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        else:
            self.refused.append((address.lower(), reply))
        return reply

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  (aiosmtpd's hook)
        """Keep the message, once for each recipient."""
        content = envelope.original_content or b""
        sender = "" if envelope.mail_from in {None, "<>"} else str(envelope.mail_from)  # aiosmtpd's null sender is "<>"
        with self._changed:
            self._mails += [Mail(sender, to.lower(), content) for to in envelope.rcpt_tos]
            self._changed.notify_all()
        return "250 2.0.0 Ok"

    def wait(self, wanted: Callable[[Mail], bool], timeout: float) -> Mail | None:
        """Return the first mail that is wanted, as soon as it is there; None after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = next((mail for mail in self._mails if wanted(mail)), None)
                if found is not None or not self._changed.wait(deadline - time.monotonic()):
                    return found

    def mails_to(self, recipient: str) -> list[Mail]:
        """Return what one recipient has got so far."""
        with self._changed:
            return [mail for mail in self._mails if mail.recipient == recipient]

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
