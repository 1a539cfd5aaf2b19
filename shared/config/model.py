"""Every configuration key, its type and its default. Unknown keys are errors (see load)."""

from enum import StrEnum

import msgspec

from shared.config.kinds import (
    Algorithm,
    AmbiguousAction,
    BareLineEnds,
    BrokerUrl,
    Claim,
    ClamdUrl,
    Count,
    CountQuota,
    Dane,
    Dnssec,
    Domain,
    FilePath,
    GroupName,
    HostedDomain,
    HttpUrl,
    IpAddress,
    Ipv4Address,
    Ipv6Address,
    Level,
    ListenAddress,
    Mailbox,
    NameServer,
    Network,
    OpsAddress,
    Pattern,
    Port,
    RouteDomain,
    RuleAction,
    ScreenAction,
    Secret,
    Selector,
    SenderPattern,
    TlsPolicy,
    Verification,
)
from shared.config.next_hop import NextHop, RouteUrl
from shared.config.screen_rule import ScreenRule
from shared.config.strangers import Authentication, CallOut, Dnsbl, Rate
from shared.config.units import Duration, Size


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of sluice.toml."""


class Mode(StrEnum):
    """What a listener is for (DESIGN section 7)."""

    RELAY = "relay"
    SUBMISSION = "submission"
    SUBMISSIONS = "submissions"


class Extension(StrEnum):
    """Extensions that strangers may use only where a listener says so (DESIGN section 7)."""

    DSN = "DSN"
    SMTPUTF8 = "SMTPUTF8"
    REQUIRETLS = "REQUIRETLS"


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


class Hosted(Section, frozen=True):
    """A domain we host: its next hops in order ("host:port", "[address]:port", "mx" or a URL), and who exists there."""

    next_hop: tuple[NextHop, ...]
    recipients: FilePath | None = None
    verify: Verification = "off"
    """call-out: ask the next hop whether it takes a recipient before a stranger's mail for it is accepted."""


class Relay(Section, frozen=True):
    """Who may send where."""

    postmaster: Mailbox = "postmaster@localhost"
    trusted_networks: tuple[Network, ...] = ()
    denied_destinations: tuple[Pattern, ...] = ()
    denied_destinations_file: FilePath | None = None
    """One entry a line, `#` begins a comment; besides the entries given here. The same for the others."""
    denied_senders: tuple[Pattern, ...] = ()
    denied_senders_file: FilePath | None = None
    denied_clients: tuple[Network, ...] = ()
    """Whoever connects from there is turned away, trusted or not."""
    denied_clients_file: FilePath | None = None
    hosted: dict[HostedDomain, NextHop | tuple[NextHop, ...] | Hosted] = {}
    own_addresses: tuple[IpAddress, ...] = ()
    allow_hosted_senders_from_outside: bool = False


class Listener(Section, frozen=True):
    """One address that takes SMTP."""

    address: ListenAddress
    mode: Mode = Mode.RELAY
    trusted_without_auth: bool = False
    """Submission only: clients in trusted networks need no AUTH."""
    strangers_may: tuple[Extension, ...] = ()
    """Which extensions clients that are neither trusted nor authenticated may use on a relay listener."""
    proxy_from: tuple[Network, ...] = ()
    """Balancers: they begin each connection with a PROXY header, and are believed who their client is."""


class Ingress(Section, frozen=True):
    """The front door."""

    listener: tuple[Listener, ...] = (Listener(address="127.0.0.1:2525"),)
    nameservers: tuple[NameServer, ...] = ()
    """"address:port"; empty means the system's. For what policy asks of DNS."""
    max_message_size: Size = Size(35 * 1024**2)
    max_recipients: Count = 1000
    max_connections: Count = 1000
    max_connections_per_client: Count = 100
    max_hops: Count = 50
    max_hold: Duration = Duration(7 * 86400)
    """How far ahead authenticated users may ask for delivery (FUTURERELEASE); 0 offers none."""
    bare_line_ends: BareLineEnds = "refuse"
    """refuse or repair: content with a CR or LF outside of a CRLF, which other servers may take for a line end."""
    proxy_timeout: Duration = Duration(10)
    """How long a balancer may take for its PROXY header."""
    command_timeout: Duration = Duration(300)
    data_timeout: Duration = Duration(180)
    """Between two blocks of a message's content."""
    minimum_rate: Size = Size(4096)
    """Octets of content a second, averaged over a message, once `minimum_rate_after` has passed; 0 is no limit."""
    minimum_rate_after: Duration = Duration(60)
    confirm_timeout: Duration = Duration(60)
    """How long a transaction past the final dot waits for its confirm."""
    buffer: Size = Size(256 * 1024**2)
    """Octets of message content in flight across all sessions; beyond it 452 4.3.1."""
    authentication: Authentication = Authentication()
    greeting_delay: Duration = Duration(0)
    """How long a stranger must wait for the greeting of a relay listener; who speaks before it is turned away."""
    reverse_dns: bool = False
    """Strangers' names by PTR whose addresses include theirs are looked up, for Received fields and the log."""
    require_reverse_dns: bool = False
    """Strangers need such a name."""
    dnsbl: Dnsbl = Dnsbl()
    call_out: CallOut = CallOut()
    rate: tuple[Rate, ...] = ()


class Auth(Section, frozen=True):
    """Who may authenticate."""

    users_file: FilePath | None = None
    max_concurrent_hashes: Count = 4
    http_url: HttpUrl | None = None
    """Asked whether a password is right: after the users file, if there is one."""
    http_secret: Secret | None = None
    http_ca: FilePath | None = None
    """Authorities for https; None means the system's."""
    http_timeout: Duration = Duration(10)
    max_concurrent_callouts: Count = 16
    jwks_file: FilePath | None = None
    """Public keys of whoever issues tokens, for OAUTHBEARER and XOAUTH2; needs issuer and audience."""
    token_issuer: str | None = None
    token_audience: str | None = None
    token_algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    token_user_claim: Claim = "sub"  # noqa: S105  (a claim's name)
    certificates: dict[str, str] = {}
    """Mailbox or common name in a client certificate = user; see tls.client_ca."""
    senders: dict[str, tuple[SenderPattern, ...]] = {}
    """User = what the user may send as, besides the own name; "*" for all without an entry."""
    check_from_header: bool = False
    """The From field of an authenticated user's message must name addresses that the user may send as."""
    max_failures_per_address: Count = 20
    max_failures_per_account: Count = 100
    failure_delay: Duration = Duration(1)
    """How long the reply to a first failure is held back; each further one twice as long, up to 30 s."""
    lockout: Duration = Duration(900)


class Tls(Section, frozen=True):
    """Our certificate, for ingress."""

    certificate: FilePath | None = None
    key: FilePath | None = None
    client_ca: FilePath | None = None


class Rules(Section, frozen=True):
    """What one direction does with attachments; extensions without the dot, in lower case."""

    action: RuleAction = "strip"
    """strip, block or quarantine: for a part that is banned by its name, declared type or detected type."""
    banned_extensions: tuple[str, ...] | None = None
    """None means the built-in tier 1 list; see `extra_extensions` to add to it."""
    extra_extensions: tuple[str, ...] = ()
    allowed_extensions: tuple[str, ...] = ()
    banned_types: tuple[str, ...] | None = None
    suspicious: ScreenAction = "strip"
    """allow, strip, block or quarantine: for tier 2, which can carry programs but has good uses as well."""
    suspicious_extensions: tuple[str, ...] | None = None
    """None means the built-in tier 2 list."""
    ambiguous: AmbiguousAction = "quarantine"
    """pass, block or quarantine: for MIME that programs read in different ways."""
    encrypted: ScreenAction = "quarantine"
    """allow, strip, block or quarantine: for an archive or document that needs a password."""
    encrypted_mail: ScreenAction = "quarantine"
    """The same for mail that only its recipient can read (S/MIME, PGP); a rule may allow it for some domains."""
    unreadable: ScreenAction = "quarantine"
    """The same for a message or an archive over a limit, an archive that is damaged, in several files, or packed by a
    method unknown here."""


class Screener(Section, frozen=True):
    """The attachment screener."""

    inbound: Rules = Rules(action="strip")
    outbound: Rules = Rules(
        action="block",
        suspicious="block",
        ambiguous="block",
        encrypted="allow",
        encrypted_mail="allow",
        unreadable="block",
    )
    rule: tuple[ScreenRule, ...] = ()
    groups: dict[GroupName, tuple[Pattern, ...]] = {}
    """Addresses and domains under a name, for `senders` and `recipients` of rules."""
    organisation: str | None = None
    """Named in notices; default: the host name."""
    helpdesk: str | None = None
    """Whom a recipient may ask; default: the postmaster."""
    antivirus: ClamdUrl | None = None
    """"clamd://host:port", or "clamd:///path" of a UNIX socket; while it does not answer, mail waits."""
    antivirus_timeout: Duration = Duration(60)
    """For one message, all its parts included."""
    antivirus_max_file: Size = Size(25 * 1024**2)
    """Octets of one file inside an archive that clamd looks at: its MaxFileSize, beyond which it may say nothing."""
    antivirus_sessions: Count = 4
    """Messages that are scanned at a time."""
    concurrency: Count = 16
    timeout: Duration = Duration(240)
    """Cap on one message, longer than `antivirus_timeout` and what looking into archives may take."""


class Dkim(Section, frozen=True):
    """One key that signs our own mail; several of one domain all sign."""

    domain: HostedDomain
    """Whose mail it signs: by From, else by envelope sender; ".example.org" signs for subdomains as example.org."""
    selector: Selector
    key: FilePath
    """The private key, RSA or Ed25519, in PEM form."""
    valid_for: Duration = Duration(0)
    """How long a signature holds, from the attempt at which it is made; 0 is for ever."""


class Arc(Section, frozen=True):
    """The key that seals strangers' mail from which attachments were stripped."""

    domain: Domain
    selector: Selector
    key: FilePath


class Destination(Section, frozen=True):
    """What one destination gets; what is not given is as in [delivery]."""

    connections: Count | None = None
    """At a time, all workers together."""
    messages_per_connection: Count | None = None
    rate: CountQuota | None = None
    """Messages, all workers together, such as "100/min"; evened out, without bursts."""


class Delivery(Section, frozen=True):
    """The way out."""

    nameservers: tuple[NameServer, ...] = ()
    """"address:port"; empty means the system's."""
    dnssec: Dnssec = "loopback"
    """Which of them are believed that they validate, for DANE: loopback (those on this machine), always or never."""
    port: Port = 25
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
    hold: tuple[RouteDomain, ...] = ()
    """Domains (or ".example.org", or "*") whose new mail is held untried, until `sluice queue resume`."""
    route: dict[RouteDomain, RouteUrl] = {}
    """Domain (or ".example.org", or "*") = "smtp://user@host:port", "smtps://...", "lmtp://host:port",
    "lmtp:///path", or "mx"."""
    route_passwords: dict[RouteDomain, Secret] = {}
    """Password of a route's user, by the route's domain; also a table of files, `route_passwords_file`."""
    source_address: Ipv4Address | None = None
    """Where connections over IPv4 come from, unless a route says otherwise; None leaves it to the system."""
    source_address_v6: Ipv6Address | None = None
    dkim: tuple[Dkim, ...] = ()
    arc: Arc | None = None
    """Needs ingress.authentication: without results of ours there is nothing to seal."""
    helo: Domain | None = None
    """The name in EHLO, unless a route says otherwise; None means `hostname`."""
    tls_policy: dict[RouteDomain, TlsPolicy] = {}
    """Domain (or ".example.org", or "*") = none, may, encrypt, dane, verify or fingerprint=sha256:...; goes before what
    the domain publishes, and after `?tls=` of a route."""
    dane: Dane = "auto"
    """auto: hosts with TLSA records that DNSSEC vouches for are held to them (RFC 7672); off: never asked for."""
    mta_sts: bool = True
    """Policies of MTA-STS (RFC 8461) are fetched, and obeyed where there is no TLSA."""
    mta_sts_port: Port = 443
    tls_ca: FilePath | None = None
    """Authorities for verified hosts and MTA-STS policies; None means the system's. A route's `ca=` goes before it."""
    concurrency: Count = 2000
    """Items in hand at a time of each queue, as long as `buffer` has room for them."""
    buffer: Size = Size(64 * 1024**2)
    """Octets of items in hand; beyond it a few are in hand at a time."""
    per_destination: Count = 10
    """SMTP connections at a time to one site (the hosts that MX records name), all workers together."""
    destination: dict[RouteDomain, Destination] = {}
    """Other limits, by the domain of the mail hosts or of the recipients."""
    connect_timeout: Duration = Duration(30)
    reply_timeout: Duration = Duration(600)
    """Cap on the wait for any one reply; the values of RFC 5321 section 4.5.3.2 apply below it."""
    attempt_timeout: Duration = Duration(900)
    """Cap on one attempt of one item, below the broker's consumer timeout."""
    idle_connection: Duration = Duration(5)
    """How long a session is kept for the next message."""
    messages_per_connection: Count = 100


class Quarantine(Section, frozen=True):
    """What is kept."""

    retention: Duration = Duration(30 * 86400)


class BrokerAdmin(Section, frozen=True):
    """The administrator's access to RabbitMQ, for `sluice broker apply|check` only."""

    url: HttpUrl = "http://127.0.0.1:15672"
    user: str = "admin"
    password: Secret | None = None
    service_passwords: FilePath | None = None
    """A directory with one file per broker user: ingress, screener, delivery, operator."""
    work_bytes: Size = Size(4 * 1024**3)


class Ops(Section, frozen=True):
    """/livez, /readyz and /metrics; an empty address switches them off."""

    address: OpsAddress = ""
    drain_timeout: Duration = Duration(50)


class Log(Section, frozen=True):
    """Logging."""

    level: Level = "info"
    format: LogFormat = LogFormat.JSON


class Config(Section, frozen=True):
    """sluice.toml as a whole."""

    hostname: Domain = "localhost"
    broker: BrokerUrl = "sqlite:///sluice.db"
    broker_password: Secret | None = None
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
