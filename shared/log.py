"""Logging: one structured line per event, with the message's id; the one home of structlog."""

import logging
import sys
from typing import Any, TextIO

import structlog

from shared.config.model import Log, LogFormat

SECRET = frozenset({"password", "secret", "token", "credentials", "authorization"})
"""Fields that never reach a line, whatever a caller passes."""


def _hide_secrets(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in SECRET & event.keys():
        event[key] = "(hidden)"
    return event


def set_up(log: Log, service: str, stream: TextIO = sys.stderr) -> None:
    """Send every later line to `stream` in the configured format, libraries' warnings included."""
    level = logging.getLevelNamesMapping().get(log.level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_secrets,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer()
            if log.format is LogFormat.JSON
            else structlog.dev.ConsoleRenderer(colors=stream.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(stream=stream, level=max(level, logging.WARNING), format="%(name)s: %(message)s", force=True)


def get(**fields: Any) -> Any:
    """Return a logger; `fields` stand on each of its lines. Call as `log.info("event", id=..., key=value)`."""
    return structlog.get_logger(**fields)
