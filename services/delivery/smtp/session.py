"""One open SMTP session: performs transactions, octet for octet, with the time-outs of RFC 5321 section 4.5.3.2."""

import asyncio
from typing import Any, NamedTuple, cast

import aiosmtplib

from services.delivery.outcome import printable, remote_reply, softened
from services.delivery.smtp.transaction import Offers, Phase, Step, Transaction
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

    @classmethod
    def of(cls, connect: float, cap: float) -> "Timeouts":
        """Return the RFC's values, each at most `cap`."""
        rfc = cls(connect)
        return cls(connect, *(min(seconds, cap) for seconds in rfc[1:]))

    def of_phase(self, phase: Phase) -> float:
        """Return how long a command's reply may take."""
        return {Phase.MAIL: self.mail, Phase.RCPT: self.rcpt, Phase.DATA: self.data}.get(phase, self.end)


class Session:
    """A session after EHLO (and TLS, and AUTH). It belongs to one user at a time."""

    def __init__(self, smtp: aiosmtplib.SMTP, host: str, offers: Offers, timeouts: Timeouts) -> None:
        self._smtp = smtp
        self._timeouts = timeouts
        self._writer: asyncio.StreamWriter | None = None
        self.host = host
        self.offers = offers
        self.transactions = 0
        """How many were begun."""

    @property
    def alive(self) -> bool:
        """False once either side has closed it."""
        return self._smtp.is_connected

    async def perform(self, transaction: Transaction, content: bytes) -> None:
        """Carry a transaction through; afterwards the session is ready for another one, or closed."""
        self.transactions += 1
        try:
            while (step := transaction.step) is not None:
                await self._do(step, transaction, content)
            if transaction.broken is not None:
                self.abort()
            elif transaction.needs_reset:
                await self._reset()
        except BaseException:  # cancelled in the middle: what the host would say next belongs to nobody
            self.abort()
            raise

    async def _do(self, step: Step, transaction: Transaction, content: bytes) -> None:
        try:
            if step.line is None:
                response = await self._send(content)
            else:
                response = await self._smtp.execute_command(step.line, timeout=self._timeouts.of_phase(step.phase))
        except aiosmtplib.SMTPResponseException as error:
            transaction.broke(softened(remote_reply(error.code, error.message), self.host, step.phase))
        except TimeoutError:
            transaction.broke(Reply(451, "4.4.2", f"{self.host} did not answer in time at {step.phase}"))
        except (aiosmtplib.SMTPException, OSError) as error:
            transaction.broke(
                Reply(451, "4.4.2", printable(f"session with {self.host} ended at {step.phase}: {error}"))
            )
        else:
            reply = remote_reply(response.code, response.message)
            if 200 <= response.code <= 599:
                transaction.answer(reply)
            else:  # who does not speak SMTP is not spoken to any longer
                transaction.broke(reply)

    async def _send(self, content: bytes) -> aiosmtplib.SMTPResponse:
        """Send the content and the final dot; return the reply, which a host may give before all is sent."""
        protocol = self._smtp.protocol
        if protocol is None or protocol.transport is None:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        if self._writer is None:  # kept, because a StreamWriter closes its transport when it goes
            transport = cast("asyncio.WriteTransport", protocol.transport)
            self._writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
        reading = asyncio.create_task(protocol.read_response())
        reading.add_done_callback(_retrieve)
        try:
            await asyncio.sleep(0)  # let it begin: aiosmtplib drops a reply that comes before it is waited for
            complete = await self._write(self._writer, dot_stuffed(content), reading)
            async with asyncio.timeout(self._timeouts.end):
                response = await reading
        finally:
            reading.cancel()
        if not complete:
            self.abort()
            if response.code < 400:
                raise aiosmtplib.SMTPServerDisconnected(f"{response.code} before all of it was sent")
        return response

    async def _write(
        self, writer: asyncio.StreamWriter, octets: bytes, reading: asyncio.Task[aiosmtplib.SMTPResponse]
    ) -> bool:
        """Write all, unless the host answers or leaves meanwhile; True if all was written."""
        view = memoryview(octets)
        for start in range(0, len(view), BLOCK):
            if reading.done():
                return False
            writer.write(view[start : start + BLOCK])
            if writer.transport.get_write_buffer_size():
                await self._drain(writer, reading)
        return not writer.transport.is_closing()

    async def _drain(self, writer: asyncio.StreamWriter, reading: asyncio.Task[aiosmtplib.SMTPResponse]) -> None:
        """Wait until a block has left, or the host has answered: it may do so and read no more."""
        draining = asyncio.create_task(writer.drain())
        draining.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(self._timeouts.block):
                await asyncio.wait((draining, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            draining.cancel()

    async def _reset(self) -> None:
        """Leave a transaction that the host has not finished (RFC 5321 section 4.1.1.5)."""
        try:
            await self._smtp.rset(timeout=self._timeouts.mail)
        except (aiosmtplib.SMTPException, OSError):
            self.abort()

    async def quit(self) -> None:
        """Say goodbye and close; never raises."""
        try:
            await self._smtp.quit(timeout=CLOSING_SECONDS)
        except (aiosmtplib.SMTPException, OSError):
            self.abort()

    def abort(self) -> None:
        """Close at once; what is still to be written is not waited for."""
        transport = self._smtp.transport
        self._smtp.close()
        if transport is not None:
            cast("asyncio.WriteTransport", transport).abort()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at an exception that is nobody's once the other direction has failed."""
    if not task.cancelled():
        task.exception()


def dot_stuffed(content: bytes) -> bytes:
    """Return the content as DATA sends it (RFC 5321 section 4.5.2), the final dot included.

    The receiver gets back the same octets; only a missing last line end is added, which DATA cannot do without.
    """
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    end = b".\r\n" if not stuffed or stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
    return stuffed + end
