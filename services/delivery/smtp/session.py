"""One open SMTP session: performs transactions, octet for octet, with the time-outs of RFC 5321 section 4.5.3.2.

It takes the connection over from aiosmtplib after EHLO, and speaks where the octets arrive: a reply that ends a flight
sends the next one, and the task that waits for the transaction is woken once.
"""

import asyncio
import contextlib
import socket
from collections import deque
from typing import NamedTuple

from services.delivery.outcome import printable
from services.delivery.smtp.offers import Offers
from services.delivery.smtp.replies import Garbage, Reader
from services.delivery.smtp.transaction import Phase, Transaction
from shared.smtp.reply import Reply

BLOCK = 64 * 1024
"""Octets written at a time; each must leave within the block time-out."""
CLOSING_SECONDS = 5.0
"""For the reply to QUIT, which changes nothing."""


class Timeouts(NamedTuple):
    """Seconds to wait, phase by phase."""

    connect: float
    greeting: float = 300
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    end: float = 600
    silence: float = 20
    """For the host's kernel to acknowledge the first flight over a kept session: it may be gone without a word."""

    @classmethod
    def of(cls, connect: float, cap: float) -> "Timeouts":
        """Return the RFC's values, each at most `cap`."""
        rfc = cls(connect)
        return cls(connect, *(min(seconds, cap) for seconds in rfc[1:]))

    def of_phase(self, phase: Phase) -> float:
        """Return how long a reply may take, from the one before it or from the last octet sent."""
        match phase:
            case Phase.RCPT:
                return self.rcpt
            case Phase.DATA:
                return self.data
            case Phase.CONTENT:
                return self.end
            case _:
                return self.mail


class Session(asyncio.Protocol):
    """A session after EHLO (and TLS, and AUTH). It belongs to one user at a time."""

    def __init__(self, transport: asyncio.Transport, host: str, offers: Offers, timeouts: Timeouts) -> None:
        """Take over a connection on which no reply is due."""
        self._transport = transport
        self._timeouts = timeouts
        self._shortest = min(timeouts[1:])
        self._loop = asyncio.get_running_loop()
        self._reader = Reader()
        self._transaction: Transaction | None = None
        self._ended: asyncio.Future[None] | None = None
        """Set when the transaction is done, or the host has answered QUIT."""
        self._to_write: deque[memoryview] = deque()
        self._may_write = True
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._reset = self._leaving = self._watched = False
        self.host = host
        self.offers = offers
        self.transactions = 0
        """How many were begun."""
        transport.set_protocol(self)

    @property
    def alive(self) -> bool:
        """False once either side has closed it."""
        return not self._transport.is_closing()

    @property
    def encrypted(self) -> bool:
        """True over TLS."""
        return self._transport.get_extra_info("ssl_object") is not None

    @property
    def exhausted(self) -> bool:
        """True if the host takes no more transactions in this session (LIMITS MAILMAX, RFC 9422)."""
        return self.offers.transactions is not None and self.transactions >= self.offers.transactions

    @property
    def must_reset(self) -> bool:
        """True if the next transaction must begin with RSET: the host has not finished the last one."""
        return self._reset

    async def perform(self, transaction: Transaction) -> None:
        """Carry a transaction through; afterwards the session is ready for another one, or closed."""
        self.transactions += 1
        self._transaction = transaction
        self._ended = self._loop.create_future()
        if self.transactions > 1:
            self._watch(self._timeouts.silence)
        try:
            self._go_on()
            await self._ended
        finally:
            self._transaction = None
            self._reset = transaction.needs_reset
            if not transaction.done or transaction.broken is not None or not self._reader.empty:
                self.abort()  # what the host would say next belongs to nobody

    def _go_on(self) -> None:
        """Send the next flight, if there is another."""
        transaction = self._transaction
        if transaction is None:
            return
        if transaction.done:
            self._end()
            return
        if not self.alive:
            self._lost(None)
            return
        pieces = transaction.flight()
        if len(pieces) > 1 and sum(map(len, pieces)) <= BLOCK:  # a copy costs less than another write
            pieces = (b"".join(pieces),)
        self._to_write.extend(map(memoryview, pieces))
        self._write()

    def _watch(self, seconds: float) -> None:
        """Have the kernel end the connection if nothing acknowledges what is sent for so long; 0 leaves that to us.

        A firewall that forgot the session drops what is sent, and the host's own time for MAIL is 5 minutes. Once it
        has answered it is there: then a host that does not read for a while must not be taken for a dead one.
        """
        self._watched = seconds > 0
        with contextlib.suppress(OSError, ValueError):  # a socket in the file system, or closed already
            to = self._transport.get_extra_info("socket")
            to.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))

    def _end(self) -> None:
        """Wake whoever waits for the transaction, or for the reply to QUIT."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _write(self) -> None:
        """Write as much as is taken; what is left follows when the host has read some of it."""
        while self._to_write and self._may_write and self.alive:
            piece = self._to_write.popleft()
            if len(piece) > BLOCK:
                self._to_write.appendleft(piece[BLOCK:])
            self._transport.write(piece[:BLOCK])
        self._wait()

    def _wait(self) -> None:
        """Begin to wait for a reply, or for a block to leave."""
        phase = self._transaction.awaited if self._transaction is not None else None
        if phase is None:
            return
        now = self._loop.time()
        self._deadline = now + (self._timeouts.block if self._to_write else self._timeouts.of_phase(phase))
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._shortest, self._look)

    def _look(self) -> None:
        """End what has taken too long. No deadline is nearer than the next look."""
        self._timer = None
        transaction, now = self._transaction, self._loop.time()
        if transaction is None or transaction.done:
            return
        if now < self._deadline:
            self._timer = self._loop.call_at(min(self._deadline, now + self._shortest), self._look)
            return
        phase = transaction.awaited
        self._break(Reply(451, "4.4.2", f"{self.host} did not answer in time at {phase}"))

    def _break(self, why: Reply) -> None:
        transaction = self._transaction
        if transaction is not None and not transaction.done:
            transaction.broke(why, uploaded=not self._to_write)
            self._go_on()

    def _lost(self, error: Exception | None) -> None:
        phase = self._transaction.awaited if self._transaction is not None else None
        why = printable(f"session with {self.host} ended at {phase or Phase.MAIL}: {error or 'connection closed'}")
        self._break(Reply(451, "4.4.2", why))

    def data_received(self, data: bytes) -> None:
        """Take replies; what nobody asked for ends the session."""
        self._reader.receive(data)
        transaction = self._transaction
        if transaction is None:
            if self._leaving:
                self._end()
            else:
                self.abort()
            return
        progress = False
        while transaction.awaited is not None and (reply := self._reader.next()) is not None:
            progress = True
            if isinstance(reply, Garbage):
                self._break(reply.reply)
            else:
                self._take(transaction, reply)
        if transaction.awaited is not None:
            if progress:  # half a reply earns no more time
                self._wait()
        elif not transaction.done and not self._reader.empty:
            self._break(Reply(451, "4.5.0", f"{self.host} answers what it was not asked"))
        else:
            self._go_on()

    def _take(self, transaction: Transaction, reply: Reply) -> None:
        """Take one reply; to the content it may come before all of that is sent (RFC 5321 section 4.2.5)."""
        early = transaction.awaited is Phase.CONTENT and (
            bool(self._to_write) or self._transport.get_write_buffer_size() > 0
        )
        if self._watched:
            self._watch(0)
        if early and reply.code < 400:
            transaction.broke(Reply(451, "4.4.2", f"{self.host} said {reply} before all of it was sent"))
        else:
            transaction.answer(reply)
        if early:
            self.abort()

    def pause_writing(self) -> None:
        """Stop: the host does not keep up."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write = True
        if self._to_write:
            self._write()

    def eof_received(self) -> None:
        """Take the end of what the host says; the transport closes itself."""
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the session."""
        self._lost(exc)
        self._end()
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def quit(self) -> None:
        """Say goodbye and close; never raises."""
        self._leaving, self._ended = True, self._loop.create_future()
        try:
            if self.alive:
                self._transport.write(b"QUIT\r\n")
                await asyncio.wait((self._ended,), timeout=CLOSING_SECONDS)
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once; what is still to be written is not waited for."""
        self._to_write.clear()
        self._stop_timer()
        self._transport.abort()
