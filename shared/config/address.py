"""Socket addresses as people write them: "127.0.0.1:2525", "[::1]:25", "mail.internal"."""

from typing import NamedTuple


class Address(NamedTuple):
    """A host name or an IP address without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int | None = None) -> Address:
    """Split "host:port" or "[address]:port"; without a port `default_port` counts.

    Raise ValueError, with what is wrong, for anything else; whether the host exists is not asked.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest else ""
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f'"{text}" is not an address: write "[2001:db8::1]:25"')
    elif text.count(":") > 1:
        raise ValueError(f'"{text}" is not an address: write an IPv6 address in brackets, "[{text}]:25"')
    else:
        host, colon, port = text.partition(":")
        if colon and not port:
            raise ValueError(f'"{text}" has no port after the colon')
    if not host or any(character.isspace() or character in '/@"' for character in text):
        raise ValueError(f'"{text}" is not an address: write "host:port"')
    if port:
        return Address(host, _port(text, port))
    if default_port is None:
        raise ValueError(f'"{text}" has no port: write "{text}:PORT"')
    return Address(host, default_port)


def _port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise ValueError(f'"{text}": port "{port}" is not a number from 0 to 65535')
    return int(port)
