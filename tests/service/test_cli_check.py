"""`sluice check`: every finding with its remedy, exit status 1 if any is an error."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from services.cli import tls
from shared.config.findings import Severity
from tests.support.cli import Done, sluice
from tests.support.dns_server import DnsServer, Fault

NOW = time.time()


def certificate(folder: Path, name: str, days: float) -> tuple[str, str]:
    """Write a certificate that ends in so many days, and its key; return the two paths."""
    issued = trustme.CA().issue_cert(
        "relay.example.net", not_after=datetime.fromtimestamp(NOW, UTC) + timedelta(days=days)
    )
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return str(certificate), str(key)


@pytest.mark.parametrize(
    ("days", "severity", "reason"),
    [
        (60, Severity.OK, "fits its key, ends in 60 days"),
        (3, Severity.WARNING, "ends in 3 days"),
        (-2, Severity.ERROR, "certificate has expired"),
    ],
)
def test_a_certificate_is_judged_by_its_end(tmp_path: Path, days: float, severity: Severity, reason: str) -> None:
    (found,) = tls.problems(*certificate(tmp_path, "own", days), NOW)
    assert (found.severity, found.key, found.reason) == (severity, "tls.certificate", reason)


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    """A key of another certificate, a file that is none, a file that is not there."""
    own, key = certificate(tmp_path, "own", 60)
    _, other = certificate(tmp_path, "other", 60)
    (tmp_path / "text").write_text("not a certificate")
    for files, where, reason in (
        ((own, other), "tls.certificate", "tls.key is not the key of this certificate"),
        ((str(tmp_path / "text"), key), "tls.certificate", "certificate or key cannot be used"),
        ((own, str(tmp_path / "text")), "tls.certificate", "certificate or key cannot be used"),
        ((str(tmp_path / "absent"), key), "tls.certificate", "No such file or directory"),
        ((own, str(tmp_path / "absent")), "tls.key", "No such file or directory"),
    ):
        (found,) = tls.problems(*files, NOW)
        assert (found.severity, found.key) == (Severity.ERROR, where)
        assert reason in found.reason
        assert found.remedy


def rows(out: str) -> dict[str, str]:
    """Return the severity of each finding by its key."""
    return {line.split()[1]: line.split()[0] for line in out.splitlines()[1:]}


def written(folder: Path, text: str) -> None:
    (folder / "sluice.toml").write_text('hostname = "relay.example.net"\nbroker = "sqlite:///queue.db"\n' + text)


def test_a_good_configuration_has_status_0(tmp_path: Path) -> None:
    """All is ok, readable in a pipe, and nothing is changed: the queue file is not even made."""
    certificate(tmp_path, "own", 60)
    with DnsServer({"mail.internal": {"A": ["192.0.2.1"]}}) as dns:
        written(
            tmp_path,
            f"""
            relay = {{ postmaster = "p@example.org", hosted = {{ "example.org" = "mail.internal" }} }}
            delivery = {{ nameservers = ["{dns.address}"] }}
            auth = {{ users_file = "users" }}
            tls = {{ certificate = "own.pem", key = "own.key" }}
            """,
        )
        sluice("user", "add", "a@example.org", "--password-stdin", cwd=tmp_path, given=b"p\n")
        done = sluice("check", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert set(rows(done.out).values()) == {"ok"}
    assert "mail.internal is 192.0.2.1" in done.out
    assert "\x1b" not in done.out
    assert not (tmp_path / "queue.db").exists()


def test_every_probe_finds_what_is_wrong(tmp_path: Path) -> None:
    """Open relay, certificate, recipients, users, next hop and broker, all in one run, and no password shown."""
    with DnsServer({}) as dns:
        written(
            tmp_path,
            f"""
            [relay]
            postmaster = "p@example.org"
            trusted_networks = ["0.0.0.0/0"]
            hosted = {{ "example.org" = {{ next_hop = ["nowhere.example"], recipients = "absent" }} }}
            [delivery]
            nameservers = ["{dns.address}"]
            [auth]
            users_file = "users"
            [tls]
            certificate = "absent.pem"
            """,
        )
        (tmp_path / "users").write_text("bob:plain text\n")
        done = sluice("check", cwd=tmp_path, SLUICE_BROKER="amqp://u:hush@127.0.0.1:1/")
    assert (done.status, done.err) == (1, "")
    errors = {key for key, severity in rows(done.out).items() if severity == "error"}
    wanted = {"relay.trusted_networks", "tls.certificate", "auth.users_file", "broker"}
    assert errors == wanted | {'relay.hosted."example.org".recipients', 'relay.hosted."example.org"'}
    assert "127.0.0.1:1" in done.out
    assert "hush" not in done.out
    assert "plain text" not in done.out


def test_name_servers_that_do_not_answer(tmp_path: Path) -> None:
    with DnsServer({}) as dns:
        dns.fail("relay.example.net", Fault.SERVFAIL)
        hosts = '{ "example.org" = "127.0.0.1" }'
        written(tmp_path, f'relay = {{ postmaster = "p@example.org", hosted = {hosts} }}\n')
        done = sluice("check", cwd=tmp_path, SLUICE_DELIVERY__NAMESERVERS=dns.address)
    assert done.status == 1
    assert rows(done.out)["delivery.nameservers"] == "error"


@pytest.mark.parametrize(
    ("vouched", "dnssec", "severity", "words"),
    [
        ("*", "loopback", "ok", "a name server validates"),
        ("", "loopback", "ok", "DANE protects no mail"),
        ("*", "never", "ok", "DANE protects no mail"),
        ("", "always", "warning", "run a resolver that validates"),
    ],
)
def test_whether_a_resolver_validates(tmp_path: Path, vouched: str, dnssec: str, severity: str, words: str) -> None:
    with DnsServer({".": {}}) as dns:
        dns.vouched = {vouched}
        hosts = '{ "example.org" = "127.0.0.1" }'
        written(tmp_path, f'relay = {{ postmaster = "p@example.org", hosted = {hosts} }}\n')
        done = sluice("check", cwd=tmp_path, SLUICE_DELIVERY__NAMESERVERS=dns.address, SLUICE_DELIVERY__DNSSEC=dnssec)
    assert rows(done.out)["delivery.dnssec"] == severity
    assert words in " ".join(done.out.split())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The likeliest mistake with SQLite URLs, three slashes for four, is named."""
    written(tmp_path, 'relay = { postmaster = "p@example.org", hosted = { "example.org" = "127.0.0.1" } }\n')
    done = sluice("check", cwd=tmp_path, SLUICE_BROKER="sqlite:///var/lib/sluice/queue.db")
    assert done.status == 1
    assert rows(done.out)["broker"] == "error"
    assert f"the folder {tmp_path}/var/lib/sluice does not exist" in done.out
    assert "four slashes" in done.out


def authority(folder: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(folder / "clients.pem")
    return made


EC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
"""Of RFC 7517 appendix A.1."""

NAMED = """
    [relay]
    postmaster = "p@example.org"
    denied_destinations_file = "destinations.txt"
    denied_senders_file = "senders.txt"
    denied_clients_file = "clients.txt"
    hosted = { "example.org" = { next_hop = ["127.0.0.1"], recipients = "recipients.txt" } }
    [auth]
    jwks_file = "jwks.json"
    token_issuer = "https://id.example.org"
    token_audience = "smtp"
    http_url = "https://id.example.org/smtp"
    http_ca = "clients.pem"
    [tls]
    certificate = "own.pem"
    key = "own.key"
    client_ca = "clients.pem"
"""
GOOD_FILES = {
    "destinations.txt": "*.example.invalid\n",
    "senders.txt": "spammer.example # since May\n",
    "clients.txt": "192.0.2.0/24\n",
    "recipients.txt": "alice\nbob@example.org\n",
    "jwks.json": json.dumps({"keys": [EC_KEY]}),
}


def checked(folder: Path, files: Mapping[str, str], address: str) -> Done:
    """Run the check in a folder with these files."""
    certificate(folder, "own", 60)
    authority(folder)
    for name, text in files.items():
        (folder / name).write_text(text)
    written(folder, NAMED)
    return sluice("check", cwd=folder, SLUICE_DELIVERY__NAMESERVERS=address)


def test_every_file_is_read_as_ingress_reads_it(tmp_path: Path) -> None:
    with DnsServer({}) as dns:
        done = checked(tmp_path, GOOD_FILES, dns.address)
    assert (done.status, done.err) == (0, "")
    found = rows(done.out)
    for key in ("jwks_file", "http_ca"):
        assert found[f"auth.{key}"] == "ok"
    for key in ("destinations", "senders", "clients"):
        assert found[f"relay.denied_{key}_file"] == "ok"
    assert found["tls.client_ca"] == found['relay.hosted."example.org".recipients'] == "ok"


BAD_FILES = [
    ("jwks.json", "{}", "auth.jwks_file"),
    ("jwks.json", "not JSON", "auth.jwks_file"),
    ("jwks.json", json.dumps({"keys": [{**EC_KEY, "d": "hush-hush"}]}), "auth.jwks_file"),
    ("clients.pem", "no certificate", "tls.client_ca"),
    ("destinations.txt", "a..b\n", "relay.denied_destinations_file"),
    ("senders.txt", "a b@example.org\n", "relay.denied_senders_file"),
    ("clients.txt", "example.org\n", "relay.denied_clients_file"),
    ("recipients.txt", "a b\n", 'relay.hosted."example.org".recipients'),
]


@pytest.mark.parametrize(("name", "text", "key"), BAD_FILES)
def test_a_file_that_ingress_could_not_use(tmp_path: Path, name: str, text: str, key: str) -> None:
    """It is found by the check, not by the next start or reload; and what it holds is not shown."""
    authority(tmp_path)
    certificate(tmp_path, "own", 60)
    for each, good in GOOD_FILES.items():
        (tmp_path / each).write_text(good)
    (tmp_path / name).write_text(text)
    written(tmp_path, NAMED)
    with DnsServer({}) as dns:
        done = sluice("check", cwd=tmp_path, SLUICE_DELIVERY__NAMESERVERS=dns.address)
    assert done.status == 1
    assert rows(done.out)[key] == "error"
    assert "hush-hush" not in done.out


def test_a_certificate_that_is_no_authoritys(tmp_path: Path) -> None:
    """A client's own certificate in place of who signed it: nobody could ever authenticate."""
    with DnsServer({}) as dns:
        checked(tmp_path, GOOD_FILES, dns.address)
        (tmp_path / "clients.pem").write_text((tmp_path / "own.pem").read_text())
        done = sluice("check", cwd=tmp_path, SLUICE_DELIVERY__NAMESERVERS=dns.address)
    assert done.status == 1
    assert rows(done.out)["tls.client_ca"] == rows(done.out)["auth.http_ca"] == "error"


def test_lists_that_do_not_work(tmp_path: Path) -> None:
    """By their test entries; a list that is no more would let everybody through, or refuse all."""
    zone = {
        "2.0.0.127.good.example": {"A": ["127.0.0.2"]},
        "2.0.0.127.all.example": {"A": ["127.0.0.2"]},
        "1.0.0.127.all.example": {"A": ["127.0.0.2"]},
        "2.0.0.127.shut.example": {"A": ["127.255.255.254"]},
    }
    with DnsServer(zone) as dns:
        written(
            tmp_path,
            f"""
            relay = {{ postmaster = "p@example.org", hosted = {{ "example.org" = "127.0.0.1" }} }}
            delivery = {{ nameservers = ["{dns.address}"] }}
            [ingress]
            nameservers = ["{dns.address}"]
            dnsbl = {{ zones = ["good.example", "all.example", "shut.example"], allow_zones = ["gone.example"] }}
            """,
        )
        done = sluice("check", cwd=tmp_path)
    assert (done.status, done.err) == (0, "")
    words = " ".join(done.out.split())
    for said in ("good.example works", "all.example has every address", "shut.example answers 127.255.255.254"):
        assert said in words
    assert "gone.example lacks its test entry" in words


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ('[delivery.route]\n"a.example" = "smtp://h?cert=absent.pem"\n', "delivery.route"),
        ('[delivery.route]\n"a.example" = "smtp://h?ca=absent.pem"\n', "delivery"),
        ('tls_ca = "absent.pem"\n', "delivery"),
    ],
)
def test_files_that_tls_to_other_hosts_needs(tmp_path: Path, keys: str, key: str) -> None:
    hops = '["127.0.0.1", "lmtp:///run/lmtp", "smtp://127.0.0.1?source=192.0.2.78"]'
    hosts = f'relay = {{ postmaster = "p@example.org", hosted = {{ "example.org" = {hops} }} }}\n'
    with DnsServer({}) as dns:
        written(tmp_path, f'{hosts}[delivery]\nnameservers = ["{dns.address}"]\n{keys}')
        done = sluice("check", cwd=tmp_path)
    assert done.status == 1
    assert rows(done.out)[key] == "error"
    assert "absent.pem" in done.out
