"""Configuration from environment variables: `SLUICE_SECTION__KEY`."""

import json
import re
import tomllib
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from msgspec import inspect

from shared.config.units import Duration
from shared.errors import ConfigError

PREFIX = "SLUICE_"
SECRET_SUFFIX = "_file"  # noqa: S105  (how the key of a secret's file ends)

OTHERS = re.compile(r"SLUICE_(CONFIG|REQUIRE_\w+|TEST_\w+)")
"""Variables that are no keys: the configuration file itself, and what the test suite reads."""
KUBERNETES = re.compile(r"SLUICE_[A-Z0-9]+(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)\w*)?)")
"""What Kubernetes puts into each container for a Service named sluice-..."""

Node = inspect.Type


class FromEnvironment(NamedTuple):
    """A value not yet read, because what the text means depends on the key's type."""

    variable: str
    text: str


def overlay(tree: Mapping[str, Any], env: Mapping[str, str], secrets: Container[str]) -> dict[str, Any]:
    """Return `tree` with the keys that variables name replaced by what they say; names are checked by `read`.

    A variable for a key in `secrets` replaces the secret's file as well, and the other way round.
    Raise ConfigError where one variable gives a table and another a key inside it.
    """
    result = dict(tree)
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or OTHERS.fullmatch(variable):
            continue
        path = variable.removeprefix(PREFIX).lower().split("__")
        if len(path) == 1 and KUBERNETES.fullmatch(variable):
            continue
        _put(result, path, FromEnvironment(variable, env[variable]), secrets)
    return result


def _put(table: dict[str, Any], path: list[str], value: FromEnvironment, secrets: Container[str]) -> None:
    for key in path[:-1]:
        inner = table.get(key)
        if isinstance(inner, FromEnvironment):
            raise ConfigError(f"{value.variable}: {inner.variable} gives the whole table: keep one of them")
        table[key] = dict(inner) if isinstance(inner, dict) else {}
        table = table[key]
    key = path[-1]
    base = key.removesuffix(SECRET_SUFFIX)
    other = base if key != base else key + SECRET_SUFFIX
    if base in secrets and not isinstance(table.get(other), FromEnvironment):
        table.pop(other, None)
    table[key] = value


def variable_of(path: tuple[str, ...]) -> str:
    """Return the name of the variable for a key."""
    return PREFIX + "__".join(path).upper()


def bare(node: Node) -> Node:
    """Return a type without the model's metadata."""
    while isinstance(node, inspect.Metadata):
        node = node.type
    return node


def typed(node: Node, text: str) -> Any:
    """Return a variable's text as the TOML value it stands for, given the key's type."""
    node = bare(node)
    if isinstance(node, inspect.UnionType):
        members = [inner for inner in node.types if not isinstance(inner, inspect.NoneType)]
        node = bare(members[0]) if len(members) == 1 else node
    if isinstance(node, (inspect.StrType, inspect.EnumType)):
        return text
    if isinstance(node, inspect.CustomType):
        return float(text) if _is_number(text) and node.cls is Duration else text
    parsed = _parsed(text)
    if isinstance(node, inspect.VarTupleType) and not isinstance(parsed, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return parsed


def _parsed(text: str) -> Any:
    """Return a TOML value, or else a JSON value, or else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
