"""The embedded broker: one SQLite file, the default of `sluice up`; the one home of sqlite3."""

from pathlib import Path

from shared.broker.sqlite.broker import Options, SqliteBroker
from shared.broker.sqlite.lock import StoreInUse
from shared.broker.sqlite.operator import SqliteOperator
from shared.broker.sqlite.url import SCHEME, path_of

__all__ = [
    "SCHEME",
    "Options",
    "SqliteBroker",
    "SqliteOperator",
    "StoreInUse",
    "open_broker",
    "open_operator",
    "path_of",
]

_RELAY = Options()
_LOOK = Options(create=False)


async def open_broker(path: Path, options: Options = _RELAY) -> SqliteBroker:
    """Return a broker on the queue file at `path`. Raise ConfigError or BrokerUnavailable.

    Any process may publish; `subscribe` raises StoreInUse if another process takes mail from the file.
    """
    broker = SqliteBroker(path, options)
    await broker.open()
    return broker


async def open_operator(path: Path, options: Options = _LOOK) -> SqliteOperator:
    """Return an operator on the queue file at `path`, also while another process relays from it."""
    operator = SqliteOperator(path, options)
    await operator.open()
    return operator
