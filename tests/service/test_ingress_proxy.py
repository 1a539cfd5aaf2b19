"""PROXY headers over real sockets: the client is whom the balancer names, and nobody else is believed."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from services.ingress.protocol.proxy import SIGNATURE
from shared.config.model import Config, Listener, Mode
from shared.config.units import Duration
from shared.model import Origin
from tests.support.balancer import BALANCER, LOCAL, UNKNOWN, connect, version_1, version_2
from tests.support.front import RELAY, STRANGER, TRUSTED, Front, Talk, front_config, with_tls
from tests.support.waiting import wait_for

CHECK = b"EHLO check.example\r\nQUIT\r\n"
OUTSIDER = "198.51.100.7"
OTHER = "127.0.0.8"
"""In a trusted network and a balancer: what wins is tested."""
MODES = (Mode.RELAY, Mode.SUBMISSIONS)


def config(**ingress: Any) -> Config:
    """Return a relay listener behind a balancer, and one that is not."""
    listeners = (Listener(address="127.0.0.1:0", proxy_from=(BALANCER, OTHER)), Listener(address="127.0.0.1:0"))
    listeners = ingress.pop("listener", listeners)
    relay = msgspec.structs.replace(RELAY, trusted_networks=("127.0.0.2", "127.0.0.8/31", "2001:db8::/32"))
    return msgspec.structs.replace(front_config(listener=listeners, **ingress), relay=relay)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def running(request: pytest.FixtureRequest) -> Iterator[Front]:
    with Front(config(), loop=request.param) as front:
        yield front


@pytest.fixture
def front(running: Front) -> Front:
    """It has logged and published nothing yet."""
    running.recorder.sends.clear()
    running.log.truncate(0)
    running.log.seek(0)
    return running


def relays(talk: Talk) -> bool:
    """Return whether a session just greeted may send to a foreign domain; send the message if it may."""
    assert talk.reply().startswith("220 ")
    assert talk.ask("EHLO client.example").startswith("250")
    assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")
    answer = talk.ask("RCPT TO:<x@foreign.example>")
    if answer.startswith("250"):
        assert talk.ask("DATA").startswith("354")
        assert talk.ask("Subject: x\r\n\r\nHello\r\n.").startswith("250")
    else:
        assert answer.startswith("550 5.7.1 Relaying denied")
    return answer.startswith("250")


def events(front: Front, name: str) -> list[dict[str, Any]]:
    """Return the log lines of one event."""
    return [line for line in map(json.loads, front.log.getvalue().splitlines()) if line["event"] == name]


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (version_1(TRUSTED), TRUSTED),
        (version_2(TRUSTED), TRUSTED),
        (version_2(TRUSTED, tlvs=b"\x04\x10\x00" + b"x" * 4096), TRUSTED),
        (version_1("2001:db8::7"), "2001:db8::7"),
        (version_2("2001:db8::7"), "2001:db8::7"),
        (version_2(f"::ffff:{TRUSTED}"), TRUSTED),
    ],
)
def test_a_trusted_client_behind_a_balancer_relays_under_its_own_address(
    front: Front, header: bytes, client: str
) -> None:
    with connect(front, header) as talk:
        assert relays(talk)
        talk.ask("QUIT")
    (message,) = front.recorder.messages
    assert message.item.client is not None
    assert message.item.client.address == client
    assert message.item.origin is Origin.TRUSTED
    literal = f"[IPv6:{client}]" if ":" in client else f"[{client}]"
    assert message.content.startswith(f"Received: from client.example ({literal})\r\n".encode())
    assert BALANCER.encode() not in message.content
    wait_for(lambda: len(events(front, "session")) == 1)
    assert [events(front, name)[0]["client"] for name in ("accepted", "session")] == [client, client]


@pytest.mark.parametrize(
    "header",
    [
        version_1(OUTSIDER),
        version_2(OUTSIDER),
        version_2("2001:db9::7"),
        pytest.param(version_2(BALANCER), id="its own address"),
        pytest.param(version_2(OTHER), id="a trusted balancer's address"),
        pytest.param(LOCAL, id="LOCAL"),
        pytest.param(UNKNOWN, id="UNKNOWN"),
    ],
)
@pytest.mark.parametrize("source", [BALANCER, OTHER])
def test_everybody_else_behind_a_balancer_is_a_stranger(front: Front, header: bytes, source: str) -> None:
    with connect(front, header, source) as talk:
        assert not relays(talk)


def test_a_balancers_address_is_not_trusted_at_any_listener(front: Front) -> None:
    """What comes from there without a header may come from anybody."""
    with connect(front, b"", OTHER, listener=1) as talk:
        assert not relays(talk)
    with connect(front, b"", TRUSTED, listener=1) as talk:
        assert relays(talk)


def test_a_header_split_at_every_place_is_the_same_header(front: Front) -> None:
    for header in (version_1(TRUSTED), version_2(TRUSTED, tlvs=b"\x04\x00\x02ab")):
        for split in range(1, len(header)):
            with connect(front, header[:split]) as talk:
                talk.send(header[split:])
                assert talk.reply().startswith("220 ")


def test_what_is_sent_behind_the_header_in_the_same_packet_is_not_lost(front: Front) -> None:
    with connect(front, version_2(TRUSTED) + b"EHLO client.example\r\nQUIT\r\n") as talk:
        assert [talk.reply()[:3] for _ in range(3)] == ["220", "250", "221"]


def test_nothing_is_said_before_the_header(front: Front) -> None:
    with connect(front, b"PROXY TCP4 ") as talk:
        talk.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            talk.socket.recv(1)


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    ],
)
def test_a_balancer_without_a_proper_header_is_refused(front: Front, octets: bytes) -> None:
    with connect(front, octets) as talk:
        assert talk.reply().startswith("421 4.3.5 A PROXY header is expected")
        assert talk.reply() == ""
    (refused,) = events(front, "refused")
    assert (refused["client"], refused["rule"]) == (BALANCER, "ingress.listener.proxy_from")
    assert "header" in refused["reason"]


def test_a_header_that_does_not_come_is_not_waited_for_long() -> None:
    with Front(config(proxy_timeout=Duration(0.2))) as front:
        for octets in (b"", b"PROXY TCP4 ", SIGNATURE):
            with connect(front, octets) as talk:
                assert talk.reply().startswith("421 4.3.5 No PROXY header has come in time")
                assert talk.reply() == ""
        assert {line["rule"] for line in events(front, "refused")} == {"ingress.proxy_timeout"}


@pytest.mark.parametrize("source", [STRANGER, TRUSTED])
@pytest.mark.parametrize("listener", [0, 1])
def test_a_header_from_anybody_else_ends_the_session(front: Front, source: str, listener: int) -> None:
    with connect(front, version_1(TRUSTED) + b"EHLO client.example\r\n", source, listener) as talk:
        assert talk.reply().startswith("220 ")
        assert talk.reply().startswith("421 4.7.0 No PROXY header is taken from your address")
        assert talk.reply() == ""
    with connect(front, version_2(TRUSTED) + b"EHLO client.example\r\n", source, listener) as talk:
        assert [talk.reply()[:3] for _ in range(5)] == ["220", "500", "500", "500", "221"]
        assert talk.reply() == ""


def test_a_balancers_own_checks_leave_no_lines() -> None:
    """Every two seconds, from each balancer: a connection that is reset, closed, or says LOCAL and perhaps QUIT."""
    with Front(config()) as front:
        for octets in (b"", LOCAL, LOCAL + CHECK, UNKNOWN + CHECK, version_1(BALANCER) + CHECK, SIGNATURE[:5]):
            for how in ("close", "reset"):
                talk = connect(front, octets)
                if how == "reset":
                    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif octets.endswith(CHECK):
                    assert [talk.reply()[:3] for _ in range(3)] == ["220", "250", "221"]
                talk.close()
        wait_for(lambda: not front.app._site.open)
        assert [line["event"] for line in map(json.loads, front.log.getvalue().splitlines())] == ["listening"]
        with connect(front, version_2(OUTSIDER)) as talk:
            talk.ask("QUIT")
        wait_for(lambda: len(events(front, "session")) == 1)


def test_connections_are_limited_by_the_clients_behind_a_balancer() -> None:
    with Front(config(max_connections_per_client=2)) as front:
        talks = [connect(front, version_2(client)) for client in ("198.51.100.1", "198.51.100.1", "198.51.100.2")]
        assert [talk.reply()[:3] for talk in talks] == ["220"] * 3
        with connect(front, version_2("198.51.100.1")) as talk:
            assert talk.reply().startswith("421 4.7.0 Too many connections from your address")
        with connect(front, version_2("198.51.100.2")) as talk:
            assert talk.reply().startswith("220 ")
        for talk in talks:
            talk.close()
        wait_for(lambda: front.app._site.connections.open == 0)


def test_a_reload_takes_other_balancers() -> None:
    """Of connections that come from then on; a session goes on with the client that it has."""
    with Front(config()) as front, connect(front, version_2(TRUSTED)) as before:
        assert before.reply().startswith("220 ")
        (first, second) = config().ingress.listener
        swapped = (msgspec.structs.replace(first, proxy_from=(OTHER,)), second)
        front.call(_reload(front, config(listener=swapped)))
        assert before.ask("EHLO client.example").startswith("250")
        assert before.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")
        assert before.ask("RCPT TO:<x@foreign.example>").startswith("250")
        with connect(front, version_2(TRUSTED)) as after:
            assert [after.reply()[:3] for _ in range(5)] == ["220", "500", "500", "500", "221"]
        with connect(front, version_2(TRUSTED), OTHER) as after:
            assert relays(after)


async def _reload(front: Front, new: Config) -> None:
    front.app.prepare(new)()


def test_a_denied_client_is_turned_away_behind_a_balancer_too() -> None:
    made = config(greeting_delay=Duration(0.2))
    relay = msgspec.structs.replace(made.relay, denied_clients=(f"{OUTSIDER}/32",))
    with Front(msgspec.structs.replace(made, relay=relay)) as front:
        with connect(front, version_2(OUTSIDER)) as talk:
            assert talk.reply().startswith("554 5.7.1 ")
        with connect(front, version_2("198.51.100.8") + b"EHLO client.example\r\n") as talk:
            assert talk.reply().startswith("554 5.5.1 You spoke before the greeting")
        with connect(front, version_2(TRUSTED) + b"EHLO client.example\r\n") as talk:
            assert talk.reply().startswith("220 ")
    refused = [(line["client"], line["rule"]) for line in events(front, "refused")]
    assert {(OUTSIDER, "relay.denied_clients"), ("198.51.100.8", "ingress.greeting_delay")} <= set(refused)
    assert {client for client, _ in refused} == {OUTSIDER, "198.51.100.8"}


def test_drain_ends_who_has_sent_no_header() -> None:
    with Front(config()) as front:
        talk = connect(front, SIGNATURE)
        wait_for(lambda: len(front.app._site.open) == 1)
        front.call(front.app.drain(10))
        assert talk.reply().startswith("421 4.3.2 ")
        talk.close()


class Secure:
    """Every kind of listener behind the balancer, with a certificate."""

    def __init__(self, authority: trustme.CA, folder: Path, loop: str) -> None:
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
        made = with_tls(front_config(), folder / "relay.pem", folder / "users")
        listeners = tuple(
            msgspec.structs.replace(listener, proxy_from=(BALANCER,), trusted_without_auth=listener.mode != Mode.RELAY)
            for listener in made.ingress.listener
        )
        ingress = msgspec.structs.replace(made.ingress, listener=listeners)
        self.front = Front(msgspec.structs.replace(made, ingress=ingress), loop=loop)
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)

    def wrap(self, talk: Talk) -> None:
        talk.wrap(self.trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def secure(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secure]:
    made = Secure(authority, tmp_path_factory.mktemp("proxy"), request.param)
    with made.front:
        yield made


PEERS = [
    (BALANCER, version_1(TRUSTED), True),
    (BALANCER, version_2(TRUSTED), True),
    (BALANCER, version_2(OUTSIDER), False),
    (BALANCER, LOCAL, False),
    (TRUSTED, b"", True),
    (STRANGER, b"", False),
]


@pytest.mark.parametrize(("source", "header", "trusted"), PEERS)
def test_tls_from_the_first_octet_comes_after_the_header(
    secure: Secure, source: str, header: bytes, trusted: bool
) -> None:
    with connect(secure.front, header, source, listener=2) as talk:
        secure.wrap(talk)
        assert talk.reply().startswith("220 ")
        assert "STARTTLS" not in talk.ask("EHLO client.example")
        assert talk.ask("MAIL FROM:<a@example.org>").startswith("250" if trusted else "530 5.7.0 ")


@pytest.mark.parametrize(("source", "header", "trusted"), PEERS)
def test_the_client_hello_may_be_in_the_packet_of_the_header(
    secure: Secure, source: str, header: bytes, trusted: bool
) -> None:
    """Even where it has all arrived before the server's loop looks at the connection."""
    busy, go = threading.Event(), threading.Event()
    secure.front.soon(busy.set)
    secure.front.soon(lambda: go.wait(10))
    assert busy.wait(10)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = secure.trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with connect(secure.front, header + outgoing.read(), source, listener=2) as talk:
        time.sleep(0.05)  # let the kernel bring it there; if it does not, the test asks less, and passes
        go.set()
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                incoming.write(talk.socket.recv(65536))
        talk.send(outgoing.read())
        heard = b""
        while not heard:
            incoming.write(talk.socket.recv(65536))
            try:
                heard = tls.read()
            except ssl.SSLWantReadError:
                continue
        assert heard.startswith(b"220 ")


@pytest.mark.parametrize("listener", [0, 1])
def test_starttls_behind_a_balancer_keeps_the_client(secure: Secure, listener: int) -> None:
    with connect(secure.front, version_2(TRUSTED), listener=listener) as talk:
        assert talk.reply().startswith("220 ")
        assert "STARTTLS" in talk.ask("EHLO client.example")
        assert talk.ask("STARTTLS").startswith("220")
        secure.wrap(talk)
        talk.ask("EHLO client.example")
        assert talk.ask("MAIL FROM:<a@example.org>").startswith("250")
        assert talk.ask("RCPT TO:<x@foreign.example>").startswith("250")


def test_a_header_inside_tls_is_no_header(secure: Secure) -> None:
    with connect(secure.front, b"", STRANGER, listener=2) as talk:
        secure.wrap(talk)
        assert talk.reply().startswith("220 ")
        talk.send(version_1(TRUSTED))
        assert talk.reply().startswith("421 4.7.0 No PROXY header is taken")


def test_no_tls_after_the_header_ends_the_session_quietly(secure: Secure) -> None:
    with connect(secure.front, version_2(OUTSIDER) + b"EHLO client.example\r\n", listener=2) as talk:
        assert not talk.reply().startswith("2")
    wait_for(lambda: not secure.front.app._site.open)
    lines = map(json.loads, secure.front.log.getvalue().splitlines())
    assert [line for line in lines if line["level"] == "error"] == []
