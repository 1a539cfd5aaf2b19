"""What an administrator gets wrong, through the real command: exit status, and the one line that says what to do."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.broker.topology import User
from tests.support.cli import sluice
from tests.support.ports import free_port
from tests.support.processes import Relay
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq
from tests.support.waiting import wait_for

GOOD = (
    'hostname = "relay.example.net"\nbroker = "sqlite:///queue.db"\n'
    'relay = { postmaster = "p@example.org", hosted = { "example.org" = "127.0.0.1:25" } }\n'
)


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


MALFORMED = [
    ("hostname = ", "sluice: sluice.toml: not TOML: Invalid value (at "),
    ("[ingres]", 'sluice: sluice.toml: ingres: unknown key; did you mean "ingress"?'),
    ("[ingress]\nmax_recipients = 'x'", "sluice: sluice.toml: ingress.max_recipients: expected a whole number, found"),
    ("broker = 'amqp://u:hush@[h/'", "sluice: sluice.toml: broker: "),
    (
        "broker_password_file = 'absent'",
        'sluice: sluice.toml: broker_password_file: cannot read the secret from "absent',
    ),
    (GOOD + "[tls]\ncertificate = 'absent.pem'\nkey = 'k'", "sluice: tls.certificate: cannot read absent.pem: No such"),
    (GOOD + "[tls]\nkey = 'k'", "sluice: tls.key: there is a key and no certificate; set tls.certificate too"),
    (
        GOOD + "[[ingress.listener]]\naddress = '127.0.0.1:0'\nmode = 'submission'",
        'sluice: ingress.listener[0] (127.0.0.1:0): mode "submission" needs TLS',
    ),
    (GOOD + "[auth]\nusers_file = 'users'", "sluice: auth.users_file: users line 1 is not name:argon2-hash"),
    (
        GOOD.replace('"127.0.0.1:25"', '{ next_hop = ["h:25"], recipients = "absent" }'),
        "sluice: relay.hosted",
    ),
    (GOOD + "[delivery]\nretry = []", "sluice: delivery.retry: it is empty"),
    (GOOD + "[delivery]\nretry = ['1m', '0s']", "sluice: delivery.retry: it is empty, or a wait in it is 0"),
]


@pytest.mark.parametrize(("text", "line"), MALFORMED, ids=[line[8:60] for _, line in MALFORMED])
def test_a_configuration_that_cannot_be_used_is_status_2(tmp_path: Path, text: str, line: str) -> None:
    """The process refuses to start; its last line names file or key, reason and remedy, and shows no secret."""
    (tmp_path / "sluice.toml").write_text(text)
    (tmp_path / "users").write_text("bob:hush\n")
    done = sluice("up", cwd=tmp_path)
    last = done.err.splitlines()[-1]
    assert (done.status, done.out) == (2, "")
    assert last.startswith(line)
    assert "Traceback" not in done.err
    assert "hush" not in done.err


def test_port_in_use(tmp_path: Path) -> None:
    with listening() as port:
        (tmp_path / "sluice.toml").write_text(f"{GOOD}[[ingress.listener]]\naddress = '127.0.0.1:{port}'\n")
        done = sluice("up", cwd=tmp_path)
    assert done.status == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("sluice: ")
    assert f"127.0.0.1:{port}" in last
    assert "in use" in last


def test_operations_port_in_use(tmp_path: Path) -> None:
    with listening() as port:
        (tmp_path / "sluice.toml").write_text(f"{GOOD}[ops]\naddress = '127.0.0.1:{port}'\n")
        done = sluice("up", cwd=tmp_path)
    assert done.status == 1
    assert done.err.splitlines()[-1] == (
        f"sluice: ops.address: cannot listen on 127.0.0.1:{port}: Address already in use;"
        " stop what uses it or choose another"
    )


@pytest.mark.parametrize("command", ["up", "ingress", "screener", "delivery"])
def test_queue_file_that_cannot_be_opened(tmp_path: Path, command: str) -> None:
    """A folder that is not there, and a file that is no queue."""
    (tmp_path / "sluice.toml").write_text(GOOD)
    (tmp_path / "text.db").write_text("this is not a database, but a text that is long enough to be read as one\n" * 9)
    for url, words in (("sqlite:///absent/queue.db", "absent"), ("sqlite:///text.db", "text.db")):
        done = sluice(command, cwd=tmp_path, SLUICE_BROKER=url, SLUICE_INGRESS__LISTENER='[{address="127.0.0.1:0"}]')
        last = done.err.splitlines()[-1]
        assert done.status in {1, 2}
        assert last.startswith("sluice: ")
        assert words in last
        assert "Traceback" not in done.err


def test_a_second_relay_on_the_same_queue_file(tmp_path: Path) -> None:
    """It ends with the reason, instead of standing there with a dead worker."""
    config = {
        "broker": "sqlite:///queue.db",
        "relay": {"postmaster": "p@example.org", "hosted": {"example.org": "127.0.0.1:25"}},
        "ingress": {"listener": [{"address": "127.0.0.1:0"}]},
    }
    relay = Relay(tmp_path, config, ["up"])
    try:
        relay.start()
        done = sluice("up", cwd=tmp_path)
        assert done.status == 1
        last = done.err.splitlines()[-1]
        assert last.startswith("sluice: ")
        assert "queue.db" in last
        assert str(relay["up"].pid) in last
        assert relay["up"].running
    finally:
        relay.stop()


def test_unreachable_broker(tmp_path: Path) -> None:
    """Services start, are not ready, name the broker without its password, and stop as any other; commands fail."""
    port = free_port()
    broker = f"amqp://u:hush@127.0.0.1:{port}/"
    listener = {"listener": [{"address": "127.0.0.1:0"}]}
    relay = Relay(tmp_path, {"broker": broker, "ingress": listener}, ["ingress", "screener", "delivery"])
    try:
        for process in relay.processes.values():
            process.spawn()
        for process in relay.processes.values():
            wait_for(lambda process=process: f"127.0.0.1:{port}" in process.readiness()[1])  # type: ignore[misc]
            assert process.readiness()[0] == 503
            assert process.ops("/livez")[0] == 200
        for process in relay.processes.values():
            assert process.terminate() == 0
    finally:
        relay.stop()
    assert "not ready" in relay["ingress"].log()
    assert "hush" not in relay.log()
    failed = relay.cli("queue", "status", check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("sluice: ")
    assert failed.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in failed.stderr
    assert "hush" not in failed.stderr


@pytest.mark.rabbitmq
def test_wrong_broker_password_then_the_right_one(tmp_path: Path, rabbit_node: RabbitNode) -> None:
    """Readiness says that the log-in was refused; once the password is right, mail is taken with no restart."""
    with on_rabbitmq(rabbit_node, tmp_path) as world:
        right = (tmp_path / "passwords" / User.SCREENER.value).read_text()
        rabbit_node.ctl("change_password", User.SCREENER.value, "another")
        relay = Relay(tmp_path, world.config, ["screener"])
        try:
            relay["screener"].spawn()
            wait_for(lambda: "refuses user or password" in relay["screener"].readiness()[1])
            assert relay["screener"].readiness()[0] == 503
            rabbit_node.ctl("change_password", User.SCREENER.value, right)
            relay["screener"].wait_ready()
            assert relay["screener"].terminate() == 0
        finally:
            relay.stop()
        assert right not in relay.log()
        events = [json.loads(line)["event"] for line in relay.log().splitlines() if line.startswith("{")]
        assert {"not ready", "ready", "stopped"} <= set(events)


@pytest.mark.rabbitmq
def test_wrong_broker_password_of_a_command(tmp_path: Path, rabbit_node: RabbitNode) -> None:
    with on_rabbitmq(rabbit_node, tmp_path):
        url = rabbit_node.amqp_url("/", "operator", "hush")
        done = sluice("queue", "status", cwd=tmp_path, SLUICE_BROKER=url)
    assert (done.status, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "refuses user or password" in done.err
    assert "hush" not in done.err
