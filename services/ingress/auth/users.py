"""The users file: `name:argon2 hash` or `name:argon2 hash:SCRAM keys`, one user a line; written by `sluice user`.

`#` begins a comment line. Names are kept and compared in lower case: people type their address as they please.
"""

import base64
import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.ingress.auth import scram
from shared.errors import ConfigError, SluiceError

_NAME = re.compile(r"[^\s:#\x00-\x1f\x7f][^\s:\x00-\x1f\x7f]{0,254}")
_HEADING = "# Users of Sluice, one name:hash:keys a line; change with `sluice user`."
_SECRET = "# secret:"  # noqa: S105  (the word in front of it)
_hasher = PasswordHasher()


def canonical_name(name: str) -> str:
    """Return the form in which names are stored and compared."""
    return name.lower()


def is_name(name: str) -> bool:
    """Return whether a user may be called so."""
    return _NAME.fullmatch(name) is not None


def hash_password(password: str) -> str:
    """Return a salted argon2id hash with the library's parameters (RFC 9106). Takes some 50 ms: not on the loop."""
    return _hasher.hash(password)


def verify(hashed: str, password: str) -> bool:
    """Return whether the password belongs to the hash; as slow as hashing, either way."""
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


class User(NamedTuple):
    """What is kept of one password."""

    hashed: str
    keys: scram.Keys | None = None
    """None for a line written before there was SCRAM, until the password is given anew."""

    def __repr__(self) -> str:
        return f"User((hidden), scram={self.keys is not None})"


class Users(NamedTuple):
    """The file's content."""

    by_name: dict[str, User]
    secret: bytes | None = None
    """What salts are made from for names that are not in the file; the same for every process that reads it."""

    def __repr__(self) -> str:
        return f"Users({len(self.by_name)})"


def load_users(path: Path) -> Users:
    """Return the users. A missing file has none. Raise ConfigError naming file and line for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Users({})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"auth.users_file: cannot read {path}: {error}; make it readable to this process") from error
    users: dict[str, User] = {}
    secret = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(_SECRET):
            secret = line.removeprefix(_SECRET).strip().encode() or None
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.strip().partition(":")
        user = _user(rest)
        if not _NAME.fullmatch(name) or user is None:
            # The line itself may hold a password somebody typed in by hand: it is not repeated.
            raise ConfigError(
                f"auth.users_file: {path} line {number} is not name:argon2-hash; add users with `sluice user add`"
            )
        users[canonical_name(name)] = user
    return Users(users, secret)


def _user(text: str) -> User | None:
    hashed, colon, stored = text.partition(":")
    keys = scram.read_keys(stored)
    return User(hashed, keys) if hashed.startswith("$argon2") and (keys is not None or not colon) else None


def list_users(path: Path) -> dict[str, User]:
    """Return the users in the order of their names."""
    return dict(sorted(load_users(path).by_name.items()))


def add_user(path: Path, name: str, password: str) -> bool:
    """Add a user or replace the password; True if the user is new. Raise SluiceError for an impossible name."""
    if not is_name(name):
        raise SluiceError(
            f'user "{name}": a name has up to 255 characters, no colon, no space, and does not begin with #'
        )
    if not password:
        raise SluiceError(f'user "{name}": the password is empty; give one')
    user = User(hash_password(password), scram.derive(password, os.urandom(scram.SALT_OCTETS)))
    with _locked(path):
        users = load_users(path)
        new = canonical_name(name) not in users.by_name
        users.by_name[canonical_name(name)] = user
        _write(path, users)
    return new


def remove_user(path: Path, name: str) -> bool:
    """Remove a user; False if there was none of that name."""
    with _locked(path):
        users = load_users(path)
        found = users.by_name.pop(canonical_name(name), None) is not None
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


def _write(path: Path, users: Users) -> None:
    """Replace the file atomically, readable to its owner only; a server reading it sees the old or the new one."""
    secret = users.secret or base64.b64encode(os.urandom(32))
    lines = [_HEADING, f"{_SECRET} {secret.decode()}"]
    for name, user in sorted(users.by_name.items()):
        lines.append(f"{name}:{user.hashed}" + (f":{user.keys}" if user.keys else ""))
    text = "\n".join(lines) + "\n"
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
