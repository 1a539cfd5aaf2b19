"""`sluice check`: where connections come from, and under which names."""

from pathlib import Path

from tests.support.cli import sluice
from tests.support.dns_server import DnsServer, Zone


def rows(out: str) -> dict[str, str]:
    """Return the severity of each finding by its key."""
    return {line.split()[1]: line.split()[0] for line in out.splitlines()[1:]}


def written(folder: Path, text: str) -> None:
    (folder / "sluice.toml").write_text('hostname = "relay.example.net"\nbroker = "sqlite:///queue.db"\n' + text)


def test_addresses_that_connections_come_from(tmp_path: Path) -> None:
    """Each is bound; one of another machine is an error, and so is a route that delivery could not read."""
    hops = '["127.0.0.1", "lmtp:///run/lmtp", "smtp://127.0.0.1?source=192.0.2.78"]'
    hosts = f'relay = {{ postmaster = "p@example.org", hosted = {{ "example.org" = {hops} }} }}\n'
    with DnsServer({}) as dns:
        keys = f'[delivery]\nnameservers = ["{dns.address}"]\nsource_address = "127.0.0.7"\n[delivery.route]\n'
        written(
            tmp_path, f'{hosts}{keys}"a.example" = "smtp://h?source=192.0.2.77"\n"b.example" = "mx?source=192.0.2.79"\n'
        )
        done = sluice("check", cwd=tmp_path)
        written(tmp_path, f'{hosts}{keys}"a.example" = "smtp://h?source=localhost"\n')
        unread = sluice("check", cwd=tmp_path)
    assert (done.status, unread.status) == (1, 1)
    found = rows(done.out)
    assert (found["delivery.source_address"], found['delivery.route."a.example"']) == ("ok", "error")
    assert "connections cannot come from 192.0.2.77" in done.out
    assert "connections cannot come from 192.0.2.78" in done.out
    assert "connections cannot come from 192.0.2.79" in done.out
    assert rows(unread.out)["delivery.route.a.example"] == "error"


def test_the_names_that_ehlo_gives(tmp_path: Path) -> None:
    """Each that was chosen should have the address that it comes from. Receivers mind, so it is a warning."""
    hops = "'smtp://127.0.0.1?helo=in.example.org'"
    zone: Zone = {
        "in.example.org": {"A": ["127.0.0.7"]},
        "other.example.org": {"A": ["192.0.2.9"], "AAAA": ["2001:db8::9"]},
    }
    with DnsServer(zone) as dns:
        written(
            tmp_path,
            f'relay = {{ postmaster = "p@example.org", hosted = {{ "example.org" = {hops} }} }}\n'
            f'[delivery]\nnameservers = ["{dns.address}"]\nsource_address = "127.0.0.7"\nhelo = "gone.example.org"\n'
            '[delivery.route]\n"a.example" = "mx?helo=other.example.org"\n"b.example" = "smtp://h"\n'
            '"c.example" = "mx?helo=other.example.org&source=10.9.8.7"\n',
        )
        done = sluice("check", cwd=tmp_path)
    words = " ".join(done.out.split())
    assert rows(done.out)["delivery.helo"] == "warning"
    assert '"gone.example.org" of EHLO has no address: receivers may refuse mail add it to DNS' in words
    assert '"other.example.org" of EHLO is 2001:db8::9, 192.0.2.9, and not 127.0.0.7: receivers may' in words
    assert '"in.example.org" of EHLO is 127.0.0.7' in words
    assert '"other.example.org" of EHLO is 2001:db8::9, 192.0.2.9 ' in words  # 10.9.8.7 is translated on the way
    assert words.count("of EHLO") == 4
