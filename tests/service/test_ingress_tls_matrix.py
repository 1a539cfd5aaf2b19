"""Which TLS is spoken and whose certificate counts, by STARTTLS and from the first octet, on both event loops."""

import base64
import datetime as dt
import smtplib
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme

from services.ingress.auth.users import add_user
from tests.support.front import Front, Talk, front_config, with_tls
from tests.support.waiting import wait_for

RELAY, SUBMISSION, SUBMISSIONS = range(3)
PASSWORD = "correct horse"
MODERN = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
OUTDATED = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
ENDED = (ssl.SSLError, ConnectionError, smtplib.SMTPServerDisconnected)
"""How clients hear of a failed handshake: neither event loop sends the alert."""
MAIL = "From: bob@example.org\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def front(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Clients' certificates are of the same authority as the server's."""
    folder: Path = tmp_path_factory.mktemp("matrix")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    authority.cert_pem.write_to_path(folder / "clients.pem")
    add_user(folder / "users", "bob@example.org", PASSWORD)
    config = with_tls(front_config(), folder / "relay.pem", folder / "users")
    tls = msgspec.structs.replace(config.tls, client_ca=str(folder / "clients.pem"))
    with Front(msgspec.structs.replace(config, tls=tls), loop=request.param) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left(front: Front) -> Iterator[None]:
    """Whatever a handshake came to: a following client is served, and nothing stays behind."""
    front.recorder.sends.clear()
    front.log.seek(0)
    front.log.truncate()
    yield
    with front.connect() as talk:
        assert talk.ask("NOOP").startswith("250")
    wait_for(lambda: not front.leftovers())
    assert front.problems() == []


def client(front: Front, listener: int, trust: ssl.SSLContext) -> smtplib.SMTP:
    """Return a client that has said EHLO under TLS; what fails on the way leaves no open socket."""
    port = front.app.ports[listener]
    if listener == SUBMISSIONS:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL("127.0.0.1", port, "c.example", timeout=30, context=trust)
    else:
        smtp = smtplib.SMTP("127.0.0.1", port, "c.example", timeout=30)
    try:
        if listener != SUBMISSIONS:
            smtp.starttls(context=trust)
        smtp.ehlo_or_helo_if_needed()
    except BaseException:
        smtp.close()
        raise
    return smtp


def lax(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Have the context speak one version of TLS and no other, however weak."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is deprecated is the point
        context.minimum_version = context.maximum_version = version
    return context


def shake_hands(one: ssl.SSLContext, other: ssl.SSLContext) -> str | None:
    """Return the version that a client and a server in memory agree upon."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        one.wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        other.wrap_bio(to_server, to_client, server_side=True),
    )
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ends[0].version()


@pytest.mark.parametrize("version", OUTDATED)
def test_the_outdated_client_of_these_tests_is_able(
    authority: trustme.CA, trust: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    """With a server that takes its version: else the refusals below would say nothing about ours."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    assert shake_hands(lax(trust, version), lax(server, version)) == version.name.replace("v1_", "v1.")


@pytest.mark.parametrize("listener", [RELAY, SUBMISSION, SUBMISSIONS])
@pytest.mark.parametrize("version", OUTDATED)
def test_outdated_tls_is_refused(front: Front, trust: ssl.SSLContext, listener: int, version: ssl.TLSVersion) -> None:
    lax(trust, version)
    with pytest.raises(ENDED):
        client(front, listener, trust)
    wait_for(lambda: "UNSUPPORTED_PROTOCOL" in front.log.getvalue())


@pytest.mark.parametrize("listener", [RELAY, SUBMISSION, SUBMISSIONS])
@pytest.mark.parametrize("version", MODERN)
def test_modern_tls_takes_mail(front: Front, trust: ssl.SSLContext, listener: int, version: ssl.TLSVersion) -> None:
    trust.minimum_version = trust.maximum_version = version
    with client(front, listener, trust) as smtp:
        smtp.login("bob@example.org", PASSWORD)
        smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL)
    (message,) = front.recorder.messages
    assert message.item.client is not None
    assert (message.item.client.tls or "").startswith(version.name.replace("v1_", "v1.") + " ")


def days(number: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=number)


def issued(authority: trustme.CA, name: str) -> trustme.LeafCert:
    """Return a client's certificate: one that is in order but for what its name says."""
    match name:
        case "expired":
            return authority.issue_cert("bob@example.org", not_before=days(-9), not_after=days(-1))
        case "not yet valid":
            return authority.issue_cert("bob@example.org", not_before=days(1), not_after=days(9))
        case "of another authority":
            return trustme.CA().issue_cert("bob@example.org")
        case "of no user":
            return authority.issue_cert("eve@example.org", common_name="bob@example.org")
    return authority.issue_cert(name)


@pytest.mark.parametrize("version", MODERN)
@pytest.mark.parametrize("listener", [SUBMISSION, SUBMISSIONS])
@pytest.mark.parametrize("name", ["expired", "not yet valid", "of another authority"])
def test_a_certificate_that_does_not_verify_ends_the_handshake(
    front: Front, authority: trustme.CA, trust: ssl.SSLContext, name: str, listener: int, version: ssl.TLSVersion
) -> None:
    """The user it names is not let in. Under TLS 1.3 the client notices when it waits for the first reply."""
    trust.minimum_version = trust.maximum_version = version
    issued(authority, name).configure_cert(trust)
    with pytest.raises(ENDED):
        client(front, listener, trust)
    reason = {"expired": "certificate has expired", "not yet valid": "certificate is not yet valid"}.get(name)
    wait_for(lambda: (reason or "unable to get") in front.log.getvalue())


@pytest.mark.parametrize("name", ["expired", "of another authority"])
def test_the_relay_port_asks_for_no_certificate(
    front: Front, authority: trustme.CA, trust: ssl.SSLContext, name: str
) -> None:
    """Mail servers show what they have to whoever asks; a bad one must not keep their mail out."""
    issued(authority, name).configure_cert(trust)
    with client(front, RELAY, trust) as smtp:
        assert "EXTERNAL" not in smtp.esmtp_features["auth"]
        smtp.sendmail("a@elsewhere.example", ["bob@example.org"], MAIL)
    assert len(front.recorder.sends) == 1


@pytest.mark.parametrize("version", MODERN)
@pytest.mark.parametrize("listener", [SUBMISSION, SUBMISSIONS])
def test_a_certificate_stands_for_its_user_and_nobody_else(
    front: Front, authority: trustme.CA, trust: ssl.SSLContext, listener: int, version: ssl.TLSVersion
) -> None:
    trust.minimum_version = trust.maximum_version = version
    issued(authority, "bob@example.org").configure_cert(trust)
    with client(front, listener, trust) as smtp:
        assert "EXTERNAL" in smtp.esmtp_features["auth"]
        other = base64.b64encode(b"eve@example.org").decode()
        assert smtp.docmd("AUTH", f"EXTERNAL {other}") == (535, b"5.7.8 Authentication credentials invalid")
        assert smtp.docmd("AUTH", "EXTERNAL =")[0] == 235
        smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL)
    (message,) = front.recorder.messages
    assert message.item.client is not None
    assert message.item.client.user == "bob@example.org"


@pytest.mark.parametrize("listener", [SUBMISSION, SUBMISSIONS])
@pytest.mark.parametrize("name", ["of no user", "none"])
def test_a_certificate_of_no_user_is_as_good_as_none(
    front: Front, authority: trustme.CA, trust: ssl.SSLContext, listener: int, name: str
) -> None:
    """A common name that is a user's changes nothing; by password its owner may still authenticate."""
    if name != "none":
        issued(authority, name).configure_cert(trust)
    with client(front, listener, trust) as smtp:
        assert "EXTERNAL" not in smtp.esmtp_features["auth"]
        assert smtp.docmd("AUTH", "EXTERNAL =")[0] == 504
        assert smtp.mail("bob@example.org")[0] == 530
        assert smtp.login("bob@example.org", PASSWORD)[0] == 235


def test_plain_text_on_the_port_of_implicit_tls_hears_nothing(front: Front) -> None:
    """No greeting in clear, and no reply to what is no handshake but the alert that says so."""
    talk = Talk(socket.create_connection(("127.0.0.1", front.app.ports[SUBMISSIONS]), 30))
    talk.send(b"EHLO client.example\r\nMAIL FROM:<a@elsewhere.example>\r\n")
    heard = b""
    try:
        while part := talk.socket.recv(4096):
            heard += part
    except ConnectionResetError:
        pass
    assert b"220" not in heard
    assert b"250" not in heard
    talk.close()
