"""The users file: one `name:argon2 hash` a line, `#` begins a comment line; written by `sluice user`.

Names are kept and compared in lower case: people type their address as they please.
"""

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import ConfigError, SluiceError

_NAME = re.compile(r"[^\s:#\x00-\x1f\x7f][^\s:\x00-\x1f\x7f]{0,254}")
_HEADING = "# Users of Sluice, one name:hash a line; change with `sluice user`."
_hasher = PasswordHasher()


def canonical_name(name: str) -> str:
    """Return the form in which names are stored and compared."""
    return name.lower()


def hash_password(password: str) -> str:
    """Return a salted argon2id hash with the library's parameters (RFC 9106). Takes some 50 ms: not on the loop."""
    return _hasher.hash(password)


def verify(hashed: str, password: str) -> bool:
    """Return whether the password belongs to the hash; as slow as hashing, either way."""
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def load_users(path: Path) -> dict[str, str]:
    """Return name -> hash. A missing file has no users. Raise ConfigError naming file and line for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"auth.users_file: cannot read {path}: {error}; make it readable to this process") from error
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hashed = line.strip().partition(":")
        if not _NAME.fullmatch(name) or not hashed.startswith("$argon2"):
            # The line itself may hold a password somebody typed in by hand: it is not repeated.
            raise ConfigError(
                f"auth.users_file: {path} line {number} is not name:argon2-hash; add users with `sluice user add`"
            )
        users[canonical_name(name)] = hashed
    return users


def list_users(path: Path) -> list[str]:
    """Return the names in order."""
    return sorted(load_users(path))


def add_user(path: Path, name: str, password: str) -> bool:
    """Add a user or replace the password; True if the user is new. Raise SluiceError for an impossible name."""
    if not _NAME.fullmatch(name):
        raise SluiceError(
            f'user "{name}": a name has up to 255 characters, no colon, no space, and does not begin with #'
        )
    if not password:
        raise SluiceError(f'user "{name}": the password is empty; give one')
    hashed = hash_password(password)
    with _locked(path):
        users = load_users(path)
        new = canonical_name(name) not in users
        users[canonical_name(name)] = hashed
        _write(path, users)
    return new


def remove_user(path: Path, name: str) -> bool:
    """Remove a user; False if there was none of that name."""
    with _locked(path):
        users = load_users(path)
        found = users.pop(canonical_name(name), None) is not None
        if found:
            _write(path, users)
    return found


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers out, so that two `sluice user add` at once both count."""
    # The folder is locked and not the file, since the file is replaced.
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise SluiceError(f"users file {path}: {error}; create its folder first") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, users: dict[str, str]) -> None:
    """Replace the file atomically, readable to its owner only; a server reading it sees the old or the new one."""
    text = "\n".join([_HEADING, *(f"{name}:{users[name]}" for name in sorted(users))]) + "\n"
    try:
        # mkstemp creates with mode 0600.
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise SluiceError(f"users file {path}: {error}; make its folder writable") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
