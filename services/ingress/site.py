"""What all sessions of one ingress process share."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.ingress.auth.authenticator import Authenticator
from services.ingress.mailauth.verify import Verifier
from services.ingress.message.budget import Budget
from services.ingress.policy.guard import Guard
from services.ingress.policy.limits import Connections
from services.ingress.policy.lists import Networks
from services.ingress.policy.rules import Rules
from services.ingress.protocol.pace import Pace
from shared import log
from shared.broker.port import Publisher
from shared.clock import Clock
from shared.config.model import Ingress, Listener, Mode
from shared.dns.port import Resolver

READ_OCTETS = 256 * 1024
"""Content is read in pieces of at most so much."""
LEAST_OCTETS = 64 * 1024
"""And of so much, if sessions are many."""

if TYPE_CHECKING:
    from services.ingress.protocol.conversation import Conversation


class Premises:
    """Holds the site of the moment by one reference."""

    site: Site


class Arena:
    """Where the loop puts what it reads, for all sessions: whose octets they are takes them at once."""

    def __init__(self) -> None:
        self.octets = memoryview(bytearray(READ_OCTETS))
        self.receiving = 0
        """Sessions that are sent content now."""

    @property
    def turn(self) -> int:
        """How many octets of content a session reads before the others have their turn."""
        return READ_OCTETS if self.receiving <= 1 else max(LEAST_OCTETS, READ_OCTETS // self.receiving)


@dataclass(frozen=True, slots=True)
class Site:
    """One configuration, compiled, and the counts and connections that outlive it, which guard themselves.

    A reload puts another one into `premises`, with the same counts. A session goes by the site it sees when a
    transaction begins until that ends; between transactions it goes by the newest.
    """

    hostname: str
    settings: Ingress
    rules: Rules
    balancers: tuple[Networks, ...]
    """`proxy_from` of each listener."""
    guard: Guard
    publisher: Publisher
    resolver: Resolver
    clock: Clock
    connections: Connections
    budget: Budget
    tls: ssl.SSLContext | None = None
    submission_tls: ssl.SSLContext | None = None
    """For the other listeners: asks clients for a certificate, where `tls.client_ca` is set."""
    authenticator: Authenticator | None = None
    verifier: Verifier | None = None
    """None: strangers' mail is not verified."""
    open: set[Conversation] = field(default_factory=set)
    """The sessions that are open now."""
    arena: Arena = field(default_factory=Arena)
    log: Any = field(default_factory=lambda: log.get().bind())
    premises: Premises = field(default_factory=Premises)

    @property
    def pace(self) -> Pace:
        """How long clients may take."""
        settings = self.settings
        return Pace(settings.command_timeout, settings.data_timeout, settings.minimum_rate, settings.minimum_rate_after)

    def door(self, number: int) -> Door:
        """Return a listener by its place in the configuration."""
        listener = self.settings.listener[number]
        context = self.tls if listener.mode is Mode.RELAY else self.submission_tls
        balancers = self.balancers[number] if listener.proxy_from else None
        if listener.mode is Mode.SUBMISSIONS:
            return Door(listener, None, number, balancers, context)
        return Door(listener, context, number, balancers)


@dataclass(frozen=True, slots=True)
class Door:
    """One listener as its sessions see it."""

    listener: Listener
    tls: ssl.SSLContext | None
    """For STARTTLS; None where there is none, or TLS is implicit."""
    number: int
    """Its place in the configuration, which no reload changes."""
    balancers: Networks | None = None
    """Peers whose first octets are a PROXY header; None: there are none."""
    implicit_tls: ssl.SSLContext | None = None
    """For TLS before the greeting; None where there is none."""
