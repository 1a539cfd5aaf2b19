"""Mail through the whole product, on both brokers: accepted by policy, screened, delivered, bounced or kept."""

import contextlib
import json
import re
import smtplib

import pytest

from tests.support.world import OUTSIDER, PASSWORD, TRUSTED, USER, World, mail, octets, transaction

STRANGER = "stranger@elsewhere.example"
PROGRAM = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 8


def below_trace(content: bytes, sent: bytes) -> bool:
    """Whether `content` is `sent`, byte for byte, below nothing but trace fields."""
    trace = content[: len(content) - len(sent)]
    names = [line.partition(b":")[0] for line in trace.split(b"\r\n") if line and line[:1] not in b" \t"]
    return content.endswith(sent) and b"Received" in names and all(n == b"Received" or n[:2] == b"X-" for n in names)


def with_program(sender: str, recipient: str, subject: str) -> bytes:
    message = mail(sender, recipient, subject)
    message.add_attachment(PROGRAM, maintype="application", subtype="octet-stream", filename="holiday.exe")
    return octets(message)


def test_inbound_mail_for_a_hosted_domain_is_relayed(world: World) -> None:
    content = octets(mail(STRANGER, "in@hosted.example", "inbound"))
    answer = world.send(OUTSIDER, STRANGER, "in@hosted.example", content)
    assert answer.code == 250
    assert re.search(r"[0-9A-HJKMNP-TV-Z]{26}", answer.text), answer.text
    (arrived,) = world.arrived("in@hosted.example")
    assert arrived.sender == STRANGER
    assert below_trace(arrived.content, content)


def test_the_id_of_the_reply_stands_in_received_and_in_every_stage_s_log(world: World) -> None:
    content = octets(mail(STRANGER, "id@hosted.example", "one id"))
    answer = world.send(OUTSIDER, STRANGER, "id@hosted.example", content)
    found = re.search(r"[0-9A-HJKMNP-TV-Z]{26}", answer.text)
    assert found
    (arrived,) = world.arrived("id@hosted.example")
    assert found[0].encode() in arrived.content.partition(b"From:")[0]
    lines = [line for line in world.relay.log().splitlines() if found[0] in line]
    assert len(lines) >= 3, lines


def test_mail_from_outside_to_a_foreign_domain_is_refused(world: World) -> None:
    answer = world.send(OUTSIDER, STRANGER, "victim@elsewhere.example", b"Subject: no\r\n\r\n")
    assert (answer.code, answer.status, answer.at) == (550, "5.7.1", "RCPT")
    assert world.held("victim@elsewhere.example") == []


def test_an_authenticated_user_relays_over_starttls(world: World) -> None:
    content = octets(mail(USER, "auth@elsewhere.example", "authenticated"))
    assert world.submit(USER, "auth@elsewhere.example", content).code == 250
    (arrived,) = world.arrived("auth@elsewhere.example")
    assert below_trace(arrived.content, content)
    assert b"with ESMTPSA" in arrived.content


def test_an_authenticated_user_relays_over_implicit_tls(world: World) -> None:
    content = octets(mail(USER, "auth465@elsewhere.example", "submissions"))
    with smtplib.SMTP_SSL("127.0.0.1", world.ports.submissions, timeout=60, context=world.trust) as client:
        client.login(USER, PASSWORD)
        assert transaction(client, USER, "auth465@elsewhere.example", content).code == 250
    world.arrived("auth465@elsewhere.example")


def test_a_wrong_password_does_not_relay(world: World) -> None:
    with smtplib.SMTP("127.0.0.1", world.ports.submission, timeout=60) as client:
        client.starttls(context=world.trust)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(USER, "wrong")
        answer = transaction(client, USER, "wrong@elsewhere.example", b"Subject: no\r\n\r\n")
    assert (answer.code, answer.status) == (530, "5.7.0")


def test_a_trusted_network_relays(world: World) -> None:
    content = octets(mail(USER, "trusted@elsewhere.example", "trusted"))
    assert world.send(TRUSTED, USER, "trusted@elsewhere.example", content).code == 250
    (arrived,) = world.arrived("trusted@elsewhere.example")
    assert below_trace(arrived.content, content)


@pytest.mark.parametrize("recipient", ["a@denied.example", "a@sub.denied.example", "a@DENIED.example."])
def test_a_denied_destination_is_refused_even_from_the_trusted_network(world: World, recipient: str) -> None:
    answer = world.send(TRUSTED, USER, recipient, b"Subject: no\r\n\r\n")
    assert (answer.code // 100, answer.at) == (5, "RCPT")


def test_a_program_from_outside_is_replaced_by_a_notice(world: World) -> None:
    to = "strip@hosted.example"
    assert world.send(OUTSIDER, STRANGER, to, with_program(STRANGER, to, "stripped")).code == 250
    (arrived,) = world.arrived(to)
    assert b"TVqQAAMAAAA" not in arrived.content
    assert b"holiday.exe" in arrived.content
    assert b"Attachment-Removed.txt" in arrived.content
    assert b"Hello." in arrived.content


def test_a_program_from_our_own_user_is_blocked_with_a_report(world: World) -> None:
    to = "blocked@elsewhere.example"
    assert world.send(TRUSTED, USER, to, with_program(USER, to, "blocked")).code == 250
    report = world.report(to)
    assert report.recipients == (USER,)
    assert b"Status: 5.7.1" in report.content
    assert b"TVqQAAMAAAA" not in report.content
    assert world.held(to) == []


def test_a_clean_multipart_arrives_byte_for_byte(world: World) -> None:
    to = "clean@hosted.example"
    message = mail(STRANGER, to, "clean")
    message.add_alternative("<p>Hello.</p>", subtype="html")
    message.add_attachment(bytes(range(256)) * 300, maintype="image", subtype="png", filename="picture.png")
    forwarded = mail("third@elsewhere.example", STRANGER, "forwarded")
    message.add_attachment(forwarded)
    content = octets(message)
    assert world.send(OUTSIDER, STRANGER, to, content).code == 250
    (arrived,) = world.arrived(to)
    assert below_trace(arrived.content, content)


def test_mail_larger_than_the_twins_border_arrives_byte_for_byte(world: World) -> None:
    to = "large@hosted.example"
    content = octets(mail(STRANGER, to, "large")) + (b"x" * 998 + b"\r\n") * 3000
    assert world.send(OUTSIDER, STRANGER, to, content).code == 250
    (arrived,) = world.arrived(to)
    assert below_trace(arrived.content, content)


def test_a_destination_s_450_is_retried_until_it_takes_the_message(world: World) -> None:
    to = "later@elsewhere.example"
    world.destination.script(f"RCPT {to}", "450 4.2.0 greylisted", "250 2.1.5 ok")
    assert world.send(TRUSTED, USER, to, octets(mail(USER, to, "retried"))).code == 250
    assert len(world.arrived(to)) == 1


def test_a_destination_s_550_is_reported_to_our_user(world: World) -> None:
    to = "nobody@elsewhere.example"
    world.destination.script(f"RCPT {to}", "550 5.1.1 no such user")
    assert world.send(TRUSTED, USER, to, octets(mail(USER, to, "rejected"))).code == 250
    report = world.report(to)
    assert report.recipients == (USER,)
    assert b"Status: 5.1.1" in report.content
    assert b"no such user" in report.content


def test_an_unknown_domain_is_reported_to_our_user(world: World) -> None:
    to = "anyone@unknown.example"
    assert world.send(TRUSTED, USER, to, octets(mail(USER, to, "unknown"))).code == 250
    report = world.report(to)
    assert report.recipients == (USER,)
    assert b"Status: 5.1.2" in report.content


def test_one_message_to_two_domains_is_split_and_both_arrive(world: World) -> None:
    recipients = ["one@hosted.example", "two@elsewhere.example", "three@elsewhere.example"]
    assert world.send(TRUSTED, USER, recipients, octets(mail(USER, recipients[0], "split"))).code == 250
    for recipient in recipients:
        (arrived,) = world.arrived(recipient)
        assert {to.partition("@")[2] for to in arrived.recipients} == {recipient.partition("@")[2]}


def test_quarantine_is_listed_shown_released_and_deleted(world: World) -> None:
    """The original of a stripped message is kept; release delivers it unscreened, delete removes it."""
    ids = {}
    for name in ("release", "delete"):
        to = f"{name}@hosted.example"
        assert world.send(OUTSIDER, STRANGER, to, with_program(STRANGER, to, f"quarantine {name}")).code == 250
        (arrived,) = world.arrived(to)
        found = re.search(rb"[0-9A-HJKMNP-TV-Z]{26}", arrived.content)
        assert found
        ids[name] = found[0].decode()
    listed = world.relay.cli("quarantine", "list").stdout
    assert ids["release"] in listed
    assert ids["delete"] in listed
    assert "holiday.exe" in world.relay.cli("quarantine", "show", ids["release"]).stdout
    world.relay.cli("quarantine", "release", ids["release"])
    original = world.arrived("release@hosted.example", 2)[1]
    assert b"TVqQAAMAAAA" in original.content
    world.relay.cli("quarantine", "delete", ids["delete"])
    listed = world.relay.cli("quarantine", "list").stdout
    assert ids["release"] not in listed
    assert ids["delete"] not in listed
    assert len(world.held("delete@hosted.example")) == 1
    audit = world.relay.cli("quarantine", "audit").stdout
    for name, decided in (("release", "released"), ("delete", "deleted")):
        (line,) = [line for line in audit.splitlines() if ids[name] in line]
        assert f" {decided} " in line
        assert f"{name}@hosted.example" in line


def test_queue_status_names_the_queues_and_what_waits(world: World) -> None:
    to = "waits@elsewhere.example"
    world.destination.script(f"RCPT {to}", "450 4.2.0 never")
    assert world.send(TRUSTED, USER, to, octets(mail(USER, to, "waits"))).code == 250
    shown = world.relay.cli("queue", "status").stdout
    assert "mail.screen" in shown
    assert "mail.deliver" in shown
    world.destination.script(f"RCPT {to}", "250 2.1.5 ok")
    world.arrived(to)


def test_metrics_count_what_was_accepted(world: World) -> None:
    answer = world.send(
        OUTSIDER, STRANGER, "metrics@hosted.example", octets(mail(STRANGER, "metrics@hosted.example", "m"))
    )
    assert answer.code == 250
    status, page = world.relay["ingress"].ops("/metrics")
    assert status == 200
    assert re.search(r"^sluice_messages_accepted_total\{.*\} [1-9]", page, re.MULTILINE)


def test_log_lines_are_json_and_hold_no_password(world: World) -> None:
    lines = [line for process in world.relay.processes.values() for line in process.log().splitlines()]
    assert lines
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):
            assert isinstance(json.loads(line), dict), line
    assert PASSWORD not in "\n".join(lines)
