"""Everything that is asked about a stranger's message, within one deadline; what is late is a temporary error."""

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from services.ingress import replies
from services.ingress.mailauth import dkim as dkim_verifier
from services.ingress.mailauth.arc import ArcFinding, validate
from services.ingress.mailauth.dkim import DkimFinding
from services.ingress.mailauth.dkim_record import Dkim
from services.ingress.mailauth.dmarc import Dmarc, DmarcFinding, Published, judge, organisational, read_policy, select
from services.ingress.mailauth.results import Identity, results_field
from services.ingress.mailauth.spf import SpfFinding, check_host
from services.ingress.mailauth.spf_macro import Identity as SpfIdentity
from services.ingress.mailauth.spf_record import Spf
from services.ingress.policy.lists import plain_address
from services.ingress.replies import Refuse
from shared import log
from shared.config.strangers import Authentication
from shared.dns.port import Resolver, Status
from shared.mailauth.author import NoAuthor, author_domain
from shared.mailauth.fields import Parts
from shared.model import Client

T = TypeVar("T")

LATE = "no answer in time"


class Finding(NamedTuple):
    """What was found, for the item, the log and the header; all of it empty for mail that is not verified."""

    spf: str | None = None
    dkim: tuple[str, ...] = ()
    """`result` or `result domain`, one for each signature."""
    dmarc: str | None = None
    arc: str | None = None
    """None: it came with no chain, or nobody can tell."""
    field: bytes = b""
    refused: Refuse | None = None


NOT_VERIFIED = Finding()


class Verifier:
    """One per process. How many messages it has in hand is bounded by the sessions: each has one at a time."""

    def __init__(
        self, resolver: Resolver, hostname: str, settings: Authentication, rng: Callable[[], float] = random.random
    ) -> None:
        self._resolver = resolver
        self._hostname = hostname
        self._settings = settings
        self._rng = rng
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="dkim")
        organisational("example.org")  # reads the list of public suffixes now, not while a client waits

    def close(self) -> None:
        """Let go of the thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def verify(self, client: Client, sender: str | None, parts: Parts, now: float) -> Finding:
        """Return what SPF, DKIM, DMARC and the ARC chain say, in bounded time; never raises for what came."""
        author = author_domain(parts.fields)
        identity = _identity(client, sender)
        spf, dkim, published, arc = await self._asked(client, sender, parts, author, now)
        dmarc = judge(author, published, (spf.result, identity.value.rpartition("@")[2].lower()), dkim, self._rng())
        return Finding(
            spf=spf.result.value,
            dkim=tuple(" ".join(filter(None, (one.result.value, one.domain))) for one in dkim),
            dmarc=dmarc.result.value,
            arc=arc.result and arc.result.value,
            field=results_field(self._hostname, identity, spf, dkim, dmarc, arc),
            refused=refusal(self._settings, spf, dmarc, author),
        )

    async def _asked(
        self, client: Client, sender: str | None, parts: Parts, author: str | NoAuthor, now: float
    ) -> tuple[SpfFinding, list[DkimFinding], Published, ArcFinding]:
        """Ask all at once; what fails or is late is replaced by a temporary error."""
        spf = asyncio.create_task(self._spf(client, sender))
        dkim = asyncio.create_task(dkim_verifier.verify(self._resolver, parts, now, self._threads))
        policy = asyncio.create_task(published_policy(self._resolver, author))
        arc = asyncio.create_task(validate(self._resolver, parts, now, self._threads))
        tasks: tuple[asyncio.Task[Any], ...] = (spf, dkim, policy, arc)
        try:
            await asyncio.wait(tasks, timeout=self._settings.timeout)
        finally:
            for task in tasks:
                task.cancel()
        return (
            await _or(spf, SpfFinding(Spf.TEMPERROR, LATE)),
            await _or(dkim, [DkimFinding(Dkim.TEMPERROR, LATE)]),
            await _or(policy, Published(failed=True)),
            await _or(arc, ArcFinding()),
        )

    async def _spf(self, client: Client, sender: str | None) -> SpfFinding:
        address = plain_address(client.address)
        if address is None:
            return SpfFinding(Spf.NONE)
        helo = client.helo or ""
        local, _, domain = sender.rpartition("@") if sender else ("postmaster", "", helo)
        return await check_host(self._resolver, SpfIdentity(address, helo, local or "postmaster", domain))


def _identity(client: Client, sender: str | None) -> Identity:
    """Return what SPF goes by: the sender, or for the null sender the name the client gave (RFC 7208 section 2.4)."""
    if sender is None:
        return Identity("helo", client.helo or "unknown")
    return Identity("mailfrom", sender if '"' not in sender else sender.rpartition("@")[2])


def refusal(settings: Authentication, spf: SpfFinding, dmarc: DmarcFinding, author: str | NoAuthor) -> Refuse | None:
    """Return why the message is refused by what the operator chose to enforce.

    A message that DMARC passes is its author's, whoever forwards it: SPF alone does not refuse it.
    """
    if settings.dmarc == "enforce":
        if isinstance(author, NoAuthor) and author.several:
            return replies.SEVERAL_AUTHORS
        if dmarc.wanted == "reject":
            return replies.DMARC_REJECT
    if settings.spf_fail == "reject" and spf.result is Spf.FAIL and dmarc.result is not Dmarc.PASS:
        return replies.SPF_FAIL
    return None


async def published_policy(resolver: Resolver, author: str | NoAuthor) -> Published:
    """Return the author's policy: its domain's own, else its organisational domain's (RFC 7489 section 6.6.3)."""
    if isinstance(author, NoAuthor):
        return Published()
    above = organisational(author)
    for domain in (author, above) if above != author else (author,):
        answer = await resolver.txt(f"_dmarc.{domain}")
        if answer.status is Status.FAILED:
            return Published(failed=True)
        texts = [text for octets in answer.records if (text := octets.decode("latin-1")).startswith("v")]
        if any("DMARC1" in text for text in texts):
            record = select(texts)
            return Published(read_policy(record) if record else None, inherited=domain != author)
    return Published()


async def _or(task: asyncio.Task[T], otherwise: T) -> T:
    """Return a finished task's result; an unknown failure is logged and temporary."""
    (found,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(found, BaseException):
        return found
    if not isinstance(found, asyncio.CancelledError):
        log.get().error("mail authentication failed", exc_info=found)
    return otherwise
