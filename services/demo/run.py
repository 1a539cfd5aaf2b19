"""Running the cases one by one and showing them as they end."""

import smtplib
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from services.demo.cases import CASES, Case, Lab
from services.demo.destination import HOST, Destination
from services.demo.dns import DnsServer
from services.demo.relay import Relay
from shared.errors import SluiceError

ZONE = {
    ("elsewhere.example", "MX"): "10 mx.elsewhere.example.",
    ("mx.elsewhere.example", "A"): HOST,
}
"""`nowhere.example` is not there: NXDOMAIN."""


def run_demo(console: Console | None = None, cases: Sequence[Case] = CASES) -> int:
    """Show every case; return 0 if all went as expected, 1 if any did not."""
    console = console or Console()
    console.print("Starting DNS, a destination and `sluice up` on this machine; nothing leaves it.")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-demo-")))
        destination = stack.enter_context(Destination())
        nameserver = stack.enter_context(DnsServer(ZONE))
        try:
            relay = Relay(directory, destination.port, nameserver.address)
            relay.prepare()
            stack.callback(relay.kill)
            relay.start()
        except SluiceError as error:
            console.print(f"sluice: {error}", style="red", markup=False, highlight=False)
            return 1
        results = _play(cases, Lab(relay, destination), console)
        good = sum(actual == case.expected for case, actual in zip(cases, results, strict=True))
        if good < len(cases):
            console.print(f"The relay's log ends:\n{relay.log_tail()}", markup=False, highlight=False)
    style = "green" if good == len(cases) else "red"
    console.print(f"{good} of {len(cases)} cases as expected.", style=style)
    return 0 if good == len(cases) else 1


def _play(cases: Sequence[Case], lab: Lab, console: Console) -> list[str]:
    """Play every case in order; the table grows while they run."""
    results: list[str] = []
    start = time.monotonic()
    with Live(_table(cases, results), console=console, refresh_per_second=8) as live:
        for case in cases:
            results.append(_outcome(case, lab))
            live.update(_table(cases, results))
    if not console.is_terminal:
        console.line()  # Live leaves the last line of a pipe open
    console.print(f"Took {time.monotonic() - start:.1f} s.")
    return results


def _outcome(case: Case, lab: Lab) -> str:
    try:
        return case.play(lab)
    except (OSError, smtplib.SMTPException, SluiceError) as error:
        return f"{type(error).__name__}: {error}"


def _table(cases: Sequence[Case], results: Sequence[str]) -> Table:
    """Return the rows played so far and the one being played."""
    table = Table(title="Sluice at work")
    for heading in ("", "case", "expected", "actual"):
        table.add_column(heading, overflow="fold")
    for case, actual in zip(cases, results, strict=False):
        good = actual == case.expected
        mark = Text("ok", style="green") if good else Text("NO", style="bold red")
        table.add_row(mark, case.name, case.expected, Text(actual, style="" if good else "red"))
    if len(results) < len(cases):
        case = cases[len(results)]
        table.add_row(Spinner("dots"), case.name, case.expected, "")
    return table
