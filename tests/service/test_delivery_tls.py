"""Each policy beside each way a server may behave: mail goes over TLS, in the clear, or waits, and no other way."""

import ssl
import warnings
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
import trustme

from shared.config.units import Duration
from shared.errors import ConfigError
from shared.model import Place
from tests.support.certificates import PAST, chain_of, der, server_context, tlsa, written, zone_form
from tests.support.delivery_world import CONTENT, World, again, message
from tests.support.dns_server import Fault
from tests.support.smtp_server import OFFERS, Script, SmtpServer
from tests.support.tls_counts import tls_counts

BOB = "bob@example.net"
HOST = "mx1.example.net"
ROOT = trustme.CA()
GOOD = ROOT.issue_cert(HOST)
WRONG_NAME = ROOT.issue_cert("other.example.net")
EXPIRED = ROOT.issue_cert(HOST, not_before=PAST, not_after=PAST + timedelta(days=1))
STRANGER = trustme.CA().issue_cert(HOST)
FINGERPRINT = sha256(chain_of(GOOD)[0]).hexdigest()


class Silence(ssl.SSLContext):
    """A server that says nothing where the handshake should be."""

    def wrap_socket(self, sock: Any, *_: object, **__: object) -> NoReturn:
        while sock.recv(4096):
            pass
        raise OSError("the client has left")


class Garbage(ssl.SSLContext):
    """A server that says anything but what TLS has it say."""

    def wrap_socket(self, sock: Any, *_: object, **__: object) -> NoReturn:
        sock.sendall(b"\xff not TLS" * 100)
        raise OSError("not TLS")


def outdated() -> ssl.SSLContext:
    """Return a server that knows TLS 1.0 and 1.1 (RFC 8996)."""
    context = server_context(GOOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def old() -> ssl.SSLContext:
    """Return a server that knows TLS 1.2, and only a cipher of it that Python leaves out."""
    context = server_context(GOOD, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    return context


SERVERS: dict[str, Callable[[], dict[str, Any]]] = {
    "good": lambda: {"tls": server_context(GOOD)},
    "TLS 1.2": lambda: {"tls": server_context(GOOD, maximum_version=ssl.TLSVersion.TLSv1_2)},
    "old ciphers": lambda: {"tls": old()},
    "wrong name": lambda: {"tls": server_context(WRONG_NAME)},
    "expired": lambda: {"tls": server_context(EXPIRED)},
    "unknown authority": lambda: {"tls": server_context(STRANGER)},
    "no STARTTLS": dict,
    "STARTTLS refused": lambda: {"tls": server_context(GOOD), "script": {"STARTTLS": "454 4.7.0 not now"}},
    "ends in the handshake": lambda: {"extensions": (*OFFERS, "STARTTLS")},
    "garbage": lambda: {"tls": Garbage(ssl.PROTOCOL_TLS_SERVER)},
    "TLS 1.1": lambda: {"tls": outdated()},
}
TLS, CLEAR, LATER = "over TLS", "in the clear", "later"
POOR = {"wrong name", "expired", "unknown authority", "old ciphers"}
"""Good enough where it does not matter who the server is."""
USABLE = {"good", "TLS 1.2"}


def expected(policy: str, server: str) -> str:
    """Return what becomes of mail under a policy."""
    if policy == "none":
        return CLEAR
    if server in USABLE:
        return TLS
    if server in POOR:
        return TLS if policy in {"may", "encrypt"} else LATER
    return CLEAR if policy == "may" else LATER


POLICIES = ("none", "may", "encrypt", "verify", f"fingerprint=sha256:{FINGERPRINT}", "dane")
TLSA = zone_form(tlsa(chain_of(GOOD)[0], 3, 1, 1))
WRONG = zone_form(tlsa(chain_of(STRANGER)[0], 3, 1, 1))


def publish(world: World, server: SmtpServer, *records: str, vouched: str = "*") -> None:
    """Publish the server as the MX host, with TLSA records that the resolver vouches for."""
    world.mx("example.net", (10, server))
    world.dns.vouched = set(vouched.split())
    if records:
        world.dns.zone[f"_{world.port}._tcp.{HOST}"] = {"TLSA": list(records)}


async def outcome(world: World, server: SmtpServer) -> str:
    """Deliver a message, and tell how."""
    sends = await world.deliver(message(BOB))
    if sends:
        assert again(sends).item.history[-1].text.startswith(("454 4.7.", "451 4.7.5", "450 4.7.0", "451 4.4.2"))
        assert server.transactions == []
        assert not any(command.startswith("MAIL") for command in server.commands)
        return LATER
    (mail,) = server.transactions
    return TLS if mail.tls else CLEAR


@pytest.fixture
def root_file(tmp_path: Any) -> str:
    path = str(tmp_path / "root.pem")
    ROOT.cert_pem.write_to_path(path)
    return path


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("policy", POLICIES)
async def test_each_policy_beside_each_server(world: World, root_file: str, policy: str, name: str) -> None:
    server = world.server(**SERVERS[name]())
    publish(world, server, TLSA)
    world.configure(tls_policy={"example.net": policy}, tls_ca=root_file)
    assert await outcome(world, server) == expected(policy, name)


class Dane(NamedTuple):
    """What is published, and what a server does."""

    records: tuple[str, ...]
    server: str
    expected: str
    vouched: str = "*"


def record(leaf: trustme.LeafCert | trustme.CA, usage: int, selector: int = 1, matching: int = 1) -> str:
    certificate = der(leaf) if isinstance(leaf, trustme.CA) else chain_of(leaf)[0]
    return zone_form(tlsa(certificate, usage, selector, matching))


UNUSABLE = (record(GOOD, 1), record(ROOT, 0), "3 9 1 " + "ab" * 32, "3 1 9 abcd")
DANE = [
    Dane((TLSA,), "good", TLS),
    Dane((TLSA,), "expired", LATER),
    Dane((TLSA,), "unknown authority", LATER),
    Dane((TLSA,), "no STARTTLS", LATER),
    Dane((TLSA,), "STARTTLS refused", LATER),
    Dane((TLSA,), "garbage", LATER),
    Dane((record(STRANGER, 3),), "unknown authority", TLS),
    Dane((record(STRANGER, 3), TLSA), "good", TLS),
    Dane((record(EXPIRED, 3, 0, 2),), "expired", TLS),
    Dane((record(WRONG_NAME, 3),), "wrong name", TLS),
    # authorities, which trustme's servers do not send: the record holds it whole
    Dane((record(ROOT, 2, 0, 0),), "good", TLS),
    Dane((record(ROOT, 2, 0, 0),), "wrong name", LATER),
    Dane((record(ROOT, 2, 0, 0),), "expired", LATER),
    Dane((record(ROOT, 2, 0, 0),), "unknown authority", LATER),
    Dane((record(ROOT, 2),), "good", LATER),
    # nothing to verify by: TLS, but any
    Dane(UNUSABLE, "good", TLS),
    Dane(UNUSABLE, "unknown authority", TLS),
    Dane(UNUSABLE, "no STARTTLS", LATER),
    # DNSSEC does not vouch for all of it: as if there were none
    Dane((TLSA,), "unknown authority", TLS, ""),
    Dane((TLSA,), "no STARTTLS", CLEAR, ""),
    Dane((TLSA,), "unknown authority", TLS, f"{HOST} _PORT._tcp.{HOST}"),
    Dane((TLSA,), "unknown authority", TLS, f"example.net _PORT._tcp.{HOST}"),
    Dane((TLSA,), "unknown authority", TLS, f"example.net {HOST}"),
    Dane((TLSA,), "unknown authority", LATER, f"example.net {HOST} _PORT._tcp.{HOST}"),
]


@pytest.mark.parametrize("case", DANE)
async def test_what_a_host_publishes_is_held_against_it(world: World, case: Dane) -> None:
    server = world.server(**SERVERS[case.server]())
    publish(world, server, *case.records, vouched=case.vouched.replace("PORT", str(world.port)))
    assert await outcome(world, server) == case.expected


@pytest.mark.parametrize(
    ("records", "server", "expected"),
    [(WRONG, "good", TLS), (TLSA, "no STARTTLS", CLEAR), (TLSA, "garbage", CLEAR), (None, "no STARTTLS", CLEAR)],
)
async def test_a_sender_may_waive_dane(world: World, records: str | None, server: str, expected: str) -> None:
    """RFC 8689 section 4.2.2; the last is one whose records cannot be had."""
    host = world.server(**SERVERS[server]())
    publish(world, host, *([records] if records else []))
    if records is None:
        world.dns.fail(f"_{world.port}._tcp.{HOST}", Fault.SERVFAIL)
    assert await world.deliver(message(BOB, content=b"tls-required: no\r\n" + CONTENT)) == ()
    assert (TLS if host.transactions[0].tls else CLEAR) == expected


@pytest.mark.parametrize("name", ["good", "no STARTTLS"])
@pytest.mark.parametrize("records", [UNUSABLE, ()])
async def test_dane_that_is_demanded_wants_records(world: World, records: tuple[str, ...], name: str) -> None:
    server = world.server(**SERVERS[name]())
    publish(world, server, *records)
    world.configure(tls_policy={".net": "dane"})
    assert await outcome(world, server) == LATER
    assert server.sessions == 0


@pytest.mark.parametrize(
    ("records", "server", "configured", "expected"),
    [
        ((TLSA,), "good", {}, ("tlsa", "success")),
        ((WRONG,), "good", {}, ("tlsa", "validation-failure")),
        ((TLSA,), "garbage", {}, ("tlsa", "validation-failure")),
        ((TLSA,), "no STARTTLS", {}, ("tlsa", "starttls-not-supported")),
        ((TLSA,), "STARTTLS refused", {}, ("tlsa", "starttls-not-supported")),
        (UNUSABLE, "good", {}, ("tlsa", "tlsa-invalid")),
        (UNUSABLE, "no STARTTLS", {}, ("tlsa", "starttls-not-supported")),
        (None, "good", {}, ("tlsa", "dnssec-invalid")),
        ((), "good", {"*": "dane"}, ("configured", "dane-required")),
        ((), "wrong name", {"*": "verify"}, ("configured", "certificate-not-trusted")),
        ((), "good", {"*": "may"}, ("configured", "success")),
        ((), "no STARTTLS", {}, ("no-policy-found", "starttls-not-supported")),
    ],
)
async def test_what_becomes_of_tls_is_counted(
    world: World, records: tuple[str, ...] | None, server: str, configured: dict[str, str], expected: tuple[str, str]
) -> None:
    """Without records: DNSSEC does not vouch for the answer that came."""
    found = world.server(**SERVERS[server]())
    publish(world, found, *(records or ()))
    if records is None:
        world.dns.fail(f"_{world.port}._tcp.{HOST}", Fault.SERVFAIL)
    world.configure(tls_policy=configured)
    with tls_counts() as counted:
        await world.deliver(message(BOB))
    assert counted == {expected: 1}


async def test_dane_can_be_switched_off(world: World) -> None:
    server = world.server(**SERVERS["unknown authority"]())
    publish(world, server, TLSA)
    world.configure(dane="off")
    assert await outcome(world, server) == TLS
    assert not world.dns.asked(f"_{world.port}._tcp.{HOST}")


@pytest.mark.parametrize(("option", "expected"), [("", TLS), ("?tls=dane", LATER)])
async def test_a_host_of_a_route_is_asked_for_records_if_the_route_says_so(
    world: World, option: str, expected: str
) -> None:
    server = world.server(**SERVERS["good"]())
    publish(world, server, WRONG)
    world.configure(route={"example.net": f"smtp://{HOST}:{world.port}{option}"})
    assert await outcome(world, server) == expected
    assert bool(world.dns.asked(f"_{world.port}._tcp.{HOST}")) is (expected == LATER)


async def test_another_host_gets_the_mail_that_one_may_not_have(world: World) -> None:
    wrong, right = (world.server(**SERVERS[name]()) for name in ("unknown authority", "good"))
    world.mx("example.net", (10, wrong), (20, right))
    world.dns.vouched = {"*"}
    for host in ("mx1", "mx2"):
        world.dns.zone[f"_{world.port}._tcp.{host}.example.net"] = {"TLSA": [TLSA]}
    assert await world.deliver(message(BOB)) == ()
    assert (len(wrong.transactions), len(right.transactions)) == (0, 1)


async def test_another_host_gets_the_mail_while_dns_is_silent_about_one(world: World) -> None:
    """Where none is left to get it, it waits (RFC 7672 section 2.1.2)."""
    first, second = (world.server(**SERVERS["good"]()) for _ in range(2))
    world.mx("example.net", (10, first), (20, second))
    world.dns.vouched = {"*"}
    world.dns.fail(f"_{world.port}._tcp.mx1.example.net", Fault.SERVFAIL)
    assert await world.deliver(message(BOB)) == ()
    assert (first.sessions, len(second.transactions)) == (0, 1)
    second.stop()
    sends = await world.deliver(message(BOB))
    assert again(sends).item.attempt == 1
    assert first.sessions == 0


async def test_a_session_is_not_used_for_mail_that_needs_more(world: World, root_file: str) -> None:
    """Two domains of one host: what was good enough for one is not for the other."""
    server = world.server(**SERVERS["unknown authority"]())
    for domain in ("example.net", "strict.example"):
        world.dns.zone[domain] = {"MX": [f"10 {HOST}."]}
    world.dns.zone[HOST] = {"A": [server.host]}
    world.configure(tls_policy={"strict.example": "verify"}, tls_ca=root_file)
    assert await world.deliver(message(BOB)) == ()
    assert [send.place for send in await world.deliver(message("a@strict.example"))] == [Place.REDELIVER]
    assert await world.deliver(message(BOB)) == ()
    assert [mail.session for mail in server.transactions] == [1, 1]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"*": "none"}, CLEAR),
        ({"*": "none", ".net": "encrypt"}, TLS),
        ({".net": "none", "example.net": "encrypt"}, TLS),
        ({"other.example": "none"}, TLS),
    ],
)
async def test_the_nearest_entry_decides(world: World, table: dict[str, str], expected: str) -> None:
    server = world.server(**SERVERS["good"]())
    publish(world, server)
    world.configure(tls_policy=table)
    assert await outcome(world, server) == expected


@pytest.mark.parametrize(("option", "expected"), [("", TLS), ("?tls=none", CLEAR)])
async def test_a_route_goes_before_the_table(world: World, option: str, expected: str) -> None:
    server = world.server(**SERVERS["good"]())
    world.dns.zone["smart.test"] = {"A": [server.host]}
    world.configure(
        tls_policy={"example.net": "encrypt"}, route={"example.net": f"smtp://smart.test:{server.port}{option}"}
    )
    assert await outcome(world, server) == expected


@pytest.mark.parametrize(("policy", "expected"), [("may", CLEAR), ("encrypt", LATER), ("verify", LATER)])
async def test_a_handshake_has_its_time(world: World, policy: str, expected: str) -> None:
    server = world.server(tls=Silence(ssl.PROTOCOL_TLS_SERVER))
    publish(world, server)
    world.configure(tls_policy={"*": policy}, reply_timeout=Duration(2))
    assert await outcome(world, server) == expected


async def test_what_is_said_before_tls_is_not_believed(world: World) -> None:
    """Neither offers in the clear, nor what somebody has put between the reply and the handshake (RFC 3207)."""
    script: Script = {
        "EHLO": ["250-x\n250-STARTTLS\n250-SIZE 1\n250 REQUIRETLS", "250-x\n250 8BITMIME"],
        "STARTTLS": "220 go\n250-x\n250 SIZE 1",
    }
    server = world.server(tls=server_context(GOOD), script=script)
    publish(world, server)
    assert await outcome(world, server) == TLS
    assert server.transactions[0].mail_params == ()
    assert [command.split()[0] for command in server.commands][:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


async def test_a_refusal_that_is_said_over_tls_is_no_reason_to_go_without(world: World) -> None:
    script: Script = {"EHLO": ["250-x\n250 STARTTLS", "421 4.3.2 busy", "250 x"]}
    server = world.server(tls=server_context(GOOD), script=script)
    publish(world, server)
    sends = await world.deliver(message(BOB))
    assert again(sends).item.history[-1].text == f"450 4.3.2 {HOST} answered EHLO with: 421 4.3.2 busy"
    assert server.sessions == 1
    assert "HELO" not in [command.split()[0] for command in server.commands]


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    ("policy", "name", "expected"),
    [
        (f"fingerprint=sha256:{FINGERPRINT}", "good", TLS),
        (f"fingerprint=sha256:{'00' * 32},sha256:{FINGERPRINT}", "good", TLS),
        (f"fingerprint=sha256:{FINGERPRINT}", "unknown authority", LATER),
        ("dane", "good", TLS),
        ("dane", "unknown authority", LATER),
    ],
)
async def test_a_password_goes_to_the_one_server(
    world: World, policy: str, name: str, expected: str, implicit: bool
) -> None:
    """Also where TLS is there from the start, no command is sent before the server has proved itself."""
    server = world.server(**SERVERS[name](), implicit_tls=implicit, users={"me": "s3cret"})
    world.dns.zone[HOST] = {"A": [server.host]}
    world.dns.zone[f"_{server.port}._tcp.{HOST}"] = {"TLSA": [TLSA]}
    world.dns.vouched = {"*"}
    scheme = "smtps" if implicit else "smtp"
    world.configure(route={"*": f"{scheme}://me@{HOST}:{server.port}?tls={policy}"}, route_passwords={"*": "s3cret"})
    assert await outcome(world, server) == expected
    if expected == LATER:
        assert [command.split()[0] for command in server.commands] == ([] if implicit else ["EHLO", "STARTTLS"])


@pytest.mark.parametrize("policy", [f"fingerprint=sha256:{FINGERPRINT}", "dane"])
async def test_showing_another_s_certificate_beside_one_s_own_proves_nothing(
    world: World, tmp_path: Any, policy: str
) -> None:
    """Everybody has the certificate: only the first one of a server is held against the key that it has."""
    certificate, key = written(STRANGER, tmp_path)
    with Path(certificate).open("ab") as file:
        file.write(GOOD.cert_chain_pems[0].bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = world.server(tls=context)
    publish(world, server, TLSA)
    world.configure(tls_policy={"*": policy})
    assert await outcome(world, server) == LATER


@pytest.mark.parametrize("name", ["alias.example.net", HOST])
async def test_the_server_is_asked_for_by_the_name_it_goes_by(world: World, name: str) -> None:
    """SNI: the host, or what it is an alias of if that has the records (RFC 7672 section 2.2.2)."""
    asked: list[object] = []
    context = server_context(GOOD)
    context.sni_callback = lambda _, server_name, __: asked.append(server_name)
    server = world.server(tls=context)
    world.dns.zone["example.net"] = {"MX": [f"10 {name}."]}
    world.dns.zone["alias.example.net"] = {"CNAME": [f"{HOST}."]}
    world.dns.zone[HOST] = {"A": [server.host]}
    world.dns.zone[f"_{world.port}._tcp.{HOST}"] = {"TLSA": [record(ROOT, 2, 0, 0)]}
    world.dns.vouched = {"*"}
    assert await outcome(world, server) == TLS
    assert asked == [HOST]


class TestCertificatesOfOurs:
    """`?cert=` and `?key=` of a route."""

    OURS = ROOT.issue_cert("relay.example.org")

    @pytest.mark.parametrize("shown", [True, False])
    async def test_who_asks_for_one_gets_it(self, world: World, tmp_path: Any, shown: bool) -> None:
        context = server_context(GOOD, verify_mode=ssl.CERT_REQUIRED)
        ROOT.configure_trust(context)
        server = world.server(tls=context)
        world.dns.zone["smart.test"] = {"A": [server.host]}
        certificate, key = written(self.OURS, tmp_path)
        option = f"&cert={certificate}&key={key}" if shown else ""
        world.configure(route={"*": f"smtp://smart.test:{server.port}?tls=encrypt{option}"})
        assert await outcome(world, server) == (TLS if shown else LATER)

    async def test_what_cannot_be_used_stops_the_process(self, world: World, tmp_path: Any) -> None:
        certificate, _ = written(self.OURS, tmp_path)
        for text in (f"cert={tmp_path}/absent.pem", f"cert={certificate}", f"cert={certificate}&key={certificate}"):
            world.configure(route={"*": f"smtp://smart.test?tls=encrypt&{text}"})
            with pytest.raises(ConfigError, match="cannot use the certificate"):
                _ = world.handler
