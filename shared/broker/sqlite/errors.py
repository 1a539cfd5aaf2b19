"""SQLite's errors as the product's."""

import sqlite3
from pathlib import Path

from shared.errors import BrokerError, BrokerFull, BrokerUnavailable, MessageTooLarge

_PRIMARY = 0xFF
"""The low octet of an extended result code is the primary one (sqlite.org/rescode.html)."""


def explain(error: sqlite3.Error, path: Path) -> BrokerError:
    """Return the error that a publisher is told; unknown means temporary."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & _PRIMARY
    if primary == sqlite3.SQLITE_FULL:
        return BrokerFull(f"{path}: no space left for the queue file: free some; it goes on by itself")
    if primary == sqlite3.SQLITE_TOOBIG:
        return MessageTooLarge(f"{path}: a message over SQLite's limit on one value: lower max_message_size")
    if is_busy(error):
        return BrokerUnavailable(f"{path}: another process keeps the queue file locked")
    return BrokerUnavailable(f"{path}: {error}")


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another process had the file locked: the same transaction is worth repeating as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
