"""`sluice check`: what is wrong with the configuration, what opens the relay, and what does not answer."""

import ipaddress
import os
import stat
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
    return Facts(gateways=_gateways() if _in_container() else (), readable_by_all=readable)


def _in_container() -> bool:
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")) or (
        "KUBERNETES_SERVICE_HOST" in os.environ
    )


def _gateways() -> tuple[str, ...]:
    try:
        return gateways(Path("/proc/net/route").read_text(encoding="ascii"))
    except OSError:
        return ()


def gateways(routes: str) -> tuple[str, ...]:
    """Return the IPv4 gateways that the kernel's table names (proc(5): little-endian hexadecimal).

    Of a network without a route through one, the first address: there Docker and its kin have it.
    """
    found: list[ipaddress.IPv4Address] = []
    for line in routes.splitlines()[1:]:
        columns = line.split()
        destination, gateway, mask = (int.from_bytes(bytes.fromhex(columns[at])[::-1]) for at in (1, 2, 7))
        found.append(ipaddress.IPv4Address(gateway or (destination & mask) + 1))
    return tuple(dict.fromkeys(str(address) for address in found if not address.is_loopback))
