"""The queue file: its tables, its version, and a connection that is as durable as it claims."""

import os
import sqlite3
from pathlib import Path

from shared.errors import BrokerUnavailable, ConfigError

APPLICATION_ID = 0x534C4345
"""Marks a file as ours (SQLite's header, offset 68): "SLCE"."""

VERSION = 1

# The state of an item beside its octets, so that a change of state never rewrites a body (BROKER.md 35).
# `ready` holds only what may be leased, in the order it is leased in.
_CREATE = """
CREATE TABLE item (
  seq        INTEGER PRIMARY KEY,
  queue      TEXT    NOT NULL,
  due_at     REAL    NOT NULL,
  leased     INTEGER NOT NULL DEFAULT 0,
  returns    INTEGER NOT NULL DEFAULT 0,
  message_id TEXT    NOT NULL,
  reason     TEXT
);
CREATE TABLE body (seq INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE probe (writes INTEGER NOT NULL);
CREATE INDEX ready ON item (queue, due_at, seq) WHERE leased = 0;
CREATE INDEX leased ON item (seq) WHERE leased = 1;
INSERT INTO probe VALUES (0);
"""

MIGRATIONS: dict[int, str] = {0: _CREATE}
"""From each version to the next; a file of any version ever shipped opens."""


def connect(path: Path, busy_timeout: float, *, create: bool, threads: bool = False) -> sqlite3.Connection:
    """Open the queue file at `path`, at the present version, every commit fsynced.

    `busy_timeout`: seconds to wait for another process that writes. Autocommit: transactions are begun explicitly.
    `threads`: the caller takes turns between threads.
    Raise ConfigError if the file cannot be ours, BrokerUnavailable if it cannot be opened now.
    """
    _prepare(path, create=create)
    try:
        connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=not threads)
    except sqlite3.Error as error:
        raise BrokerUnavailable(f"{path}: cannot be opened: {error}") from error
    try:
        _recognise(connection, path)
        _set_up(connection, path)
        _migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise BrokerUnavailable(f"{path}: cannot be used as a queue file: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(path: Path, *, create: bool) -> None:
    """Create the file, for its owner only: it holds people's mail. SQLite gives its companions the same mode."""
    if path.exists():
        return
    if not create:
        raise ConfigError(f"{path}: no such queue file: check `broker`; `sluice up` creates it")
    if not path.parent.is_dir():
        raise ConfigError(
            f"{path}: the directory {path.parent} does not exist: create it, or correct `broker` "
            "(an absolute path takes four slashes: sqlite:////var/lib/sluice/queue.db)"
        )
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be created: {error.strerror}") from error


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse files of other programs and of later releases before anything is written."""
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise ConfigError(f"{path}: not a queue file of ours: choose another file in `broker`") from error
        raise
    if tables and application != APPLICATION_ID:
        raise ConfigError(f"{path}: a database of another program: choose another file in `broker`")
    if version > VERSION:
        raise ConfigError(f"{path}: queue file version {version}, this release knows {VERSION}: use the later release")


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    """Set what each connection needs, and believe only what reads back."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:  # on a file with tables it would only be a write, which a full disk refuses
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = FAST")  # Debian's default, ON, rewrites every body that is deleted
    (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if journal != "wal" or synchronous != 2:
        raise ConfigError(f"{path}: not durable here (journal {journal}, synchronous {synchronous}): use a local disk")


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be doing the same
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    try:
        while version < VERSION:
            for statement in MIGRATIONS[version].split(";"):
                connection.execute(statement)
            version += 1
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
