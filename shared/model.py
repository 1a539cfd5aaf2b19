"""The facts that travel: one message's content beside one item that says everything else about it.

Every value is frozen. What a stage learns it puts into a new item; nothing is changed in place.
Times are seconds since the epoch. Addresses are canonical mailboxes: `local@domain`, the domain in
lower case and in A-labels, no angle brackets; the null sender is None.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

import msgspec

from shared.smtp.reply import Reply


class Direction(StrEnum):
    """Which rules screen a message."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Origin(StrEnum):
    """Why a message was accepted; it decides the direction and who may be told of a failure (DESIGN section 7)."""

    AUTHENTICATED = "authenticated"
    TRUSTED = "trusted"
    INBOUND = "inbound"
    GENERATED = "generated"

    @property
    def direction(self) -> Direction:
        """Mail from our own people leaves, everything else arrives."""
        return Direction.OUTBOUND if self in {Origin.AUTHENTICATED, Origin.TRUSTED} else Direction.INBOUND


class Recipient(msgspec.Struct, frozen=True, omit_defaults=True):
    """One recipient and what the client asked to be told about it (RFC 3461)."""

    address: str
    orcpt: str | None = None
    """The ORCPT parameter as received, case kept: `rfc822;Bob@example.org`."""
    notify: tuple[str, ...] | None = None
    """NOTIFY keywords: ("NEVER",) or some of SUCCESS, FAILURE, DELAY; None means the default."""
    last: Reply | None = None
    """The last temporary failure of this recipient, kept for the report if none better comes."""
    last_host: str | None = None
    """The host that gave `last`; None if it was ours."""

    @property
    def domain(self) -> str:
        """The part after the last `@`."""
        return self.address.rpartition("@")[2]


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """The SMTP envelope (RFC 5321 section 2.3.1). Without recipients it cannot be built or decoded."""

    sender: str | None
    recipients: tuple[Recipient, ...]
    body: str | None = None
    """The BODY parameter: "7BIT", "8BITMIME" or None."""
    smtputf8: bool = False
    ret: str | None = None
    """RET: "FULL", "HDRS" or None."""
    envid: str | None = None
    require_tls: bool = False
    """REQUIRETLS: over verified TLS or not at all (RFC 8689)."""

    def __post_init__(self) -> None:
        if not self.recipients:
            raise ValueError("an envelope needs at least one recipient")


class Client(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who handed the message to ingress."""

    address: str
    helo: str | None = None
    user: str | None = None
    """The authenticated user, if any."""
    protocol: str = "ESMTP"
    """As in the `with` clause of Received (RFC 3848): ESMTP, ESMTPS, ESMTPA, ESMTPSA ..."""
    tls: str | None = None
    """TLS version and cipher, if any."""
    listener: str | None = None
    name: str | None = None
    """By DNS, of the address, and leading back to it; None also if nobody asked."""


class Action(StrEnum):
    """What the screener decided for a whole message, mildest first."""

    PASS = "pass"  # noqa: S105  (a verdict, not a password)
    STRIP = "strip"
    BLOCK = "block"
    QUARANTINE = "quarantine"


class PartReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """One MIME part as the screener saw it; the fields of `sluice screen --json`."""

    path: str
    """Section number as in IMAP (RFC 3501 section 6.4.5): "1", "2.1" ..."""
    names: tuple[str, ...]
    declared_type: str
    detected_type: str
    size: int
    """Octets after decoding."""
    action: str
    """allow, strip, block or quarantine."""
    rule: str | None


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """The screener's decision. `parts` holds only the parts that a rule acted on."""

    action: Action
    at: float
    reasons: tuple[str, ...] = ()
    """Rule names."""
    ambiguous: bool = False
    parts: tuple[PartReport, ...] = ()
    shadow: tuple[str, ...] = ()
    """Rules that only report, each with what it would have decided: `rule:NAME ACTION`."""
    remarks: tuple[str, ...] = ()
    """What is sloppy in the message, and no reason by itself."""


class Release(msgspec.Struct, frozen=True, omit_defaults=True):
    """An operator's decision to deliver a quarantined message unscreened."""

    at: float
    by: str


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One try of a stage that left the item unfinished."""

    at: float
    stage: str
    text: str
    """What happened, in one line: the remote reply, or our own error's class and text."""
    host: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything about one message, or one split of it, but its content."""

    id: str
    split: int = 0
    """0 until the screener splits by destination, then 1, 2 ..."""
    attempt: int = 0
    """How often a stage tried this item since it was last put on a work queue afresh."""
    envelope: Envelope
    origin: Origin
    client: Client | None = None
    spf: str | None = None
    """SPF result of the envelope sender (RFC 7208 section 2.6): "pass" makes it a sender who may be told."""
    accepted_at: float
    destination: str | None = None
    """The one destination domain of an item for delivery."""
    verdict: Verdict | None = None
    release: Release | None = None
    not_before: float | None = None
    hold_until: float | None = None
    """When the sender asked for it to be released (RFC 4865): screened at once, delivered from then on."""
    flushed_at: float | None = None
    """When an operator wanted it tried at once, if it was not tried since: a host that is left alone is asked again."""
    failures: int = 0
    """Exceptions of the present stage's handler, counted by the worker loop."""
    lost: int = 0
    """How often it came back to the present stage without a result before these: it may be killing workers."""
    delay_reported: bool = False
    reason: str | None = None
    """Why the item is in quarantine or parked, in one line."""
    history: tuple[Attempt, ...] = ()
    """The first attempt and the last three."""

    @property
    def key(self) -> str:
        """The publish's message_id: `<id>.<split>.<attempt>`."""
        return f"{self.id}.{self.split}.{self.attempt}"

    @property
    def released_at(self) -> float:
        """When its delivery may begin, and its lifetime does: not while it is held, nor while it is in quarantine."""
        released = self.accepted_at if self.release is None else self.release.at
        return max(self.accepted_at, released, self.hold_until or 0.0)

    @property
    def may_be_delivered(self) -> bool:
        """True if the item was screened, released by an operator, or generated by us (DESIGN section 4)."""
        return self.verdict is not None or self.release is not None or self.origin is Origin.GENERATED

    def tried(self, attempt: Attempt) -> "Item":
        """Return the item with one attempt more, keeping the first and the last three."""
        history = (*self.history, attempt)
        if len(history) > 4:
            history = (history[0], *history[-3:])
        return msgspec.structs.replace(
            self, attempt=self.attempt + 1, failures=0, lost=0, flushed_at=None, history=history
        )


class Message(msgspec.Struct, frozen=True):
    """An item and the content it speaks of: RFC 5322 octets with CRLF line ends, never re-serialised."""

    item: Item
    content: bytes


class Place(StrEnum):
    """Where a message goes next. The topology makes it a queue: the delay ladder, twins and day buckets follow."""

    SCREEN = "mail.screen"
    DELIVER = "mail.deliver"
    REDELIVER = "mail.redeliver"
    """Retries, generated messages and releases: never refused for length."""
    QUARANTINE = "mail.quarantine"
    DEAD = "mail.dead"


class Send(msgspec.Struct, frozen=True):
    """One message to make durable at one place. `message.item.not_before` delays it on the way to a stage."""

    place: Place
    message: Message


Handler = Callable[[Message], Awaitable[Sequence[Send]]]
"""A stage: from one message to the messages that follow from it. `[]` means finished."""
