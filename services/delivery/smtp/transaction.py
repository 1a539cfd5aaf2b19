"""One SMTP mail transaction without I/O: commands out, replies in, one answer per recipient (RFC 5321 section 3.3).

    while (step := transaction.step) is not None:
        transaction.answer(<the reply to step>)        # or transaction.broke(<why there is none>)

What a host offers, and what a message needs, is decided before the first command.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from services.delivery.outcome import rcpt_reply
from shared.model import Envelope, Recipient
from shared.smtp.reply import Reply


class Phase(StrEnum):
    """Which reply is awaited."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "end of data"
    DONE = "done"


class Offers(NamedTuple):
    """What the host's EHLO reply offers."""

    size: int | None = None
    """Octets; None where it sets no limit."""
    eight_bit: bool = False
    dsn: bool = False
    smtputf8: bool = False
    require_tls: bool = False

    @classmethod
    def of(cls, keywords: dict[str, str]) -> "Offers":
        """Read EHLO keywords, in lower case, with their parameters."""
        size = keywords.get("size", "")
        return cls(
            size=int(size) if size.isascii() and size.isdigit() and len(size) < 16 and int(size) else None,
            eight_bit="8bitmime" in keywords,
            dsn="dsn" in keywords,
            smtputf8="smtputf8" in keywords,
            require_tls="requiretls" in keywords,
        )


class Step(NamedTuple):
    """What to send next: a command line without CRLF, or (None) the content."""

    phase: Phase
    line: bytes | None


def needs_smtputf8(envelope: Envelope, content: bytes) -> bool:
    """Tell whether an address or the header goes beyond ASCII (RFC 6531 section 3.1), whatever was declared."""
    addresses = (envelope.sender or "", *(recipient.address for recipient in envelope.recipients))
    if not all(address.isascii() for address in addresses):
        return True
    if not envelope.smtputf8:
        return False
    end = content.find(b"\r\n\r\n")
    return not (content if end < 0 else content[:end]).isascii()


def objection(envelope: Envelope, content: bytes, offers: Offers, host: str) -> Reply | None:
    """Return why this message cannot go to a host with these offers, or None; asking the host would say no more."""
    if needs_smtputf8(envelope, content) and not offers.smtputf8:
        return Reply(553, "5.6.7", f"an address or the header is not ASCII, and {host} lacks SMTPUTF8")
    if envelope.require_tls and envelope.sender is not None and not offers.require_tls:
        return Reply(550, "5.7.30", f"REQUIRETLS support is required, and {host} lacks it")
    if offers.size is not None and len(content) > offers.size:
        return Reply(552, "5.3.4", f"{len(content)} octets exceed the limit of {host}, {offers.size}")
    return None


def mail_line(envelope: Envelope, content: bytes, offers: Offers) -> bytes:
    """Return the MAIL command with the parameters that the host understands."""
    parts = [f"MAIL FROM:<{envelope.sender or ''}>"]
    if offers.size is not None:
        parts.append(f"SIZE={len(content)}")
    if offers.eight_bit and (envelope.body == "8BITMIME" or not content.isascii()):
        parts.append("BODY=8BITMIME")
    if offers.smtputf8 and needs_smtputf8(envelope, content):
        parts.append("SMTPUTF8")
    if offers.require_tls and envelope.require_tls:
        parts.append("REQUIRETLS")
    if offers.dsn and envelope.ret:
        parts.append(f"RET={envelope.ret}")
    if offers.dsn and envelope.envid:
        parts.append(f"ENVID={envelope.envid}")
    return " ".join(parts).encode()


def rcpt_line(recipient: Recipient, offers: Offers) -> bytes:
    """Return the RCPT command; what the sender asked to be told goes along where the host offers DSN (RFC 3461)."""
    parts = [f"RCPT TO:<{recipient.address}>"]
    if offers.dsn and recipient.notify:
        parts.append(f"NOTIFY={','.join(recipient.notify)}")
    if offers.dsn and recipient.orcpt:
        parts.append(f"ORCPT={recipient.orcpt}")
    return " ".join(parts).encode()


class Transaction:
    """The state of one transaction. `answers` holds every recipient's definite answer."""

    def __init__(self, mail: bytes, recipients: Sequence[tuple[Recipient, bytes]]) -> None:
        self._mail = mail
        self._rcpts = [line for _, line in recipients]
        self._recipients = [recipient for recipient, _ in recipients]
        self._accepted: list[Recipient] = []
        self._next = 0
        self.phase = Phase.MAIL
        self.answers: dict[Recipient, Reply] = {}
        self.broken: Reply | None = None
        """Why the session ended before its time; recipients without an answer may go to another host."""
        self.broken_by_host = False
        """True if `broken` is the host's own reply."""
        self.doubtful = False
        """True if the host may have taken the content: to try another one now would make a duplicate."""
        self.needs_reset = False
        """True if the session may go on, but not without RSET."""
        self.answered = False
        """False until the host answers MAIL: nothing has come of this transaction yet (BROKER.md 32)."""

    @property
    def step(self) -> Step | None:
        """What to send now, or None if nothing is left."""
        match self.phase:
            case Phase.MAIL:
                return Step(Phase.MAIL, self._mail)
            case Phase.RCPT:
                return Step(Phase.RCPT, self._rcpts[self._next])
            case Phase.DATA:
                return Step(Phase.DATA, b"DATA")
            case Phase.CONTENT:
                return Step(Phase.CONTENT, None)
            case _:
                return None

    def answer(self, reply: Reply) -> None:
        """Take the reply to the present step."""
        if self._makes_no_sense(reply):
            self.broke(Reply(451, "4.5.0", f"unexpected reply to {self.phase}: {reply}"))
            return
        if reply.code == 421:  # the host ends the session (RFC 5321 section 3.8)
            self.broken, self.broken_by_host = reply, True
        match self.phase:
            case _ if reply.code == 421 and self.phase is not Phase.CONTENT:
                self.phase = Phase.DONE
            case Phase.MAIL:
                self.answered = True
                self._mail_answered(reply)
            case Phase.RCPT:
                self._rcpt_answered(rcpt_reply(reply))
            case Phase.DATA:
                self._data_answered(reply)
            case _:
                self._finish(reply)

    def broke(self, why: Reply) -> None:
        """Take the end of the session, in our words, in place of a reply."""
        self.doubtful = self.phase is Phase.CONTENT
        self.broken = why
        self.phase = Phase.DONE

    def _makes_no_sense(self, reply: Reply) -> bool:
        return reply.code < 400 and (reply.code // 100 == 3) != (self.phase is Phase.DATA)

    def _mail_answered(self, reply: Reply) -> None:
        if reply.code < 300:
            self.phase = Phase.RCPT
        else:
            self._accepted = self._recipients
            self._finish(reply)

    def _rcpt_answered(self, reply: Reply) -> None:
        recipient = self._recipients[self._next]
        if reply.code < 300:
            self._accepted.append(recipient)
        else:
            self.answers[recipient] = reply
        self._next += 1
        if self._next == len(self._recipients):
            self.phase = Phase.DATA if self._accepted else Phase.DONE
            self.needs_reset = not self._accepted

    def _data_answered(self, reply: Reply) -> None:
        if reply.code < 400:
            self.phase = Phase.CONTENT
        else:
            self._finish(reply)
            self.needs_reset = True

    def _finish(self, reply: Reply) -> None:
        self.answers |= dict.fromkeys(self._accepted, reply)
        self.phase = Phase.DONE
