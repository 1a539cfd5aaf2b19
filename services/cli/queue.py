"""`sluice queue …`: what waits where."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from services.cli import waiting
from services.cli.common import ConfigOption, console, load_config, operating, run, table
from services.cli.shown import moment, plain, recipients
from shared.broker import rescreen as again
from shared.broker.adapters import shown_url
from shared.broker.port import Depth, Entry, Kept
from shared.config.model import Config
from shared.model import Place

app = typer.Typer(no_args_is_help=True, help="Mail in the queues.")
waiting.add_to(app)


@app.command()
def status(
    every: Annotated[bool, typer.Option("--all", help="Show empty queues as well.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show how many messages are in each queue, how many are being handled, and who consumes.

    Example: `sluice queue status --all`
    """
    loaded = load_config(config)
    depths = run(_depths(loaded))
    shown = table("queue", "ready", "in hand", "consumers", numbers=("ready", "in hand", "consumers"))
    for depth in depths:
        if every or depth.ready or depth.unsettled or depth.consumers:
            shown.add_row(depth.queue, str(depth.ready), _number(depth.unsettled), str(depth.consumers))
    shown.add_section()
    known = [depth.unsettled for depth in depths if depth.unsettled is not None]
    in_hand = _number(sum(known) if known else None)
    shown.add_row("total", str(sum(depth.ready for depth in depths)), in_hand, str(_sum(depths)), style="bold")
    console().print(f"Broker {shown_url(loaded)}")
    console().print(shown)


@app.command()
def parked(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with the whole history.")] = False,
    config: ConfigOption = None,
) -> None:
    """List what no stage could handle and was parked in mail.dead: why, how often it was tried, and the last errors.

    Nothing is changed. Such a message stays there until somebody decides about it: `sluice queue resume ID` has its
    stage try again, such as after an upgrade, and `sluice queue bounce ID` gives it up.

    Example: `sluice queue parked --json`
    """
    found = run(_parked(load_config(config)))
    if as_json:
        for entry in found:
            line = {"id": entry.item.id if entry.item else None, "octets": entry.octets, "reason": entry.reason}
            typer.echo(msgspec.json.encode({**line, "item": entry.item}).decode())
        return
    shown = table("id", "accepted", "from", "to", "octets", "tries", "reason", numbers=("octets", "tries"))
    for entry in found:
        item, reason = entry.item, entry.reason or ""
        if item is None:
            row = ("?", "", "", "", str(entry.octets), "", reason)
        else:
            people = (item.envelope.sender or "<>", recipients(item))
            row = (item.id, moment(item.accepted_at), *people, str(entry.octets), str(item.attempt), reason)
        shown.add_row(*(plain(text) for text in row))
    console().print(shown)


@app.command()
def rescreen(config: ConfigOption = None) -> None:
    """Run the rules again over everything that waits for delivery, such as after a change of them.

    What delivery has in hand at this moment goes on; what was released from quarantine, and reports, are left alone.

    Example: `sluice queue rescreen`
    """
    moved = run(_rescreen(load_config(config)))
    shown = table("queue", "sent back", numbers=("sent back",))
    for queue, count in moved.items():
        if count:
            shown.add_row(queue, str(count))
    shown.add_section()
    shown.add_row("total", str(sum(moved.values())), style="bold")
    console().print(shown)


async def _parked(config: Config) -> list[Entry]:
    async with operating(config) as operator:
        return [_entry(kept) async for kept in operator.kept([Place.DEAD])]


def _entry(kept: Kept) -> Entry:
    message = kept.message
    if message is None:
        return Entry(kept.queue, None, len(kept.body), kept.reason, kept.kept_at)
    return Entry(kept.queue, message.item, len(message.content), kept.reason or message.item.reason, kept.kept_at)


async def _rescreen(config: Config) -> dict[str, int]:
    async with operating(config) as operator:
        return await again.rescreen(operator)


def _sum(depths: Iterable[Depth]) -> int:
    return sum(depth.consumers for depth in depths)


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


async def _depths(config: Config) -> list[Depth]:
    async with operating(config) as operator:
        return await operator.depths()
