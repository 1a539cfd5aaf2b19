"""Every statement on the queue file.

What writes runs inside a transaction of its caller (writer.py); what an operator reads makes its own.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.broker.topology import COMES_BACK_TO, LARGE, STAGE_OF, queue_for, twin
from shared.clock import Clock
from shared.model import Place

_LIKE_QUARANTINE = f"{Place.QUARANTINE}.*"


class Row(NamedTuple):
    """One body on its way into the file."""

    queue: str
    due_at: float
    """When it may be leased, seconds since the epoch."""
    message_id: str
    """The item's id; "" for a body that does not decode."""
    body: bytes
    reason: str | None = None


class Lease(NamedTuple):
    """One body taken from the file."""

    seq: int
    returns: int
    body: bytes


class Leased(NamedTuple):
    """What a look at a queue gave."""

    found: list[Lease]
    next_due: float | None
    """When the next waiting body becomes due; None if none waits or more may be ready already."""


def destination(place: Place, size: int, not_before: float | None, now: float) -> tuple[str, float]:
    """Return the queue and the due time for a body of `size` octets.

    As `topology.queue_for`, but what waits is stored under the queue its ladder would return it to.
    """
    stage = STAGE_OF.get(place)
    if stage is None or not_before is None or not_before <= now:
        return queue_for(place, size, None, now), now
    queue = COMES_BACK_TO[stage]
    return (twin(queue) if size > LARGE else queue), not_before


def put(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Store `rows`."""
    for row in rows:
        cursor = connection.execute(
            "INSERT INTO item (queue, due_at, message_id, reason) VALUES (?, ?, ?, ?)",
            (row.queue, row.due_at, row.message_id, row.reason),
        )
        connection.execute("INSERT INTO body (seq, octets) VALUES (?, ?)", (cursor.lastrowid, row.body))


def lease(connection: sqlite3.Connection, queue: str, limit: int, now: float) -> Leased:
    """Lease the `limit` bodies of `queue` that have been due the longest."""
    found = [
        Lease(*row)
        for row in connection.execute(
            "SELECT item.seq, returns, octets FROM item JOIN body ON body.seq = item.seq"
            " WHERE queue = ? AND leased = 0 AND due_at <= ? ORDER BY due_at, item.seq LIMIT ?",
            (queue, now, limit),
        )
    ]
    connection.executemany("UPDATE item SET leased = 1 WHERE seq = ?", ((each.seq,) for each in found))
    if len(found) == limit:
        return Leased(found, None)
    (next_due,) = connection.execute(
        "SELECT min(due_at) FROM item WHERE queue = ? AND leased = 0 AND due_at > ?", (queue, now)
    ).fetchone()
    return Leased(found, next_due)


def forget(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Delete bodies that are finished with."""
    for seq in seqs:
        connection.execute("DELETE FROM item WHERE seq = ?", (seq,))
        connection.execute("DELETE FROM body WHERE seq = ?", (seq,))


def give_back(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """End leases without a result."""
    connection.executemany(
        "UPDATE item SET leased = 0, returns = returns + 1 WHERE seq = ? AND leased = 1", ((seq,) for seq in seqs)
    )


def put_back(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """End leases of bodies that nobody had begun to handle: nothing to count against them."""
    connection.executemany("UPDATE item SET leased = 0 WHERE seq = ? AND leased = 1", ((seq,) for seq in seqs))


def reclaim(connection: sqlite3.Connection) -> int:
    """End every lease, their owner being dead; return how many there were."""
    return connection.execute("UPDATE item SET leased = 0, returns = returns + 1 WHERE leased = 1").rowcount


def remove(connection: sqlite3.Connection, queue: str, message_id: str) -> bool:
    """Delete every copy of a message from a queue; False if there was none."""
    seqs = connection.execute(
        "SELECT seq FROM item WHERE queue = ? AND leased = 0 AND message_id = ?", (queue, message_id)
    ).fetchall()
    forget(connection, (seq for (seq,) in seqs))
    return bool(seqs)


def replace(connection: sqlite3.Connection, seq: int, rows: Iterable[Row]) -> bool:
    """Store `rows` in the place of one body; False, and nothing changed, if it is leased or gone."""
    if not connection.execute("DELETE FROM item WHERE seq = ? AND leased = 0", (seq,)).rowcount:
        return False
    connection.execute("DELETE FROM body WHERE seq = ?", (seq,))
    put(connection, rows)
    return True


def purge(connection: sqlite3.Connection, kept_since: float, limit: int) -> int:
    """Delete at most `limit` quarantined bodies stored before `kept_since`; return how many it were."""
    seqs = connection.execute(
        "SELECT seq FROM item WHERE queue GLOB ? AND leased = 0 AND due_at < ? LIMIT ?",
        (_LIKE_QUARANTINE, kept_since, limit),
    ).fetchall()
    forget(connection, (seq for (seq,) in seqs))
    return len(seqs)


def probe(connection: sqlite3.Connection) -> None:
    """Write something, to learn whether the disk takes it."""
    connection.execute("UPDATE probe SET writes = writes + 1")


def counts(connection: sqlite3.Connection, clock: Clock, steps: Sequence[int]) -> list[tuple[str, int, int, int]]:
    """Return (queue, step, ready, leased) for what the file holds.

    `step` is the largest of `steps` (seconds, ascending) that does not exceed what an item has still to wait, or the
    smallest one; 0 for what is due.
    """
    cases = " ".join(f"WHEN due_at - :now >= {step} THEN {step}" for step in reversed(steps))
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT 1 FROM item LIMIT 1")  # begins the snapshot: nothing in it is younger than `now`
        return connection.execute(
            "SELECT queue, CASE WHEN due_at <= :now OR leased THEN 0"  # noqa: S608  (the steps are integers of ours)
            f" {cases} ELSE {steps[0]} END AS step, sum(leased = 0), sum(leased) FROM item GROUP BY 1, 2",
            {"now": clock()},
        ).fetchall()
    finally:
        connection.execute("ROLLBACK")


class Stored(NamedTuple):
    """A body as an operator reads it, and where in its queue it stands."""

    due_at: float
    seq: int
    reason: str | None
    body: bytes


def after(connection: sqlite3.Connection, queue: str, due_at: float, seq: int) -> Stored | None:
    """Return the first body of a queue behind the given place, or None at its end."""
    row = connection.execute(
        "SELECT due_at, item.seq, reason, octets FROM item JOIN body ON body.seq = item.seq"
        " WHERE queue = ? AND leased = 0 AND (due_at, item.seq) > (?, ?) ORDER BY due_at, item.seq LIMIT 1",
        (queue, due_at, seq),
    ).fetchone()
    return None if row is None else Stored(*row)
