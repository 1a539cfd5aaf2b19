"""Next hops as a configuration file may have them, through to delivery."""

from pathlib import Path

import msgspec
import pytest

from services.delivery.routing.route import ByMx, NextHop, compile_routes
from services.delivery.routing.source import Source
from shared.config.load import load
from shared.config.tls_policy import Policy, Tls

NEXT_HOPS = [
    ("MX?helo=in.example.org", ByMx(25, Source(helo="in.example.org"))),
    ("lmtp:///run/store/lmtp", NextHop("/run/store/lmtp", 0, tls=Policy(Tls.NONE), lmtp=True)),
    ("lmtp://store.internal", NextHop("store.internal", 24, lmtp=True)),
    ("smtps://in.example:4650", NextHop("in.example", 4650, tls=Policy(Tls.VERIFY), implicit_tls=True)),
    (
        "smtp://in.example?source=192.0.2.5&helo=in.example.org",
        NextHop("in.example", 25, source=Source("192.0.2.5", None, "in.example.org")),
    ),
    (
        "smtp://[2001:db8::1]?tls=verify&ca=our%20ca.pem&cert=/c.pem&key=k.pem",
        NextHop(
            *("2001:db8::1", 25),
            tls=Policy(Tls.VERIFY),
            ca="{folder}/our ca.pem",
            certificate="/c.pem",
            key="{folder}/k.pem",
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), NEXT_HOPS)
@pytest.mark.parametrize("table", ["relay.hosted", "delivery.route"])
def test_every_kind_of_next_hop_passes_from_file_to_delivery(
    tmp_path: Path, text: str, expected: NextHop | ByMx, table: str
) -> None:
    """Of hosted domains and of routes; the files of a URL start at the configuration's folder."""
    file = tmp_path / "sluice.toml"
    file.write_text(f'[{table}]\n"a.example" = "{text}"\n')
    (hop,) = compile_routes(load(file, {})).hops("a.example")
    if isinstance(expected, NextHop):
        files = {name: getattr(expected, name) for name in ("ca", "certificate", "key")}
        found = {name: value and value.format(folder=tmp_path) for name, value in files.items()}
        route = "a.example" if table == "delivery.route" and not expected.host.startswith("/") else None
        expected = msgspec.structs.replace(expected, route=route, **found)
    assert hop == expected
