"""STARTTLS, implicit TLS and AUTH with real certificates and Python's own SMTP client, on all kinds of listener."""

import base64
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from services.ingress.app import build
from services.ingress.auth.users import add_user
from shared.config.model import Auth, Config, Listener, Mode, Tls
from shared.errors import ConfigError
from shared.model import Origin
from tests.support.front import NO_DNS, STRANGER, TRUSTED, Front, front_config, with_tls
from tests.support.recording import Recorder
from tests.support.waiting import wait_for

RELAY, SUBMISSION, SUBMISSIONS = range(3)
PASSWORD = "correct horse"
MAIL = "From: bob@example.org\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def config(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("tls")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    add_user(folder / "users", "bob", PASSWORD)
    return with_tls(front_config(), folder / "relay.pem", folder / "users")


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(config: Config, request: pytest.FixtureRequest) -> Iterator[Front]:
    with Front(config, loop=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(front: Front) -> None:
    front.recorder.sends.clear()


def client(front: Front, listener: int, trust: ssl.SSLContext, source: str = STRANGER) -> smtplib.SMTP:
    port = front.app.ports[listener]
    if listener == SUBMISSIONS:
        return smtplib.SMTP_SSL("127.0.0.1", port, "c.example", timeout=30, context=trust, source_address=(source, 0))
    smtp = smtplib.SMTP("127.0.0.1", port, "c.example", timeout=30, source_address=(source, 0))
    smtp.starttls(context=trust)
    return smtp


@pytest.mark.parametrize("listener", [RELAY, SUBMISSION, SUBMISSIONS])
def test_an_authenticated_client_sends_anywhere(front: Front, trust: ssl.SSLContext, listener: int) -> None:
    with client(front, listener, trust) as smtp:
        smtp.login("bob", PASSWORD)
        refused = smtp.sendmail("bob@example.org", ["x@foreign.example", "y@other.example"], MAIL)
    assert refused == {}
    (message,) = front.recorder.messages
    item = message.item
    assert item.origin is Origin.AUTHENTICATED
    assert item.client is not None
    assert (item.client.user, item.client.protocol) == ("bob", "ESMTPSA")
    assert (item.client.tls or "").startswith("TLSv1.3 ")
    assert b"with ESMTPSA id " in message.content
    assert b"\r\nDate: " in message.content
    assert f"\r\nMessage-ID: <{item.id}@relay.example.net>\r\n".encode() in message.content
    assert b"foreign.example" not in message.content
    assert message.content.endswith(MAIL.encode())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_both_mechanisms_with_and_without_initial_response(front: Front, trust: ssl.SSLContext, mechanism: str) -> None:
    for initial in (True, False):
        with client(front, SUBMISSION, trust) as smtp:
            smtp.ehlo()
            smtp.user, smtp.password = "BOB", PASSWORD  # smtplib's own way to call one mechanism
            method = smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login
            assert smtp.auth(mechanism, method, initial_response_ok=initial)[0] == 235


def test_unknown_user_and_wrong_password_hear_the_same(front: Front, trust: ssl.SSLContext) -> None:
    heard = set()
    for guess in (f"\0bob\0wrong {PASSWORD}", f"\0nobody\0{PASSWORD}"):
        with client(front, SUBMISSION, trust) as smtp:
            smtp.ehlo()
            heard.add(smtp.docmd("AUTH PLAIN " + base64.b64encode(guess.encode()).decode()))
    assert heard == {(535, b"5.7.8 Authentication credentials invalid")}
    assert PASSWORD not in front.log.getvalue()
    assert base64.b64encode(f"\0nobody\0{PASSWORD}".encode()).decode() not in front.log.getvalue()


def test_three_failures_end_the_session(front: Front, trust: ssl.SSLContext) -> None:
    guess = "AUTH PLAIN " + base64.b64encode(b"\0bob\0guess").decode()
    smtp = client(front, SUBMISSION, trust)
    smtp.ehlo()
    assert [smtp.docmd(guess)[0] for _ in range(3)] == [535] * 3
    assert smtp.getreply()[0] == 421
    smtp.close()


@pytest.mark.parametrize("listener", [RELAY, SUBMISSION])
def test_auth_is_neither_offered_nor_taken_without_tls(front: Front, listener: int) -> None:
    with front.connect(listener=listener) as talk:
        assert "AUTH" not in talk.ask("EHLO c.example")
        assert talk.ask("AUTH PLAIN AGJvYgB4").startswith("538 5.7.11 ")


@pytest.mark.parametrize("listener", [SUBMISSION, SUBMISSIONS])
@pytest.mark.parametrize("source", [STRANGER, TRUSTED])
def test_submission_wants_authentication_even_from_trusted_networks(
    front: Front, trust: ssl.SSLContext, listener: int, source: str
) -> None:
    with client(front, listener, trust, source) as smtp:
        smtp.ehlo()
        assert smtp.mail("bob@example.org")[0] == 530
        assert smtp.docmd("RCPT", "TO:<postmaster>")[0] == 503


def test_a_user_may_not_send_as_a_stranger_and_may_send_as_null(front: Front, trust: ssl.SSLContext) -> None:
    with client(front, SUBMISSION, trust) as smtp:
        smtp.login("bob", PASSWORD)
        code, text = smtp.mail("ceo@elsewhere.example")
        assert (code, text[:6]) == (550, b"5.7.1 ")
        assert smtp.mail("")[0] == 250


def test_the_order_of_auth(front: Front, trust: ssl.SSLContext) -> None:
    smtp = client(front, RELAY, trust)
    assert smtp.docmd("AUTH PLAIN AGJvYgB4")[0] == 503
    smtp.ehlo()
    assert smtp.docmd("AUTH CRAM-MD5")[0] == 504
    assert smtp.docmd("AUTH")[0] == 501
    assert smtp.docmd("AUTH TWlzcGxhY2Vk")[0] == 504
    assert "TWlzcGxhY2Vk" not in front.log.getvalue()
    assert smtp.docmd("AUTH PLAIN !")[0] == 501
    assert smtp.docmd("AUTH LOGIN")[0] == 334
    assert smtp.docmd("*") == (501, b"5.7.0 Authentication cancelled")
    assert smtp.mail("a@elsewhere.example")[0] == 250
    assert smtp.docmd("AUTH PLAIN AGJvYgB4")[0] == 503
    smtp.rset()
    smtp.login("bob", PASSWORD)
    assert smtp.docmd("AUTH PLAIN AGJvYgB4")[0] == 503
    assert smtp.docmd("STARTTLS")[0] == 503
    smtp.quit()


def test_an_authenticated_session_is_offered_what_strangers_are_not(front: Front, trust: ssl.SSLContext) -> None:
    with client(front, RELAY, trust) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("dsn")
        smtp.login("bob", PASSWORD)
        smtp.ehlo()
        assert smtp.has_extn("dsn")
        assert smtp.has_extn("smtputf8")
        assert smtp.mail("bob@example.org", ["RET=HDRS", "ENVID=Qq1"])[0] == 250
        assert smtp.rcpt("x@foreign.example", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;X@Foreign.example"])[0] == 250
        assert smtp.data(MAIL)[0] == 250
    envelope = front.recorder.messages[0].item.envelope
    assert (envelope.ret, envelope.envid) == ("HDRS", "Qq1")
    assert envelope.recipients[0].notify == ("SUCCESS", "DELAY")
    assert envelope.recipients[0].orcpt == "rfc822;X@Foreign.example"


def test_starttls_forgets_what_was_said_before(front: Front, trust: ssl.SSLContext) -> None:
    with front.connect() as talk:
        talk.ask("EHLO before.example")
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")
        assert talk.ask("RCPT TO:<bob@example.org>").startswith("250")
        assert talk.ask("STARTTLS").startswith("220")
        talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("503")
        assert "STARTTLS" not in talk.ask("EHLO after.example")
        assert talk.ask("DATA").startswith("503")


def test_plain_text_pipelined_behind_starttls_is_discarded(front: Front, trust: ssl.SSLContext) -> None:
    """CVE-2011-0411 and its kin: what was injected before the handshake is not a command after it."""
    with front.connect() as talk:
        talk.ask("EHLO c.example")
        talk.send(b"STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<evil@elsewhere.example>\r\n")
        assert talk.reply().startswith("220")
        talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
        assert talk.ask("NOOP").startswith("250 2.0.0 Ok")
        assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("503 5.5.1 Send EHLO first")


def test_a_failed_handshake_ends_only_that_session(front: Front) -> None:
    with front.connect() as talk:
        talk.ask("EHLO c.example")
        assert talk.ask("STARTTLS").startswith("220")
        talk.send(b"this is no handshake\r\n")
        while talk.socket.recv(4096):
            pass
    with front.connect() as talk:
        assert talk.ask("NOOP").startswith("250")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions_in_use(front: Front, trust: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    trust.minimum_version = trust.maximum_version = version
    with client(front, SUBMISSIONS, trust) as smtp:
        assert smtp.ehlo()[0] == 250


def test_twenty_megabytes_over_tls(front: Front, trust: ssl.SSLContext) -> None:
    body = MAIL + ("y" * 76 + "\r\n") * 260_000
    with client(front, SUBMISSION, trust) as smtp:
        smtp.login("bob", PASSWORD)
        smtp.sendmail("bob@example.org", ["x@foreign.example"], body)
    assert front.recorder.messages[0].content.endswith(body.encode())


def test_hanging_up_over_tls_after_the_dot_publishes_once(front: Front, trust: ssl.SSLContext) -> None:
    smtp = client(front, RELAY, trust)
    smtp.ehlo()
    smtp.mail("a@elsewhere.example")
    smtp.rcpt("bob@example.org")
    smtp.docmd("DATA")
    front.recorder.gate.clear()
    calls = front.recorder.calls
    smtp.send(f"{MAIL}.\r\n")
    wait_for(lambda: front.recorder.calls == calls + 1)
    smtp.close()
    front.recorder.gate.set()
    wait_for(lambda: len(front.recorder.sends) == 1)
    assert front.recorder.calls == calls + 1


BAD_TLS = [
    (Tls(certificate="/does/not/exist.pem"), "tls.certificate: cannot read /does/not/exist.pem"),
    (Tls(key="/some/key.pem"), "tls.key: there is a key and no certificate"),
]


@pytest.mark.parametrize(("tls", "text"), BAD_TLS)
def test_a_certificate_that_cannot_be_used_names_key_and_file(tls: Tls, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(msgspec.structs.replace(front_config(), tls=tls), Recorder(), NO_DNS)
    assert str(caught.value).startswith(text)


def test_a_missing_wrong_or_broken_key_names_key_and_file(authority: trustme.CA, tmp_path: Path) -> None:
    one, other = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.1")
    certificate, key, text = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "text.pem"
    one.cert_chain_pems[0].write_to_path(certificate)
    other.private_key_pem.write_to_path(key)
    text.write_text("not a certificate")
    for tls, named in (
        (Tls(certificate=str(certificate), key=str(tmp_path / "none")), "tls.key: cannot read"),
        (Tls(certificate=str(certificate), key=str(key)), str(key)),
        (Tls(certificate=str(certificate)), str(certificate)),
        (Tls(certificate=str(text), key=str(key)), str(text)),
    ):
        with pytest.raises(ConfigError) as caught:
            build(msgspec.structs.replace(front_config(), tls=tls), Recorder(), NO_DNS)
        assert named in str(caught.value)


def test_a_key_with_a_password_is_refused_instead_of_asking_for_it(authority: trustme.CA, tmp_path: Path) -> None:
    issued = authority.issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    (tmp_path / "key.pem").write_bytes(locked)
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = Tls(certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
    with pytest.raises(ConfigError, match="protected by a password; store it without one"):
        build(msgspec.structs.replace(front_config(), tls=tls), Recorder(), NO_DNS)


@pytest.mark.parametrize("mode", [Mode.SUBMISSION, Mode.SUBMISSIONS])
def test_submission_without_tls_is_a_configuration_error(mode: Mode) -> None:
    config = front_config(listener=(Listener(address="127.0.0.1:0", mode=mode),))
    with pytest.raises(ConfigError, match=r"ingress\.listener\[0\].*needs TLS; set tls\.certificate"):
        build(config, Recorder(), NO_DNS)


def test_trusted_clients_may_submit_where_the_listener_says_so(config: Config) -> None:
    listener = Listener(address="127.0.0.1:0", mode=Mode.SUBMISSION, trusted_without_auth=True)
    open_config = msgspec.structs.replace(
        config, auth=Auth(), ingress=msgspec.structs.replace(config.ingress, listener=(listener,))
    )
    with Front(open_config) as front:
        with front.connect(TRUSTED) as talk:
            talk.ask("EHLO c.example")
            assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("250")
            assert talk.ask("RCPT TO:<x@foreign.example>").startswith("250")
            assert talk.ask("AUTH PLAIN").startswith("502 5.5.1")
        with front.connect() as talk:
            talk.ask("EHLO c.example")
            assert talk.ask("MAIL FROM:<a@elsewhere.example>").startswith("530 5.7.0")
