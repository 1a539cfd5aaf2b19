"""The quarantine's list: a stream of records beside the buckets that hold the originals (DESIGN section 5).

A stream is read any number of times and hides nothing from anybody meanwhile, which looking into a queue does. It is
never more than a list: the originals are in the buckets, and `reindex` makes it anew out of them.
"""

import asyncio
from collections.abc import Iterable, Iterator

import msgspec
from aiormq import Channel
from aiormq.abc import DeliveredMessage

from shared.broker.decision import Decision
from shared.broker.port import Entry
from shared.broker.topology import QUARANTINE_INDEX
from shared.errors import BrokerUnavailable
from shared.model import Item

_AHEAD = 500
"""Records that RabbitMQ sends before the first of them is acknowledged."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record: `item` is kept in `bucket`, or every copy of `gone` has left it, or here ends what was there.

    Or a decision of an operator's, which stands for itself.
    """

    bucket: str = ""
    item: Item | None = None
    octets: int = 0
    at: float | None = None
    gone: str | None = None
    mark: str | None = None
    decision: Decision | None = None


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def decoded(bodies: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records that this release can read."""
    for body in bodies:
        try:
            yield _decode(body)
        except (msgspec.MsgspecError, ValueError):
            continue


def alive(records: Iterable[Record]) -> list[Entry]:
    """Return what the records say is in quarantine, in their order; what was noted twice is there once."""
    found: dict[tuple[str, str], dict[tuple[str, ...], Entry]] = {}
    for record in records:
        if record.gone is not None:
            found.pop((record.bucket, record.gone), None)
        elif record.item is not None:
            item = record.item
            who = (item.key, *(recipient.address for recipient in item.envelope.recipients))
            entry = Entry(record.bucket, item, record.octets, item.reason, record.at)
            found.setdefault((record.bucket, item.id), {})[who] = entry
    return [entry for copies in found.values() for entry in copies.values()]


async def read(channel: Channel, mark: str) -> list[Record]:
    """Return every record up to the one with `mark`, which has been published. Raise BrokerUnavailable."""
    bodies: list[bytes] = []
    last = encode(Record(mark=mark))
    reached = asyncio.Event()

    async def collect(message: DeliveredMessage) -> None:
        bodies.append(message.body)
        if message.body == last:
            reached.set()
        await channel.basic_ack(message.delivery_tag or 0, wait=False)

    await channel.basic_qos(prefetch_count=_AHEAD)
    await channel.basic_consume(QUARANTINE_INDEX, collect, arguments={"x-stream-offset": "first"})
    waiting = asyncio.ensure_future(reached.wait())
    await asyncio.wait({waiting, channel.closing}, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        raise BrokerUnavailable(f"{QUARANTINE_INDEX}: RabbitMQ closed the channel while it was read")
    return list(decoded(bodies))
