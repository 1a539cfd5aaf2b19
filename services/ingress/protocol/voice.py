"""What a session says: replies, refusals under their rule in log and metric, and how many errors are too many."""

import asyncio

from services.ingress import replies
from services.ingress.replies import Refuse
from services.ingress.site import Site
from shared import metrics
from shared.smtp.reply import Reply

MAX_ERRORS = 20
"""Refused commands after which a stranger is cut off."""
MAX_ERRORS_OF_OURS = 1000
"""The same for trusted and authenticated clients: a mailing list may have that many bad recipients."""


class Goodbye(Exception):  # noqa: N818  (the session's regular end)
    """End the session; the last reply has been said. The text is how it ended, for the log."""


class HungUp(Exception):  # noqa: N818  (what the client did, not a fault of ours)
    """The client is gone, or has closed its half and what was wanted of it will not come."""


class Voice:
    """Collects what is said until `flush` sends it in one write."""

    transport: asyncio.Transport
    task: "asyncio.Task[None]"
    address: str

    def __init__(self, site: Site) -> None:
        self.site = site
        self.log = site.log
        self.errors = 0
        self.end: str | None = None
        """How the session ended; None while it lasts."""
        self.lost = False
        """The connection is gone."""
        self.mute = False
        """What is said goes to the log only."""
        self.said = 0
        """Octets that `flush` would send."""
        self._output: list[bytes] = []

    def say(self, reply: Reply) -> None:
        """Say a reply."""
        self.say_octets(f"{reply}\r\n".encode())

    def say_lines(self, code: int, lines: list[str]) -> None:
        """Say a reply of several lines."""
        last = len(lines) - 1
        text = "".join(f"{code}{' ' if n == last else '-'}{line}\r\n" for n, line in enumerate(lines))
        self.say_octets(text.encode())

    def say_octets(self, octets: bytes) -> None:
        """Say a reply as it stands on the wire."""
        self._output.append(octets)
        self.said += len(octets)

    def refuse(self, refused: Refuse, **fields: object) -> None:
        """Say why not, under its rule in log and metric. Some, and one error too many, end the session."""
        self.record(refused, **fields)
        self.errors += refused.reply.is_permanent
        if self.errors >= (MAX_ERRORS if self.is_stranger else MAX_ERRORS_OF_OURS) and not refused.ends:
            refused = replies.TOO_MANY_ERRORS
            self.record(refused)
        if refused.reply.code == 421 or refused.ends:
            raise Goodbye(refused.rule)

    def record(self, refused: Refuse, **fields: object) -> None:
        """Say why not, and nothing more follows from it."""
        self.say(refused.reply)
        metrics.refused.labels(refused.rule).inc()
        self.log.info("refused", client=self.address, rule=refused.rule, reply=str(refused.reply), **fields)

    def flush(self) -> None:
        """Send what was said."""
        if self._output:
            octets = self._output[0] if len(self._output) == 1 else b"".join(self._output)
            self._output.clear()
            self.said = 0
            if not (self.lost or self.mute):
                self.transport.write(octets)

    @property
    def is_stranger(self) -> bool:
        """Neither trusted nor authenticated."""
        raise NotImplementedError
