"""Lists in files (one entry a line, `#` begins a comment), and sets of networks that stay quick."""

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from shared.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Entry(NamedTuple):
    """One entry of a list, and where it stands, for errors."""

    where: str
    """The configuration key, and for a file its path and line."""
    text: str


def entries(key: str, inline: Iterable[str], file: str | None) -> Iterator[Entry]:
    """Yield what the configuration lists under `key`, then what its file, `<key>_file`, does. Raise ConfigError."""
    for text in inline:
        yield Entry(key, text)
    if file is not None:
        yield from read_list(f"{key}_file", Path(file))


def read_list(key: str, path: Path) -> Iterator[Entry]:
    """Yield the entries of a file. Raise ConfigError naming the key if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: cannot read {path}: {error}; name a readable UTF-8 text file") from error
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if entry:
            yield Entry(f"{key}: {path} line {number}", entry)


class Networks(NamedTuple):
    """A set of networks: a question costs one look-up for each prefix length that occurs."""

    v4: dict[int, frozenset[int]] = {}  # noqa: RUF012  (a NamedTuple's default; nobody writes to it)
    """Bits that do not count -> the others, as a number."""
    v6: dict[int, frozenset[int]] = {}  # noqa: RUF012  (the same)

    @classmethod
    def of(cls, listed: Iterable[Entry]) -> Self:
        """Read networks and addresses. Raise ConfigError naming the entry that is neither."""
        found: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for where, text in listed:
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError as error:
                raise ConfigError(f'{where}: "{text}": {error}; write such as "192.0.2.0/24"') from error
            host_bits = network.max_prefixlen - network.prefixlen
            bits = int(network.network_address) >> host_bits
            found[network.version].setdefault(host_bits, set()).add(bits)
        v4, v6 = ({bits: frozenset(numbers) for bits, numbers in table.items()} for table in found.values())
        return cls(v4, v6)

    def __contains__(self, address: object) -> bool:
        """Return whether an address is in one of the networks."""
        if not isinstance(address, Address):
            return False
        number = int(address)
        table = self.v4 if address.version == 4 else self.v6
        return any(number >> bits in numbers for bits, numbers in table.items())


@lru_cache(maxsize=4096)
def plain_address(text: str) -> Address | None:
    """Return a socket's address as a value: without scope, and IPv4 as IPv4 even on a dual-stack socket."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
