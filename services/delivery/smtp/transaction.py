"""One mail transaction without I/O: flights out, replies in, an answer per recipient (RFC 5321 section 3.3).

    while not transaction.done:
        pieces = transaction.flight()             # to be sent now
        while transaction.awaited is not None:
            transaction.answer(<the next reply>)  # or transaction.broke(<why there is none>)

A host that offers PIPELINING gets everything before the content in one flight (RFC 2920), the others get one command at
a time. The content never leaves before a recipient is accepted: until then nothing can have come of a transaction,
and nobody uploads what nobody wants.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from services.delivery.outcome import is_too_many, rcpt_reply
from services.delivery.smtp.offers import Offers
from shared.model import Recipient
from shared.smtp.reply import Reply


class Phase(StrEnum):
    """Which reply is awaited."""

    RESET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "end of data"


class Order(NamedTuple):
    """What is to be sent: the commands without CRLF, and the content."""

    mail: bytes
    recipients: Sequence[tuple[Recipient, bytes]]
    content: bytes


class Transaction:
    """The state of one transaction. `answers` holds every recipient's definite answer."""

    def __init__(self, order: Order, offers: Offers, *, reset: bool = False) -> None:
        """Begin; with `reset` the last transaction is left first (RFC 5321 section 4.1.1.5)."""
        self._recipients = [recipient for recipient, _ in order.recipients]
        self._content = order.content
        self._offers = offers
        self._commands = [(Phase.MAIL, order.mail), *((Phase.RCPT, line) for _, line in order.recipients)]
        if reset:
            self._commands.insert(0, (Phase.RESET, b"RSET"))
        if not offers.chunking:
            self._commands.append((Phase.DATA, b"DATA"))
        self._sent = 0
        self._heard = 0
        self._asked = 0
        """Recipients whose RCPT has been answered."""
        self._delivered = 0
        """Of the accepted ones, those for whom the content has been answered (LMTP)."""
        self._accepted: list[Recipient] = []
        self._mail_refused = False
        self._uploading = False
        self._empty = False
        """The content was replaced by nothing, for there is nobody to take it."""
        self.done = False
        self.answers: dict[Recipient, Reply] = {}
        self.broken: Reply | None = None
        """Why the session ended before its time; recipients without an answer may go to another host."""
        self.broken_by_host = False
        """True if `broken` is the host's own reply."""
        self.doubtful = False
        """True if the host may have taken the content: to try another one now would make a duplicate."""
        self.needs_reset = False
        """True if the session may go on, but not without RSET."""
        self.chunks_unknown = False
        """True if the host offered CHUNKING and does not know BDAT: it may have taken content for commands."""
        self.room: int | None = None
        """How many recipients the host takes at a time, if it refused others as too many: those have no answer yet."""
        self.answered = False
        """False until the host answers MAIL: nothing has come of this transaction yet (BROKER.md 32)."""

    @property
    def awaited(self) -> Phase | None:
        """What the next reply answers, or None if none is due."""
        if self.done:
            return None
        if self._uploading:
            return Phase.CONTENT
        return self._commands[self._heard][0] if self._heard < self._sent else None

    def flight(self) -> tuple[bytes, ...]:
        """Return what is to be sent now that no reply is due, in pieces: content is not copied where it need not be."""
        if self._sent == len(self._commands):
            self._uploading = True
            return self._body()
        first, self._sent = self._sent, len(self._commands) if self._offers.pipelining else self._sent + 1
        return (b"".join([b"%s\r\n" % line for _, line in self._commands[first : self._sent]]),)

    def _body(self) -> tuple[bytes, ...]:
        if self._empty:
            return (b".\r\n",)
        if self._offers.chunking:
            return b"BDAT %d LAST\r\n" % len(self._content), self._content
        return dot_stuffed(self._content)

    def answer(self, reply: Reply) -> None:
        """Take the next reply."""
        phase = self.awaited
        if phase is None or (reply.code < 400 and (reply.code < 300) is (phase is Phase.DATA)):
            self.broke(Reply(451, "4.5.0", f"unexpected reply to {phase}: {reply}"))
        elif reply.code == 421:  # the host ends the session (RFC 5321 section 3.8)
            self._farewell(reply)
        elif phase is Phase.CONTENT:
            self._content_answered(reply)
        else:
            self._heard += 1
            self._command_answered(phase, reply)

    def broke(self, why: Reply, *, uploaded: bool = True) -> None:
        """Take the end of the session, in our words, in place of a reply; `uploaded` if all was sent."""
        self.doubtful = self._uploading and uploaded and not self._empty
        self.broken = why
        self.done = True

    def _farewell(self, reply: Reply) -> None:
        if self._uploading:
            self._content_answered(reply)
            self.doubtful = not self.done
        self.broken, self.broken_by_host, self.done = reply, True, True

    def _command_answered(self, phase: Phase, reply: Reply) -> None:
        match phase:
            case Phase.RESET if reply.code >= 400:
                self.broke(Reply(451, "4.5.0", f"RSET was answered: {reply}"))
            case Phase.MAIL:
                self.answered = True
                if reply.code >= 400:
                    self._mail_refused = True
                    self.answers |= dict.fromkeys(self._recipients, reply)
            case Phase.RCPT:
                self._rcpt_answered(rcpt_reply(reply))
            case Phase.DATA:
                self._data_answered(reply)
        if self._heard == self._sent:
            self._look_ahead()

    def _rcpt_answered(self, reply: Reply) -> None:
        recipient = self._recipients[self._asked]
        self._asked += 1
        if reply.code < 300:
            self._accepted.append(recipient)
        if reply.code < 400 or self._mail_refused:
            return
        if not self._accepted or not is_too_many(reply):
            self.answers[recipient] = reply
        elif self.room is None:
            self.room = len(self._accepted)

    def _data_answered(self, reply: Reply) -> None:
        if reply.code >= 400:
            if not self._mail_refused:
                self._answer_accepted(reply)
            self._finish(reset=not self._mail_refused)
        elif not self._accepted and not self._offers.lmtp:  # RFC 2920 section 3.1
            self._empty = True
        elif self._mail_refused or not self._accepted:
            self.broke(Reply(451, "4.5.0", "DATA was accepted after MAIL or every RCPT was refused"))

    def _look_ahead(self) -> None:
        """Finish if there is no sense in what would be sent next."""
        if self._mail_refused and not self._empty:
            self._finish(reset=False)
        elif self._asked == len(self._recipients) and not self._accepted and not self._empty:
            self._finish(reset=True)

    def _content_answered(self, reply: Reply) -> None:
        if self._offers.chunking and reply.code in {500, 502}:  # unrecognised, not implemented (RFC 5321 section 4.2.4)
            self.broke(Reply(451, "4.5.0", f"BDAT was answered: {reply}"), uploaded=False)
            self.chunks_unknown = True
            return
        if self._offers.lmtp:
            self.answers[self._accepted[self._delivered]] = reply
            self._delivered += 1
            if self._delivered < len(self._accepted):
                return
        elif not self._empty:
            self._answer_accepted(reply)
        self._finish(reset=self._offers.chunking and reply.code >= 400)  # RFC 3030 section 2

    def _answer_accepted(self, reply: Reply) -> None:
        self.answers |= dict.fromkeys(self._accepted, reply)

    def _finish(self, *, reset: bool) -> None:
        self.needs_reset = reset
        self.done = True


def dot_stuffed(content: bytes) -> tuple[bytes, bytes]:
    """Return the content as DATA sends it (RFC 5321 section 4.5.2), and the final dot.

    The receiver gets back the same octets; only a missing last line end is added, which DATA cannot do without.
    """
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed, b".\r\n" if not stuffed or stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
