"""Broker URLs of the embedded broker."""

from pathlib import Path

from shared.errors import ConfigError

SCHEME = "sqlite:///"


def path_of(url: str) -> Path:
    """Return the file that `url` names: `sqlite:///relative.db` or `sqlite:////absolute/path.db`.

    Raise ConfigError for anything else.
    """
    name = url.removeprefix(SCHEME)
    if name == url or not name.strip("/") or name.endswith("/") or "\0" in name or name == ":memory:":
        raise ConfigError(
            f'broker = "{url}": not the URL of a queue file: write sqlite:///queue.db, relative to where sluice is '
            "started, or with four slashes sqlite:////var/lib/sluice/queue.db"
        )
    return Path(name)
