"""The ingresses that transcripts (tests/dialogs) speak to, each started when the first one asks for it."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from services.ingress.auth.users import add_user
from shared.config.model import Config, Hosted, Listener
from shared.config.strangers import Authentication, CallOut, Dnsbl, Rate
from shared.config.units import Duration, Size
from shared.dns.port import Resolver
from shared.dns.resolver import DnsResolver
from shared.errors import BrokerFull
from tests.support.dns_server import DnsServer
from tests.support.front import NO_DNS, Front, front_config, with_tls
from tests.support.smtp_server import SmtpServer

USER = "bob@example.org"
PASSWORD = "correct horse"

SETTINGS: dict[str, dict[str, Any]] = {
    "ordinary": {},
    "repairing": {"bare_line_ends": "repair"},
    "tight": {"max_recipients": 2, "max_message_size": Size(1000), "max_hops": 3},
    "small": {"buffer": Size(160)},
    "few": {"max_connections_per_client": 1},
    "full": {"max_connections": 1},
    "hasty": {"command_timeout": Duration(2), "data_timeout": Duration(2)},
    "demanding": {"minimum_rate": Size(10_000), "minimum_rate_after": Duration(0.3)},
}
"""Keys of [ingress], for sites that differ in nothing else. A buffer of 160 octets has room for 100 of content."""

AUTH: dict[str, dict[str, Any]] = {
    "users": {"senders": {USER: (USER,)}, "check_from_header": True},
    "locking": {"max_failures_per_address": 1},
    "asking": {"users_file": None, "http_url": "http://127.0.0.1:9/"},
}
"""Keys of [auth]."""


class Sites:
    """`folder` holds the certificate; what is started ends with `stack`."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Front] = {}
        add_user(folder / "users", USER, PASSWORD)

    def named(self, name: str) -> Front:
        """Return the ingress that `@site name` means; "" is the ordinary one."""
        name = name or "ordinary"
        if name not in self._running:
            make: Callable[[], tuple[Config, Resolver]] | None = getattr(self, f"_{name}", None)
            config, resolver = make() if make is not None else (front_config(**SETTINGS.get(name, {})), NO_DNS)
            front = self._stack.enter_context(Front(self._furnished(name, config), resolver=resolver))
            front.recorder.reason = "away" if name == "away" else None
            front.recorder.error = {"brimming": BrokerFull("full"), "faulty": RuntimeError("nobody")}.get(name)
            self._running[name] = front
        return self._running[name]

    def _furnished(self, name: str, config: Config) -> Config:
        """Return the configuration with certificate, users and all listeners, where the site is not about these."""
        if name == "plain":
            return config
        whole = with_tls(config, self._folder / "relay.pem", self._folder / "users")
        if name == "balanced":
            listener = Listener(address="127.0.0.1:0", proxy_from=("127.0.0.1/32",))
            ingress = msgspec.structs.replace(whole.ingress, listener=(listener,), proxy_timeout=Duration(0.3))
            return msgspec.structs.replace(whole, ingress=ingress)
        return msgspec.structs.replace(whole, auth=msgspec.structs.replace(whole.auth, **AUTH.get(name, {})))

    def _listed(self) -> tuple[Config, Resolver]:
        """A list says who exists in listed.example."""
        return front_config(self._folder), NO_DNS

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

    def _verifying(self) -> tuple[Config, Resolver]:
        """Strangers' mail is verified; strict.example sends from elsewhere only, guarded.example signs everything."""
        zone = {
            "elsewhere.example": {"A": ["192.0.2.1"]},
            "strict.example": {"TXT": ['"v=spf1 ip4:192.0.2.1 -all"']},
            "guarded.example": {"A": ["192.0.2.1"]},
            "_dmarc.guarded.example": {"TXT": ['"v=DMARC1; p=reject"']},
        }
        dns = self._stack.enter_context(DnsServer(zone))
        config = front_config(authentication=Authentication(verify=True, spf_fail="reject", dmarc="enforce"))
        return config, DnsResolver((dns.address,))
