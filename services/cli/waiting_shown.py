"""How `sluice queue list` and `show` show a message that waits."""

import msgspec
from rich.table import Table

from services.cli.common import table
from services.cli.shown import moment, plain, recipients
from shared.broker import waiting
from shared.broker.port import Kept
from shared.model import Item, Message, Place


def row(message: Message) -> tuple[str, ...]:
    """Return the columns of a list: id, accepted, from, to, octets, tries, next, last answer."""
    item = message.item
    times = moment(item.accepted_at)
    people = (item.envelope.sender or "<>", recipients(item))
    return (item.id, times, *people, str(len(message.content)), str(item.attempt), _next(item), _last(item))


def _next(item: Item) -> str:
    if item.hold_until == waiting.HELD:
        return "held"
    return "now" if item.not_before is None else moment(item.not_before)


def _last(item: Item) -> str:
    if not item.history:
        return ""
    last = item.history[-1]
    return f"{last.host}: {last.text}" if last.host else last.text


def as_line(kept: Kept, message: Message) -> str:
    """Return all of it but the content as one line of JSON."""
    fields = {"id": message.item.id, "queue": kept.queue, "octets": len(message.content), "item": message.item}
    return msgspec.json.encode(fields).decode()


def facts(kept: Kept, message: Message) -> Table:
    """Return what is known of one message, and every attempt that is remembered."""
    item = message.item
    shown = table("", "")
    shown.show_header = False
    rows = {
        "id": item.id,
        "queue": kept.queue,
        "accepted": f"{moment(item.accepted_at)} ({item.origin})",
        "from": item.envelope.sender or "<>",
        "to": ", ".join(recipient.address for recipient in item.envelope.recipients),
        "octets": str(len(message.content)),
        "tries": str(item.attempt),
        **({"parked": item.reason or ""} if kept.queue == Place.DEAD else {"next": _next(item)}),
    }
    for name, text in rows.items():
        shown.add_row(name, plain(text))
    for attempt in item.history:
        host = f"{attempt.host}: " if attempt.host else ""
        shown.add_row(moment(attempt.at), plain(f"{attempt.stage}, {host}{attempt.text}"))
    return shown
