"""From plain values (TOML, environment) to the types of the model, with every error naming its key.

The model's types say everything: this module walks them, so a key added there needs nothing here.
"""

import difflib
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from shared.config.environment import SECRET_SUFFIX, FromEnvironment, Node, bare, typed, variable_of
from shared.config.units import Duration, Size
from shared.errors import ConfigError
from shared.stamps import Stamps

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}


class Place(NamedTuple):
    """Where a value stands, for errors, and where its relative paths start."""

    source: str
    """The file, or the environment variable."""
    path: tuple[str, ...]
    folder: Path
    """Of the configuration file."""
    named: Stamps
    """Every file named so far, as it is just before anybody reads it; all places of one reading share it."""

    def at(self, key: str) -> "Place":
        """Return the place of a key below this one."""
        quoted = key if key.replace("_", "").isalnum() and key.isascii() else f'"{key}"'
        return self._replace(path=(*self.path, quoted))

    def item(self, index: int) -> "Place":
        """Return the place of an item of the list at this place."""
        return self._replace(path=(*self.path[:-1], f"{self.path[-1] if self.path else ''}[{index}]"))

    def of(self, value: FromEnvironment) -> "Place":
        """Return the place of a variable's value; its relative paths start at the working directory."""
        return Place(value.variable, (), Path(), self.named)

    def file(self, name: str) -> Path:
        """Return the path of a file that is named here, and note it."""
        path = self.folder / name
        self.named.note(path)
        return path

    def error(self, reason: str) -> ConfigError:
        """Return the error that names this place."""
        return ConfigError(": ".join(part for part in (self.source, ".".join(self.path), reason) if part))


def read(node: Node, value: Any, place: Place, default: Any = None) -> Any:
    """Return `value` as the type that `node` describes. Raise ConfigError naming place, reason and remedy.

    A table that gives some keys leaves the others of `default` as they are.
    """
    extra: dict[str, Any] = {}
    while isinstance(node, inspect.Metadata):
        extra |= node.extra or {}
        node = node.type
    if isinstance(value, FromEnvironment):
        place = place.of(value)
        value = typed(node, value.text)
    if isinstance(node, inspect.UnionType):
        return read(_alternative(node, value, place), value, place)
    if isinstance(node, inspect.StructType):
        return _struct(node, value, place, default)
    if isinstance(node, inspect.DictType):
        return _dict(node, value, place)
    if isinstance(node, inspect.VarTupleType):
        if not isinstance(value, list):
            raise place.error(f"expected a list, found {_shown(value)}")
        return tuple(read(node.item_type, item, place.item(index)) for index, item in enumerate(value))
    return _refined(_leaf(node, value, place, hidden="secret" in extra), extra, place)


def unknown(name: str, valid: Iterable[str], what: str = "key") -> str:
    """Return the reason for a name that does not exist, with the nearest that does."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"unknown {what}" + (f'; did you mean "{near[0]}"?' if near else f"; valid are {', '.join(names)}")


def _struct(node: inspect.StructType, value: Any, place: Place, default: Any) -> Any:
    if not isinstance(value, dict):
        raise place.error(f"expected a table, found {_shown(value)}")
    fields = {field.name: field for field in node.fields}
    values = {}
    for key, inner in value.items():
        base = key.removesuffix(SECRET_SUFFIX)
        if key in fields:
            values[key] = read(fields[key].type, inner, place.at(key), fields[key].default)
        elif base != key and base in fields and is_secret(fields[base].type):
            if base in value:
                where = place.of(inner) if isinstance(inner, FromEnvironment) else place.at(key)
                raise where.error(f'"{base}" is given as well: keep one of them')
            values[base] = _from_files(fields[base].type, inner, place.at(key))
        else:
            raise _unknown_key(key, inner, fields, place)
    if isinstance(default, node.cls):
        return msgspec.structs.replace(default, **values)
    missing = [name for name, field in fields.items() if field.required and name not in values]
    if missing:
        raise place.error(f'"{missing[0]}" is missing')
    return node.cls(**values)


def _unknown_key(key: str, inner: Any, fields: Mapping[str, Any], place: Place) -> ConfigError:
    files = [name + SECRET_SUFFIX for name, field in fields.items() if is_secret(field.type)]
    source = inner
    while isinstance(source, dict) and source:
        source = next(iter(source.values()))
    if isinstance(source, FromEnvironment):
        valid = [variable_of((*place.path, name)) for name in [*fields, *files]]
        return place.of(source).error(unknown(variable_of((*place.path, key)), valid, "variable"))
    return place.at(key).error(unknown(key, [*fields, *files]))


def _dict(node: inspect.DictType, value: Any, place: Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise place.error(f"expected a table, found {_shown(value)}")
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, FromEnvironment):
            whole = variable_of(place.path)
            raise place.of(inner).error(
                f"""the names in {".".join(place.path)} cannot stand in a variable: write {whole}='{{"NAME" = ...}}'"""
            )
        name = read(node.key_type, key, place.at(key))
        if name in found:
            raise place.at(key).error(f'the same as another key, "{name}"')
        found[name] = read(node.value_type, inner, place.at(key))
    return found


def _from_files(node: Node, value: Any, place: Place) -> Any:
    """Read a secret, or a table of secrets, from the files that are named instead."""
    if isinstance(value, FromEnvironment):
        place = place.of(value)
        value = typed(node, value.text)
    table = bare(node)
    if isinstance(table, inspect.DictType):
        if not isinstance(value, dict):
            raise place.error(f"expected a table of files, found {_shown(value)}")
        return {
            read(table.key_type, key, place.at(key)): _from_files(table.value_type, inner, place.at(key))
            for key, inner in value.items()
        }
    path = place.file(_leaf(inspect.StrType(), value, place))
    try:
        secret = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise place.error(f'cannot read the secret from "{path}": {reason}; name a readable file') from None
    if not secret:
        raise place.error(f'"{path}" is empty: write the secret into it')
    return secret


def is_secret(node: Node) -> bool:
    """Return whether a key of this type is a secret or a table of secrets."""
    if isinstance(node, inspect.Metadata):
        return "secret" in (node.extra or {}) or is_secret(node.type)
    if isinstance(node, inspect.UnionType):
        return any(is_secret(inner) for inner in node.types)
    return isinstance(node, inspect.DictType) and is_secret(node.value_type)


def secret_names(node: Node) -> Iterator[str]:
    """Yield the name of every secret in a type's tables."""
    node = bare(node)
    if isinstance(node, inspect.StructType):
        for field in node.fields:
            if is_secret(field.type):
                yield field.name
            yield from secret_names(field.type)


def _alternative(node: inspect.UnionType, value: Any, place: Place) -> Node:
    """Return the member of a union that a value of this TOML type is meant for."""
    members = [inner for inner in node.types if not isinstance(inner, inspect.NoneType)]
    if len(members) == 1:
        return members[0]
    kinds: dict[type, type | tuple[type, ...]] = {
        str: inspect.StrType,
        list: inspect.VarTupleType,
        dict: (inspect.StructType, inspect.DictType),
    }
    for inner in members:
        if isinstance(bare(inner), kinds.get(type(value), ())):
            return inner
    raise place.error(f"expected text, a list or a table, found {_shown(value)}")


def _leaf(node: Node, value: Any, place: Place, *, hidden: bool = False) -> Any:
    if isinstance(node, inspect.CustomType):
        parse: Callable[[Any], Any] = {Size: Size.parse, Duration: Duration.parse}[node.cls]
        return _checked(parse, value, place)
    if isinstance(node, inspect.EnumType):
        return _checked(lambda text: _member(node.cls, text), value, place)
    kinds = {inspect.StrType: str, inspect.IntType: int, inspect.FloatType: float, inspect.BoolType: bool}
    kind = kinds[type(node)]
    if type(value) is not kind and not (kind is float and type(value) is int):
        shown = "another type" if hidden else _shown(value)
        raise place.error(f"expected {_NAMES[kind]}, found {shown}")
    if isinstance(node, inspect.IntType):
        _in_range(value, node, place)
    return value


def _in_range(value: Any, node: inspect.IntType, place: Place) -> None:
    low, high = node.ge, node.le
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise place.error(f"expected {limits}, found {value}")


def _refined(value: Any, extra: Mapping[str, Any], place: Place) -> Any:
    """Apply what the model's metadata says of a text: a check, or a path to resolve."""
    if "check" in extra:
        value = _checked(extra["check"], value, place)
    if "secret" in extra and not value:
        raise place.error("empty: give the secret, or leave the key out")
    if "path" in extra:
        if not value:
            raise place.error("empty: name a file, or leave the key out")
        return str(place.file(value))
    if "files" in extra:
        value = extra["files"](value, lambda name: str(place.file(name)))
    if "broker" in extra and value.startswith("sqlite:///"):
        return f"sqlite:///{place.folder / value.removeprefix('sqlite:///')}"
    return value


def _checked(check: Callable[[Any], Any], value: Any, place: Place) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise place.error(str(error)) from None


def _member(cls: type[enum.Enum], text: Any) -> enum.Enum:
    try:
        return cls(text)
    except ValueError:
        valid = ", ".join(str(member.value) for member in cls)
        raise ValueError(f"{_shown(text)} is not known: valid are {valid}") from None


def _shown(value: Any) -> str:
    """Return a value's type and, where short, the value, as TOML calls them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    if isinstance(value, (int, float)):
        return f"the number {value}"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else f"{value}"
