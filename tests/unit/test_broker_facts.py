"""The table of docs/adr/0004-broker-facts.md names tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/adr/0004-broker-facts.md").read_text("utf-8"))


def test_every_named_test_exists() -> None:
    """A fact whose test was renamed or dropped is a fact that nobody watches."""
    assert len(NAMED) > 40
    missing = [f"{path}::{name}" for path, name in NAMED if name not in _tests_of(ROOT / path)]
    assert missing == []


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8")) if path.exists() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
