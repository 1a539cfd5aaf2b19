"""`python -m tests.catalogue.mutants`: take out each rule of the MIME engine by itself, and see the catalogue fail.

A mutant is a copy of the sources with one statement that notes an anomaly or a remark undone, or with one reading
left out. One that no case notices is printed, and the exit status is 1.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from services.screener.rules import compile_rules
from services.screener.screening import screen
from shared.config.model import Rules
from shared.model import Direction
from tests.catalogue.test_catalogue import CASES

ROOT = Path(__file__).parents[2]
ENGINE = "services/screener/mime"
_NOTED = re.compile(r"\b(?:found|anomalies|doubts|remarks|self\.anomalies|self\.remarks)\.add\((?=Anomaly|Remark|\n)")
_LITERAL = re.compile(r"\{Anomaly\.\w+\} if ")
READINGS = {
    f"{ENGINE}/filenames.py": ["        found += _extended(base, params)", "            readings += [decode_words(_WIDE", "        found.append(_charset_value", "        readings.append(decode_octets(octets))"],
    f"{ENGINE}/describe.py": ["        names += filenames.hinted(header.values)"],
    f"{ENGINE}/header.py": ["        found += [_hidden(m[1]", "        found += inside", "    fields.append(_hidden("],
    f"{ENGINE}/tree.py": ['            self._split(body, boundary, inside._replace(sealed=inside.sealed or "guessed"', "                self._split(longer.body", "                self._reread(part, region, inside)", "            self._message(part, inside)", "        self._files(part, body, inside)", "                self._files(part, region._replace(start=start), inside)"],
    "services/screener/identity/recognise.py": ["        found |= dict.fromkeys(detect(view) for view in shifted if is_certain(view))"],
    "services/screener/identity/names.py": ["        yield decode_octets(once)", "        yield decode_octets(percent_decoded(once))", "        yield html.unescape(name)", '        yield decode_octets(name.encode("ascii"), "utf-7")'],
}  # fmt: skip
"""Statements that add a reading; each becomes `pass`."""


class Mutant(NamedTuple):
    """One change: a file, where in it, and what stands there instead."""

    path: str
    start: int
    end: int
    instead: str

    def __str__(self) -> str:
        text = (ROOT / self.path).read_text()
        line = text.count("\n", 0, self.start) + 1
        return f"{self.path}:{line}: {text[self.start : self.start + 90].split(chr(10))[0].strip()}"


def mutants() -> Iterator[Mutant]:
    """Yield every mutant."""
    for path in sorted((*(ROOT / ENGINE).glob("*.py"), *(ROOT / "services/screener/identity").glob("*.py"))):
        text = path.read_text()
        name = path.relative_to(ROOT).as_posix()
        for match in _NOTED.finditer(text):
            yield Mutant(name, match.start(), match.end(), match[0].replace(".add(", ".discard("))
        for match in _LITERAL.finditer(text):
            yield Mutant(name, match.start(), match.end(), "set() if ")
        for statement in READINGS.get(name, []):
            start = text.index(statement)
            indent = len(statement) - len(statement.lstrip())
            yield Mutant(name, start + indent, start + indent, "() if True else ")


def is_noticed(mutant: Mutant) -> bool:
    """Return whether a case of the catalogue fails, or the sources do, with the change made."""
    with tempfile.TemporaryDirectory() as folder:
        for package in ("services", "shared", "tests"):
            shutil.copytree(ROOT / package, Path(folder) / package, ignore=shutil.ignore_patterns("__pycache__"))
        path = Path(folder) / mutant.path
        text = path.read_text()
        start = mutant.start
        if mutant.start == mutant.end:  # a statement: `pass` in its place, to the end of its brackets
            end = _end_of_statement(text, start)
            text = f"{text[:start]}pass{text[end:]}"
        else:
            text = text[:start] + mutant.instead + text[mutant.end :]
        path.write_text(text)
        command = [sys.executable, "-m", "tests.catalogue.mutants", "--check"]
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False).returncode != 0


def _end_of_statement(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if text[at] == "\n" and depth == 0:
            return at
    return len(text)


def failures() -> int:
    """Return how many cases the sources as they are fail, the resources' ones first."""
    rules = compile_rules(Rules(), Direction.INBOUND)
    count = 0
    for case in CASES:
        screening = screen(case.raw(), rules)
        found = {seen.finding.rule for seen in screening.seen if seen.finding is not None}
        right = set(case.doubt) <= set(screening.ruling.reasons) and screening.ruling.ambiguous is bool(case.doubt)
        right = right and (case.rule in found if case.rule else not found)
        count += not (right and (case.remark is None or case.remark in screening.remarks))
    return count


def main() -> int:
    """Check the sources, or try every mutant and print those that nothing notices."""
    if "--check" in sys.argv:
        return 1 if failures() else 0
    found = list(mutants())
    with ThreadPoolExecutor(2) as pool:
        noticed = list(pool.map(is_noticed, found))
    missed = [mutant for mutant, seen in zip(found, noticed, strict=True) if not seen]
    print(f"{len(found)} mutants, {len(missed)} not noticed")
    print("\n".join(map(str, missed)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
