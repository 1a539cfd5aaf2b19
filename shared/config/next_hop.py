"""Next hops in sluice.toml: "host:port", "[address]:port", "mx" or "mx?options", or a URL with options. Pure.

A check returns the text, or raises ValueError with the reason; delivery reads the rest of a URL when it starts.
"""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote, unquote_plus, urlsplit

from msgspec import Meta

from shared.config.address import Address, parse_address
from shared.config.kinds import domain, split_url

SMTP_PORT = 25
_EXAMPLE = '"smtp://user@smarthost.example.net:587"'
_FILES = frozenset({"ca", "cert", "key"})
"""The options of a URL that name files: authorities, a certificate of ours and its key."""


def is_mx(text: str) -> bool:
    """Tell whether DNS is to name the hosts, with options or without."""
    return text.partition("?")[0].lower() == "mx"


def route_url(text: str) -> str:
    """Return the URL of a static route, or "mx"; its password stands in route_passwords."""
    if is_mx(text):
        return f"mx{text[2:]}"
    url = split_url(text, ("smtp", "smtps", "lmtp"), _EXAMPLE)
    if url.password is not None:
        raise ValueError(
            "the URL holds a password: put it into delivery.route_passwords or a file (route_passwords_file)"
        )
    if not url.hostname and not (url.scheme == "lmtp" and not url.netloc and url.path.strip("/")):
        raise ValueError('the URL names no host: write such as "smtp://smarthost.example.net:587"')
    return text


def next_hop(text: str) -> str:
    """Return where a hosted domain's mail goes; the port is 25 unless given. Users are for `delivery.route`."""
    if is_mx(text):
        return route_url(text)
    if "://" in text:
        if urlsplit(route_url(text)).username is not None:
            raise ValueError("the URL holds a user: of a hosted domain's next hops none authenticates us")
        return text
    address = parse_address(text, SMTP_PORT)
    if ":" not in address.host:
        domain(address.host)
    return text


def with_files(text: str, resolve: Callable[[str], str]) -> str:
    """Return a URL with the files that it names as `resolve` has them; everything else is left as it is."""
    head, mark, query = text.partition("?")
    if "://" not in head or not mark:
        return text
    pairs = (option.partition("=") for option in query.split("&"))
    return f"{head}?" + "&".join(
        f"{name}={quote(resolve(unquote_plus(value)))}" if name in _FILES and value else name + equals + value
        for name, equals, value in pairs
    )


def host_of(text: str) -> Address | None:
    """Return host and port of a next hop that passed its check; None for "mx" and for the path of a socket.

    A URL without a port has the port of SMTP: whoever looks only for the host need not know the others.
    """
    if is_mx(text):
        return None
    if "://" not in text:
        return parse_address(text, SMTP_PORT)
    url = urlsplit(text)
    return Address(url.hostname, url.port or SMTP_PORT) if url.hostname else None


def asked(text: str) -> Address | None:
    """Return where a call-out asks a next hop for recipients: by SMTP that begins in the clear, or not at all."""
    return None if text.startswith(("smtps:", "lmtp:")) else host_of(text)


NextHop = Annotated[str, Meta(extra={"check": next_hop, "files": with_files})]
RouteUrl = Annotated[str, Meta(extra={"check": route_url, "files": with_files})]
