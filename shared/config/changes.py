"""What differs between two configurations, and what of it a running process can take. Pure; no value is ever named."""

from collections.abc import Iterator
from typing import Any

import msgspec

from shared.config.model import Config, Listener, Section

FIXED = (
    "broker",
    "broker_password",
    "ingress.nameservers",
    "delivery.nameservers",
    "delivery.dnssec",
    "screener.concurrency",
    "delivery.concurrency",
    "delivery.buffer",
    "auth.max_failures_per_address",
    "auth.max_failures_per_account",
    "auth.failure_delay",
    "auth.lockout",
    "ops.address",
    "log.level",
    "log.format",
)
"""Keys that count until the process ends: what was opened with them stays open, and no failed log-in is forgotten.

`ingress.listener` is the other.
"""
LISTENERS = "ingress.listener"


def changes(old: Config, new: Config) -> list[str]:
    """Return the keys whose values differ, in order; a list is one key."""
    return sorted(_changes((), old, new))


def _changes(path: tuple[str, ...], old: Any, new: Any) -> Iterator[str]:
    if type(old) is type(new) and isinstance(old, Section):
        for name in old.__struct_fields__:
            yield from _changes((*path, name), getattr(old, name), getattr(new, name))
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            yield from _changes((*path, f'"{name}"'), old.get(name), new.get(name))
    elif old != new:
        yield ".".join(path)


def in_force(old: Config, new: Config) -> tuple[Config, list[str]]:
    """Return the new configuration as far as a process that runs with `old` can take it, and the keys it cannot.

    Listeners are taken with their options where all have the addresses and modes of before; else the old ones stay.
    """
    kept = []
    for key in FIXED:
        path = key.split(".")
        value = _at(old, path)
        if value != _at(new, path):
            new = _with(new, path, value)
            kept.append(key)
    if _doors(old) != _doors(new):
        new = _with(new, LISTENERS.split("."), old.ingress.listener)
        kept.append(LISTENERS)
    return new, kept


def _doors(config: Config) -> list[tuple[str, str]]:
    def door(listener: Listener) -> tuple[str, str]:
        return listener.address, listener.mode

    return [door(listener) for listener in config.ingress.listener]


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        value = getattr(value, name)
    return value


def _with(section: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    inner = _with(getattr(section, name), rest, value) if rest else value
    return msgspec.structs.replace(section, **{name: inner})
