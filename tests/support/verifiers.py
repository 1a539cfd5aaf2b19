"""DKIM and ARC as others verify it: OpenDKIM from Debian and dkimpy, with keys from a DNS server of ours."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import dkim
import dns.resolver
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from services.delivery.signing.keys import STRING, SigningKey, make_key
from tests.support.dns_server import DnsServer, Zone
from tests.support.programs import needed

OPENDKIM = "/usr/sbin/opendkim"
_SAID = re.compile(r"dkim=(\w+) .*?header\.a=([\w-]+)")


def new_key(kind: str, domain: str = "example.org", selector: str | None = None) -> SigningKey:
    """Return a new key; its selector is its kind unless given."""
    private = load_pem_private_key(make_key(kind), None)
    assert isinstance(private, RSAPrivateKey | Ed25519PrivateKey)
    return SigningKey(domain, selector or kind, private)


def published(*keys: SigningKey) -> Zone:
    """Return the zone that holds the records of keys, in strings as a zone file has them."""
    return {key.name: {"TXT": [_strings(key.record)]} for key in keys}


def _strings(text: str) -> str:
    return " ".join(f'"{text[start : start + STRING]}"' for start in range(0, len(text), STRING))


def opendkim(message: bytes, dns_server: DnsServer, folder: Path) -> list[tuple[str, str]]:
    """Return OpenDKIM's result and the algorithm of each signature that it finds in a message."""
    needed("opendkim")
    resolver, config, file = folder / "unbound.conf", folder / "opendkim.conf", folder / "message.eml"
    resolver.write_text(
        "server:\n  do-not-query-localhost: no\n  module-config: iterator\n  qname-minimisation: no\n"
        f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{dns_server.port}\n'
    )
    config.write_text(f"Mode v\nResolverConfiguration {resolver}\nInternalHosts csl:192.0.2.250\nSendReports no\n")
    file.write_bytes(message)
    done = subprocess.run(
        [OPENDKIM, "-x", str(config), "-t", str(file), "-vvv"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return _SAID.findall(done.stdout)


def lookup(dns_server: DnsServer) -> Callable[..., bytes | None]:
    """Return what dkimpy asks for keys."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = dns_server.port

    def txt(name: bytes, timeout: float = 5) -> bytes | None:
        try:
            answer = resolver.resolve(name.decode("ascii"), "TXT", lifetime=timeout)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return b"".join(answer[0].strings)

    return txt


def dkimpy(message: bytes, dns_server: DnsServer) -> bool:
    """Return whether dkimpy takes the first signature of a message."""
    return bool(dkim.verify(message, dnsfunc=lookup(dns_server)))


def dkimpy_arc(message: bytes, dns_server: DnsServer) -> tuple[str, str]:
    """Return what dkimpy says of the ARC chain, and why."""
    verdict, _, reason = dkim.arc_verify(message, dnsfunc=lookup(dns_server))
    return (verdict or b"ended").decode("ascii"), reason
