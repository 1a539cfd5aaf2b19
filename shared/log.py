"""Logging: one structured line per event, with the message's id; the one home of structlog."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog

from shared.config.model import Log, LogFormat

SECRET = frozenset({"password", "secret", "token", "credentials", "authorization"})
"""Fields that never reach a line, whatever a caller passes."""

_encode = msgspec.json.Encoder(enc_hook=repr).encode


class _Fields:
    """The processor that adds what every line has, and hides what none may have."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: Any, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if not SECRET.isdisjoint(event):
            for key in SECRET & event.keys():
                event[key] = "(hidden)"
        what = event.pop("event")
        # When and what first: people read the lines, too.
        return {"timestamp": datetime.now(UTC), "level": level, "event": what, "service": self._service, **event}


def _json(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    """Return a line of ASCII: whatever a client has sent, no terminal that shows the log obeys it."""
    try:
        line = _encode(event)
    except (TypeError, ValueError):  # lone surrogates, of a file name say
        line = b"\xff"
    return line.decode("ascii") if line.isascii() else json.dumps(event, default=_shown)


def _shown(value: object) -> object:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)


def _readable(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = _shown(event["timestamp"])
    return event


def set_up(log: Log, service: str, stream: TextIO = sys.stderr) -> None:
    """Send every later line to `stream` in the configured format, libraries' warnings included."""
    level = logging.getLevelNamesMapping().get(log.level.upper(), logging.INFO)
    form: list[structlog.typing.Processor] = (
        [_json] if log.format is LogFormat.JSON else [_readable, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    )
    structlog.configure(
        processors=[_Fields(service), structlog.processors.format_exc_info, *form],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=stream, level=max(level, logging.WARNING), format="%(name)s: %(message)s", force=True)


def get(**fields: Any) -> Any:
    """Return a logger; `fields` stand on each of its lines. Call as `log.info("event", id=..., key=value)`."""
    return structlog.get_logger(**fields)
