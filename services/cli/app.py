"""The command line as a whole, and what becomes of its errors: one line on standard error, never a traceback."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from services.cli import broker, check, dkim, quarantine, queue, screen, stages, tls_report, user
from services.cli.common import FAILED, USAGE
from shared import log
from shared.config.model import Log, LogFormat
from shared.errors import ConfigError, SluiceError

app = typer.Typer(
    name="sluice",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="An SMTP relay in three services that meet only in RabbitMQ. Start with `sluice up`, or `sluice demo`.",
)
stages.add_to(app)
check.add_to(app)
screen.add_to(app)
tls_report.add_to(app)
app.add_typer(user.app, name="user")
app.add_typer(dkim.app, name="dkim")
app.add_typer(queue.app, name="queue")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(broker.app, name="broker")

QUIET = Log(level="error", format=LogFormat.CONSOLE)
"""Of commands: what goes wrong is their one line. The stages set up their own."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {version('mailsluice')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def main() -> int:
    """Run `sluice` with the process' arguments; return its exit status: 0, 1 for failures, 2 for wrong usage."""
    log.set_up(QUIET, "cli")
    try:
        return int(app(standalone_mode=False, prog_name="sluice") or 0)
    except typer.TyperException as error:
        reason = error.format_message().rstrip(".")
        return _say(f"{reason}; see: sluice --help", error.exit_code) if reason else error.exit_code
    except SluiceError as error:
        return _say(str(error), USAGE if isinstance(error, ConfigError) else FAILED)
    except typer.Abort:
        return _say("aborted", FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: nothing left to flush to
        return FAILED
    except OSError as error:
        return _say(f"{error.filename or 'system'}: {error.strerror or error}", FAILED)


def _say(line: str, status: int) -> int:
    print("sluice:", " ".join(line.split()), file=sys.stderr)  # noqa: T201  (the command line's own voice)
    return status
