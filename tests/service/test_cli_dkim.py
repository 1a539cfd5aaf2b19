"""`sluice dkim`: a key made, its record published, and `sluice check` content; and what `check` says when it is not."""

import stat
import subprocess
from pathlib import Path

import pytest

from services.cli.sending import signing
from shared.config.findings import Severity
from shared.config.model import Config, Delivery, Dkim
from shared.dns.resolver import DnsResolver
from tests.support.cli import Done, sluice
from tests.support.dns_server import DnsServer, Fault, Zone
from tests.support.programs import needed

HOSTS = 'relay = { postmaster = "p@example.org", hosted = { "example.org" = "127.0.0.1" } }\n'
NAME = "s1._domainkey.example.org"
ENTRY = 'delivery.dkim."example.org".s1'


def make(folder: Path, *options: str) -> Done:
    return sluice("dkim", "key", "dkim.pem", "--domain", "Example.ORG", "--selector", "s1", *options, cwd=folder)


def written(folder: Path, text: str) -> None:
    (folder / "sluice.toml").write_text(f'hostname = "relay.example.net"\nbroker = "sqlite:///queue.db"\n{HOSTS}{text}')


def checked(folder: Path, zone: Zone) -> dict[str, tuple[str, str]]:
    """Return severity and line of each finding about delivery, by its key."""
    with DnsServer(zone) as dns:
        done = sluice("check", cwd=folder, SLUICE_DELIVERY__NAMESERVERS=dns.address)
    return {line.split()[1]: (line.split()[0], line) for line in done.out.splitlines() if " delivery." in line}


@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_a_key_made_and_published_as_told_is_good(tmp_path: Path, algorithm: str) -> None:
    """The lines printed are a record that DNS takes and tables that sluice.toml takes, as they are."""
    made = make(tmp_path, "--algorithm", algorithm)
    assert (made.status, made.err) == (0, "")
    _, record, _, *table = made.out.splitlines()
    assert stat.S_IMODE((tmp_path / "dkim.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in made.out
    written(tmp_path, "\n".join(table))
    assert sluice("dkim", "record", cwd=tmp_path).out.splitlines() == [record]
    found = checked(tmp_path, {NAME: {"TXT": [record.partition(" TXT ")[2].strip("() ")]}})
    assert (found[ENTRY][0], found["delivery.dkim[0].key"][0]) == ("ok", "ok")


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    make(tmp_path)
    before = (tmp_path / "dkim.pem").read_bytes()
    again = make(tmp_path)
    assert again.status == 1
    assert "it exists" in again.err
    assert (tmp_path / "dkim.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--algorithm", "dsa"), 'sluice: --algorithm: "dsa" is not known: valid are rsa, ed25519'),
        (("--domain", "a b"), 'sluice: "a b" is not a domain'),
        (("--selector", "s 1"), 'sluice: "s 1" is not a selector'),
    ],
)
def test_wrong_usage_makes_no_file(tmp_path: Path, options: tuple[str, ...], reason: str) -> None:
    done = make(tmp_path, *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(reason)
    assert not (tmp_path / "dkim.pem").exists()


def test_without_a_key_there_is_no_record(tmp_path: Path) -> None:
    written(tmp_path, "")
    done = sluice("dkim", "record", cwd=tmp_path)
    assert (done.status, done.err.strip()) == (
        2,
        "sluice: delivery.dkim: no key is configured; make one with: sluice dkim key",
    )


async def test_what_is_wrong_in_dns(tmp_path: Path) -> None:
    record = make(tmp_path).out.splitlines()[1].partition(" TXT ")[2].strip("() ")
    other = record.replace("p=MIIB", "p=MIIC")
    (tmp_path / "dkim.pem").chmod(0o600)
    entry = Dkim(domain="example.org", selector="s1", key=str(tmp_path / "dkim.pem"))
    config = Config(delivery=Delivery(dkim=(entry,)))
    rows: list[tuple[list[str] | None, Severity, str]] = [
        (None, Severity.ERROR, "is not in DNS"),
        ([], Severity.ERROR, "is not in DNS"),
        (['"v=spf1 -all"'], Severity.ERROR, "is not the public key"),
        (['"v=DKIM1; p="'], Severity.ERROR, "is not the public key"),
        (['"v=DKIM1; p=!"'], Severity.ERROR, "is not the public key"),
        (['"junk"'], Severity.ERROR, "is not the public key"),
        ([other], Severity.ERROR, "is not the public key"),
        ([record.replace("k=rsa", "k=dsa")], Severity.ERROR, "is not the public key"),
        ([record, '"other"'], Severity.ERROR, "has 2 TXT records"),
        ([record.replace("v=DKIM1;", 'v=DKIM1; t=y:s;" "')], Severity.WARNING, "testing"),
        ([record.replace("v=DKIM1; ", "")], Severity.OK, "is in DNS"),
        ([record.replace("k=rsa; ", "")], Severity.OK, "is in DNS"),
        ([record], Severity.OK, "is in DNS"),
    ]
    with DnsServer() as dns:
        for records, severity, reason in rows:
            dns.zone = {} if records is None else {NAME: {"TXT": records}}
            *_, found = await signing(config, DnsResolver((dns.address,)))
            assert (found.severity, found.key) == (severity, ENTRY), records
            assert reason in found.reason, records
        dns.fail(NAME, Fault.SERVFAIL)
        *_, found = await signing(config, DnsResolver((dns.address,)))
        assert (found.severity, "no answer from DNS" in found.reason) == (Severity.WARNING, True)


def test_a_key_that_others_may_read(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "dkim.pem").chmod(0o644)
    arc = '[delivery.arc]\ndomain = "example.org"\nselector = "s1"\nkey = "dkim.pem"\n'
    written(tmp_path, arc)
    found = checked(tmp_path, {})
    assert found["delivery.arc.key"][0] == "warning"
    assert "chmod 600" in found["delivery.arc.key"][1]
    assert found["delivery.arc"][0] == "error"


def test_a_key_of_few_bits(tmp_path: Path) -> None:
    needed("openssl")
    subprocess.run(["openssl", "genrsa", "-out", str(tmp_path / "dkim.pem"), "1024"], check=True, capture_output=True)
    written(tmp_path, '[[delivery.dkim]]\ndomain = "example.org"\nselector = "s1"\nkey = "dkim.pem"\n')
    record = sluice("dkim", "record", cwd=tmp_path).out.partition(" TXT ")[2].strip("() \n")
    severity, line = checked(tmp_path, {NAME: {"TXT": [record]}})[ENTRY]
    assert severity == "warning"
    assert "fewer than 2048 bits" in line


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_text("hush")
    written(tmp_path, '[[delivery.dkim]]\ndomain = "example.org"\nselector = "s1"\nkey = "dkim.pem"\n')
    severity, line = checked(tmp_path, {})["delivery.dkim[0].key"]
    assert severity == "error"
    assert "make one with: sluice dkim key" in line
    assert "hush" not in line
