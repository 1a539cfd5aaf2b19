"""ARC as Mail::DKIM does it, Perl's library from Debian: it seals messages for us, and verifies what we sealed."""

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.delivery.signing.keys import SigningKey
from tests.support.dns_server import DnsServer
from tests.support.programs import needed_in_perl

_VERIFY = """
use Mail::DKIM::ARC::Verifier; use Mail::DKIM::DNS; use Net::DNS::Resolver;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ["127.0.0.1"], port => $ARGV[0], recurse => 1));
my $arc = Mail::DKIM::ARC::Verifier->new(); local $/; my $mail = <STDIN>;
$arc->PRINT($mail); $arc->CLOSE; print $arc->result, "\\n", $arc->result_detail;
"""
_SEAL = """
use Mail::DKIM::ARC::Signer;
my ($domain, $selector, $file, $host, $chain) = @ARGV;
my $arc = Mail::DKIM::ARC::Signer->new(Algorithm => "rsa-sha256", Chain => $chain, Domain => $domain,
  Selector => $selector, SrvId => $host, KeyFile => $file, Timestamp => time);
local $/; my $mail = <STDIN>; $arc->PRINT($mail); $arc->CLOSE;
die $arc->{details} unless $arc->result eq "sealed";
my $fields = join("\\r\\n", reverse $arc->as_strings) . "\\r\\n"; $fields =~ s/\\r*\\n/\\r\\n/g; print $fields;
"""


def verified(mail: bytes, dns: DnsServer) -> tuple[str, str]:
    """Return what it says of a chain: pass, fail or none, and why."""
    done = _perl(_VERIFY, mail, str(dns.port)).decode()
    result, _, detail = done.partition("\n")
    return result, detail


def sealed(mail: bytes, key: SigningKey, host: str, chain: str, folder: Path) -> bytes:
    """Return the message with one set more, that of an RSA key; it takes its results from a field of `host`."""
    file = folder / "seal.pem"
    file.write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return _perl(_SEAL, mail, key.domain, key.selector, str(file), host, chain) + mail


def _perl(program: str, given: bytes, *arguments: str) -> bytes:
    needed_in_perl("Mail::DKIM", "libmail-dkim-perl")
    done = subprocess.run(
        ["perl", "-e", program, *arguments], input=given, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
