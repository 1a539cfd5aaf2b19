"""Three processes on a private RabbitMQ node, each with its own user, on a topology made by `sluice broker apply`."""

import base64
import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from shared.broker.topology import User
from tests.support.processes import ROOT, SLUICE, write_config
from tests.support.rabbitmq import RabbitNode
from tests.support.world import Brokered

STAGES = ("ingress", "screener", "delivery")


@contextlib.contextmanager
def on_rabbitmq(node: RabbitNode, directory: Path) -> Iterator[Brokered]:
    """Make a vhost with the whole topology, as an administrator would; take it away in the end."""
    vhost = f"world-{secrets.token_hex(4)}"
    passwords = directory / "passwords"
    passwords.mkdir()
    for user in User:
        (passwords / user.value).write_text(secrets.token_hex(8))
    config = {
        "broker": f"amqp://127.0.0.1:{node.amqp_port}/{vhost}",
        "broker_admin": {
            "url": node.management_url,
            "user": node.user,
            "password": node.password,
            "service_passwords": str(passwords),
        },
    }
    node.add_vhost(vhost)
    _apply(config, directory)

    def put(queue: str, body: bytes) -> None:
        payload = base64.b64encode(body).decode()
        content = {"payload": payload, "payload_encoding": "base64", "routing_key": queue}
        properties = {"properties": {"delivery_mode": 2}}
        done = node.api("POST", f"exchanges/{quote(vhost, safe='')}/amq.default/publish", {**content, **properties})
        assert done == {"routed": True}, done

    @contextlib.contextmanager
    def hold() -> Iterator[None]:
        node.pause()
        try:
            yield
        finally:
            node.resume()

    try:
        yield Brokered(config, STAGES, put, hold)
    finally:
        node.ensure_running()
        node.delete_vhost(vhost)


def _apply(config: Mapping[str, object], directory: Path) -> None:
    path = write_config(directory / "apply.toml", config)
    done = subprocess.run(
        [*SLUICE, "broker", "apply", "--config", str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
