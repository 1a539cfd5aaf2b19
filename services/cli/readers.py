"""The files that the configuration names for ingress, each with what reads it there. Needs the extra "ingress"."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from services.ingress.auth.tokens import load_keys
from services.ingress.auth.users import list_users
from services.ingress.policy.lists import Networks, read_list
from services.ingress.policy.rules import read_patterns, read_recipients
from services.ingress.tls import read_authorities
from shared.config.model import Config, Hosted

Reader = Callable[[], int]
"""Returns how many entries there are; raises ConfigError, naming the key, for a file that ingress could not use."""


def readers(config: Config) -> Iterator[tuple[str, Reader]]:
    """Yield each key with its reader."""
    relay, auth = config.relay, config.auth
    if auth.users_file is not None:
        yield "auth.users_file", partial(_count_users, Path(auth.users_file))
    for domain, entry in relay.hosted.items():
        if isinstance(entry, Hosted) and entry.recipients is not None:
            key = f'relay.hosted."{domain}".recipients'
            yield key, partial(_count_recipients, key, Path(entry.recipients))
    for key, file in (
        ("relay.denied_destinations_file", relay.denied_destinations_file),
        ("relay.denied_senders_file", relay.denied_senders_file),
    ):
        if file is not None:
            yield key, partial(_count_entries, key, Path(file))
    if relay.denied_clients_file is not None:
        yield "relay.denied_clients_file", partial(_count_networks, Path(relay.denied_clients_file))
    if auth.jwks_file is not None:
        yield "auth.jwks_file", partial(_count_keys, Path(auth.jwks_file))
    for key, file in (("tls.client_ca", config.tls.client_ca), ("auth.http_ca", auth.http_ca)):
        if file is not None:
            yield key, partial(read_authorities, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), key, file)


def _count_users(path: Path) -> int:
    return len(list_users(path))


def _count_recipients(key: str, path: Path) -> int:
    return len(read_recipients(key, path).listed or ())


def _count_entries(key: str, path: Path) -> int:
    listed = list(read_list(key, path))
    read_patterns(listed)
    return len(listed)


def _count_networks(path: Path) -> int:
    listed = list(read_list("relay.denied_clients_file", path))
    Networks.of(listed)
    return len(listed)


def _count_keys(path: Path) -> int:
    return len(load_keys(path))
