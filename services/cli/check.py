"""`sluice check`: what is wrong with the configuration, what opens the relay, and what does not answer."""

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path

import typer
from rich.text import Text

from services.cli.common import FAILED, ConfigOption, console, run, table
from services.cli.probes import PROBES
from shared.config.check import Facts, Problem, Severity, problems
from shared.config.load import find, load
from shared.config.model import Config

_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(config: ConfigOption = None) -> None:
    """Validate configuration, TLS files, DNS and broker; warn of anything that opens the relay.

    Exit status 1 if there is any error. Example: `sluice check --config sluice.toml`
    """
    path = find(config)
    loaded = load(path, os.environ)
    where = str(path) if path else "no file found: defaults and environment"
    findings = [
        Problem(Severity.OK, "configuration", where),
        *problems(loaded, facts_of(path)),
        *run(_probe(loaded)),
    ]
    shown = table("", "where", "what", "remedy")
    for finding in findings:
        mark = Text(finding.severity, style=_STYLES[finding.severity])
        shown.add_row(mark, Text(finding.key), Text(finding.reason), Text(finding.remedy))
    console().print(shown)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(FAILED)


async def _probe(config: Config) -> list[Problem]:
    return [finding for probe in PROBES for finding in await probe(config)]


def facts_of(path: Path | None) -> Facts:
    """Return what this machine adds to a configuration read from `path`."""
    readable = path is not None and bool(path.stat().st_mode & stat.S_IROTH)
    return Facts(gateway=_gateway() if _in_container() else None, readable_by_all=readable)


def _in_container() -> bool:
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")) or (
        "KUBERNETES_SERVICE_HOST" in os.environ
    )


def _gateway() -> str | None:
    """Return the IPv4 default route's gateway, from the kernel's table (proc(5): little-endian hexadecimal)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]:
            _, destination, gateway, *_ = line.split()
            if destination == "00000000":
                return socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))
    return None
