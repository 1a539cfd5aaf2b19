"""`sluice up`, `ingress`, `screener`, `delivery`, `demo`: processes that run until a signal, or until done."""

import os
from collections.abc import Callable

import typer

from services.cli.common import ConfigOption, extra
from services.cli.surroundings import facts_of
from shared import log
from shared.config.check import problems
from shared.config.load import Loaded, find, load_from


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, ingress, screener, delivery, demo):
        app.command()(command)


def up(config: ConfigOption = None) -> None:
    """Run all three stages in one process, by default on the embedded broker.

    Example: `sluice up --config sluice.toml`
    """
    with extra("all"):
        from services.embedded import main
    _run("up", main, config, warn=True)


def ingress(config: ConfigOption = None) -> None:
    """Run the front door: SMTP in, policy, into the broker.

    Example: `sluice ingress --config /etc/sluice/sluice.toml`
    """
    with extra("ingress"):
        from services.ingress.__main__ import main
    _run("ingress", main, config, warn=True)


def screener(config: ConfigOption = None) -> None:
    """Run the attachment screener, between the broker and the broker.

    Example: `sluice screener`
    """
    with extra("screener"):
        from services.screener.__main__ import main
    _run("screener", main, config)


def delivery(config: ConfigOption = None) -> None:
    """Run delivery: from the broker to the next hops.

    Example: `sluice delivery`
    """
    with extra("delivery"):
        from services.delivery.__main__ import main
    _run("delivery", main, config)


def demo() -> None:
    """Show the relay at work on this machine alone; exit status 1 if anything differs from what is expected.

    Example: `sluice demo`
    """
    with extra("all"):
        from services.demo import run_demo
    raise typer.Exit(run_demo())


def _run(service: str, main: Callable[[Loaded], int], given: ConfigOption, *, warn: bool = False) -> None:
    """Run one service's `main`, after a line about where the configuration came from."""
    path = find(given)
    loaded = load_from(path, os.environ)
    config = loaded.config
    log.set_up(config.log, service)
    log.get().info("configuration", file=str(path) if path else None)
    for problem in problems(config, facts_of(path)) if warn else ():
        log.get().warning("configuration problem", severity=problem.severity, problem=str(problem))
    raise typer.Exit(main(loaded))
