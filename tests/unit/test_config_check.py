"""What the whole configuration gets wrong, above all anything that opens the relay."""

from typing import Any

import msgspec
import pytest

from shared.config.check import covers, problems
from shared.config.findings import Facts, Problem, Severity
from shared.config.model import Arc, Auth, Config, Delivery, Dkim, Hosted, Listener, Mode, Quarantine, Relay, Tls
from shared.config.strangers import Authentication, Dnsbl, Rate
from shared.config.units import Duration, Size

GOOD = Config(
    hostname="relay.example.net",
    relay=Relay(postmaster="postmaster@example.org", hosted={"example.org": "mail.internal:25"}),
)


def changed(**sections: dict[str, Any]) -> Config:
    """Return the good configuration with keys of sections replaced."""
    return msgspec.structs.replace(
        GOOD, **{name: msgspec.structs.replace(getattr(GOOD, name), **keys) for name, keys in sections.items()}
    )


def relay(**keys: Any) -> Config:
    return changed(relay=keys)


SUBMISSION = (Listener(address="[::]:587", mode=Mode.SUBMISSION),)
TLS = Tls(certificate="c", key="k")


def test_a_good_configuration_has_no_problem() -> None:
    assert problems(GOOD, Facts()) == []


def test_the_defaults_only_lack_names() -> None:
    """Out of the box nothing is open; a host name and a postmaster must be given."""
    assert {problem.key for problem in problems(Config(), Facts())} == {"hostname", "relay.postmaster"}


@pytest.mark.parametrize(
    ("network", "severity"),
    [
        ("0.0.0.0/0", Severity.ERROR),
        ("::/0", Severity.ERROR),
        ("0.0.0.0/1", Severity.ERROR),
        ("::ffff:0:0/96", Severity.ERROR),
        ("::/3", Severity.ERROR),
        ("2000::/3", Severity.ERROR),
        ("8.0.0.0/8", Severity.WARNING),
        ("192.0.0.0/8", Severity.WARNING),
        ("2001::/16", Severity.WARNING),
        ("::ffff:10.0.0.0/104", None),
        ("10.0.0.0/8", Severity.WARNING),
        ("172.16.0.0/12", Severity.WARNING),
        ("192.168.0.0/16", Severity.WARNING),
        ("100.64.0.0/10", Severity.WARNING),
        ("10.0.0.0/9", None),
        ("172.17.0.0/16", None),
        ("192.168.0.0/17", None),
        ("192.168.0.0/15", Severity.WARNING),
        ("fd00::/8", None),
        ("127.0.0.0/8", None),
        ("fc00::/7", Severity.WARNING),
        ("fe80::/10", None),
        ("::1/128", None),
        ("203.0.113.0/24", None),
        ("2001:db8::/32", None),
    ],
)
def test_trusted_networks(network: str, severity: Severity | None) -> None:
    found = problems(relay(trusted_networks=(network,)), Facts())
    assert [problem.severity for problem in found] == ([severity] if severity else [])
    assert all(problem.key == "relay.trusted_networks" and network in problem.reason for problem in found)


@pytest.mark.parametrize(
    ("network", "gateway", "trap"),
    [
        ("172.16.0.0/13", "172.17.0.1", True),
        ("172.17.0.1/32", "172.17.0.1", True),
        ("10.0.0.0/9", "172.17.0.1", False),
        ("172.16.0.0/13", None, False),
        ("fd00::/8", "fd00::1", True),
        ("::1/128", "172.17.0.1", False),
    ],
)
def test_container_gateway(network: str, gateway: str | None, trap: bool) -> None:
    """A published port may show every client with the gateway's address: trusting it opens the relay."""
    found = problems(relay(trusted_networks=(network,)), Facts(gateways=("192.0.2.1", gateway) if gateway else ()))
    assert [problem.severity for problem in found] == ([Severity.ERROR] if trap else [])


@pytest.mark.parametrize(
    ("proxy_from", "trusted", "gateway", "found"),
    [
        (("10.0.0.9",), ("192.168.0.0/17",), "172.17.0.1", []),
        (("10.0.0.0/29", "fd00::9"), (), None, []),
        (("10.0.0.9",), ("10.0.0.0/9",), None, [(Severity.WARNING, "relay.trusted_networks", "10.0.0.0/9 contains")]),
        (("10.0.0.0/29",), ("10.0.0.7/32",), None, [(Severity.WARNING, "relay.trusted_networks", "10.0.0.7/32 con")]),
        (("fd00::9",), ("10.0.0.0/9",), None, []),
        (("0.0.0.0/0",), (), None, [(Severity.ERROR, "ingress.listener[0].proxy_from", "0.0.0.0/0 makes an open")]),
        (("::/0",), (), None, [(Severity.ERROR, "ingress.listener[0].proxy_from", "::/0 makes an open relay")]),
        (("203.0.0.0/8",), (), None, [(Severity.ERROR, "ingress.listener[0].proxy_from", "203.0.0.0/8 makes an")]),
        (("172.17.0.0/16",), (), "172.17.0.1", [(Severity.ERROR, "ingress.listener[0].proxy_from", "gateway")]),
        (("172.17.0.2",), (), "172.17.0.1", []),
    ],
)
def test_balancers(
    proxy_from: tuple[str, ...], trusted: tuple[str, ...], gateway: str | None, found: list[tuple[Severity, str, str]]
) -> None:
    """Whoever may send a PROXY header may claim any address."""
    listener = (Listener(address="0.0.0.0:2525", proxy_from=proxy_from),)
    config = changed(relay={"trusted_networks": trusted}, ingress={"listener": listener})
    given = problems(config, Facts(gateways=("192.0.2.1", gateway) if gateway else ()))
    assert [(problem.severity, problem.key) for problem in given] == [(severity, key) for severity, key, _ in found]
    assert all(text in problem.reason for problem, (_, _, text) in zip(given, found, strict=True))


def test_a_listener_without_proxy_from_beside_one_with_it() -> None:
    listeners = (Listener(address="127.0.0.1:1", proxy_from=("10.0.0.9",)), Listener(address="127.0.0.1:2"))
    (problem,) = problems(changed(ingress={"listener": listeners}), Facts())
    assert (problem.severity, problem.key) == (Severity.WARNING, "ingress.listener[1].proxy_from")


DKIM = Dkim(domain="a.example", selector="s", key="k")
UNASKED = Hosted(next_hop=("lmtp://store:24", "smtps://in.example"), verify="call-out")
ARC = Arc(domain="a.example", selector="s", key="k")

PROBLEMS: list[tuple[Config, Severity, str, str]] = [
    (changed(delivery={"dkim": (DKIM, DKIM)}), Severity.ERROR, "delivery.dkim[1]", "of delivery.dkim[0]"),
    (changed(delivery={"arc": ARC}), Severity.WARNING, "delivery.arc", "seals nothing"),
    (
        relay(hosted={"example.org": Hosted(next_hop=("mx",), verify="call-out")}, own_addresses=("192.0.2.1",)),
        Severity.ERROR,
        'relay.hosted."example.org".verify',
        "not asked",
    ),
    (relay(hosted={"example.org": UNASKED}), Severity.ERROR, 'relay.hosted."example.org".verify', "not asked"),
    (
        changed(ingress={"dnsbl": Dnsbl(allow_zones=("wl.example",))}),
        Severity.WARNING,
        "ingress.dnsbl.allow_zones",
        "no effect",
    ),
    (changed(ingress={"rate": (Rate(per="user", messages="1/h"),)}), Severity.WARNING, "ingress.rate[0]", "nobody can"),
    (changed(ingress={"rate": (Rate(per="client"),)}), Severity.WARNING, "ingress.rate[0]", "limits nothing"),
    (relay(hosted={"example.org": "h", ".com": "h"}), Severity.ERROR, 'relay.hosted.".com"', "every domain under .com"),
    (relay(hosted={"example.org": "h", ".co.uk": "h"}), Severity.ERROR, 'relay.hosted.".co.uk"', "under .co.uk"),
    (relay(hosted={"example.org": "h", "com": "h"}), Severity.WARNING, 'relay.hosted."com"', "a top-level domain"),
    (relay(hosted={"example.org": "mx"}), Severity.ERROR, 'relay.hosted."example.org"', "needs relay.own_addresses"),
    (relay(hosted={"example.org": "mx?helo=a.example"}), Severity.ERROR, 'relay.hosted."example.org"', "own_addresses"),
    (relay(hosted={"example.org": ("h", "mx")}), Severity.ERROR, 'relay.hosted."example.org"', "own_addresses"),
    (
        relay(hosted={"example.org": Hosted(next_hop=("mx",))}),
        Severity.ERROR,
        'relay.hosted."example.org"',
        "own_addresses",
    ),
    (relay(denied_destinations=("example.org",)), Severity.WARNING, 'relay.hosted."example.org"', "nobody may send"),
    (
        relay(denied_destinations=("a.invalid", ".invalid")),
        Severity.WARNING,
        "relay.denied_destinations",
        '"a.invalid" has no effect beside ".invalid"',
    ),
    (
        relay(denied_senders=("b.invalid", "x@b.invalid")),
        Severity.WARNING,
        "relay.denied_senders",
        '"x@b.invalid" has no effect beside "b.invalid"',
    ),
    (changed(delivery={"hold": ("a.example",)}), Severity.WARNING, "delivery.hold", 'mail for "a.example" is held'),
    (changed(delivery={"hold": ("*",)}), Severity.WARNING, "delivery.hold", "mail for every domain is held"),
    (relay(postmaster="p@else.example"), Severity.ERROR, "relay.postmaster", "neither hosted nor routed"),
    (changed(ingress={"listener": ()}), Severity.ERROR, "ingress.listener", "there is none"),
    (
        changed(ingress={"listener": (msgspec.structs.replace(SUBMISSION[0], trusted_without_auth=True),)}),
        Severity.ERROR,
        "ingress.listener[0]",
        "needs TLS",
    ),
    (
        msgspec.structs.replace(changed(ingress={"listener": SUBMISSION}), tls=TLS),
        Severity.ERROR,
        "ingress.listener[0]",
        "nobody can send there",
    ),
    (
        changed(ingress={"listener": (Listener(address="[::]:25", trusted_without_auth=True),)}),
        Severity.WARNING,
        "ingress.listener[0]",
        "no effect",
    ),
    (
        changed(ingress={"listener": (Listener(address="[::]:25"), Listener(address="[::]:25"))}),
        Severity.ERROR,
        "ingress.listener[1]",
        "the same address as [0]",
    ),
    (changed(tls={"key": "k"}), Severity.ERROR, "tls.certificate", "missing beside tls.key"),
    (changed(auth={"users_file": "u"}), Severity.WARNING, "auth.users_file", "never authenticate"),
    (changed(auth={"http_url": "http://id.example/"}), Severity.WARNING, "auth.http_url", "in clear"),
    (msgspec.structs.replace(GOOD, hostname="relay"), Severity.WARNING, "hostname", "not a full name"),
    (
        relay(allow_hosted_senders_from_outside=True),
        Severity.WARNING,
        "relay.allow_hosted_senders_from_outside",
        "strangers",
    ),
    (
        changed(delivery={"allow_private_destinations": True}),
        Severity.WARNING,
        "delivery.allow_private_destinations",
        "private networks",
    ),
    (
        changed(ingress={"max_message_size": Size(10**9), "buffer": Size(10**10)}),
        Severity.ERROR,
        "ingress.max_message_size",
        "can hold",
    ),
    (changed(ingress={"buffer": Size(10)}), Severity.ERROR, "ingress.buffer", "never be accepted"),
    (changed(quarantine={"retention": Duration(31 * 86400)}), Severity.ERROR, "quarantine.retention", "30 days"),
    (changed(delivery={"retry": ()}), Severity.ERROR, "delivery.retry", "empty"),
    (changed(delivery={"retry": (Duration(60), Duration(0))}), Severity.ERROR, "delivery.retry", "has a delay of 0"),
    (
        changed(delivery={"lifetime": Duration(60)}),
        Severity.WARNING,
        "delivery.delay_warning",
        "no warning will be sent",
    ),
    (changed(delivery={"attempt_timeout": Duration(3600)}), Severity.ERROR, "delivery.attempt_timeout", "take the"),
    (changed(screener={"timeout": Duration(3600)}), Severity.ERROR, "screener.timeout", "take the message back"),
    (
        changed(delivery={"route_passwords": {"a.example": "s"}, "route": {"a.example": "smtp://h"}}),
        Severity.WARNING,
        'delivery.route_passwords."a.example"',
        "no route with a user name",
    ),
    (
        changed(delivery={"tls_policy": {"a.example": "dane", "*": "verify"}, "dnssec": "never"}),
        Severity.ERROR,
        'delivery.tls_policy."a.example"',
        "believed that it validates",
    ),
]


@pytest.mark.parametrize(("config", "severity", "key", "reason"), PROBLEMS, ids=[case[2] for case in PROBLEMS])
def test_each_problem(config: Config, severity: Severity, key: str, reason: str) -> None:
    """One finding, with its key, its reason and a remedy."""
    (found,) = problems(config, Facts())
    assert (found.severity, found.key) == (severity, key)
    assert reason in found.reason
    assert found.remedy


@pytest.mark.parametrize(
    "config",
    [
        relay(hosted={"example.org": "mx"}, own_addresses=("192.0.2.1",)),
        changed(delivery={"dkim": (DKIM, Dkim(domain="a.example", selector="s2", key="k"))}),
        changed(delivery={"arc": ARC}, ingress={"authentication": Authentication(verify=True)}),
        changed(tls={"certificate": "both.pem"}),
        changed(delivery={"tls_policy": {"a.example": "dane"}}),
        changed(relay={"postmaster": "p@a.example", "hosted": {}}, delivery={"route": {"*": "smtp://h"}}),
        changed(relay={"postmaster": "p@b.a.example", "hosted": {".a.example": "h"}}),
        relay(denied_destinations=("a.invalid", ".a.invalid", "x@b.invalid", "y@b.invalid")),
        changed(
            relay={"hosted": {"example.org": "h"}},
            ingress={"listener": (Listener(address="127.0.0.1:0"), Listener(address="127.0.0.1:0"))},
        ),
        msgspec.structs.replace(
            changed(ingress={"listener": SUBMISSION}), tls=TLS, auth=Auth(users_file="u"), quarantine=Quarantine()
        ),
        msgspec.structs.replace(
            GOOD,
            delivery=Delivery(route={"a.example": "smtp://u@h"}, route_passwords={"a.example": "s"}),
        ),
    ],
)
def test_what_is_right_is_not_a_problem(config: Config) -> None:
    assert problems(config, Facts()) == []


@pytest.mark.parametrize(
    ("url", "readable", "found"),
    [
        ("amqp://u:p@h/", True, True),
        ("amqp://u:p@h/", False, False),
        ("amqp://u@h:5672/", True, False),
        ("amqp://h:5672/", True, False),
        ("sqlite:////var/q.db", True, False),
    ],
)
def test_password_in_a_readable_file(url: str, readable: bool, found: bool) -> None:
    config = msgspec.structs.replace(GOOD, broker=url)
    keys = [problem.key for problem in problems(config, Facts(readable_by_all=readable))]
    assert keys == (["broker"] if found else [])


def test_errors_come_first() -> None:
    config = msgspec.structs.replace(relay(trusted_networks=("8.0.0.0/8", "::/0")), hostname="relay")
    assert [problem.severity for problem in problems(config, Facts())] == ["error", "warning", "warning"]


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [
        ("*", "a.example", True),
        ("a.example", "a.example", True),
        ("a.example", "u@a.example", True),
        ("a.example", "b.a.example", False),
        ("a.example", ".a.example", False),
        (".a.example", "b.a.example", True),
        ("*.a.example", "b.a.example", True),
        ("*.a.example", ".a.example", True),
        (".a.example", ".b.a.example", True),
        (".a.example", "u@b.a.example", True),
        (".a.example", "a.example", False),
        (".a.example", "ba.example", False),
        ("u@a.example", "a.example", False),
        ("u@a.example", "u@a.example", True),
        ("u@a.example", "v@a.example", False),
    ],
)
def test_covers(pattern: str, other: str, expected: bool) -> None:
    assert covers(pattern, other) is expected


def test_a_problem_reads_as_a_line() -> None:
    assert str(Problem(Severity.ERROR, "a.b", "wrong", "do this")) == "a.b: wrong; do this"
