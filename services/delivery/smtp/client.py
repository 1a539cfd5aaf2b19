"""SMTP sessions with next hops: the one home of aiosmtplib.

aiosmtplib connects, greets, negotiates TLS and authenticates. Then the connection is Session's: the library knows no
PIPELINING, rewrites line ends, and waits for one time-out in all (BROKER.md 30, 31).
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, cast

import aiosmtplib
import msgspec

from services.delivery.outcome import printable, remote_reply, softened
from services.delivery.routing.route import NextHop
from services.delivery.security import observing, peer
from services.delivery.security.contexts import Contexts
from services.delivery.security.protection import Protection, Result, steps
from services.delivery.smtp.connect import Unreachable, Way, connect
from services.delivery.smtp.offers import Offers
from services.delivery.smtp.session import Session, Timeouts
from shared.config.tls_policy import Tls
from shared.smtp.reply import Reply


class Target(msgspec.Struct, frozen=True):
    """One address of one next hop."""

    hop: NextHop
    address: str
    bases: tuple[str, ...] = ()
    """Where to look for TLSA records, in this order (`routing.tlsa`); () if DANE is not for this host."""
    fallback: str | None = None
    """An IPv4 address of the host, for when the IPv6 one does not answer at once (`connect`)."""

    @property
    def ways(self) -> tuple[Way, ...]:
        """How to connect: to the address, and to the fallback if there is one."""
        addresses = (self.address,) if self.fallback is None else (self.address, self.fallback)
        return tuple(Way(each, self.hop.port, self.hop.source.towards(each)) for each in addresses)

    spare: bool = False
    """There are others to try before, of a better preference."""
    by_mx: bool = False
    """DNS named the host, not the configuration."""
    named: bool = True
    """Nobody in between can have put its name in place of another: a certificate for it proves something."""
    protection: Protection = Protection()

    @property
    def provable(self) -> bool:
        """True if a session with it can be one that is verified (RFC 8689 section 4.2.1)."""
        return self.named or self.protection.tls in {Tls.DANE, Tls.FINGERPRINT}


class Failure(NamedTuple):
    """Why there is no session, in our words; always temporary."""

    reply: Reply
    tls: Result | None = None
    """What failed, if TLS did."""
    unprotected: bool = False
    """The host offers no TLS, or its certificate is not to be trusted: for REQUIRETLS the end."""
    unreachable: tuple[Way, ...] = ()
    """What is not worth another try in the same attempt, under whatever name."""


_ERRORS = (aiosmtplib.SMTPException, peer.Distrust, OSError, ValueError)
"""What is raised: ours, aiosmtplib's, the socket's and TLS' (OSError), and for names it cannot use (ValueError)."""


class Client:
    """Opens sessions."""

    def __init__(self, hostname: str, contexts: Contexts, passwords: Mapping[str, str], timeouts: Timeouts) -> None:
        self._hostname = hostname
        self._contexts = contexts
        self._passwords = passwords
        self._timeouts = timeouts

    async def open(self, target: Target, domain: str) -> Session | Failure:
        """Return a session ready for the domain's mail, or why there is none.

        Where TLS is opportunistic and fails, a second connection goes without it.
        """
        first, *others = steps(target.protection)
        opened = await self._open(target, first)
        _observe(opened, target, domain)
        for tls in others:
            if isinstance(opened, Session) or opened.tls is None:
                break
            opened = await self._open(target, tls)
        return opened

    async def _open(self, target: Target, tls: Tls) -> Session | Failure:
        hop = target.hop
        connection = await connect(target.ways, self._timeouts.connect)
        if isinstance(connection, Unreachable):
            reply = Reply(451, "4.4.1", f"no connection to {hop.host}{connection.reason}")
            return Failure(reply, unreachable=target.ways)
        smtp = aiosmtplib.SMTP(
            hostname=target.protection.base or hop.host,
            sock=connection,
            local_hostname=hop.source.helo or self._hostname,
            timeout=self._timeouts.greeting,
            use_tls=hop.implicit_tls,
            start_tls=False,
            tls_context=self._contexts.of(tls, hop),
        )
        try:
            return await self._greet(smtp, target, tls)
        except BaseException:
            smtp.close()
            connection.close()
            raise

    async def _greet(self, smtp: aiosmtplib.SMTP, target: Target, tls: Tls) -> Session | Failure:
        hop, phase = target.hop, "connect"
        try:
            await smtp.connect()
            if hop.implicit_tls:
                _check(smtp, tls, target.protection)
            phase = "EHLO"
            await _hello(smtp, lmtp=hop.lmtp)
            if tls is not Tls.NONE and not hop.implicit_tls:
                phase = "STARTTLS"
                if smtp.supports_extension("starttls"):
                    await self._start_tls(smtp, target, tls)
                elif tls is not Tls.MAY:
                    _hang_up(smtp)
                    reply = Reply(454, "4.7.4", f"{hop.host} offers no STARTTLS, which is required")
                    return Failure(reply, Result.NO_STARTTLS, unprotected=True)
            if hop.user is not None:
                phase = "AUTH"
                await smtp.login(hop.user, self._passwords.get(hop.route or "", ""))
        except _ERRORS as error:
            _hang_up(smtp)
            return Failure(_refusal(error, phase, hop.host), _failed_tls(error, phase), _is_distrust(error))
        if smtp.transport is None:
            return Failure(Reply(451, "4.4.2", f"session with {hop.host} ended at {phase}"))
        transport = cast("asyncio.Transport", smtp.transport)
        offers = Offers.of(smtp.esmtp_extensions)._replace(lmtp=hop.lmtp)
        return Session(transport, hop.host, offers, self._timeouts)

    async def _start_tls(self, smtp: aiosmtplib.SMTP, target: Target, tls: Tls) -> None:
        await smtp.starttls(tls_context=self._contexts.of(tls, target.hop))
        _check(smtp, tls, target.protection)
        await _hello(smtp, lmtp=target.hop.lmtp)  # what was offered in clear is void (RFC 3207 section 4.2)


def _hang_up(smtp: aiosmtplib.SMTP) -> None:
    """Close at once: `close` alone waits for the host to agree to the end of TLS while another connection is opened."""
    transport = smtp.transport
    smtp.close()
    if transport is not None:
        cast("asyncio.Transport", transport).abort()


def _check(smtp: aiosmtplib.SMTP, tls: Tls, protection: Protection) -> None:
    peer.check(smtp.transport, tls, protection, datetime.now(UTC))


def _observe(opened: Session | Failure, target: Target, domain: str) -> None:
    """Tell what became of TLS, if there was to be any and the host could be reached."""
    if isinstance(opened, Failure):
        failure, detail = opened.tls, opened.reply.text
    else:
        failure = target.protection.flaw if opened.encrypted else Result.NO_STARTTLS
        detail = ""
    wanted = target.protection.tls is not Tls.NONE
    if wanted and (failure is not None or isinstance(opened, Session)):
        observing.observe(observing.Try(domain, target.hop.host, target.address, target.protection, failure, detail))


def _failed_tls(error: Exception, phase: str) -> Result | None:
    """Return what failed if it was TLS, for which another try may go without it."""
    if isinstance(error, peer.Distrust):
        return error.result
    if isinstance(error, aiosmtplib.SMTPHeloError):
        return None  # said over TLS, which works
    if phase == "STARTTLS" and isinstance(error, aiosmtplib.SMTPResponseException):
        return Result.NO_STARTTLS
    is_tls = isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)
    return peer.result_of(error) if phase == "STARTTLS" or is_tls else None


def _is_distrust(error: Exception) -> bool:
    """Tell whether a certificate was looked at and not accepted; aiosmtplib wraps that where TLS is implicit."""
    return isinstance(error, peer.Distrust | ssl.SSLCertVerificationError) or isinstance(
        error.__cause__, ssl.SSLCertVerificationError
    )


async def _hello(smtp: aiosmtplib.SMTP, *, lmtp: bool = False) -> None:
    if lmtp:
        await _lhlo(smtp)
        return
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError:
        with contextlib.suppress(aiosmtplib.SMTPServerDisconnected):
            await smtp.helo()
            return
        raise


async def _lhlo(smtp: aiosmtplib.SMTP) -> None:
    """Greet in LMTP, which aiosmtplib does not know (RFC 2033 section 4.1)."""
    response = await smtp.execute_command(b"LHLO", (smtp.local_hostname or "localhost").encode())
    if response.code != 250:
        raise aiosmtplib.SMTPHeloError(response.code, response.message)
    smtp.last_ehlo_response = response


def _refusal(error: Exception, phase: str, host: str) -> Reply:
    """Return an exception as a temporary failure that names the host and quotes what it said."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        asked = "EHLO" if isinstance(error, aiosmtplib.SMTPHeloError) else phase
        return softened(remote_reply(error.code, error.message), host, asked)
    if isinstance(error, peer.Distrust):
        return Reply(454, "4.7.5", printable(f"{host} is not trusted: {error}"))
    if isinstance(error, ssl.SSLError):
        return Reply(454, "4.7.5", printable(f"TLS with {host} failed: {error.reason or error}"))
    if isinstance(error, TimeoutError):
        return Reply(451, "4.4.2", f"{host} did not answer in time at {phase}")
    return Reply(451, "4.4.2", printable(f"session with {host} ended at {phase}: {error}"))
