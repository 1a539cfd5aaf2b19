"""What all sessions of one ingress process share."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.ingress.auth.authenticator import Authenticator
from services.ingress.mailauth.verify import Verifier
from services.ingress.message.budget import Budget
from services.ingress.policy.limits import Connections
from services.ingress.policy.rules import Rules
from shared.broker.port import Publisher
from shared.clock import Clock
from shared.config.model import Ingress, Listener
from shared.dns.port import Resolver

if TYPE_CHECKING:
    from services.ingress.protocol.connection import Connection


@dataclass(frozen=True, slots=True)
class Site:
    """Made once at start; what changes in it (counts, the user list) guards itself."""

    hostname: str
    settings: Ingress
    rules: Rules
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
    open: set[Connection] = field(default_factory=set)
    """The sessions that are open now."""


@dataclass(frozen=True, slots=True)
class Door:
    """One listener as its sessions see it."""

    listener: Listener
    tls: ssl.SSLContext | None
    """For STARTTLS; None where there is none, or TLS is implicit."""
