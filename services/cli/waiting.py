"""`sluice queue list|show|flush|hold|resume|bounce`: mail on its way to delivery, one message or all of a domain.

What is parked in mail.dead is shown, let go on or given up where its id is named: a domain does not mean it.
"""

import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.common import ConfigOption, console, load_config, operating, run, table
from services.cli.shown import plain
from services.cli.waiting_shown import as_line, facts, row
from services.delivery.settle import Policy, give_up
from shared.broker import waiting
from shared.broker.port import Kept, Operator
from shared.broker.waiting import Follows
from shared.config.model import Config
from shared.errors import SluiceError
from shared.ids import ALPHABET, LENGTH
from shared.model import Item, Message, Place, Send
from shared.smtp.address import BadAddress, parse_domain

MOST_DOMAINS = 20
"""Domains counted by name at the end of a job; the others are counted together."""


class Targets(NamedTuple):
    """What the arguments name: nothing means everything."""

    domains: tuple[str, ...]
    ids: tuple[str, ...]

    def concern(self, item: Item) -> bool:
        """Tell whether an item is meant."""
        return waiting.concerns(item, self.domains, self.ids)


class Job(NamedTuple):
    """What is to be done with what is meant."""

    follows: Follows
    queues: Sequence[str] = waiting.LATER
    """Where it may wait."""
    parked: Follows | None = None
    """With what is parked, and named by its id."""

    def parts(self, targets: Targets) -> list[tuple[Sequence[str], Targets, Follows]]:
        """Return queues, what is meant there, and what follows from that."""
        parts = [(self.queues, targets, self.follows)]
        if self.parked is not None and targets.ids:
            parts.append(((Place.DEAD,), Targets((), targets.ids), self.parked))
        return parts


Domains = Annotated[
    list[str] | None, typer.Argument(metavar="DOMAIN...", help="Domains of recipients; .example.org is all below it.")
]
Some = Annotated[
    list[str] | None, typer.Argument(metavar="DOMAIN|ID...", help="Domains of recipients, or ids of messages.")
]
Named = Annotated[list[str], typer.Argument(metavar="DOMAIN|ID...", help="Domains of recipients, or ids of messages.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_waiting)
    for command in (show, flush, hold, resume, bounce):
        app.command()(command)


def list_waiting(
    targets: Some = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """List what is on its way to delivery: since when, how often it was tried, when again, and the last answer.

    On RabbitMQ the stages do not see a queue's messages while it is read.

    Example: `sluice queue list example.net`
    """
    wanted = _targets(targets)
    shown = table("id", "accepted", "from", "to", "octets", "tries", "next", "last answer", numbers=("octets", "tries"))

    async def read() -> None:
        async with operating(load_config(config)) as operator:
            async for kept, message in _found(operator, wanted):
                if as_json:
                    typer.echo(as_line(kept, message))
                else:
                    shown.add_row(*(plain(text) for text in row(message)))

    run(read())
    if not as_json:
        console().print(shown)


def show(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="A message id, as `queue list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the message, byte for byte.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show one message on its way to delivery, or parked: envelope, every attempt that is remembered, header fields.

    Example: `sluice queue show 01KAT… --json`
    """

    async def read() -> list[tuple[Kept, Message]]:
        async with operating(load_config(config)) as operator:
            queues = (*waiting.WAITING, Place.DEAD)
            return [found async for found in _found(operator, Targets((), (message_id,)), queues)]

    copies = run(read())
    if not copies:
        raise SluiceError(f"{message_id}: neither on its way to delivery nor parked; see: sluice queue list, or parked")
    if raw:
        sys.stdout.buffer.write(copies[0][1].content)
        sys.stdout.buffer.flush()
        return
    for kept, message in copies:
        if as_json:
            typer.echo(as_line(kept, message))
            continue
        console().print(facts(kept, message))
        for line in message.content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n"):
            console().print(plain(line))


def flush(domains: Domains = None, config: ConfigOption = None) -> None:
    """Try at once what waits for its next try, on every worker; without a domain, all of it.

    What is held, and what was tried since the command began, stays. Cut off, it loses nothing: run it again to go on.

    Example: `sluice queue flush example.net .example.org`
    """
    began = time.time()
    _change(load_config(config), _targets(domains), "made due", Job(lambda message: waiting.made_due(message, began)))


def hold(targets: Named, config: ConfigOption = None) -> None:
    """Keep what is on its way from being tried, until `sluice queue resume`.

    What comes after this is not held: for that name the domain in `delivery.hold` first.

    Example: `sluice queue hold example.net`
    """
    _change(load_config(config), _targets(targets), "held", Job(waiting.held, waiting.WAITING))


def resume(targets: Some = None, config: ConfigOption = None) -> None:
    """Let what was held go on at once; its lifetime begins again. So does that of a parked message named by its id.

    Example: `sluice queue resume example.net`
    """
    now = time.time()
    job = Job(lambda message: waiting.resumed(message, now), parked=lambda message: waiting.revived(message, now))
    _change(load_config(config), _targets(targets), "resumed", job)


def bounce(
    targets: Named,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What the report says.")] = "no reason given",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Give up what is on its way, or parked and named by its id: it is reported or quarantined as any failure.

    Asks first where there is a terminal.

    Example: `sluice queue bounce example.invalid --reason "the domain is gone"`
    """
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Give up all mail for {', '.join(targets)}?", abort=True, err=True)
    loaded = load_config(config)
    policy, now = Policy.of(loaded), time.time()

    def given_up(message: Message) -> Sequence[Send] | None:
        if message.item.accepted_at >= now:  # one of the reports that this makes
            return None
        return give_up(message, policy, reason, now).sends

    _change(loaded, _targets(targets), "given up", Job(given_up, waiting.WAITING, given_up))


def _targets(arguments: Sequence[str] | None) -> Targets:
    """Return what the arguments name. Raise BadParameter for what is neither a domain nor an id."""
    ids = [text for text in arguments or () if len(text) == LENGTH and set(text) <= set(ALPHABET)]
    domains = []
    for text in arguments or ():
        if text in ids:
            continue
        parsed = parse_domain(text.removeprefix("."))
        if isinstance(parsed, BadAddress):
            raise typer.BadParameter(f"{text}: neither a domain nor a message's id")
        domains.append(f".{parsed}" if text.startswith(".") else parsed)
    return Targets(tuple(domains), tuple(ids))


def _change(config: Config, targets: Targets, done: str, job: Job) -> None:
    """Run a job with a progress bar, and say what it has done, also when it is interrupted or the broker goes away."""
    changed: Counter[str] = Counter()

    def counted(meant: Targets, follows: Follows) -> Follows:
        def count(message: Message) -> Sequence[Send] | None:
            sends = follows(message) if meant.concern(message.item) else None
            if sends is not None:
                changed[message.item.destination or message.item.envelope.recipients[0].domain] += 1
            return sends

        return count

    try:
        run(_run(config, [(queues, counted(meant, follows)) for queues, meant, follows in job.parts(targets)]))
    except KeyboardInterrupt:
        _say(changed, done)
        raise SluiceError("interrupted: nothing is lost, run it again to go on") from None
    except SluiceError:
        _say(changed, done)
        raise
    _say(changed, done)


async def _run(config: Config, parts: Sequence[tuple[Sequence[str], Follows]]) -> None:
    async with operating(config) as operator:
        ready = {depth.queue: depth.ready for depth in await operator.depths()}
        with _bar() as bar:
            task = bar.add_task("", total=sum(ready.get(queue, 0) for queues, _ in parts for queue in queues))

            def shown(follows: Follows, message: Message) -> Sequence[Send] | None:
                bar.advance(task)
                return follows(message)

            for queues, follows in parts:
                await waiting.sweep(operator, queues, partial(shown, follows))


def _bar() -> Progress:
    """Return a bar on standard error, which nobody sees in a pipe."""
    err = Console(stderr=True)
    columns = (TextColumn("messages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _say(changed: Counter[str], done: str) -> None:
    shown = table("domain", done, numbers=(done,))
    for domain, count in changed.most_common(MOST_DOMAINS):
        shown.add_row(plain(domain), str(count))
    others = sum(count for _, count in changed.most_common()[MOST_DOMAINS:])
    if others:
        shown.add_row(f"{len(changed) - MOST_DOMAINS} others", str(others))
    shown.add_section()
    shown.add_row("total", str(changed.total()), style="bold")
    console().print(shown)


async def _found(
    operator: Operator, targets: Targets, queues: Sequence[str] = waiting.WAITING
) -> AsyncIterator[tuple[Kept, Message]]:
    async for kept in operator.kept(queues):
        if kept.message is not None and targets.concern(kept.message.item):
            yield kept, kept.message
