"""Every transcript in tests/dialogs, replayed against the real ingress. A new rule or a found defect adds a file."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme

from shared.config.model import CallOut, Config, Dnsbl, Hosted, Rate
from shared.config.units import Duration
from shared.dns.port import Resolver
from shared.dns.resolver import DnsResolver
from tests.support.dialog import directive, replay
from tests.support.dns_server import DnsServer
from tests.support.front import NO_DNS, Front, front_config, with_tls
from tests.support.smtp_server import SmtpServer

FOLDER = Path(__file__).resolve().parents[1] / "dialogs"
TRANSCRIPTS = sorted(FOLDER.glob("*.smtp"))


class Sites:
    """The ingresses that transcripts speak to, each started when the first one asks for it."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Front] = {}

    def named(self, name: str) -> Front:
        """Return the ingress that `@site name` means; "" is the ordinary one."""
        if name not in self._running:
            config, resolver = getattr(self, f"_{name or 'ordinary'}")()
            front = Front(with_tls(config, self._folder / "relay.pem", self._folder / "users"), resolver=resolver)
            self._running[name] = self._stack.enter_context(front)
        return self._running[name]

    def _ordinary(self) -> tuple[Config, Resolver]:
        return front_config(), NO_DNS

    def _repairing(self) -> tuple[Config, Resolver]:
        return front_config(bare_line_ends="repair"), NO_DNS

    def _limited(self) -> tuple[Config, Resolver]:
        """One client is turned away, the others are limited; each transcript has a client of its own."""
        rate = Rate(per="client", connections="1/h", messages="2/h", recipients="3/h", bytes="1000B/h")
        config = front_config(rate=(rate,))
        relay = msgspec.structs.replace(config.relay, denied_clients=("127.0.0.66/32",))
        return msgspec.structs.replace(config, relay=relay), NO_DNS

    def _strangers(self) -> tuple[Config, Resolver]:
        """DNS is asked about strangers, who must wait: 127.0.0.41 is on a list, 127.0.0.42 has no name."""
        zone = {
            "41.0.0.127.bl.example": {"A": ["127.0.0.2"]},
            "41.0.0.127.in-addr.arpa": {"PTR": ["listed.example."]},
            "listed.example": {"A": ["127.0.0.41"]},
        }
        dns = self._stack.enter_context(DnsServer(zone))
        config = front_config(
            dnsbl=Dnsbl(zones=("bl.example",)), require_reverse_dns=True, greeting_delay=Duration(0.5)
        )
        return config, DnsResolver((dns.address,))

    def _verified(self) -> tuple[Config, Resolver]:
        """The next hop of example.org is asked who exists there; it knows everybody but these."""
        unknown = {"RCPT nobody@example.org": "550 5.1.1 unknown", "RCPT busy@example.org": "450 4.2.1 try later"}
        server = self._stack.enter_context(SmtpServer(script=unknown))
        config = front_config(call_out=CallOut(uncertain="defer"))
        hosted = {"example.org": Hosted(next_hop=(f"127.0.0.1:{server.port}",), verify="call-out")}
        return msgspec.structs.replace(config, relay=msgspec.structs.replace(config.relay, hosted=hosted)), NO_DNS


@pytest.fixture(scope="module")
def sites(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("dialogs")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    with contextlib.ExitStack() as stack:
        yield Sites(folder, stack)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_dialog(path: Path, sites: Sites, authority: trustme.CA) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    replay(path, sites.named(directive(path.read_text(encoding="utf-8").splitlines(), "@site")), trust)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 12
