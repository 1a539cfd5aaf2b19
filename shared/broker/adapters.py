"""Which broker a configuration means: the one place that knows both adapters, each imported only when used."""

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from shared.broker.port import Broker, Operator
from shared.broker.topology import User
from shared.config.model import Config
from shared.errors import ConfigError


def is_embedded(config: Config) -> bool:
    """Return whether the broker is the embedded one."""
    return config.broker.startswith("sqlite:")


def amqp_url(config: Config, user: User) -> str:
    """Return the URL to connect with: the configured one, with the password that applies to `user`.

    `broker_password` replaces a password in the URL. A URL without a user name means a user of its own for each
    service, with the passwords in the folder `broker_admin.service_passwords` unless `broker_password` is given.
    Raise ConfigError if a password cannot be read.
    """
    url = urlsplit(config.broker)
    password = config.broker_password
    if url.username is None and password is None and config.broker_admin.service_passwords is not None:
        password = service_password(config, user)
    name = url.username or user.value
    if password is not None:
        name = f"{name}:{quote(password, safe='')}"
    elif url.password is not None:
        name = f"{name}:{url.password}"
    return urlunsplit(url._replace(netloc=f"{name}@{url.netloc.rpartition('@')[2]}"))


def shown_url(config: Config) -> str:
    """Return the broker's URL without user and password, for logs."""
    if is_embedded(config):
        return config.broker
    url = urlsplit(config.broker)
    return urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))


def service_password(config: Config, user: User) -> str:
    """Return a service's password from the folder `broker_admin.service_passwords`. Raise ConfigError."""
    key, folder = "broker_admin.service_passwords", config.broker_admin.service_passwords
    if folder is None:
        raise ConfigError(f"{key}: not set: name a folder with one file for each of {', '.join(User)}")
    path = Path(folder) / user.value
    try:
        password = path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError(f'{key}: cannot read "{path}": {reason}; write the password of "{user}" into it') from None
    if not password:
        raise ConfigError(f'{key}: "{path}" is empty; write the password of "{user}" into it')
    return password


async def open_broker(config: Config, user: User) -> Broker:
    """Return a broker for one service.

    RabbitMQ may be away: then the broker says so in `trouble()` and connects when it comes. Raise ConfigError for a
    URL that cannot be used, BrokerError for an embedded broker that cannot be opened.
    """
    if is_embedded(config):
        from shared.broker import sqlite  # noqa: PLC0415  (an image holds one adapter's libraries only)

        options = sqlite.Options(
            retention=float(config.quarantine.retention), confirm_timeout=float(config.ingress.confirm_timeout)
        )
        return await sqlite.open_broker(sqlite.path_of(config.broker), options)
    from shared.broker import rabbitmq  # noqa: PLC0415  (the same)

    settings = rabbitmq.Settings(confirm_timeout=float(config.ingress.confirm_timeout))
    return await rabbitmq.connect(amqp_url(config, user), user, settings)


async def open_operator(config: Config) -> Operator:
    """Return an operator's access to what the broker keeps. Raise BrokerError if it cannot be reached."""
    if is_embedded(config):
        from shared.broker import sqlite  # noqa: PLC0415  (as in open_broker)

        options = sqlite.Options(create=False, retention=float(config.quarantine.retention))
        return await sqlite.open_operator(sqlite.path_of(config.broker), options)
    from shared.broker import rabbitmq  # noqa: PLC0415  (the same)

    return await rabbitmq.connect_operator(amqp_url(config, User.OPERATOR))
