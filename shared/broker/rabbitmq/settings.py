"""How the adapter behaves, and where it connects."""

from typing import NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from shared.errors import ConfigError


class Settings(NamedTuple):
    """Defaults suit a service; tests shorten the times. Times in seconds, sizes in octets."""

    channels: int = 4
    """Publish channels: RabbitMQ works on each in a process of its own."""
    in_flight: int = 256
    """Publishes without a confirm at a time (BROKER.md 19)."""
    window: int = 64 * 1024**2
    """Octets of them; a single larger body goes alone."""
    max_message_size: int = 128 * 1024**2
    """As in deploy/rabbitmq.conf: beyond it RabbitMQ closes the channel with everything in flight on it."""
    confirm_timeout: float = 60.0
    """From the call of publish to its confirm, time in the window included."""
    late: float = 2.0
    """Age of the oldest unconfirmed publish from which new mail is refused."""
    note_timeout: float = 5.0
    """For an entry of the quarantine's index, which nothing may wait for long."""
    connect_timeout: float = 5.0
    heartbeat: int = 15
    """A connection is given up after three and a bit of these without a frame."""
    slot_heartbeat: int = 180
    """Of the connection that holds slots: RabbitMQ gives it up after at least two of these without an octet, by when
    a host has ended the sessions of a process that is stopped (300 s)."""
    slot_probe: float = 1.0
    """Between two small questions on that connection."""
    slot_silence: float = 10.0
    """Without an answer to one, every slot counts as lost."""
    slot_guard: float = 15.0
    """After a worker has vanished nobody takes a slot; more than the two before together."""
    slot_absence: float = 3.0
    """After its connection was lost with slots, a worker takes none and is not counted: more than two probes, so that
    all others notice. A host may take longer than this worker to see that sessions were aborted."""
    longest_pause: float = 2.0
    """Between attempts to connect."""


class Address(NamedTuple):
    """A broker's URL, and how to show it: without user and password."""

    url: str
    shown: str

    @classmethod
    def parse(cls, text: str, heartbeat: int) -> Self:
        """Accept `amqp[s]://user:password@host[:port]/[vhost]`. Raise ConfigError otherwise.

        `heartbeat` outweighs one in the URL: of several, aiormq takes the first.
        """
        url = urlsplit(text)
        try:
            host, port = url.hostname, url.port
        except ValueError as error:
            raise ConfigError(f"broker: {error} in the URL") from None
        if url.scheme not in {"amqp", "amqps"} or not host:
            raise ConfigError("broker: not a URL such as amqp://user:password@host:5672/vhost")
        query = urlencode([("heartbeat", str(heartbeat)), *parse_qsl(url.query)])
        port = port or (5671 if url.scheme == "amqps" else 5672)
        where = f"{host}:{port}" if ":" not in host else f"[{host}]:{port}"
        return cls(urlunsplit(url._replace(query=query)), f'{where} vhost "{unquote(url.path[1:]) or "/"}"')
