"""`sluice broker apply` and `check`, and the operator's commands, on a real RabbitMQ."""

import asyncio
from pathlib import Path

import pytest

from shared.broker.adapters import amqp_url, open_broker, service_password, shown_url
from shared.broker.topology import User
from shared.config.load import load
from shared.config.model import BrokerAdmin, Config
from shared.errors import ConfigError
from shared.model import Envelope, Item, Message, Origin, Place, Recipient, Send
from tests.support.cli import sluice
from tests.support.processes import write_config
from tests.support.rabbitmq import RabbitNode
from tests.support.rabbitmq_world import on_rabbitmq

ITEM = Item(
    id="01KATEST000000000000000000",
    envelope=Envelope("a@elsewhere.example", (Recipient("b@example.org"),)),
    origin=Origin.INBOUND,
    accepted_at=1_795_000_000.0,
    reason="extension:exe",
)


@pytest.mark.parametrize(
    ("broker", "password", "folder", "expected"),
    [
        ("amqp://u:p@h:5672/v", None, False, "amqp://u:p@h:5672/v"),
        ("amqp://u:p@h:5672/v", "a/b@c", False, "amqp://u:a%2Fb%40c@h:5672/v"),
        ("amqp://u@h/", "new", False, "amqp://u:new@h/"),
        ("amqp://u@h/", "new", True, "amqp://u:new@h/"),
        ("amqp://u@h/", None, True, "amqp://u@h/"),
        ("amqp://h/", None, True, "amqp://screener:from-file@h/"),
        ("amqp://h/", "given", True, "amqp://screener:given@h/"),
        ("amqp://h/", None, False, "amqp://screener@h/"),
        ("amqps://[::1]:5671/v", "p", False, "amqps://screener:p@[::1]:5671/v"),
    ],
)
def test_url_for_a_service(tmp_path: Path, broker: str, password: str | None, folder: bool, expected: str) -> None:
    """Without a user name in the URL, each service logs in under its own with its own password."""
    (tmp_path / "screener").write_text("from-file\n")
    admin = BrokerAdmin(service_passwords=str(tmp_path) if folder else None)
    config = Config(broker=broker, broker_password=password, broker_admin=admin)
    assert amqp_url(config, User.SCREENER) == expected


@pytest.mark.parametrize(
    ("broker", "expected"),
    [
        ("amqp://u:hush@h:5672/v", "amqp://h:5672/v"),
        ("amqp://h/", "amqp://h/"),
        ("sqlite:////var/queue.db", "sqlite:////var/queue.db"),
    ],
)
def test_url_for_logs(broker: str, expected: str) -> None:
    assert shown_url(Config(broker=broker)) == expected


def test_service_passwords_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ingress").write_text("\n")
    given = Config(broker_admin=BrokerAdmin(service_passwords=str(tmp_path)))
    for config, user, words in (
        (Config(), User.INGRESS, "not set: name a folder"),
        (given, User.INGRESS, "is empty; write the password"),
        (given, User.SCREENER, "No such file or directory; write the password"),
    ):
        with pytest.raises(ConfigError, match=words):
            service_password(config, user)


@pytest.mark.rabbitmq
def test_apply_check_and_what_check_finds(tmp_path: Path, rabbit_node: RabbitNode) -> None:
    """Nothing differs after apply; a policy deleted by hand is a row with its remedy and status 1, until applied."""
    with on_rabbitmq(rabbit_node, tmp_path) as world:
        write_config(tmp_path / "sluice.toml", world.config)
        vhost = str(world.config["broker"]).rpartition("/")[2]
        good = sluice("broker", "check", cwd=tmp_path)
        assert good == (0, "Exchanges, queues, bindings, policies and users: as they must be.\n", "")
        rabbit_node.api("DELETE", f"policies/{vhost}/mail-fresh")
        found = sluice("broker", "check", cwd=tmp_path)
        assert found.status == 1
        assert "mail-fresh" in found.out
        assert "missing" in found.out
        assert "sluice broker apply" in found.out
        again = sluice("broker", "apply", cwd=tmp_path)
        assert (again.status, again.err) == (0, "")
        assert again.out == "Exchanges, queues, bindings, policies and users: applied and verified.\n"
        wrong = sluice("broker", "check", cwd=tmp_path, SLUICE_BROKER_ADMIN__PASSWORD="hush")
        assert (wrong.status, wrong.err.count("\n")) == (2, 1)
        assert "hush" not in wrong.err


@pytest.mark.rabbitmq
def test_a_broken_index_holds_up_no_mail(tmp_path: Path, rabbit_node: RabbitNode) -> None:
    """Compose starts the services after `apply`: a stream that is only a copy must not keep them from starting."""
    with on_rabbitmq(rabbit_node, tmp_path) as world:
        write_config(tmp_path / "sluice.toml", world.config)
        queue = f"queues/{str(world.config['broker']).rpartition('/')[2]}/mail.quarantine.index"
        rabbit_node.api("DELETE", queue)
        rabbit_node.api("PUT", queue, {"durable": True, "arguments": {"x-queue-type": "classic"}})
        applied = sluice("broker", "apply", cwd=tmp_path)
        assert applied.status == 0
        assert "queue mail.quarantine.index" in applied.out
        assert "All that mail depends on: applied and verified." in applied.out
        assert sluice("broker", "check", cwd=tmp_path).status == 1


@pytest.mark.rabbitmq
def test_queue_status_quarantine_and_check(tmp_path: Path, rabbit_node: RabbitNode) -> None:
    """The operator's commands work with the operator's own user."""
    with on_rabbitmq(rabbit_node, tmp_path) as world:
        path = write_config(tmp_path / "sluice.toml", world.config)

        async def quarantine() -> None:
            broker = await open_broker(load(path, {}), User.SCREENER)
            await broker.publish([Send(Place.QUARANTINE, Message(ITEM, b"Subject: x\r\n\r\n"))])
            await broker.close()

        asyncio.run(quarantine())
        status = sluice("queue", "status", cwd=tmp_path)
        assert status.status == 0
        assert status.out.splitlines()[0].startswith("Broker amqp://127.0.0.1:")
        assert [line.split()[1] for line in status.out.splitlines() if line.startswith("mail.quarantine.")] == ["1"]
        assert ITEM.id in sluice("quarantine", "list", cwd=tmp_path).out
        assert sluice("quarantine", "release", ITEM.id, cwd=tmp_path).status == 0
        rows = [line.split() for line in sluice("queue", "status", cwd=tmp_path).out.splitlines()]
        assert ["mail.redeliver", "1", "?", "0"] in rows
        assert "answers" in sluice("check", cwd=tmp_path).out
