"""`make bench-screener`: the screener beside the standard library's `email` (policy.default), on the same messages.

Rounds are interleaved, so that a noisy neighbour hits both; a figure is the best round's, since noise only adds.
`email` does the same work: it says whether a message has an attachment, or takes it apart, decodes it and puts it
together again. Memory is the most that one process ever holds beyond what it held before, each in a fresh process.
"""

import argparse
import ctypes
import email
import email.policy
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.screener.assess import House, assess
from services.screener.rules import compile_rules
from services.screener.screening import screen
from shared.config.model import Rules
from shared.model import Direction
from tests.catalogue.test_catalogue import CASES
from tests.ordinary.writing import DKIM, RECEIVED
from tests.support.mail_samples import HEAD, TEXT, attachment, crlf, multipart

RULES = compile_rules(Rules(), Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 86400)
LARGE = 5_000_000
SMALL = 2048
PARAGRAPH = "Dear Bob,\n\nthis is a line of an ordinary message, and the next one follows.\n"

Work = Callable[[bytes], object]


def text_mail() -> bytes:
    """Return a text of 2 KiB with the fields that mail has when it arrives."""
    fields = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    return crlf(f"{RECEIVED}{DKIM}{HEAD}{fields}\n{PARAGRAPH * 30}")[: SMALL - 2] + b"\r\n"


def large_mail() -> bytes:
    """Return 5 MB with one PDF."""
    octets = b"%PDF-1.7\n" + bytes(range(256)) * (LARGE * 3 // 4 // 256 - 100)
    return multipart([TEXT, attachment("report.pdf", octets, "application/pdf")])


def sluice(raw: bytes) -> object:
    return assess(raw, RULES, HOUSE, "reference", 0.0)


def parsed(raw: bytes) -> object:
    return email.message_from_bytes(raw, policy=email.policy.default)


def asked(raw: bytes) -> object:
    """Ask every part for what a filter by name and type asks."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return [(p.get_content_type(), p.get_filename(), p.get_content_disposition()) for p in message.walk()]


def taken_apart(raw: bytes) -> object:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    decoded = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    return message.as_bytes(), decoded


def best(works: Mapping[str, Work], raw: bytes, rounds: int, repeat: int) -> dict[str, float]:
    """Return the seconds of one call of each, in its best round."""
    found = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            started = time.perf_counter()
            for _ in range(repeat):
                work(raw)
            found[name] = min(found[name], (time.perf_counter() - started) / repeat)
    return found


def most_memory(name: str, path: str) -> int:
    """Return the octets that a fresh process holds at most while it works on the message, the message included."""
    command = [sys.executable, "-m", "bench.screener", "--memory", name, path]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def measure(work: Work, path: str) -> int:
    """Return the octets by which this process's resident memory grows at most."""
    work(text_mail())
    # What importing took and gave back would hide what is measured: give it to the system, and forget the most so far.
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS:")
    work(Path(path).read_bytes())
    return _memory("VmHWM:") - before


def _memory(which: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().partition(which)[2].split()[0])


def catalogue() -> tuple[int, float]:
    """Return how many messages the catalogue has in all its variants, and the CPU seconds that screening them costs."""
    messages = [raw for case in CASES for _, raw in case.variants()]
    started = time.process_time()
    for raw in messages:
        screen(raw, RULES)
    return len(messages), time.process_time() - started


def main(argv: Sequence[str] | None = None) -> None:
    """Run all of it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.memory:
        name, path = options.memory
        print(measure({"sluice": sluice, "email": taken_apart}[name], path))
        return
    small, large = text_mail(), large_mail()
    table = Table("what", "Sluice", "email", "ratio", title="the screener beside email (policy.default)")

    def row(what: str, works: Mapping[str, Work], raw: bytes, repeat: int, unit: str) -> None:
        scale = {"us": 1e6, "ms": 1e3}[unit]
        ours, theirs = best(works, raw, options.rounds, repeat).values()
        table.add_row(what, f"{ours * scale:.1f} {unit}", f"{theirs * scale:.1f} {unit}", f"{theirs / ours:.1f}")

    row("2 KiB text, fast path; email parses", {"a": sluice, "b": parsed}, small, 200, "us")
    row(
        "2 KiB text, fast path; email parses and is asked",
        {"a": sluice, "b": asked},
        small,
        200,
        "us",
    )
    row(
        "2 KiB text, full parse; email parses and is asked",
        {"a": lambda raw: screen(raw, RULES), "b": asked},
        small,
        50,
        "us",
    )
    row("5 MB with one PDF; email parses, decodes, serialises", {"a": sluice, "b": taken_apart}, large, 1, "ms")
    with tempfile.NamedTemporaryFile() as file:
        file.write(large)
        file.flush()
        ours, theirs = (most_memory(name, file.name) for name in ("sluice", "email"))
    size = len(large)
    table.add_row(
        "the same, memory in sizes of the message", f"{ours / size:.2f}", f"{theirs / size:.2f}", f"{theirs / ours:.1f}"
    )
    count, seconds = catalogue()
    table.add_row(f"the catalogue, {count} messages", f"{count / seconds:.0f} a second of CPU", "", "")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
