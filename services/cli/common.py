"""What the commands share: configuration, output, missing extras."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from shared.broker.adapters import open_operator
from shared.broker.port import Operator
from shared.config.load import find, load
from shared.config.model import Config
from shared.errors import SluiceError

T = TypeVar("T")

FAILED = 1
USAGE = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="SLUICE_CONFIG",
        show_default="./sluice.toml, then /etc/sluice/sluice.toml",
        help="The configuration file.",
    ),
]

PIPED_WIDTH = 2000
"""Columns when nobody looks: lines are never folded for a program."""


def load_config(path: Path | None) -> Config:
    """Return the configuration that a command works with. Raise ConfigError."""
    return load(find(path), os.environ)


def console() -> Console:
    """Return the console for results: colours and lines on a terminal, plain aligned text in a pipe."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=PIPED_WIDTH)


def table(*headings: str, numbers: Sequence[str] = ()) -> Table:
    """Return an empty table; `numbers` names the headings of columns aligned to the right."""
    lines = console().is_terminal
    made = Table(pad_edge=lines) if lines else Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        made.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    return made


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part."""
    return asyncio.run(coroutine)


@contextlib.asynccontextmanager
async def operating(config: Config) -> AsyncIterator[Operator]:
    """Yield an operator's access to the broker. Raise BrokerError if it cannot be reached."""
    with extra("rabbitmq"):
        operator = await open_operator(config)
    try:
        yield operator
    finally:
        await operator.close()


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn the absence of a library into a line that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"services", "shared"}:
            raise
        raise SluiceError(
            f'this installation has no "{package}": install the extra with: pip install "mailsluice[{name}]"'
        ) from error
