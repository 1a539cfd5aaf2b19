"""MTA-STS with a real HTTPS server: which policy is obeyed, and what becomes of mail under it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from services.delivery.security import observing, sts_fetch
from services.delivery.security.contexts import Files, verifying
from services.delivery.security.protection import Result
from services.delivery.security.sts import Mode, StsPolicy
from services.delivery.security.sts_fetch import StsFetcher, Trouble
from services.delivery.security.sts_policies import StsMemory, StsPolicies
from shared.config.units import Duration
from shared.dns.resolver import DnsResolver
from tests.support.certificates import PAST, chain_of, server_context, tlsa, zone_form
from tests.support.delivery_world import CONTENT, World, again, message
from tests.support.dns_server import Fault
from tests.support.policy_server import PolicyServer, served
from tests.support.smtp_server import SmtpServer
from tests.support.tls_counts import tls_counts

BOB = "bob@example.net"
HOST = "mx1.example.net"
POLICY_HOST = "mta-sts.example.net"
ROOT = trustme.CA()
GOOD = ROOT.issue_cert(HOST)
STRANGER = trustme.CA().issue_cert(HOST)
EXPIRED = ROOT.issue_cert(HOST, not_before=PAST, not_after=PAST + timedelta(days=1))
OTHER = ROOT.issue_cert("other.example.net")
POLICY_LEAF = ROOT.issue_cert(POLICY_HOST)
WAIVED = b"TLS-Required: No\r\n" + CONTENT


def policy(mode: str, *patterns: str, max_age: int = 86400) -> bytes:
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {each}" for each in patterns or (HOST,)), f"max_age: {max_age}"]
    return served("\r\n".join((*lines, "")))


class Domain(NamedTuple):
    """example.net, its policy server and a world that knows them."""

    world: World
    server: PolicyServer

    def host(self, leaf: trustme.LeafCert | None) -> SmtpServer:
        """Start the mail host, with a certificate or without TLS."""
        server = self.world.server(tls=server_context(leaf) if leaf else None)
        self.world.mx("example.net", (10, server))
        return server

    def publish(self, policy_id: str) -> None:
        """Publish the policy's record; the one before it has been forgotten by then."""
        self.world.now += self.world.dns.ttl
        self.world.dns.zone["_mta-sts.example.net"] = {"TXT": [f'"v=STSv1; id={policy_id};"']}


@pytest.fixture
def root_file(tmp_path: Path) -> str:
    path = str(tmp_path / "root.pem")
    ROOT.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def domain(world: World, root_file: str) -> Iterator[Domain]:
    world.dns.zone[POLICY_HOST] = {"A": [world.address(250)]}
    with PolicyServer(world.address(250), server_context(POLICY_LEAF)) as server:
        world.configure(tls_ca=root_file, mta_sts_port=server.port, lifetime=Duration(10 * 86400))
        found = Domain(world, server)
        found.publish("1")
        server.answer = policy("enforce")
        yield found


async def outcome(domain: Domain, server: SmtpServer) -> str:
    """Deliver a message, and tell how: "tls", "clear", or the reply."""
    before = len(server.transactions)
    sends = await domain.world.deliver(message(BOB))
    if sends:
        assert len(server.transactions) == before
        return again(sends).item.history[-1].text
    return "tls" if server.transactions[-1].tls else "clear"


UNTRUSTED = f"454 4.7.5 TLS with {HOST} failed: CERTIFICATE_VERIFY_FAILED"
NO_STARTTLS = f"454 4.7.4 {HOST} offers no STARTTLS, which is required"
MISMATCH = f"451 4.7.5 the MTA-STS policy of example.net does not name {HOST}"


@pytest.mark.parametrize(
    ("answer", "leaf", "expected"),
    [
        (policy("enforce"), GOOD, "tls"),
        (policy("enforce", "*.example.net"), GOOD, "tls"),
        (policy("enforce"), STRANGER, UNTRUSTED),
        (policy("enforce"), OTHER, UNTRUSTED),
        (policy("enforce"), None, NO_STARTTLS),
        (policy("enforce", "other.example.net"), GOOD, MISMATCH),
        (policy("testing"), GOOD, "tls"),
        (policy("testing"), STRANGER, "tls"),
        (policy("testing"), None, "clear"),
        (policy("testing", "other.example.net"), STRANGER, "tls"),
        (policy("none"), STRANGER, "tls"),
        # no policy: whatever is not one
        (served("nonsense"), STRANGER, "tls"),
        (served("", "404 Not Found"), STRANGER, "tls"),
        (policy("enforce").replace(b"text/plain", b"text/html"), STRANGER, "tls"),
        (policy("enforce").replace(b"200 OK", b"302 Found"), STRANGER, "tls"),
        (b"220 smtp\r\n", None, "clear"),
        (b"", None, "clear"),
        (served("x" * 1_000_000), None, "clear"),
    ],
)
async def test_what_becomes_of_mail_under_a_policy(
    domain: Domain, answer: bytes, leaf: trustme.LeafCert | None, expected: str
) -> None:
    domain.server.answer = answer
    assert await outcome(domain, domain.host(leaf)) == expected
    (request,) = domain.server.requests
    assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.net\r\n")


class Counted(NamedTuple):
    """A policy, a server's certificate, and what is counted for one message."""

    answer: bytes
    leaf: trustme.LeafCert | None
    expected: dict[tuple[str, str], int]


COUNTED = [
    Counted(policy("enforce"), GOOD, {("sts", "success"): 1}),
    Counted(policy("enforce"), STRANGER, {("sts", "certificate-not-trusted"): 1}),
    Counted(policy("enforce"), EXPIRED, {("sts", "certificate-expired"): 1}),
    Counted(policy("enforce"), OTHER, {("sts", "certificate-host-mismatch"): 1}),
    Counted(policy("enforce"), None, {("sts", "starttls-not-supported"): 1}),
    Counted(policy("enforce", "other.example.net"), GOOD, {("sts", "validation-failure"): 1}),
    Counted(policy("testing"), GOOD, {("sts", "success"): 1}),
    Counted(policy("testing"), STRANGER, {("sts", "certificate-not-trusted"): 1}),
    Counted(policy("testing"), None, {("sts", "starttls-not-supported"): 1}),
    Counted(policy("testing", "other.example.net"), GOOD, {("sts", "validation-failure"): 1}),
    Counted(policy("none"), GOOD, {("no-policy-found", "success"): 1}),
    Counted(served("?"), GOOD, {("sts", "sts-policy-invalid"): 1, ("no-policy-found", "success"): 1}),
    Counted(b"", None, {("sts", "sts-policy-fetch-error"): 1, ("no-policy-found", "starttls-not-supported"): 1}),
]


@pytest.mark.parametrize("case", COUNTED)
async def test_what_becomes_of_tls_is_counted(domain: Domain, case: Counted) -> None:
    """Once for each host, however many connections it took."""
    domain.server.answer = case.answer
    with tls_counts() as counted:
        await outcome(domain, domain.host(case.leaf))
    assert counted == case.expected


async def test_a_policy_server_that_is_not_to_be_trusted_is_counted(domain: Domain) -> None:
    domain.server.context = server_context(GOOD)
    with tls_counts() as counted:
        await outcome(domain, domain.host(GOOD))
    assert counted == {("sts", "sts-webpki-invalid"): 1, ("no-policy-found", "success"): 1}


async def test_requiretls_goes_to_hosts_that_a_policy_names(domain: Domain) -> None:
    """DNS alone, which anybody may have forged, does not name them (RFC 8689 section 4.2.1)."""
    server = domain.world.server(tls=server_context(GOOD), extensions=("REQUIRETLS",))
    domain.world.mx("example.net", (10, server))
    for number, (answer, expected) in enumerate(
        [
            (policy("none"), 0),
            (policy("enforce"), 1),
            (policy("testing"), 2),
            (policy("testing", "mx2.example.net"), 2),
            (served("", "404 Not Found"), 2),
        ]
    ):
        domain.server.answer = answer
        domain.publish(f"n{number}")
        await domain.world.deliver(message(BOB, require_tls=True))
        assert len(server.transactions) == expected, answer


async def test_requiretls_waits_for_a_policy_that_cannot_be_had(domain: Domain) -> None:
    """It may vouch for the host in an hour: returned is what no policy vouches for."""
    server = domain.world.server(tls=server_context(GOOD), extensions=("REQUIRETLS",))
    domain.world.mx("example.net", (10, server))
    domain.server.answer = served("", "503 Service Unavailable")
    tried = again(await domain.world.deliver(message(BOB, require_tls=True))).item
    assert "MTA-STS policy" in tried.history[-1].text
    assert server.sessions == 0


async def test_requiretls_asks_for_the_policy_whatever_is_configured(domain: Domain) -> None:
    """Nor does a field take it back."""
    server = domain.world.server(tls=server_context(GOOD), extensions=("REQUIRETLS",))
    domain.world.mx("example.net", (10, server))
    domain.world.configure(tls_policy={"example.net": "encrypt"})
    assert await domain.world.deliver(message(BOB, content=WAIVED, require_tls=True)) == ()
    assert server.transactions[0].tls


@pytest.mark.parametrize(
    ("leaf", "patterns", "expected"), [(STRANGER, (), "tls"), (None, (), "clear"), (None, ("other.example",), "clear")]
)
async def test_a_sender_may_waive_what_the_domain_publishes(
    domain: Domain, leaf: trustme.LeafCert | None, patterns: tuple[str, ...], expected: str
) -> None:
    """RFC 8689 section 4.2.2: TLS as far as it goes, and no policy of the recipient's."""
    domain.server.answer = policy("enforce", *patterns)
    server = domain.host(leaf)
    assert await domain.world.deliver(message(BOB, content=WAIVED)) == ()
    assert ("tls" if server.transactions[0].tls else "clear") == expected


async def test_nobody_waives_what_is_configured_or_required(domain: Domain) -> None:
    server = domain.host(None)
    domain.world.configure(tls_policy={"example.net": "encrypt"})
    for required in (False, True):
        assert await domain.world.deliver(message(BOB, content=WAIVED, require_tls=required)) != ()
    assert server.transactions == []


async def test_only_hosts_that_the_policy_names_are_tried(domain: Domain) -> None:
    world = domain.world
    bad, good = world.server(), world.server(tls=server_context(ROOT.issue_cert("mx2.example.net")))
    world.mx("example.net", (10, bad), (20, good))
    domain.server.answer = policy("enforce", "mx2.example.net")
    assert await outcome(domain, good) == "tls"
    assert bad.sessions == 0


async def test_dane_goes_before_a_policy(domain: Domain) -> None:
    """The certificate is of no authority, and the policy names other hosts."""
    domain.server.answer = policy("enforce", "other.example.net")
    server = domain.host(STRANGER)
    record = zone_form(tlsa(chain_of(STRANGER)[0], 3, 1, 1))
    domain.world.dns.zone[f"_{domain.world.port}._tcp.{HOST}"] = {"TLSA": [record]}
    domain.world.dns.vouched = {"*"}
    assert await outcome(domain, server) == "tls"
    assert domain.server.requests == []


async def test_a_policy_is_about_mx_hosts(domain: Domain) -> None:
    """And not about the next hop that the configuration names beside them."""
    world = domain.world
    inside = world.server()
    domain.host(GOOD)
    world.configure(relay={"hosted": {"example.net": (f"{inside.host}:{inside.port}", "mx")}})
    assert await outcome(domain, inside) == "clear"
    assert len(domain.server.requests) == 1


@pytest.mark.parametrize("keys", [{"mta_sts": False}, {"tls_policy": {"example.net": "may"}}])
async def test_it_can_be_switched_off(domain: Domain, keys: dict[str, Any]) -> None:
    domain.world.configure(**keys)
    assert await outcome(domain, domain.host(STRANGER)) == "tls"
    assert domain.server.requests == []


async def test_a_policy_that_is_remembered_is_obeyed_when_all_else_is_gone(domain: Domain) -> None:
    """An attacker who takes away record and server gets nowhere, until the policy is too old."""
    server = domain.host(GOOD)
    assert await outcome(domain, server) == "tls"
    server.stop()
    false = domain.world.server(host=server.host)
    domain.server.answer = b""
    domain.world.dns.fail("_mta-sts.example.net", Fault.SERVFAIL)
    domain.world.now += 86399
    assert await outcome(domain, false) == NO_STARTTLS
    domain.world.dns.heal("_mta-sts.example.net")
    domain.world.dns.zone["_mta-sts.example.net"] = {"TXT": []}
    assert await outcome(domain, false) == NO_STARTTLS
    domain.world.now += 1
    assert await outcome(domain, false) == "clear"
    assert len(domain.server.requests) == 1


async def test_a_new_id_makes_a_new_policy(domain: Domain) -> None:
    server = domain.host(STRANGER)
    assert await outcome(domain, server) == UNTRUSTED
    assert await outcome(domain, server) == UNTRUSTED
    assert len(domain.server.requests) == 1
    domain.server.answer = policy("none")
    domain.publish("2")
    assert await outcome(domain, server) == "tls"
    assert len(domain.server.requests) == 2


async def test_what_cannot_be_fetched_leaves_the_old_one_in_force(domain: Domain) -> None:
    """And the server is left alone for five minutes."""
    server = domain.host(STRANGER)
    assert await outcome(domain, server) == UNTRUSTED
    domain.server.answer = served("", "503 Service Unavailable")
    domain.publish("2")
    for _ in range(2):
        assert await outcome(domain, server) == UNTRUSTED
    assert len(domain.server.requests) == 2
    domain.server.answer = policy("none")
    domain.world.now += 300
    assert await outcome(domain, server) == "tls"


async def test_a_policy_is_renewed_before_it_ends(domain: Domain) -> None:
    server = domain.host(GOOD)
    for seconds in (0, 43_199, 1):
        domain.world.now += seconds
        assert await outcome(domain, server) == "tls"
    while len(domain.server.requests) < 2:  # beside the delivery
        assert await outcome(domain, server) == "tls"


async def test_many_messages_at_once_fetch_once(domain: Domain) -> None:
    server = domain.host(GOOD)
    domain.world.configure(per_destination=5)
    await asyncio.gather(*(domain.world.deliver(message(BOB)) for _ in range(5)))
    assert len(server.transactions) == 5
    assert len(domain.server.requests) == 1


async def test_who_gives_up_leaves_the_fetch_to_the_others(domain: Domain) -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    found = StsPolicy(Mode.ENFORCE, 86400, (HOST,))

    async def fetch(_: str) -> StsPolicy:
        begun.set()
        await go.wait()
        return found

    resolver = DnsResolver((domain.world.dns.address,))
    policies = StsPolicies(StsMemory(), resolver, fetch, lambda: 0.0, observing.policy_failed)
    first, second = (asyncio.create_task(policies.of("example.net")) for _ in range(2))
    await begun.wait()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    go.set()
    assert await second == found


FETCHING: dict[str, tuple[trustme.LeafCert, Result | None]] = {
    "good": (POLICY_LEAF, None),
    "wrong name": (GOOD, Result.STS_WEBPKI),
    "unknown authority": (trustme.CA().issue_cert(POLICY_HOST), Result.STS_WEBPKI),
    "expired": (ROOT.issue_cert(POLICY_HOST, not_before=PAST, not_after=PAST + timedelta(1)), Result.STS_WEBPKI),
}


class TestFetching:
    """What is said about a policy that cannot be had."""

    @pytest.fixture
    def fetcher(self, domain: Domain, root_file: str) -> StsFetcher:
        resolver = DnsResolver((domain.world.dns.address,))
        context = verifying(Files(ca=root_file))
        return StsFetcher(resolver, context, domain.server.port, allow_private=True)

    @pytest.mark.parametrize("name", FETCHING)
    async def test_certificates_count(self, domain: Domain, fetcher: StsFetcher, name: str) -> None:
        leaf, expected = FETCHING[name]
        domain.server.context = server_context(leaf)
        fetched = await fetcher.fetch("example.net")
        assert (fetched.result if isinstance(fetched, Trouble) else None) == expected
        assert (domain.server.requests == []) is (expected is not None)

    async def test_time_runs_out(self, domain: Domain, fetcher: StsFetcher, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sts_fetch, "TIMEOUT_SECONDS", 0.3)
        domain.server.answer = None
        assert await fetcher.fetch("example.net") == Trouble("no answer within 0.3 s")

    async def test_a_server_that_does_not_hang_up_is_left(self, domain: Domain, fetcher: StsFetcher) -> None:
        domain.server.stays = True
        assert isinstance(await fetcher.fetch("example.net"), StsPolicy)

    async def test_an_answer_without_end_is_left(self, domain: Domain, fetcher: StsFetcher) -> None:
        domain.server.answer, domain.server.for_ever = policy("enforce").replace(b"Content-Length", b"X-Length"), True
        fetched = await fetcher.fetch("example.net")
        assert fetched == Trouble("longer than 65536 octets")

    @pytest.mark.parametrize(
        ("zone", "reason"),
        [
            ({}, "no address"),
            ({"A": []}, "no address"),
            ({"A": ["127.255.255.1"]}, "Connect call failed"),
        ],
    )
    async def test_a_server_is_not_there(
        self, domain: Domain, fetcher: StsFetcher, zone: dict[str, list[str]], reason: str
    ) -> None:
        domain.world.dns.zone[POLICY_HOST] = zone
        fetched = await fetcher.fetch("example.net")
        assert isinstance(fetched, Trouble)
        assert reason in fetched.reason

    async def test_other_addresses_are_tried(self, domain: Domain, fetcher: StsFetcher) -> None:
        domain.world.dns.zone[POLICY_HOST] = {"AAAA": ["::1"], "A": ["127.255.255.1", domain.server.host]}
        assert isinstance(await fetcher.fetch("example.net"), StsPolicy)

    async def test_a_private_address_is_not_connected_to(self, domain: Domain, root_file: str) -> None:
        resolver = DnsResolver((domain.world.dns.address,))
        fetcher = StsFetcher(resolver, verifying(Files(ca=root_file)), domain.server.port, allow_private=False)
        assert await fetcher.fetch("example.net") == Trouble(
            "mta-sts.example.net has addresses of private networks only"
        )
