"""From a received transaction to a durable message, and to the reply that may then be given (DESIGN section 5)."""

import asyncio
import time
from typing import NamedTuple

from services.ingress import replies
from services.ingress.auth.from_field import decide_author
from services.ingress.mailauth.results import may_have_claims, without_claims
from services.ingress.mailauth.verify import NOT_VERIFIED, Finding
from services.ingress.message.received import Arrival, loop, received_field
from services.ingress.message.submission import missing_fields
from services.ingress.policy.relay import may_use
from services.ingress.policy.rules import Rules
from services.ingress.replies import Refuse
from services.ingress.site import Site
from shared import log, metrics, wire
from shared.errors import BrokerError, BrokerFull, MessageTooLarge
from shared.ids import new_id
from shared.mailauth.fields import Parts, split
from shared.model import Client, Envelope, Item, Message, Origin, Place, Send
from shared.smtp.headers import SCAN_LIMIT, header_section, starts_with_field
from shared.smtp.reply import Reply

LOGGED_RECIPIENTS = 20
"""So many recipients stand on the log line of a message; the number of all does too."""


class Transaction(NamedTuple):
    """A finished SMTP transaction: everything but the content."""

    client: Client
    origin: Origin
    envelope: Envelope
    is_submission: bool
    """Whether missing fields may be added (RFC 6409)."""
    hold_until: float | None = None
    """From when on it is to be delivered (RFC 4865)."""


async def accept(site: Site, transaction: Transaction, chunks: list[bytes]) -> Reply | Refuse:
    """Make a message durable for the screener; only then the 250 with its id. `chunks` is emptied.

    Nothing but the process's end or `confirm_timeout` stops it: a client that hangs up after the dot changes nothing.
    """
    started = time.monotonic()
    head = _leading(chunks)
    going_round = loop(head, site.hostname, site.settings.max_hops)
    if going_round is not None:
        return going_round
    forged = _foreign_author(site.rules, transaction.client.user, head)
    if forged is not None:
        return forged
    now = site.clock()
    found = await _authenticated(site, transaction, head, chunks, now)
    if isinstance(found, Refuse):
        return found
    head = _leading(chunks)
    item = Item(
        id=new_id(now),
        envelope=transaction.envelope,
        origin=transaction.origin,
        client=transaction.client,
        spf=found.spf,
        accepted_at=now,
        hold_until=transaction.hold_until,
    )
    size = sum(map(len, chunks))
    prefix = _prefix(site.hostname, item, head, found.field, add_missing=transaction.is_submission)
    refused = await _publish(site, item, prefix, chunks)
    if refused is not None:
        return refused
    metrics.accepted.labels(str(item.origin)).inc()
    _log_accepted(site, item, found, size, time.monotonic() - started)
    return Reply(250, "2.0.0", f"Ok: queued as {item.id}")


async def _joined(prefix: bytes, chunks: list[bytes], size: int) -> bytes:
    """Return the message as one; a large one is put together in a thread, where join lets the others go on."""
    pieces = (prefix, *chunks)
    if size < wire.LARGE:
        return b"".join(pieces)
    return await asyncio.get_running_loop().run_in_executor(None, b"".join, pieces)


def _foreign_author(rules: Rules, user: str | None, head: bytes) -> Refuse | None:
    """Return why the From field of an authenticated user's message is refused, or None (auth.check_from_header)."""
    if user is None or not rules.check_authors:
        return None
    return decide_author(head, lambda author: may_use(rules, user, author))


async def _authenticated(
    site: Site, transaction: Transaction, head: bytes, chunks: list[bytes], now: float
) -> Finding | Refuse:
    """Verify a stranger's message, and cut from `chunks` the fields that would pass for our own results.

    Only mail from a trusted network keeps such a field: there it may be ours, on its way back from a filter.
    """
    if transaction.origin is Origin.TRUSTED:
        return NOT_VERIFIED
    is_to_be_verified = site.verifier is not None and transaction.origin is Origin.INBOUND
    section = header_section(head)
    if not is_to_be_verified and len(section) < SCAN_LIMIT and not may_have_claims(section):
        return NOT_VERIFIED
    parts = split(chunks) if starts_with_field(head) else Parts((), tuple(chunks), b"")
    if parts is None:
        return replies.HEADER_TOO_LARGE
    found = NOT_VERIFIED
    if site.verifier is not None and is_to_be_verified:
        found = await site.verifier.verify(transaction.client, transaction.envelope.sender, parts, now)
    kept = without_claims(parts.fields, site.hostname)
    if len(kept) < len(parts.fields):
        chunks[:] = [*(field.raw for field in kept), parts.rest, *parts.body]
    return found.refused or found


def _leading(chunks: list[bytes]) -> bytes:
    """Return the beginning of the content, enough for its header."""
    taken, total = [], 0
    for chunk in chunks:
        taken.append(chunk)
        total += len(chunk)
        if total >= SCAN_LIMIT:
            break
    return taken[0] if len(taken) == 1 else b"".join(taken)


def _prefix(hostname: str, item: Item, head: bytes, results: bytes, *, add_missing: bool) -> bytes:
    """Return what goes in front of the content, which itself stays as it is.

    Content that does not begin with a header field gets the empty line that makes it a body: else its first line
    would become part of our field.
    """
    if item.client is None:
        raise ValueError("an item from ingress has a client")
    fields = received_field(Arrival(hostname, item.id, item.client, item.accepted_at)) + results
    if add_missing:
        fields += missing_fields(head, item.id, hostname, item.accepted_at)
    return fields if starts_with_field(head) else fields + b"\r\n"


async def _in_turn(site: Site, item: Item, prefix: bytes, chunks: list[bytes]) -> None:
    """Put the message together and publish it once there is room for its copies. `chunks` is emptied."""
    size = sum(map(len, chunks))
    leaving = site.budget.leaving
    if not leaving.enter_at_once(size):
        await leaving.enter(size)
    try:
        content = await _joined(prefix, chunks, size)
        chunks.clear()
        await site.publisher.publish([Send(Place.SCREEN, Message(item, content))])
    finally:
        leaving.leave(size)


async def _publish(site: Site, item: Item, prefix: bytes, chunks: list[bytes]) -> Refuse | None:
    """Return None once it is durable, or the refusal. An unknown failure is temporary and says nothing of itself."""
    try:
        async with asyncio.timeout(site.settings.confirm_timeout):  # the wait for its turn counts, too
            await _in_turn(site, item, prefix, chunks)
    except MessageTooLarge as error:
        refused, why = replies.TOO_LARGE, str(error)
    except BrokerFull as error:
        refused, why = replies.BROKER_FULL, str(error)
    except BrokerError as error:
        refused, why = replies.BROKER_TROUBLE, str(error)
    except TimeoutError:
        refused, why = replies.BROKER_TROUBLE, f"no confirm within {site.settings.confirm_timeout:g} s"
    except Exception:  # noqa: BLE001  (whatever it is, the client must hear 451 and keep the message)
        log.get().error("publish failed", id=item.id, exc_info=True)
        return replies.INTERNAL
    else:
        return None
    log.get().warning("not accepted", id=item.id, rule=refused.rule, error=why)
    return refused


def _log_accepted(site: Site, item: Item, found: Finding, size: int, seconds: float) -> None:
    client, envelope = item.client, item.envelope
    site.log.info(
        "accepted",
        id=item.id,
        origin=str(item.origin),
        client=client.address if client else None,
        helo=client.helo if client else None,
        **({"name": client.name} if client and client.name else {}),
        user=client.user if client else None,
        protocol=client.protocol if client else None,
        tls=client.tls if client else None,
        sender=envelope.sender or "<>",
        recipients=[recipient.address for recipient in envelope.recipients[:LOGGED_RECIPIENTS]],
        recipient_count=len(envelope.recipients),
        octets=size,
        **({"spf": found.spf, "dkim": found.dkim, "dmarc": found.dmarc} if found.spf else {}),
        **({"arc": found.arc} if found.arc else {}),
        seconds=round(seconds, 4),
    )
