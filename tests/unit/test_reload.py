"""What changed, what of it a running process can take, and when changed files are read."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.config.changes import FIXED, changes, in_force
from shared.config.load import Source
from shared.config.model import Config, Delivery, Ingress, Listener, Log, Mode, Relay, Tls
from shared.config.units import Duration
from shared.errors import ConfigError
from shared.stamps import Stamps, Watch, stamp

TWO = (Listener(address="127.0.0.1:25"), Listener(address="127.0.0.1:587", mode=Mode.SUBMISSION))


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        (Config(), Config(), []),
        (Config(), Config(hostname="a.example"), ["hostname"]),
        (Config(), Config(relay=Relay(trusted_networks=("10.0.0.0/8",))), ["relay.trusted_networks"]),
        (
            Config(relay=Relay(hosted={"a.example": "x:25", "b.example": "x:25"})),
            Config(relay=Relay(hosted={"a.example": "y:25", "c.example": "x:25"})),
            ['relay.hosted."a.example"', 'relay.hosted."b.example"', 'relay.hosted."c.example"'],
        ),
        (Config(broker_password="old"), Config(broker_password="new"), ["broker_password"]),
        (
            Config(delivery=Delivery(route_passwords={"*": "old"})),
            Config(delivery=Delivery(route_passwords={"*": "new"}), tls=Tls(key="k")),
            ['delivery.route_passwords."*"', "tls.key"],
        ),
    ],
)
def test_changed_keys_are_named_and_no_value_is(old: Config, new: Config, keys: list[str]) -> None:
    assert changes(old, new) == keys


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (Config(hostname="a.example", tls=Tls(certificate="c")), []),
        (Config(broker="amqp://rabbit/", hostname="a.example"), ["broker"]),
        (Config(log=Log(level="debug")), ["log.level"]),
        (Config(ingress=Ingress(listener=TWO, max_hops=7)), ["ingress.listener"]),
        (
            Config(delivery=Delivery(concurrency=1, lifetime=Duration(9), nameservers=("192.0.2.1:53",))),
            ["delivery.nameservers", "delivery.concurrency"],
        ),
    ],
)
def test_what_needs_a_restart_stays_and_the_rest_counts(new: Config, kept: list[str]) -> None:
    taken, fixed = in_force(Config(), new)
    assert fixed == kept
    assert set(changes(Config(), taken)) == set(changes(Config(), new)) - set(kept)


def test_options_of_listeners_count_while_addresses_and_modes_are_the_same() -> None:
    def with_listeners(*listeners: Listener) -> Config:
        return Config(ingress=Ingress(listener=listeners))

    opened = msgspec.structs.replace(TWO[1], trusted_without_auth=True)
    assert in_force(with_listeners(*TWO), with_listeners(TWO[0], opened)) == (with_listeners(TWO[0], opened), [])
    for other in ((TWO[0],), (TWO[1], TWO[0]), (TWO[0], msgspec.structs.replace(TWO[1], mode=Mode.SUBMISSIONS))):
        assert in_force(with_listeners(*TWO), with_listeners(*other)) == (with_listeners(*TWO), ["ingress.listener"])


def test_every_fixed_key_exists() -> None:
    for key in FIXED:
        section: Any = Config()
        for name in key.split("."):
            section = getattr(section, name)


def write(path: Path) -> None:
    path.write_text("longer than before")


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("text")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [write, replace, Path.unlink])
def test_a_written_replaced_or_removed_file_has_another_stamp(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    before = stamp(path)
    assert before == stamp(path)
    change(path)
    assert stamp(path) != before


def test_a_link_that_leads_elsewhere_has_another_stamp(tmp_path: Path) -> None:
    """As secrets are replaced in Kubernetes: file -> ..data/file, and ..data -> a folder for each version."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "key").write_text("text")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "key").symlink_to("..data/key")
    before = stamp(tmp_path / "key")
    (tmp_path / "swap").symlink_to("two")
    (tmp_path / "swap").replace(tmp_path / "..data")
    assert stamp(tmp_path / "key") != before


A, B = Path("a"), Path("b")


def stamps(a: int | None, b: int | None = 1) -> Stamps:
    return Stamps({A: (a, a, a, a) if a else None, B: (b, b, b, b) if b else None})


def test_changed_files_are_read_once_they_hold_still() -> None:
    watch = Watch(stamps(1))
    assert [watch.look(stamps(1)), watch.look(stamps(2)), watch.look(stamps(3)), watch.look(stamps(3))] == [
        False,
        False,
        False,
        True,
    ]
    watch.take(stamps(3))
    assert not watch.look(stamps(3))


def test_a_change_while_files_are_read_is_seen_after_it() -> None:
    watch = Watch(stamps(1))
    watch.look(stamps(2))
    assert watch.look(stamps(2))
    watch.take(stamps(2))  # as taken before the reading
    assert [watch.look(stamps(2, 2)), watch.look(stamps(2, 2))] == [False, True]


def test_differing_files_are_named_in_order() -> None:
    assert stamps(1, 1).differing(stamps(2, None)) == [A, B]
    assert Stamps().differing(stamps(None)) == [A, B]
    assert stamps(1).differing(stamps(1)) == []


def test_every_named_file_is_noted(tmp_path: Path) -> None:
    """Also those of secrets, of routes' authorities, and those that do not exist."""
    path = tmp_path / "sluice.toml"
    (tmp_path / "secret").write_text("s")
    path.write_text(
        "broker_password_file = 'secret'\n[tls]\nkey = 'k.pem'\n[relay.hosted]\n"
        "'a.example' = { next_hop = ['x'], recipients = 'list' }\n"
        "[delivery.route]\n'b.example' = 'smtp://h?tls=verify&ca=/ca.pem'\n"
    )
    named = Stamps()
    Source(path, {"SLUICE_AUTH__USERS_FILE": str(tmp_path / "users")}).read(named)
    assert set(named) == {Path("/ca.pem"), *(tmp_path / n for n in ("sluice.toml", "secret", "k.pem", "list", "users"))}
    assert named[tmp_path / "k.pem"] is None


def test_files_are_noted_when_reading_fails(tmp_path: Path) -> None:
    """So that the process notices when the missing one comes."""
    path = tmp_path / "sluice.toml"
    path.write_text("broker_password_file = 'secret'\n")
    named = Stamps()
    with pytest.raises(ConfigError, match="cannot read the secret"):
        Source(path, {}).read(named)
    assert set(named) == {path, tmp_path / "secret"}
