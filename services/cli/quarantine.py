"""`sluice quarantine …`: what was kept back instead of delivered."""

import getpass
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from services.cli.common import ConfigOption, console, load_config, operating, run, table
from services.cli.shown import first_of, moment, plain, recipients
from shared.broker import quarantine
from shared.broker.decision import Decided, Decision
from shared.broker.port import Entry, Kept, Operator, Reindexed
from shared.config.model import Config
from shared.errors import SluiceError
from shared.model import Item

app = typer.Typer(no_args_is_help=True, help="Messages kept back by the screener, or that could not be returned.")

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Message ids, as `quarantine list` shows them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides; default: the user who runs this.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A message id, as `quarantine list` shows it.")]


@app.command("list")
def list_kept(as_json: AsJson = False, config: ConfigOption = None) -> None:
    """List what is kept, the oldest first, and until when.

    Example: `sluice quarantine list`
    """
    loaded = load_config(config)
    retention = float(loaded.quarantine.retention)
    now = time.time()

    async def kept(operator: Operator) -> list[Entry]:
        return await quarantine.list_kept(operator, now - retention)

    entries = run(_with_operator(loaded, kept))
    if as_json:
        for entry in entries:
            typer.echo(_json(entry.queue, entry.item, entry.octets, entry.kept_at, retention))
        return
    shown = table("id", "accepted", "until", "direction", "from", "to", "octets", "reason", numbers=("octets",))
    for entry in entries:
        until = "" if entry.kept_at is None else moment(entry.kept_at + retention)
        item, octets, reason = entry.item, str(entry.octets), entry.reason or ""
        if item is None:
            row = ("?", "", until, "", "", "", octets, reason or "does not decode")
        else:
            sender = item.envelope.sender or "<>"
            times = moment(item.accepted_at), until
            row = (item.id, *times, item.origin.direction, sender, recipients(item), octets, reason)
        shown.add_row(*(plain(text) for text in row))
    console().print(shown)


@app.command()
def show(
    message_id: Id,
    raw: Annotated[bool, typer.Option("--raw", help="Write the original message, byte for byte.")] = False,
    as_json: AsJson = False,
    config: ConfigOption = None,
) -> None:
    """Show one message: envelope, verdict, parts that a rule acted on, header fields.

    Example: `sluice quarantine show 01KAT… --raw > original.eml`
    """

    async def find(operator: Operator) -> list[Kept]:
        return await quarantine.show(operator, message_id)

    loaded = load_config(config)
    retention = float(loaded.quarantine.retention)
    copies = [kept for kept in run(_with_operator(loaded, find)) if kept.message is not None]
    if not copies:
        raise _no_such(message_id)
    if raw:
        assert copies[0].message is not None  # noqa: S101  (for the type checker: filtered above)
        sys.stdout.buffer.write(copies[0].message.content)
        sys.stdout.buffer.flush()
        return
    if as_json:
        for kept in copies:
            assert kept.message is not None  # noqa: S101  (the same)
            message = kept.message
            typer.echo(_json(kept.queue, message.item, len(message.content), kept.kept_at, retention))
        return
    out = console()
    for kept in copies:
        assert kept.message is not None  # noqa: S101  (the same)
        item, content = kept.message.item, kept.message.content
        out.print(_facts(kept, item, len(content), retention))
        if item.verdict is not None and item.verdict.parts:
            out.print()
            out.print(_parts(item))
        out.print()
        header = content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        for line in header.split("\r\n"):
            out.print(plain(line))


@app.command()
def release(
    message_ids: Ids,
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Deliver messages unscreened, as they came, to all of their recipients, with a record of who decided.

    Of a stripped message this sends the original, after the stripped one that was delivered. The id stays the same.

    Example: `sluice quarantine release 01KAT… --by anna`
    """

    async def let_go(operator: Operator, message_id: str) -> int:
        return await quarantine.release(operator, message_id, by or getpass.getuser(), time.time())

    run(_each(load_config(config), message_ids, let_go, Decided.RELEASED))


@app.command()
def delete(
    message_ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Delete messages for good, with a record of who decided; asks first where there is a terminal.

    Example: `sluice quarantine delete 01KAT… --yes --by anna`
    """
    loaded = load_config(config)
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Delete {len(message_ids)} for good?", abort=True, err=True)

    async def remove(operator: Operator, message_id: str) -> int:
        return await quarantine.delete(operator, message_id, by or getpass.getuser(), time.time())

    run(_each(loaded, message_ids, remove, Decided.DELETED))


@app.command()
def audit(as_json: AsJson = False, config: ConfigOption = None) -> None:
    """List who released or deleted what, the oldest first; a record is kept as long as mail is (quarantine.retention).

    Example: `sluice quarantine audit --json`
    """
    loaded = load_config(config)

    async def decided(operator: Operator) -> list[Decision]:
        return await quarantine.decisions(operator, time.time() - float(loaded.quarantine.retention))

    found = run(_with_operator(loaded, decided))
    if as_json:
        for each in found:
            typer.echo(msgspec.json.encode(each).decode())
        return
    shown = table("at", "by", "did", "id", "from", "to", "octets", "kept for", numbers=("octets",))
    for each in found:
        people = (each.sender or "<>", first_of(each.recipients))
        row = (moment(each.at), each.by, each.decided, each.id, *people, str(each.octets), each.reason or "")
        shown.add_row(*(plain(text) for text in row))
    console().print(shown)


@app.command()
def reindex(config: ConfigOption = None) -> None:
    """Make the list of what is kept anew out of the originals: after a message about the index in a log.

    Example: `sluice quarantine reindex`
    """
    found = run(_reindexed(load_config(config)))
    typer.echo(f"{found.kept} kept, {found.added} added to the list, {found.dropped} dropped from it")
    if found.undecodable:
        typer.echo(f"{found.undecodable} of them cannot be read", err=True)


async def _reindexed(config: Config) -> Reindexed:
    async with operating(config) as operator:
        return await operator.reindex()


async def _each(
    config: Config, message_ids: list[str], change: Callable[[Operator, str], Coroutine[Any, Any, int]], done: str
) -> None:
    """Change each message; those that exist are changed even if another does not."""
    missing = []
    async with operating(config) as operator:
        for message_id in dict.fromkeys(message_ids):
            if await change(operator, message_id):
                typer.echo(f"{message_id}: {done}")
            else:
                missing.append(message_id)
    if missing:
        raise _no_such(", ".join(missing))


async def _with_operator(config: Config, ask: Callable[[Operator], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
    async with operating(config) as operator:
        return await ask(operator)


def _no_such(message_id: str) -> SluiceError:
    return SluiceError(f"{message_id}: not in quarantine; see: sluice quarantine list")


def _json(queue: str, item: Item | None, octets: int, kept_at: float | None, retention: float) -> str:
    """Return one line: where it is, until when, envelope and verdict as they travel."""
    fields = {
        "id": item.id if item else None,
        "queue": queue,
        "octets": octets,
        "kept_at": kept_at,
        "expires_at": None if kept_at is None else kept_at + retention,
        "item": item,
    }
    return msgspec.json.encode(fields).decode()


def _facts(kept: Kept, item: Item, octets: int, retention: float) -> Table:
    shown = table("", "")
    shown.show_header = False
    client = item.client
    verdict = item.verdict
    rows = {
        "id": item.id,
        "kept in": kept.queue,
        "reason": kept.reason or item.reason or "",
        "kept until": "" if kept.kept_at is None else moment(kept.kept_at + retention),
        "accepted": f"{moment(item.accepted_at)} ({item.origin})",
        "client": f"{client.address} {client.helo or ''} {client.user or ''}".strip() if client else "",
        "from": item.envelope.sender or "<>",
        "to": ", ".join(recipient.address for recipient in item.envelope.recipients),
        "verdict": f"{verdict.action}: {', '.join(verdict.reasons)}" if verdict else "none",
        "remarks": ", ".join(verdict.remarks) if verdict else "",
        "octets": str(octets),
    }
    for name, text in rows.items():
        shown.add_row(name, plain(text))
    return shown


def _parts(item: Item) -> Table:
    shown = table("part", "names", "declared", "detected", "octets", "action", "rule", numbers=("octets",))
    for part in item.verdict.parts if item.verdict else ():
        types = (part.declared_type, part.detected_type)
        row = (part.path, ", ".join(part.names), *types, str(part.size), part.action, part.rule or "")
        shown.add_row(*(plain(text) for text in row))
    return shown
