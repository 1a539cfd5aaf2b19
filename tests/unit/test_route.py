"""Routes: what is written in the configuration, and which of it a domain gets."""

import pytest

from services.delivery.routing.route import ByMx, NextHop, compile_routes, find, parse_hop
from services.delivery.routing.source import Source
from shared.config.model import Config, Delivery, Hosted, Relay
from shared.config.tls_policy import Policy, Tls
from shared.errors import ConfigError

V = Policy(Tls.VERIFY)
CERT = "cd" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mx", ByMx(25)),
        ("mail.internal", NextHop("mail.internal", 25)),
        ("Mail.Internal.:2525", NextHop("mail.internal", 2525)),
        ("10.0.0.5:2525", NextHop("10.0.0.5", 2525)),
        ("[10.0.0.5]:2525", NextHop("10.0.0.5", 2525)),
        ("[mail.internal]", NextHop("mail.internal", 25)),
        ("[2001:DB8::0:1]:26", NextHop("2001:db8::1", 26)),
        ("[IPv6:::1]", NextHop("::1", 25)),
        ("smtp://smart.example.net", NextHop("smart.example.net", 25, route="*")),
        ("smtp://smart.example.net:587/", NextHop("smart.example.net", 587, route="*")),
        ("smtp://[::1]:2525", NextHop("::1", 2525, route="*")),
        ("smtp://me@smart:587", NextHop("smart", 587, tls=V, user="me", route="*")),
        ("smtp://me%40example.org@smart", NextHop("smart", 25, tls=V, user="me@example.org", route="*")),
        *(
            (f"smtp://me@{shown}?tls=none", NextHop(host, 25, tls=Policy(Tls.NONE), user="me", route="*"))
            for shown, host in (("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("Localhost", "localhost"))
        ),
        ("smtp://smart?tls=encrypt", NextHop("smart", 25, tls=Policy(Tls.ENCRYPT), route="*")),
        ("smtp://smart?tls=verify&ca=/etc/ca.pem", NextHop("smart", 25, tls=V, ca="/etc/ca.pem", route="*")),
        ("smtp://smart?tls=may", NextHop("smart", 25, tls=Policy(Tls.MAY), route="*")),
        ("smtp://smart?tls=dane", NextHop("smart", 25, tls=Policy(Tls.DANE), route="*")),
        (
            f"smtps://smart?tls=fingerprint=sha256:{CERT}",
            NextHop("smart", 465, tls=Policy(Tls.FINGERPRINT, (b"\xcd" * 32,)), implicit_tls=True, route="*"),
        ),
        ("smtp://smart?cert=/a.pem", NextHop("smart", 25, certificate="/a.pem", route="*")),
        ("smtp://smart?cert=/a.pem&key=/k.pem", NextHop("smart", 25, certificate="/a.pem", key="/k.pem", route="*")),
        ("smtps://smart", NextHop("smart", 465, tls=V, implicit_tls=True, route="*")),
        (
            "smtps://smart:4650?tls=encrypt",
            NextHop("smart", 4650, tls=Policy(Tls.ENCRYPT), implicit_tls=True, route="*"),
        ),
        ("lmtp://store", NextHop("store", 24, route="*", lmtp=True)),
        ("lmtp://[::1]:2424/", NextHop("::1", 2424, route="*", lmtp=True)),
        ("lmtp://store:24?tls=none", NextHop("store", 24, tls=Policy(Tls.NONE), route="*", lmtp=True)),
        ("lmtp:///run/dovecot/lmtp", NextHop("/run/dovecot/lmtp", 0, tls=Policy(Tls.NONE), lmtp=True)),
        ("lmtp:///run/my%20store", NextHop("/run/my store", 0, tls=Policy(Tls.NONE), lmtp=True)),
    ],
)
def test_a_next_hop_is_read(text: str, expected: NextHop | ByMx) -> None:
    assert parse_hop(text, "key", ByMx(25), route="*" if "://" in text else None) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ":25",
        "host:0",
        "host:70000",
        "host:port",
        "a b",
        "::1",
        "[::1",
        "[nonsense:address]",
        "http://host",
        "smtp://",
        "smtp://me:secret@host",
        "smtp://host/path",
        "smtp://host#x",
        "smtp://host?tls=maybe",
        "smtp://host?tls=fingerprint",
        "smtp://host?key=/k.pem",
        "smtp://host?what=1",
        "smtp://host?tls",
        "smtp://me@host?tls=may",
        "smtp://me@host?tls=none",
        "smtp://me@192.0.2.1?tls=none",
        "lmtp://me@host?tls=none",
        "smtp://me@127.0.0.1?tls=may",
        "smtps://host?tls=none",
        "smtps://host?tls=may",
        "lmtp://",
        "lmtp:///",
        "lmtp://host/path",
        "lmtp:///path?tls=none",
        "lmtp:///path#x",
        "lmtps://host",
        "smtp:///path",
        "smtp://host?source=mail.example.net",
        "smtp://host?source=192.0.2.5,192.0.2.6",
        "smtp://host?source=192.0.2.5,",
        "smtp://host?source=",
        "mx?source=",
        "mx?tls=verify",
        "mx?helo",
        "smtp://host?source=0.0.0.0",
        "smtp://host?source=224.0.0.1",
        "smtp://host?helo=",
        "smtp://host?helo=a b",
        "smtp://host?helo=a%0D%0ARSET",
    ],
)
def test_a_wrong_next_hop_is_named_with_its_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^delivery\.route\.x: .*is not a next hop") as caught:
        parse_hop(text, "delivery.route.x", ByMx(25))
    assert "me:secret" not in str(caught.value)


TABLE = {
    "example.org": (NextHop("a", 25),),
    ".example.org": (NextHop("b", 25),),
    ".deep.example.org": (NextHop("c", 25),),
}


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("example.org", "a"),
        ("sub.example.org", "b"),
        ("x.sub.example.org", "b"),
        ("deep.example.org", "b"),
        ("x.deep.example.org", "c"),
        ("badexample.org", None),
        ("org", None),
        ("", None),
        ("[192.0.2.1]", None),
    ],
)
def test_the_longest_suffix_wins(domain: str, host: str | None) -> None:
    found = find(TABLE, domain)
    assert found == (None if host is None else (NextHop(host, 25),))


def test_hosted_goes_before_static_and_static_before_mx() -> None:
    routes = compile_routes(
        Config(
            relay=Relay(
                hosted={
                    "one.example": "in1:25",
                    "two.example": ("in1", "mx"),
                    "three.example": Hosted(next_hop=("in3:26",)),
                }
            ),
            delivery=Delivery(
                port=2525,
                route={"one.example": "smtp://no", "four.example": "smtp://four"},
            ),
        )
    )
    assert routes.hops("one.example") == (NextHop("in1", 25),)
    assert routes.hops("two.example") == (NextHop("in1", 25), ByMx(2525))
    assert routes.hops("three.example") == (NextHop("in3", 26),)
    assert routes.hops("four.example") == (NextHop("four", 25, route="four.example"),)
    assert routes.hops("five.example") == (ByMx(2525),)


def test_the_star_takes_all_that_has_no_route_of_its_own() -> None:
    routes = compile_routes(Config(delivery=Delivery(route={"*": "smtp://smart", ".example": "smtp://other"})))
    assert routes.hops("five.example") == (NextHop("other", 25, route=".example"),)
    assert routes.hops("five.test") == (NextHop("smart", 25, route="*"),)
    assert routes.hops("[192.0.2.1]") == (NextHop("smart", 25, route="*"),)


def test_a_domain_may_be_left_out_of_a_smarthosts() -> None:
    routes = compile_routes(Config(delivery=Delivery(port=2525, route={"*": "smtp://smart", ".example": "mx"})))
    assert routes.hops("five.example") == (ByMx(2525),)
    assert routes.hops("five.test") == (NextHop("smart", 25, route="*"),)


def test_a_user_needs_a_password() -> None:
    with pytest.raises(ConfigError, match=r'route_passwords\."example.net"'):
        compile_routes(Config(delivery=Delivery(route={"example.net": "smtp://me@smart"})))


DEFAULT = Source("192.0.2.1", "2001:db8::1", "out.example.org")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smart", DEFAULT),
        ("mx", DEFAULT),
        ("mx?source=192.0.2.5&helo=b.example", Source("192.0.2.5", "2001:db8::1", "b.example")),
        ("mx?", DEFAULT),
        ("smtp://smart", DEFAULT),
        ("smtp://smart?source=192.0.2.5", Source("192.0.2.5", "2001:db8::1", "out.example.org")),
        ("smtp://smart?source=2001:DB8::0:5", Source("192.0.2.1", "2001:db8::5", "out.example.org")),
        ("smtp://smart?source=[2001:db8::5],192.0.2.5", Source("192.0.2.5", "2001:db8::5", "out.example.org")),
        ("smtp://smart?helo=Mail1.Example.net.", Source("192.0.2.1", "2001:db8::1", "mail1.example.net")),
        ("smtps://me@smart?helo=b.example&source=192.0.2.5", Source("192.0.2.5", "2001:db8::1", "b.example")),
    ],
)
def test_a_route_says_where_connections_come_from(text: str, expected: Source) -> None:
    assert parse_hop(text, "key", ByMx(25, DEFAULT)).source == expected


def test_the_defaults_count_for_every_next_hop_that_says_nothing() -> None:
    routes = compile_routes(
        Config(
            relay=Relay(hosted={"one.example": ("in1", "mx")}),
            delivery=Delivery(
                source_address="192.0.2.1",
                source_address_v6="2001:db8::1",
                helo="out.example.org",
                route={"two.example": "smtp://two", "three.example": "smtp://three?source=192.0.2.3"},
            ),
        )
    )
    hops = [*routes.hops("one.example"), *routes.hops("two.example"), *routes.hops("other.example")]
    assert [hop.source for hop in hops] == [DEFAULT] * 4
    assert routes.hops("three.example")[0].source == Source("192.0.2.3", "2001:db8::1", "out.example.org")


@pytest.mark.parametrize(
    ("address", "expected"), [("198.51.100.1", "192.0.2.1"), ("2001:db8:1::1", "2001:db8::1"), ("::1", "2001:db8::1")]
)
def test_the_source_is_of_the_family_of_the_host(address: str, expected: str) -> None:
    assert DEFAULT.towards(address) == expected
    assert Source().towards(address) is None
