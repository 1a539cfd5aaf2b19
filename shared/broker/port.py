"""The broker as the product sees it. Two adapters implement it, one contract suite runs on both."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol

from shared.broker.decision import Decision
from shared.model import Item, Message, Send


class Received(Protocol):
    """One body taken from a queue, to be settled exactly once."""

    @property
    def body(self) -> bytes:
        """The body as `wire.encode` made it, not yet decoded."""
        ...

    @property
    def returns(self) -> int:
        """How often it came back to the queue without a result, hand-backs included."""
        ...

    @property
    def lost(self) -> bool:
        """True once the broker has taken it back (connection gone, lease expired): settling it does nothing."""
        ...

    async def ack(self) -> None:
        """Forget it. Only after everything that follows from it is durable. Never raises for a lost one."""
        ...

    async def release(self) -> None:
        """Hand it back for another worker. Never raises for a lost one."""
        ...


class Subscription(Protocol):
    """A stream of received bodies from one queue; survives reconnections, ends only by `cancel`."""

    def __aiter__(self) -> AsyncIterator[Received]:
        """Iterate over what arrives."""
        ...

    @property
    def prefetch(self) -> int:
        """How many may be unsettled at a time; what it was at first again after a reconnection."""
        ...

    async def allow(self, prefetch: int) -> None:
        """Have so many unsettled at a time from now on, not fewer than at first; what is in hand stays.

        Never raises: while the broker is away, nothing changes.
        """
        ...

    async def cancel(self) -> None:
        """Take no more: hand back what nobody has begun to handle, and end the iteration."""
        ...


class Publisher(Protocol):
    """All that ingress needs."""

    async def publish(self, sends: Sequence[Send]) -> None:
        """Return when every send is durable (confirmed by a quorum, or fsynced).

        Raise BrokerUnavailable, BrokerFull or MessageTooLarge otherwise: then some sends may be durable, none is
        lost that was before, and the same call may be made again.
        """
        ...

    async def park(self, body: bytes, reason: str) -> None:
        """Make a body that does not decode durable in `mail.dead` as it is, with the reason beside it."""
        ...

    def trouble(self) -> str | None:
        """Return why new mail should be refused now, in one line, or None: not connected, blocked, confirms late."""
        ...


class Slot(Protocol):
    """The right to one connection with a site, held until `release`, or until the broker is lost."""

    async def release(self) -> None:
        """Let others have it; only after the connection has ended. Never raises."""
        ...


class Slots(Protocol):
    """How many connections a site has, all workers of the broker together."""

    async def take(self, site: str, limit: int, on_loss: Callable[[], None]) -> Slot | None:
        """Return one of the site's first `limit` slots, or None: all are held, or the broker does not answer.

        No two holders ever have the same slot. `on_loss` is called if it is taken away: the connection must end at
        once. A holder that is killed loses its slots with its connections; one that only stops keeps both.
        """
        ...


class Broker(Publisher, Protocol):
    """What a stage needs."""

    def slots(self) -> Slots:
        """Return the slots of this broker, the same at each call."""
        ...

    async def subscribe(self, queue: str, prefetch: int) -> Subscription:
        """Consume `queue` with at most `prefetch` bodies unsettled at a time."""
        ...

    async def close(self) -> None:
        """Close everything; what is unsettled goes back to its queue."""
        ...


class Depth(NamedTuple):
    """What `sluice queue status` shows of one queue."""

    queue: str
    ready: int
    unsettled: int | None
    """None where the broker does not tell."""
    consumers: int


class Kept(NamedTuple):
    """One kept message: in quarantine, or parked."""

    queue: str
    message: Message | None
    """None if the body does not decode."""
    body: bytes
    reason: str | None
    kept_at: float | None = None
    """When it was kept; its expiry counts from then."""


class Entry(NamedTuple):
    """One message in quarantine without its content."""

    queue: str
    item: Item | None
    """None if the body does not decode."""
    octets: int
    """Size of the content, or of the body that does not decode."""
    reason: str | None
    kept_at: float | None


class Reindexed(NamedTuple):
    """What a rebuild of the quarantine's list has found."""

    kept: int
    added: int
    dropped: int
    undecodable: int


class Operator(Protocol):
    """What an administrator does with what is kept; slower than the rest and never on the path of mail."""

    async def depths(self) -> list[Depth]:
        """Return the depth of every queue of the topology."""
        ...

    def kept(self, queues: Sequence[str]) -> AsyncIterator[Kept]:
        """Iterate over everything in the given queues, leaving it there."""
        ...

    def quarantined(self) -> AsyncIterator[Entry]:
        """Iterate over the list of what is in quarantine; no original is touched where there is a list apart."""
        ...

    async def reindex(self) -> Reindexed:
        """Make that list anew out of the originals: they are what counts."""
        ...

    async def record(self, decision: Decision) -> None:
        """Return when a decision is stored, beside the list of what is kept. Raise BrokerError if it is not."""
        ...

    def decisions(self) -> AsyncIterator[Decision]:
        """Iterate over the decisions that were recorded, in their order; each is kept as long as mail is."""
        ...

    async def move(self, queue: str, follows: Callable[[Message], Sequence[Send] | None]) -> int:
        """Replace each message of a queue that is in nobody's hand by what follows from it; None leaves it.

        What follows is durable before the message is gone. Return how many were replaced. Whatever ends it early, what
        was begun is finished (kill -9 may leave a few of them twice), and moving again goes on with what is left.
        """
        ...

    async def remove(self, queue: str, message_id: str) -> bool:
        """Delete every copy of one kept message (by item id) from one queue; False if there was none."""
        ...

    async def publish(self, sends: Sequence[Send]) -> None:
        """As Publisher.publish."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
