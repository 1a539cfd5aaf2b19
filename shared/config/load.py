"""Reading the configuration: a TOML file, then environment variables over it, then secrets from files."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import inspect

from shared.config.environment import overlay
from shared.config.model import Config
from shared.config.read import Place, read, secret_names
from shared.errors import ConfigError

SEARCHED = (Path("sluice.toml"), Path("/etc/sluice/sluice.toml"))
"""Where the configuration is looked for, first found counts."""

SECRETS = frozenset(secret_names(inspect.type_info(Config)))


def find(given: Path | None, searched: Sequence[Path] = SEARCHED) -> Path | None:
    """Return the file to read: the one given, or the first that exists, or None: then defaults count."""
    return given or next((path for path in searched if path.is_file()), None)


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Return the configuration from a file (None: only defaults) and the environment.

    Relative paths in the file start at its folder, those in variables at the working directory. Raise
    ConfigError with one line: file or variable, key, reason, and the remedy or the nearest valid key.
    """
    tree = overlay(_parse(path) if path else {}, env, SECRETS)
    place = Place(str(path) if path else "", (), path.parent if path else Path())
    config = read(inspect.type_info(Config), tree, place)
    assert isinstance(config, Config)  # noqa: S101  (for the type checker: the type info is that of Config)
    return config


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read it: {error.strerror}; name another with --config") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at octet {error.start}: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
