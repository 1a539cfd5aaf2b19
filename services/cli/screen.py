"""`sluice screen`: the screener without a relay."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from services.cli.common import ConfigOption, console, extra, load_config, table
from shared.config.kinds import mailbox
from shared.errors import ConfigError
from shared.model import Action, Direction

if TYPE_CHECKING:
    from services.screener.offline import Result

STDIN = Path("-")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(screen)


def screen(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...|-", help="Messages, maildirs, folders; - is stdin.")],
    as_json: Annotated[
        int,
        typer.Option(
            "--json",
            count=True,
            show_default=False,
            metavar="",
            help="One JSON object a line, in order; given twice, with remarks and shadow rules.",
        ),
    ] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write what would go on (one message only).")
    ] = None,
    direction: Annotated[Direction, typer.Option(help="Whose rules apply.")] = Direction.INBOUND,
    envelope: Annotated[
        tuple[str, str], typer.Option(metavar="FROM TO", help="Sender and recipient, for rules that ask for them.")
    ] = ("", ""),
    config: ConfigOption = None,
) -> None:
    """Screen messages offline: nothing is sent, kept, or scanned by clamd. Exit status 0 whatever the verdict.

    The verdict is pass, strip, block or quarantine, with the names of the rules that decided. Remarks say what is
    sloppy in a message and no reason by itself; shadow rules only report.

    Example: `sluice screen --json --direction outbound message.eml ~/Maildir`
    """
    loaded = load_config(config)
    with extra("screener"):
        from services.screener.offline import People, screen_bytes, to_json
    sender, recipient = (_address(text) for text in envelope)
    people = People(sender or None, recipient)
    first: Result | None = None
    shown = table("file", "verdict", "reasons", "parts", "shadow", "remarks")
    for name, data in _messages(files):
        if out is not None and first is not None:
            raise ConfigError("--out: takes what becomes of one message: name one file")
        result = screen_bytes(loaded, data, direction, time.time(), people)
        first = first or result
        if as_json:
            typer.echo(to_json(name, result, explain=as_json > 1))
        else:
            acted = [f"{part.action} {part.path} {', '.join(part.names)}" for part in result.verdict.parts]
            row = (
                name,
                result.verdict.action.value,
                ", ".join(result.verdict.reasons),
                "; ".join(acted),
                "; ".join(result.verdict.shadow),
                ", ".join(result.verdict.remarks),
            )
            shown.add_row(*(Text(text) for text in row))
    if not as_json:
        console().print(shown)
    if out is not None and first is not None:
        _write(out, first)


def _address(text: str) -> str:
    """Return an address in its canonical form; an empty one stays so."""
    try:
        return mailbox(text) if text else ""
    except ValueError as error:
        raise ConfigError(f"--envelope: {error}") from None


def _messages(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield name and octets of each message. Raise ConfigError, a usage error, for a path that cannot be read."""
    with extra("screener"):
        from services.screener.offline import iter_messages
    for path in files:
        if path == STDIN:
            yield "-", sys.stdin.buffer.read()
            continue
        try:
            yield from iter_messages([path])
        except OSError as error:
            raise ConfigError(f"{error.filename or path}: cannot read it: {error.strerror}") from None


def _write(out: Path, result: "Result") -> None:
    """Write what would be delivered; of a blocked or quarantined message nothing goes on, and that is said."""
    if result.verdict.action not in {Action.PASS, Action.STRIP}:
        typer.echo(
            f"sluice: --out: {out} not written: nothing of the message goes on ({result.verdict.action})", err=True
        )
        return
    try:
        out.write_bytes(result.content)
    except OSError as error:
        raise ConfigError(f"--out: {out}: cannot write it: {error.strerror}") from None
