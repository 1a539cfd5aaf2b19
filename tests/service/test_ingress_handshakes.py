"""Clients within a TLS handshake are sessions like any others: counted, and ended with the process."""

import contextlib
import socket
from pathlib import Path

import pytest
import trustme

from tests.support.front import TRUSTED, Front, front_config, with_tls
from tests.support.waiting import wait_for


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "relay.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return path


def test_handshakes_are_counted_as_connections(certificate: Path) -> None:
    """One too many is closed without a word where TLS comes first, and without the price of a handshake."""
    with Front(with_tls(front_config(max_connections_per_client=2), certificate)) as front:
        address = ("127.0.0.1", front.app.ports[2])
        with socket.create_connection(address, 30), socket.create_connection(address, 30):
            wait_for(lambda: front.app._site.connections.open == 2)
            with socket.create_connection(address, 30) as third:
                assert third.recv(1000) == b""
            with front.connect(TRUSTED) as talk:
                assert talk.ask("NOOP").startswith("250")
        wait_for(lambda: not front.leftovers())
        assert '"rule":"ingress.max_connections_per_client"' in front.log.getvalue()


def test_a_drain_waits_for_no_handshake(certificate: Path) -> None:
    with Front(with_tls(front_config(), certificate)) as front:
        with front.connect() as talk, socket.create_connection(("127.0.0.1", front.app.ports[2]), 30) as silent:
            talk.ask("EHLO c.example")
            assert talk.ask("STARTTLS").startswith("220")
            wait_for(lambda: all(session._shaking for session in front.app._site.open))
            front.call(front.app.drain(300))
            assert talk.reply() == ""
            with contextlib.suppress(ConnectionError):
                assert silent.recv(1000) == b""
        wait_for(lambda: not front.leftovers())
