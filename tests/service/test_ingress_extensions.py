"""REQUIRETLS and FUTURERELEASE over real TLS: offered to whom they are for, and carried in the item."""

import smtplib
import ssl
from collections.abc import Iterator

import msgspec
import pytest
import trustme

from services.ingress.auth.users import add_user
from shared.config.model import Config, Extension
from shared.config.units import Duration
from tests.support.front import STRANGER, TRUSTED, Front, front_config, with_tls

MAIL = "From: bob@example.org\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def config(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("tls")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    add_user(folder / "users", "bob", "correct horse")
    return with_tls(front_config(max_hold=600), folder / "relay.pem", folder / "users")


@pytest.fixture(scope="module")
def front(config: Config) -> Iterator[Front]:
    with Front(config) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(front: Front) -> None:
    front.recorder.sends.clear()


def client(front: Front, trust: ssl.SSLContext | None, source: str, user: str | None = None) -> smtplib.SMTP:
    smtp = smtplib.SMTP("127.0.0.1", front.port, "c.example", timeout=30, source_address=(source, 0))
    if trust is not None:
        smtp.starttls(context=trust)
    if user is not None:
        smtp.login(user, "correct horse")
    smtp.ehlo()
    return smtp


def test_a_user_may_ask_for_tls_all_the_way_and_a_later_delivery(front: Front, trust: ssl.SSLContext) -> None:
    with client(front, trust, STRANGER, "bob") as smtp:
        assert smtp.has_extn("requiretls")
        assert smtp.esmtp_features["futurerelease"].startswith("600 20")
        smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL, mail_options=["REQUIRETLS", "HOLDFOR=300"])
        assert smtp.docmd("MAIL FROM:<bob@example.org> HOLDFOR=601") == (501, b"5.5.4 Mail is not held for that long")
    (message,) = front.recorder.messages
    item = message.item
    assert item.envelope.require_tls
    assert item.hold_until is not None
    assert 299 <= item.hold_until - item.accepted_at <= 300


def test_what_was_asked_for_one_message_is_not_asked_for_the_next(front: Front, trust: ssl.SSLContext) -> None:
    with client(front, trust, STRANGER, "bob") as smtp:
        smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL, mail_options=["REQUIRETLS", "HOLDFOR=300"])
        smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL)
    item = front.recorder.messages[1].item
    assert (item.envelope.require_tls, item.hold_until) == (False, None)


def test_a_trusted_client_may_not_hold_mail_and_requires_tls_only_under_tls(
    front: Front, trust: ssl.SSLContext
) -> None:
    with client(front, trust, TRUSTED) as smtp:
        assert smtp.has_extn("requiretls")
        assert not smtp.has_extn("futurerelease")
        assert smtp.docmd("MAIL FROM:<a@foreign.example> HOLDFOR=1")[0] == 555
    with client(front, None, TRUSTED) as smtp:
        assert not smtp.has_extn("requiretls")
        assert smtp.docmd("MAIL FROM:<a@foreign.example> REQUIRETLS")[0] == 555


def test_strangers_have_what_the_listener_says(config: Config, trust: ssl.SSLContext) -> None:
    relay = msgspec.structs.replace(config.ingress.listener[0], strangers_may=(Extension.DSN, Extension.REQUIRETLS))
    ingress = msgspec.structs.replace(config.ingress, listener=(relay,))
    with Front(msgspec.structs.replace(config, ingress=ingress)) as front, client(front, trust, STRANGER) as smtp:
        assert {name for name in ("dsn", "smtputf8", "requiretls", "futurerelease") if smtp.has_extn(name)} == {
            "dsn",
            "requiretls",
        }
        smtp.sendmail("a@elsewhere.example", ["bob@example.org"], MAIL, ["REQUIRETLS", "RET=HDRS"], ["NOTIFY=NEVER"])
        envelope = front.recorder.messages[0].item.envelope
    assert (envelope.require_tls, envelope.ret, envelope.recipients[0].notify) == (True, "HDRS", ("NEVER",))


def test_no_hold_is_offered_where_the_configuration_says_none(config: Config, trust: ssl.SSLContext) -> None:
    ingress = msgspec.structs.replace(config.ingress, max_hold=Duration(0))
    changed = msgspec.structs.replace(config, ingress=ingress)
    with Front(changed) as front, client(front, trust, STRANGER, "bob") as smtp:
        assert not smtp.has_extn("futurerelease")
        assert smtp.docmd("MAIL FROM:<bob@example.org> HOLDFOR=1")[0] == 555
