"""Exchanges, queues, bindings, policies and users as data: the one source (DESIGN section 5).

`sluice broker apply` creates what stands here, `sluice broker check` compares, and both adapters ask
`queue_for` where a send goes. No queue name is derived from anything a stranger sends (BROKER.md).
"""

import re
from enum import StrEnum
from typing import NamedTuple

from shared.model import Place

LARGE = 1024 * 1024
"""Bodies over this many octets use the `.large` twin of a queue."""
LARGE_PREFETCH = 2

STEPS: tuple[tuple[str, int], ...] = (
    ("5s", 5),
    ("15s", 15),
    ("1m", 60),
    ("5m", 300),
    ("15m", 900),
    ("1h", 3600),
    ("4h", 14400),
)
"""The delay ladder: name and seconds of each step, shortest first."""

QUARANTINE_BUCKETS = 31
QUARANTINE_INDEX = "mail.quarantine.index"
"""The stream of quarantine metadata."""
DAY = 86400

RETURN_EXCHANGE = "mail.return"
"""Where the ladder's queues dead-letter to: back to their own stage."""
DEAD_EXCHANGE = "mail.dead-letter"
"""Where work queues dead-letter to at the broker's delivery limit, a backstop."""

SLOT_PREFIX = "slot."
"""Of the exclusive queues that delivery declares: each is the right to one connection (docs/adr/0010)."""
SLOT_ROLL = "slot.roll"
"""The classic queue that every worker with slots consumes from; nobody publishes to it."""

DELIVERY_LIMIT = 1000
BROWSE_LIMIT = 1_000_000_000
"""For queues that people browse: each look returns the message and counts (BROKER.md 15); `-1` is refused by 3.10."""


class Stage(StrEnum):
    """The stages that consume."""

    SCREEN = "screen"
    DELIVER = "deliver"


class User(StrEnum):
    """A broker user per service, named as the exchange it may write to; `operator` is the command line's."""

    INGRESS = "ingress"
    SCREENER = "screener"
    DELIVERY = "delivery"
    OPERATOR = "operator"

    @property
    def exchange(self) -> str:
        """The direct exchange this producer publishes to."""
        return f"mail.from-{self.value}"


WORK: dict[Stage, tuple[str, ...]] = {
    Stage.SCREEN: (Place.SCREEN,),
    Stage.DELIVER: (Place.DELIVER, Place.REDELIVER),
}
"""The work queues of each stage, `.large` twins left out."""

COMES_BACK_TO: dict[Stage, str] = {Stage.SCREEN: Place.SCREEN, Stage.DELIVER: Place.REDELIVER}
"""Where each stage's ladder returns to."""

STAGE_OF: dict[Place, Stage] = {
    Place.SCREEN: Stage.SCREEN,
    Place.DELIVER: Stage.DELIVER,
    Place.REDELIVER: Stage.DELIVER,
}


def twin(queue: str) -> str:
    """Return the name of the queue for large bodies beside `queue`."""
    return f"{queue}.large"


def wait_queue(stage: Stage, step: str) -> str:
    """Return the ladder queue of one stage and step."""
    return f"mail.{stage}.wait.{step}"


def bucket_queue(day: int) -> str:
    """Return the quarantine queue for a day counted from the epoch."""
    return f"mail.quarantine.{day % QUARANTINE_BUCKETS:02d}"


def step_for(remaining: float) -> str:
    """Return the largest step that does not exceed `remaining` seconds, or the shortest step."""
    return next((name for name, seconds in reversed(STEPS) if seconds <= remaining), STEPS[0][0])


def queue_for(place: Place, size: int, not_before: float | None, now: float) -> str:
    """Return the queue for a body of `size` octets: the place's own, its ladder while not due, or today's bucket.

    A retry of the screener that has come due while the broker was away still goes over its ladder: the screener may
    not publish to `mail.screen`, whose length limit must not keep it from acknowledging.
    """
    stage = STAGE_OF.get(place)
    if stage is not None and not_before is not None and (not_before > now or place is Place.SCREEN):
        queue = wait_queue(stage, step_for(not_before - now))
    elif place is Place.QUARANTINE:
        return bucket_queue(int(now // DAY))
    else:
        queue = place.value
    return twin(queue) if size > LARGE and place in STAGE_OF else queue


class Permission(NamedTuple):
    """Regular expressions, as RabbitMQ takes them, on what a user may configure, write and read."""

    configure: str
    write: str
    read: str


class Policy(NamedTuple):
    """One complete policy for one class of queues; exactly one applies to each queue."""

    name: str
    pattern: str
    definition: dict[str, str | int]


class Binding(NamedTuple):
    """`queue` receives from the direct `exchange` what is published with the queue's own name as the key."""

    exchange: str
    queue: str
    key: str


class Limits(NamedTuple):
    """What the administrator decides about the topology."""

    work_bytes: int = 4 * 1024**3
    """max-length-bytes of each queue for fresh mail: beyond it the door answers 452."""
    retention: int = 30 * DAY
    """Seconds that quarantined mail is kept; less than the ring of buckets is long."""


def stage_queues(stage: Stage) -> list[str]:
    """Return a stage's work and ladder queues, twins included."""
    queues = [*WORK[stage], *(wait_queue(stage, step) for step, _ in STEPS)]
    return [name for queue in queues for name in (queue, twin(queue))]


def quorum_queues() -> list[str]:
    """Return every quorum queue of the product."""
    buckets = [bucket_queue(day) for day in range(QUARANTINE_BUCKETS)]
    return [*stage_queues(Stage.SCREEN), *stage_queues(Stage.DELIVER), *buckets, Place.DEAD.value]


def exchanges() -> list[str]:
    """Return every exchange; all are durable and direct."""
    return [*(user.exchange for user in User), RETURN_EXCHANGE, DEAD_EXCHANGE]


def targets(user: User) -> list[str]:
    """Return the queues that a producer may reach: the map of who may send where."""
    wait = {stage: [q for q in stage_queues(stage) if ".wait." in q] for stage in Stage}
    kept = [*(bucket_queue(day) for day in range(QUARANTINE_BUCKETS)), QUARANTINE_INDEX, Place.DEAD.value]
    redeliver = [Place.REDELIVER.value, twin(Place.REDELIVER)]
    deliver = [Place.DELIVER.value, twin(Place.DELIVER)]
    screen = [Place.SCREEN.value, twin(Place.SCREEN)]
    return {
        User.INGRESS: screen,
        User.SCREENER: [*deliver, *redeliver, *wait[Stage.SCREEN], *kept],
        User.DELIVERY: [*redeliver, *wait[Stage.DELIVER], *kept],
        User.OPERATOR: [*screen, *redeliver, *wait[Stage.DELIVER], *kept],
    }[user]


def bindings() -> list[Binding]:
    """Return every binding."""
    from_producers = [Binding(user.exchange, queue, queue) for user in User for queue in targets(user)]
    back = [COMES_BACK_TO[stage] for stage in Stage]
    returns = [Binding(RETURN_EXCHANGE, name, name) for queue in back for name in (queue, twin(queue))]
    return [*from_producers, *returns, Binding(DEAD_EXCHANGE, Place.DEAD.value, Place.DEAD.value)]


def policies(limits: Limits) -> list[Policy]:
    """Return every policy. Patterns are disjoint, so that priorities never matter."""
    backstop: dict[str, str | int] = {
        "delivery-limit": DELIVERY_LIMIT,
        "dead-letter-exchange": DEAD_EXCHANGE,
        "dead-letter-routing-key": Place.DEAD.value,
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }
    bounded = backstop | {"max-length-bytes": limits.work_bytes}
    browsed: dict[str, str | int] = {"delivery-limit": BROWSE_LIMIT}
    found = [
        Policy("mail-fresh", r"^mail\.(screen|deliver)(\.large)?$", bounded),
        Policy("mail-redeliver", r"^mail\.redeliver(\.large)?$", backstop),
        Policy("mail-dead", r"^mail\.dead$", browsed),
        Policy("mail-quarantine", r"^mail\.quarantine\.[0-9]{2}$", browsed | {"message-ttl": limits.retention * 1000}),
        Policy("mail-quarantine-index", r"^mail\.quarantine\.index$", {"max-age": f"{limits.retention // DAY + 1}D"}),
    ]
    for stage in Stage:
        for step, seconds in STEPS:
            for suffix, back in (("", COMES_BACK_TO[stage]), (".large", twin(COMES_BACK_TO[stage]))):
                pattern = rf"^mail\.{stage}\.wait\.{step}{suffix.replace('.', '[.]')}$"
                definition: dict[str, str | int] = {
                    "message-ttl": seconds * 1000,
                    "dead-letter-exchange": RETURN_EXCHANGE,
                    "dead-letter-routing-key": back,
                    "dead-letter-strategy": "at-least-once",
                    "overflow": "reject-publish",
                    "delivery-limit": BROWSE_LIMIT,
                }
                found.append(Policy(f"mail-{stage}-wait-{step}{suffix.replace('.', '-')}", pattern, definition))
    return found


def policy_for(queue: str, limits: Limits) -> Policy:
    """Return the one policy that applies to a queue of the product."""
    return next(policy for policy in policies(limits) if re.search(policy.pattern, queue))


def permissions() -> dict[User, Permission]:
    """Return the least each user needs: write its own exchange, read its own stage's work queues."""
    nothing = "^$"

    def own(user: User) -> str:
        return f"^{user.exchange.replace('.', '[.]')}$"

    return {
        User.INGRESS: Permission(nothing, own(User.INGRESS), nothing),
        User.SCREENER: Permission(nothing, own(User.SCREENER), r"^mail\.screen(\.large)?$"),
        User.DELIVERY: Permission(
            r"^slot\.[0-9a-f]{8}\.", own(User.DELIVERY), r"^(mail\.(deliver|redeliver)(\.large)?|slot\.roll)$"
        ),
        User.OPERATOR: Permission(
            nothing, own(User.OPERATOR), r"^mail\.(quarantine\..*|dead|(deliver|redeliver)(\..*)?)$"
        ),
    }
