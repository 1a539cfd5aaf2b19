"""The log's lines: what each has, what none may have, and that no terminal obeys them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from shared import log
from shared.config.model import Log, LogFormat


def line(**fields: object) -> tuple[str, dict[str, Any]]:
    """Log one event; return its line as written and as read."""
    stream = io.StringIO()
    log.set_up(Log(), "ingress", stream)
    log.get().info("accepted", **fields)
    written = stream.getvalue()
    return written, json.loads(written)


def test_what_every_line_has() -> None:
    """One line of JSON: the event, its fields, the service, level and time in UTC."""
    written, read = line(id="01", recipients=["a@b.example"], user=None)
    assert written.endswith("}\n")
    assert written.count("\n") == 1
    assert read.pop("timestamp").endswith("Z")
    assert read == {
        "event": "accepted",
        "id": "01",
        "recipients": ["a@b.example"],
        "user": None,
        "service": "ingress",
        "level": "info",
    }


@pytest.mark.parametrize("name", sorted(log.SECRET))
def test_secrets_are_hidden(name: str) -> None:
    """Whatever a caller passes."""
    written, read = line(**{name: "swordfish"})
    assert read[name] == "(hidden)"
    assert "swordfish" not in written


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "\r\nforged line", "j\u00fcrgen", "\u2028", "\udc80"])
def test_no_terminal_obeys_what_a_client_sent(text: str) -> None:
    """The line is printable ASCII, and reads back as what was logged."""
    written, read = line(argument=text)
    assert written[:-1].isascii()
    assert written[:-1].isprintable()
    assert read["argument"] == text


def test_what_json_does_not_know() -> None:
    """It is shown as Python shows it."""
    _, read = line(path=Path("/x"), error=ValueError("y"))
    assert read["path"].endswith("Path('/x')")
    assert read["error"] == "ValueError('y')"


@pytest.mark.parametrize("form", list(LogFormat))
def test_an_exception_has_its_traceback(form: LogFormat) -> None:
    """In both formats, the traceback and the service are there."""
    stream = io.StringIO()
    log.set_up(Log(format=form), "delivery", stream)
    log.get().error("command failed", exc_info=KeyError("z"))
    assert "KeyError: 'z'" in stream.getvalue()
    assert "delivery" in stream.getvalue()
