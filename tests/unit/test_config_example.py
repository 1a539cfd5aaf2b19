"""sluice.example.toml is valid, opens nothing, and shows every key with its true default."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import inspect

from shared.config.check import problems
from shared.config.findings import Facts
from shared.config.load import load
from shared.config.model import Config
from tests.support.processes import ROOT

EXAMPLE = ROOT / "sluice.example.toml"
COMPOSE = ROOT / "deploy" / "compose" / "sluice.toml"
NO_DEFAULT_SHOWN = {
    "destination",
    *("hostname", "broker", "postmaster", "hosted", "address", "certificate", "key", "client_ca", "users_file"),
    *(
        "antivirus",
        "organisation",
        "helpdesk",
        "banned_extensions",
        "banned_types",
        "suspicious_extensions",
        "nameservers",
        "route",
        "listener",
    ),
    *("next_hop", "recipients", "password", "service_passwords", "broker_password", "route_passwords"),
    *("per", "connections", "messages", "bytes", "exempt_trusted", "ipv4_prefix", "ipv6_prefix"),
    *("http_url", "http_ca", "token_issuer", "token_audience"),
    *("source_address", "source_address_v6", "helo", "tls_ca"),
}
"""Keys for which the file shows an example instead, because their default is that there is none."""


def keys(node: inspect.Type) -> Iterator[inspect.Field]:
    """Yield every key of the model once for each table it is in."""
    if isinstance(node, inspect.StructType):
        for field in node.fields:
            yield field
            yield from keys(field.type)
    for inner in (
        getattr(node, "types", ()),
        [getattr(node, name, None) for name in ("item_type", "value_type", "type")],
    ):
        for one in inner:
            if isinstance(one, inspect.Type):
                yield from keys(one)


@pytest.mark.parametrize("path", [EXAMPLE, COMPOSE], ids=["example", "compose"])
def test_shipped_files_are_valid_and_open_nothing(path: Path) -> None:
    config = load(path, {})
    assert config.relay.trusted_networks == ()
    assert list(config.relay.hosted) == ["example.org"]
    assert problems(config, Facts()) == []


def test_the_ingress_of_compose_believes_its_balancer_and_nobody_else() -> None:
    (address,) = re.findall(r'ipv4_address: "\$\{BALANCER_NET:-([\d.]+)\}(\.\d+)"', (ROOT / "compose.yaml").read_text())
    listeners = load(COMPOSE, {}).ingress.listener
    assert {listener.proxy_from for listener in listeners} == {(f"{''.join(address)}/32",)}


@pytest.mark.parametrize("field", list({field.name: field for field in keys(inspect.type_info(Config))}.values()))
def test_every_key_is_shown(field: inspect.Field) -> None:
    """A key that is added to the model must be added to the example."""
    assert re.search(rf"(^|[\[#. {{]){field.name}(_file)?( =|\]|\.)", EXAMPLE.read_text(), re.MULTILINE), field.name


def test_the_defaults_shown_are_the_defaults(tmp_path: Path) -> None:
    """With every commented default in force, the configuration is the same as without."""
    lines = []
    for line in EXAMPLE.read_text().splitlines():
        shown = re.match(r"# ((\w+) = .*)", line)
        hidden = shown is None or shown[2] in NO_DEFAULT_SHOWN or shown[2].endswith("_file")
        lines.append(line if hidden or shown is None else shown[1])
    path = tmp_path / "sluice.toml"
    path.write_text(EXAMPLE.read_text())
    plain = load(path, {})
    path.write_text("\n".join(lines))
    assert path.read_text().count("\nlifetime = ") == 1
    assert load(path, {}) == plain
