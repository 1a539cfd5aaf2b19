"""Every configuration key, its type and its default. Unknown keys are errors (see load)."""

from enum import StrEnum

import msgspec

from shared.config.units import Duration, Size


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of sluice.toml."""


class Mode(StrEnum):
    """What a listener is for (DESIGN section 7)."""

    RELAY = "relay"
    SUBMISSION = "submission"
    SUBMISSIONS = "submissions"


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


class Hosted(Section, frozen=True):
    """A domain we host: its next hops in order ("host:port", "[address]:port", or "mx"), and who exists there."""

    next_hop: tuple[str, ...]
    recipients: str | None = None


class Relay(Section, frozen=True):
    """Who may send where."""

    postmaster: str = "postmaster@localhost"
    trusted_networks: tuple[str, ...] = ()
    denied_destinations: tuple[str, ...] = ()
    denied_senders: tuple[str, ...] = ()
    hosted: dict[str, str | tuple[str, ...] | Hosted] = {}
    own_addresses: tuple[str, ...] = ()
    allow_hosted_senders_from_outside: bool = False


class Listener(Section, frozen=True):
    """One address that takes SMTP."""

    address: str
    mode: Mode = Mode.RELAY
    trusted_without_auth: bool = False
    """Submission only: clients in trusted networks need no AUTH."""


class Ingress(Section, frozen=True):
    """The front door."""

    listener: tuple[Listener, ...] = (Listener(address="127.0.0.1:2525"),)
    max_message_size: Size = Size(35 * 1024**2)
    max_recipients: int = 1000
    max_connections: int = 1000
    max_connections_per_client: int = 100
    max_hops: int = 50
    command_timeout: Duration = Duration(300)
    confirm_timeout: Duration = Duration(60)
    """How long a transaction past the final dot waits for its confirm."""
    buffer: Size = Size(256 * 1024**2)
    """Octets of message content in flight across all sessions; beyond it 452 4.3.1."""


class Auth(Section, frozen=True):
    """Who may authenticate."""

    users_file: str | None = None
    max_concurrent_hashes: int = 4


class Tls(Section, frozen=True):
    """Our certificate, for ingress."""

    certificate: str | None = None
    key: str | None = None
    client_ca: str | None = None


class Rules(Section, frozen=True):
    """What one direction does with attachments; extensions without the dot, in lower case."""

    action: str = "strip"
    """strip, block or quarantine: for a part that is banned by its name, declared type or detected type."""
    banned_extensions: tuple[str, ...] | None = None
    """None means the built-in tier 1 list; see `extra_extensions` to add to it."""
    extra_extensions: tuple[str, ...] = ()
    allowed_extensions: tuple[str, ...] = ()
    banned_types: tuple[str, ...] | None = None
    ambiguous: str = "quarantine"
    """pass, block or quarantine: for MIME that programs read in different ways."""


class Screener(Section, frozen=True):
    """The attachment screener."""

    inbound: Rules = Rules(action="strip")
    outbound: Rules = Rules(action="block", ambiguous="block")
    organisation: str | None = None
    """Named in notices; default: the host name."""
    helpdesk: str | None = None
    """Whom a recipient may ask; default: the postmaster."""
    concurrency: int = 16
    timeout: Duration = Duration(60)


class Delivery(Section, frozen=True):
    """The way out."""

    nameservers: tuple[str, ...] = ()
    """"address:port"; empty means the system's."""
    port: int = 25
    lifetime: Duration = Duration(5 * 86400)
    delay_warning: Duration = Duration(4 * 3600)
    retry: tuple[Duration, ...] = (
        Duration(60),
        Duration(300),
        Duration(900),
        Duration(1800),
        Duration(3600),
        Duration(7200),
        Duration(14400),
    )
    allow_private_destinations: bool = False
    route: dict[str, str] = {}
    """Domain (or ".example.org", or "*") = "smtp://user@host:port", "smtps://..." """
    route_passwords: dict[str, str] = {}
    """Password of a route's user, by the route's domain; also `route_passwords_file`s."""
    concurrency: int = 100
    """Items in hand at a time."""
    per_destination: int = 10
    """SMTP sessions at a time to one destination domain."""
    connect_timeout: Duration = Duration(30)
    attempt_timeout: Duration = Duration(900)
    """Cap on one attempt of one item, below the broker's consumer timeout."""
    idle_connection: Duration = Duration(5)
    """How long a session is kept for the next message."""
    messages_per_connection: int = 100


class Quarantine(Section, frozen=True):
    """What is kept."""

    retention: Duration = Duration(30 * 86400)


class BrokerAdmin(Section, frozen=True):
    """The administrator's access to RabbitMQ, for `sluice broker apply|check` only."""

    url: str = "http://127.0.0.1:15672"
    user: str = "admin"
    password: str | None = None
    service_passwords: str | None = None
    """A directory with one file per broker user: ingress, screener, delivery, operator."""
    work_bytes: Size = Size(4 * 1024**3)


class Ops(Section, frozen=True):
    """/livez, /readyz and /metrics; an empty address switches them off."""

    address: str = ""
    drain_timeout: Duration = Duration(50)


class Log(Section, frozen=True):
    """Logging."""

    level: str = "info"
    format: LogFormat = LogFormat.JSON


class Config(Section, frozen=True):
    """sluice.toml as a whole."""

    hostname: str = "localhost"
    broker: str = "sqlite:///sluice.db"
    broker_password: str | None = None
    """Replaces the password in `broker`; from `broker_password_file` in containers."""
    relay: Relay = Relay()
    ingress: Ingress = Ingress()
    auth: Auth = Auth()
    tls: Tls = Tls()
    screener: Screener = Screener()
    delivery: Delivery = Delivery()
    quarantine: Quarantine = Quarantine()
    broker_admin: BrokerAdmin = BrokerAdmin()
    ops: Ops = Ops()
    log: Log = Log()
