"""Postfix, a mail server we did not write, sends its queue through `sluice up`: TLS, pipelining, DSN, retries."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTPUTF8

import pytest

from tests.support.postfix import Postfix, postfix_needed
from tests.support.smtp_server import OFFERS
from tests.support.waiting import wait_for
from tests.support.world import HOST_NAME, OUTSIDER, PASSWORD, TRUSTED, USER, World, mail, octets, on_sqlite, world_on

SENDER = "list@elsewhere.example"
MESSAGES = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Its destination offers DSN, so that what was asked for can be seen behind all three stages."""
    postfix_needed()
    directory = tmp_path_factory.mktemp("postfix")
    quick = {"ingress": {"confirm_timeout": "1s"}}
    with world_on(on_sqlite(directory), directory, quick, (*OFFERS, "DSN", "SMTPUTF8")) as world:
        yield world


def verified(world: World, source: str) -> dict[str, str]:
    """Return settings for TLS with a verified certificate, or no mail, from an address."""
    return {
        "smtp_bind_address": source,
        "smtp_tls_security_level": "secure",
        "smtp_tls_CAfile": str(world.relay.directory / "authority.pem"),
        "smtp_tls_secure_cert_match": HOST_NAME,
        "smtp_tls_loglevel": "1",
    }


def hand_over(
    postfix: Postfix, recipients: list[str], content: bytes, sender: str = SENDER, **options: list[str]
) -> None:
    """Give Postfix a message. `options` are parameters of MAIL (`mail`) and of each RCPT (`rcpt`)."""
    with smtplib.SMTP("127.0.0.1", postfix.port, "desk.client.example", 60) as client:
        refused = client.sendmail(sender, recipients, content, options.get("mail", []), options.get("rcpt", []))
    assert refused == {}


def awkward(number: int) -> bytes:
    """Return one of several contents that clients have been known to spoil, numbered."""
    message = mail(SENDER, "crowd@hosted.example", f"message {number}")
    match number % 4:
        case 1:
            message.set_content(".\n..\n...\n.dots\n\n.\n")
        case 2:
            message.set_content("Grüße aus Köln\n" * 500, charset="utf-8", cte="8bit")
        case 3:
            message.add_attachment(bytes(range(256)) * 800, maintype="application", subtype="octet-stream")
    return octets(message)


def test_a_queue_arrives_over_tls_unchanged_and_once(world: World) -> None:
    """From outside, to a hosted domain; several connections at a time, several messages in each."""
    contents = {number: awkward(number) for number in range(MESSAGES)}
    with Postfix(world.ports.relay, verified(world, OUTSIDER)) as postfix:
        for content in contents.values():
            hand_over(postfix, ["crowd@hosted.example"], content)
        wait_for(lambda: len(postfix.queued()) == MESSAGES)  # one that is being moved is listed twice
        postfix.release()
        postfix.wait_empty()
        sent = postfix.sent()
        assert len([line for line in sent if "status=sent (250 2.0.0 Ok: queued as " in line]) == MESSAGES, sent
        assert any("Verified TLS connection established" in line for line in postfix.log())
    arrived = world.arrived("crowd@hosted.example", MESSAGES)
    assert len(arrived) == MESSAGES
    for content in contents.values():
        assert [mail.content.endswith(content) for mail in arrived].count(True) == 1
    assert all(b" with ESMTPS id " in mail.content.partition(b"by postfix.client.example")[0] for mail in arrived)
    ledger = world.relay["up"].events("session")
    assert sum(line["messages"] for line in ledger) == MESSAGES
    assert sum(line["errors"] for line in ledger) == 0


def test_what_postfix_asks_for_by_dsn_is_carried_to_the_next_host(world: World) -> None:
    """RFC 3461: RET and ENVID of the message, NOTIFY and ORCPT of each recipient, case and coding kept."""
    content = octets(mail(SENDER, "dsn@elsewhere.example", "dsn"))
    with Postfix(world.ports.relay, verified(world, TRUSTED)) as postfix:
        postfix.release()
        hand_over(
            postfix,
            ["dsn@elsewhere.example"],
            content,
            mail=["RET=HDRS", "ENVID=QQ+2B314159"],
            rcpt=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;Old+2BName@Former.example"],
        )
        hand_over(postfix, ["quiet@elsewhere.example"], content, rcpt=["NOTIFY=NEVER"])
        postfix.wait_empty()
    (asked,) = world.arrived("dsn@elsewhere.example")
    assert {"RET=HDRS", "ENVID=QQ+2B314159"} <= set(asked.mail_params)
    (parameters,) = asked.rcpt_params.values()
    notify, orcpt = parameters
    assert sorted(notify.removeprefix("NOTIFY=").split(",")) == ["DELAY", "FAILURE"]
    assert orcpt == "ORCPT=rfc822;Old+2BName@Former.example"
    (quiet,) = world.arrived("quiet@elsewhere.example")
    assert quiet.rcpt_params["quiet@elsewhere.example"][0] == "NOTIFY=NEVER"


def test_a_stranger_s_postfix_is_offered_no_dsn_and_sends_all_the_same(world: World) -> None:
    """It tells the sender itself that the message went to a host without DSN (RFC 3461 section 5.2.2)."""
    content = octets(mail(SENDER, "nodsn@hosted.example", "no dsn"))
    with Postfix(world.ports.relay, verified(world, OUTSIDER)) as postfix:
        postfix.release()
        hand_over(postfix, ["nodsn@hosted.example"], content, mail=["ENVID=1"], rcpt=["NOTIFY=FAILURE"])
        postfix.wait_empty()
    (plain,) = world.arrived("nodsn@hosted.example")
    assert not any(parameter.startswith(("RET=", "ENVID=")) for parameter in plain.mail_params)


def test_postfix_authenticates_and_submits(world: World) -> None:
    """As a company's server does that has the relay for its provider: on both ports for submission."""
    for number, port in enumerate((world.ports.submission, world.ports.submissions)):
        recipient = f"company{number}@elsewhere.example"
        settings = {
            **verified(world, OUTSIDER),
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": f"inline:{{ {{ [127.0.0.1]:{port} = {USER}:{PASSWORD} }} }}",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_tls_wrappermode": "yes" if port == world.ports.submissions else "no",
        }
        with Postfix(port, settings) as postfix:
            postfix.release()
            hand_over(postfix, [recipient], octets(mail(USER, recipient, "submitted")), USER)
            postfix.wait_empty()
        (arrived,) = world.arrived(recipient)
        assert b" with ESMTPSA id " in arrived.content


def test_international_addresses_are_carried(world: World) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "jürgen@elsewhere.example", "zoë@elsewhere.example", "Grüße"
    message["Date"], message["Message-ID"] = "Tue, 24 Nov 2026 04:00:00 +0000", "<grüße@elsewhere.example>"
    message.set_content("ä\n", cte="8bit")
    content = message.as_bytes(policy=SMTPUTF8)
    with Postfix(world.ports.relay, verified(world, TRUSTED)) as postfix:
        postfix.release()
        with smtplib.SMTP("127.0.0.1", postfix.port, "desk.client.example", 60) as client:
            options = ["SMTPUTF8", "BODY=8BITMIME"]
            client.sendmail("jürgen@elsewhere.example", ["zoë@elsewhere.example"], content, options)
        postfix.wait_empty()
    (arrived,) = world.arrived("zoë@elsewhere.example")
    assert arrived.sender == "jürgen@elsewhere.example"
    assert arrived.content.endswith(content)


def test_a_refused_recipient_comes_back_by_postfix_s_own_report(world: World) -> None:
    """The others of the same message are not kept waiting by it, though all came in one pipelined group."""
    content = octets(mail(SENDER, "many@elsewhere.example", "to many"))
    recipients = [f"many{number}@elsewhere.example" for number in range(5)]
    with Postfix(world.ports.relay, verified(world, TRUSTED)) as postfix:
        postfix.release()
        hand_over(postfix, [*recipients[:2], "someone@denied.example", *recipients[2:]], content)
        postfix.wait_empty()
        (refused,) = [line for line in postfix.sent() if "status=bounced" in line]
        assert "550 5.7.1" in refused
        assert "RCPT TO command" in refused
    for recipient in recipients:
        world.arrived(recipient)
    report = world.report("someone@denied.example")
    assert report.recipients == (SENDER,)


def test_while_the_broker_is_away_postfix_keeps_its_queue(world: World) -> None:
    """451 from us is its deferral; once the broker is back every message arrives."""
    recipients = [f"later{number}@hosted.example" for number in range(5)]
    with Postfix(world.ports.relay, verified(world, OUTSIDER)) as postfix:
        with world.broker.hold():
            postfix.release()
            for recipient in recipients:
                hand_over(postfix, [recipient], octets(mail(SENDER, recipient, "later")))
            wait_for(lambda: any("status=deferred" in line for line in postfix.sent()))
            assert "451 4.3.2" in next(line for line in postfix.sent() if "status=deferred" in line)
        postfix.flush()
        postfix.wait_empty()
    for recipient in recipients:
        world.arrived(recipient)
