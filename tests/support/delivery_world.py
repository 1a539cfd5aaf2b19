"""Delivery's handler among real servers: a DNS server, SMTP destinations on loopback addresses, a clock that is set.

    async with World() as world:
        world.mx("example.net", (10, world.server()))
        sends = await world.deliver(message("bob@example.net"))

Every destination listens on the world's one port, on an address of its own, as hosts do on port 25. A world has a
network of its own in 127.0.0.0/8 and a port below the ephemeral ones, so that test runs side by side do not collide.
"""

import random
import socket
import ssl
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any, Self

import msgspec
import trustme

from services.delivery.app import Lasting, build_handler, gate_settings
from services.delivery.handler import Handler
from services.delivery.security.sts_policies import StsMemory
from services.delivery.shaping.gate import Gate
from shared.broker.local_slots import LocalSlots
from shared.config.model import Config, Delivery, Relay
from shared.config.next_hop import next_hop, route_url
from shared.config.units import Duration
from shared.dns.resolver import DnsResolver
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send, Verdict
from tests.support.dns_server import DnsServer
from tests.support.smtp_server import SmtpServer

CONTENT = b"From: a@example.org\r\nSubject: test\r\n\r\nHello.\r\n"
ACCEPTED_AT = 1_000_000.0
ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
POSTMASTER = "postmaster@example.org"
PASSED = Verdict(action=Action.PASS, at=ACCEPTED_AT)


def message(
    *recipients: str | Recipient, content: bytes = CONTENT, sender: str | None = "a@example.org", **item: Any
) -> Message:
    """Return a screened message from a trusted client."""
    envelope = Envelope(
        sender=sender,
        recipients=tuple(Recipient(address=each) if isinstance(each, str) else each for each in recipients),
        **{key: item.pop(key) for key in list(item) if key in Envelope.__struct_fields__},
    )
    fields: dict[str, Any] = {
        "id": ID,
        "split": 1,
        "origin": Origin.TRUSTED,
        "accepted_at": ACCEPTED_AT,
        "verdict": PASSED,
    } | item
    return Message(Item(envelope=envelope, destination=envelope.recipients[0].domain, **fields), content)


def again(sends: Sequence[Send]) -> Message:
    """Return the one message that is to be tried again, as the worker would hand it over."""
    (found,) = [s.message for s in sends if s.place is Place.REDELIVER and s.message.item.id == ID]
    return Message(msgspec.structs.replace(found.item, not_before=None), found.content)


class World:
    """Everything delivery meets."""

    def __init__(self, **delivery: Any) -> None:
        self._stack = ExitStack()
        self.dns = DnsServer()
        self._network = f"127.{random.randint(16, 250)}.{random.randint(0, 255)}"
        self.port = _free_port(self.address(2))
        self.now = ACCEPTED_AT
        self._relay: dict[str, Any] = {"postmaster": POSTMASTER}
        self._delivery: dict[str, Any] = {
            "nameservers": (self.dns.address,),
            "port": self.port,
            "allow_private_destinations": True,
            "connect_timeout": Duration(10),
            "retry": (Duration(60), Duration(300)),
            "lifetime": Duration(86400),
            "idle_connection": Duration(30),
        } | delivery
        self._handler: Handler | None = None
        self._gate: Gate | None = None
        self.slots = LocalSlots()
        self._next = 2

    async def __aenter__(self) -> Self:
        self._stack.enter_context(self.dns)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()
        self._stack.close()

    async def hang_up(self) -> None:
        """End the sessions that are kept."""
        if self._gate is not None:
            await self._gate.close()

    def address(self, number: int) -> str:
        """Return an address of the world's network; servers get 2, 3 ... in the order of their start."""
        return f"{self._network}.{number}"

    def configure(self, *, relay: dict[str, Any] | None = None, **delivery: Any) -> None:
        """Change keys, before the first delivery; next hops only as a file may have them."""
        self._relay |= relay or {}
        self._delivery |= delivery
        for hops in (relay or {}).get("hosted", {}).values():
            for hop in (hops,) if isinstance(hops, str) else getattr(hops, "next_hop", hops):
                next_hop(hop)
        for url in delivery.get("route", {}).values():
            route_url(url)

    @property
    def config(self) -> Config:
        """The configuration as set so far."""
        return Config(hostname="relay.example.org", relay=Relay(**self._relay), delivery=Delivery(**self._delivery))

    def server(self, **options: Any) -> SmtpServer:
        """Start a destination on the next loopback address."""
        host = options.pop("host", None) or self.address(self._next)
        self._next += 1
        return self._stack.enter_context(SmtpServer(host=host, port=options.pop("port", self.port), **options))

    def mx(self, domain: str, *hosts: tuple[int, SmtpServer]) -> None:
        """Publish MX records, each for a host of its own with the server's address."""
        names = [f"mx{number}.{domain}" for number in range(1, len(hosts) + 1)]
        records = [f"{preference} {name}." for name, (preference, _) in zip(names, hosts, strict=True)]
        self.dns.zone[domain] = {"MX": records}
        for name, (_, server) in zip(names, hosts, strict=True):
            self.dns.zone[name] = {"A": [server.host]}

    @property
    def gate(self) -> Gate:
        """What lets the handler's attempts through."""
        assert self._gate is not None, "nothing was delivered yet"
        return self._gate

    @property
    def handler(self) -> Handler:
        """The handler of the configuration as it is at the first use."""
        if self._handler is None:
            config = self.config
            rng = random.Random(7)
            self._gate = Gate(self.slots, gate_settings(config), rng)
            self._handler = build_handler(
                config,
                DnsResolver(config.delivery.nameservers, dnssec=config.delivery.dnssec, clock=lambda: self.now),
                Lasting(self._gate, StsMemory()),
                clock=lambda: self.now,
                rng=rng,
            )
        return self._handler

    async def deliver(self, message: Message) -> Sequence[Send]:
        """Handle one message."""
        return await self.handler(message)


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return a server's context with a certificate for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def _free_port(address: str) -> int:
    for _ in range(100):
        port = random.randint(10_000, 30_000)
        with suppress(OSError):
            socket.create_server((address, port)).close()
            return port
    raise OSError(f"no port is free at {address}")
