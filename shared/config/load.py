"""Reading the configuration: a TOML file, then environment variables over it, then secrets from files."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import inspect

from shared.config.environment import overlay
from shared.config.model import Config
from shared.config.read import Place, read, secret_names
from shared.errors import ConfigError
from shared.stamps import Stamps

SEARCHED = (Path("sluice.toml"), Path("/etc/sluice/sluice.toml"))
"""Where the configuration is looked for, first found counts."""

SECRETS = frozenset(secret_names(inspect.type_info(Config)))


def find(given: Path | None, searched: Sequence[Path] = SEARCHED) -> Path | None:
    """Return the file to read: the one given, or the first that exists, or None: then defaults count."""
    return given or next((path for path in searched if path.is_file()), None)


class Source(NamedTuple):
    """Where a configuration comes from: a file (None: only defaults), and variables over it."""

    path: Path | None
    env: Mapping[str, str]

    def read(self, named: Stamps) -> Config:
        """Return what stands there now; `named` takes every file it names, itself included, also if this fails.

        Relative paths in the file start at its folder, those in variables at the working directory. Raise
        ConfigError with one line: file or variable, key, reason, and the remedy or the nearest valid key.
        """
        path = self.path
        if path is not None:
            named.note(path)
        tree = overlay(_parse(path) if path else {}, self.env, SECRETS)
        place = Place(str(path) if path else "", (), path.parent if path else Path(), named)
        config = read(inspect.type_info(Config), tree, place)
        assert isinstance(config, Config)  # noqa: S101  (for the type checker: the type info is that of Config)
        return config


class Loaded(NamedTuple):
    """A configuration, and what it takes to load it again."""

    config: Config
    source: Source | None = None
    """None: it was made by a program, and stays."""
    files: Stamps = Stamps()
    """What it was read from: as it was then, so that no later change goes unseen."""


def load_from(path: Path | None, env: Mapping[str, str]) -> Loaded:
    """Load as `load` does, for a process that may load again."""
    source, files = Source(path, env), Stamps()
    return Loaded(source.read(files), source, files)


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Return the configuration from a file and the environment. Raise ConfigError as `Source.read` does."""
    return Source(path, env).read(Stamps())


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read it: {error.strerror}; name another with --config") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at octet {error.start}: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
