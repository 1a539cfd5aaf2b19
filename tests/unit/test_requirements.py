"""requirements/*.lock: every dependency pinned with its hashes, the same version everywhere, no registry named."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PIN = re.compile(r"^([a-z0-9-]+)==([^ ]+)((?: ;[^\\]*)?) \\$")


def pins(lock: Path) -> dict[str, str]:
    """Return name -> version; AssertionError for a line that is neither a pin, a hash of it, nor a comment."""
    found: dict[str, str] = {}
    for line in lock.read_text().splitlines():
        if match := PIN.match(line):
            found[match[1]] = match[2]
        else:
            assert re.match(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$|^ *#|^$", line), f"{lock.name}: {line}"
    return found


def wanted(extra: str) -> set[str]:
    """Return the names that an extra asks for, extras of ours that it names included."""
    named: set[str] = set()
    for requirement in PROJECT["project"]["optional-dependencies"][extra]:
        if inner := re.match(r"mailsluice\[(.*)\]", requirement):
            for name in inner[1].split(","):
                named |= wanted(name)
        else:
            named.add(name_of(requirement))
    return named


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match
    return match[0].lower().replace("_", "-")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_is_pinned_with_hashes_and_names_no_registry(lock: Path) -> None:
    assert pins(lock)
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.stem != "fuzz"], ids=lambda lock: lock.stem)
def test_a_lock_has_the_versions_that_are_tested(lock: Path) -> None:
    assert pins(lock).items() <= pins(ROOT / "requirements/dev.lock").items()


@pytest.mark.parametrize("extra", ["ingress", "screener", "delivery", "all"])
def test_a_service_is_locked_with_what_it_asks_for(extra: str) -> None:
    base = {name_of(requirement) for requirement in PROJECT["project"]["dependencies"]}
    assert base | wanted(extra) <= pins(ROOT / f"requirements/{extra}.lock").keys()


@pytest.mark.parametrize("group", ["test", "lint", "build"])
def test_the_development_lock_has_every_group(group: str) -> None:
    assert {name_of(requirement) for requirement in PROJECT["dependency-groups"][group]} <= pins(
        ROOT / "requirements/dev.lock"
    ).keys()
