"""What follows from what hosts answer: per recipient, exactly."""

import asyncio
import email
import email.message
from collections.abc import Sequence

import msgspec
import pytest

from shared.config.units import Duration
from shared.model import Message, Origin, Place, Recipient, Send, Verdict
from shared.smtp.reply import Reply
from shared.wire import decode, encode
from tests.support.delivery_world import ACCEPTED_AT, ID, POSTMASTER, World, again, message
from tests.support.smtp_server import Delay, Drop, Hang, Reset, SmtpServer, Step

BOB, EVE, DAN = "bob@example.net", "eve@example.net", "dan@example.net"


def one_server(world: World, **options: object) -> SmtpServer:
    """Start the destination of example.net."""
    server = world.server(**options)
    world.mx("example.net", (10, server))
    return server


def reports(sends: Sequence[Send]) -> list[Message]:
    """Return what was generated."""
    return [send.message for send in sends if send.message.item.origin is Origin.GENERATED]


def fields(report: Message) -> list[email.message.Message]:
    """Return the groups of a report's delivery-status part: the message's, then one per recipient."""
    parsed = email.message_from_bytes(report.content)
    assert parsed.get_content_type() == "multipart/report"
    status = parsed.get_payload(1)
    assert isinstance(status, email.message.Message)
    groups = status.get_payload()
    assert isinstance(groups, list)
    return [group for group in groups if isinstance(group, email.message.Message)]


async def test_a_message_leaves_octet_for_octet(world: World) -> None:
    server = one_server(world)
    content = b"Subject: \xfc\r\n\r\n.\r\n..\r\n.dot\r\n\xff\x00\xfe\r\n" + b"x" * 5000 + b"\r\n\r\n.\r\n"
    assert await world.deliver(message(BOB, EVE, content=content)) == ()
    (mail,) = server.transactions
    assert mail.content == content
    assert (mail.sender, mail.recipients, mail.helo) == ("a@example.org", (BOB, EVE), "relay.example.org")
    assert set(mail.mail_params) == {f"SIZE={len(content)}", "BODY=8BITMIME"}


async def test_large_content_leaves_octet_for_octet(world: World) -> None:
    server = one_server(world)
    content = b"Subject: big\r\n\r\n" + b"".join(b".%070d\r\n" % n for n in range(80_000))
    assert await world.deliver(message(BOB, content=content)) == ()
    assert server.transactions[0].content == content


async def test_eight_bit_content_goes_as_it_is_to_a_host_without_8bitmime(world: World) -> None:
    server = one_server(world, extensions=())
    assert await world.deliver(message(BOB, content=b"\r\n\xe4\r\n", body="8BITMIME")) == ()
    (mail,) = server.transactions
    assert (mail.content, mail.mail_params) == (b"\r\n\xe4\r\n", ())


async def test_a_host_that_knows_only_helo_gets_its_mail(world: World) -> None:
    server = one_server(world, script={"EHLO": "502 5.5.1 what"})
    assert await world.deliver(message(BOB)) == ()
    assert server.transactions[0].mail_params == ()


async def test_450_is_tried_again_as_scheduled_and_then_delivered(world: World) -> None:
    server = one_server(world, script={f"RCPT {BOB}": ["450 4.2.0 greylisted", "250 ok"]})
    world.now = ACCEPTED_AT + 10
    later = again(sends := await world.deliver(message(BOB)))
    not_before = sends[0].message.item.not_before
    assert not_before is not None
    assert 54 <= not_before - world.now <= 66
    assert later.item.attempt == 1
    (recipient,) = later.item.envelope.recipients
    assert (recipient.last, recipient.last_host) == (Reply(450, "4.2.0", "greylisted"), "mx1.example.net")
    (tried,) = later.item.history
    assert (tried.text, tried.host, tried.at) == ("450 4.2.0 greylisted", "mx1.example.net", world.now)
    assert decode(encode(later)) == later
    assert await world.deliver(later) == ()
    assert len(server.transactions) == 1


async def test_550_is_reported_to_a_sender_we_know(world: World) -> None:
    one_server(world, script={"RCPT": "550 5.1.1 no such user"})
    (report,) = reports(await world.deliver(message(BOB)))
    assert [each.address for each in report.item.envelope.recipients] == ["a@example.org"]
    assert report.item.destination == "example.org"
    _, group = fields(report)
    assert group["Final-Recipient"] == f"rfc822; {BOB}"
    assert group["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert group["Remote-MTA"] == "dns; mx1.example.net"


async def test_mixed_answers_are_kept_apart(world: World) -> None:
    server = one_server(world, script={f"RCPT {EVE}": "450 4.2.0 later", f"RCPT {DAN}": "550 5.1.1 unknown"})
    sends = await world.deliver(message(BOB, EVE, DAN))
    assert server.transactions[0].recipients == (BOB,)
    assert [each.address for each in again(sends).item.envelope.recipients] == [EVE]
    (report,) = reports(sends)
    assert [group["Final-Recipient"] for group in fields(report)[1:]] == [f"rfc822; {DAN}"]


@pytest.mark.parametrize("step", ["451 4.3.0 disk", "552 5.3.4 too big"])
async def test_an_answer_to_the_content_is_for_the_accepted_recipients_only(world: World, step: str) -> None:
    one_server(world, script={".": step, f"RCPT {DAN}": "550 5.1.1 unknown"})
    sends = await world.deliver(message(BOB, DAN))
    failed = [group["Final-Recipient"] for report in reports(sends) for group in fields(report)[1:]]
    if step.startswith("4"):
        assert failed == [f"rfc822; {DAN}"]
        assert [each.address for each in again(sends).item.envelope.recipients] == [BOB]
    else:
        assert sorted(failed) == [f"rfc822; {BOB}", f"rfc822; {DAN}"]


@pytest.mark.parametrize(
    ("key", "step"),
    [
        ("MAIL", "550 5.7.1 not from you"),
        ("DATA", "554 5.6.0 no"),
        (".", "554 5.7.1 spam"),
    ],
)
async def test_a_permanent_answer_bounces_wherever_it_comes(world: World, key: str, step: str) -> None:
    one_server(world, script={key: step})
    (report,) = reports(await world.deliver(message(BOB)))
    assert fields(report)[1]["Diagnostic-Code"] == f"smtp; {step}"


@pytest.mark.parametrize("key", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    "step",
    [
        "421 4.3.2 going down",
        "451 4.3.0 no",
        Drop(),
        Reset(),
        "250-never\nends",
        "nonsense",
        "999 what",
        "150 1",
    ],
)
async def test_whatever_else_happens_is_temporary(world: World, key: str, step: Step) -> None:
    one_server(world, script={key: step})
    later = again(await world.deliver(message(BOB)))
    (recipient,) = later.item.envelope.recipients
    assert recipient.last is not None
    assert 400 <= recipient.last.code < 500
    assert decode(encode(later)) == later


async def test_a_loss_after_the_final_dot_is_not_doubled_at_the_next_host(world: World) -> None:
    first, second = world.server(script={".": Drop()}), world.server()
    world.mx("example.net", (10, first), (20, second))
    again(await world.deliver(message(BOB)))
    assert second.sessions == 0


BIG = b"Subject: big\r\n\r\n" + b"x" * 30_000_000


@pytest.mark.parametrize("early", ["552 5.3.4 enough", Delay(0.5, "552 5.3.4 enough")])
async def test_an_early_answer_ends_the_content(world: World, early: Step) -> None:
    """A host that has heard enough says so before the final dot, and reads no more; that answer counts."""
    server = one_server(world, script={"EARLY": early})
    (report,) = reports(await world.deliver(message(BOB, content=BIG)))
    assert fields(report)[1]["Status"] == "5.3.4"
    await afresh(world, server)


async def test_an_early_yes_delivers_nothing(world: World) -> None:
    server = one_server(world, script={"EARLY": "250 2.0.0 ok"})
    later = again(await world.deliver(message(BOB, content=BIG)))
    assert "before all of it was sent" in later.item.history[-1].text
    await afresh(world, server)


async def test_a_host_that_stops_reading_is_left(world: World) -> None:
    world.configure(reply_timeout=Duration(0.5))
    server = one_server(world, script={"EARLY": "250-never\n250-ending"})
    again(await world.deliver(message(BOB, content=BIG)))
    await afresh(world, server)


async def afresh(world: World, server: SmtpServer) -> None:
    """Deliver another message, over another session: in the first one nobody knows who speaks next."""
    server.script("EARLY")
    assert await world.deliver(message(BOB)) == ()
    assert server.sessions == 2


@pytest.mark.parametrize("key", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("step", ["421 4.3.2 going down", "150 what", Hang()])
async def test_a_broken_session_is_closed(world: World, key: str, step: Step) -> None:
    """The pool would keep a good one for longer than the test lasts."""
    world.configure(reply_timeout=Duration(0.5))
    server = one_server(world, script={key: step})
    again(await world.deliver(message(BOB)))
    async with asyncio.timeout(20):
        while server.open:
            await asyncio.sleep(0.01)


async def test_unprintable_answers_are_cleaned(world: World) -> None:
    one_server(world, script={"RCPT": "550-5.1.1 caf\udce9\x1b[31m\n550 5.1.1 " + "x" * 2000})
    (report,) = reports(await world.deliver(message(BOB)))
    assert "\x1b" not in report.content.decode()
    assert len(fields(report)[1]["Diagnostic-Code"]) < 500


async def test_an_answer_over_the_limit_of_size_is_not_waited_for(world: World) -> None:
    server = one_server(world, extensions=("SIZE 100",))
    (report,) = reports(await world.deliver(message(BOB, content=b"\r\n" + b"x" * 200 + b"\r\n")))
    assert fields(report)[1]["Status"] == "5.3.4"
    assert not any(command.startswith("MAIL") for command in server.commands)


@pytest.mark.parametrize("offered", [True, False])
async def test_smtputf8_is_used_or_bounced(world: World, offered: bool) -> None:
    server = one_server(world, extensions=("SMTPUTF8", "8BITMIME") if offered else ("8BITMIME",))
    sends = await world.deliver(message("bücher@example.net", smtputf8=True))
    if offered:
        assert "SMTPUTF8" in server.transactions[0].mail_params
        assert server.transactions[0].recipients == ("bücher@example.net",)
    else:
        assert fields(reports(sends)[0])[1]["Status"] == "5.6.7"


async def test_one_address_beyond_ascii_does_not_hold_up_the_others(world: World) -> None:
    """Its domain is in A-labels already; only the local part needs SMTPUTF8."""
    server = one_server(world, extensions=("8BITMIME",))
    (report,) = reports(await world.deliver(message(BOB, "bücher@example.net", EVE, smtputf8=True)))
    assert [mail.recipients for mail in server.transactions] == [(BOB, EVE)]
    (group,) = fields(report)[1:]
    assert group["Status"] == "5.6.7"


async def test_what_this_host_cannot_carry_the_next_one_gets(world: World) -> None:
    first, second = world.server(extensions=()), world.server(extensions=("SMTPUTF8", "8BITMIME"))
    world.mx("example.net", (10, first), (20, second))
    assert await world.deliver(message(BOB, "bücher@example.net", smtputf8=True)) == ()
    assert [mail.recipients for mail in (*first.transactions, *second.transactions)] == [
        (BOB,),
        ("bücher@example.net",),
    ]


@pytest.mark.parametrize(
    ("limits", "sizes", "sessions"),
    [
        ("RCPTMAX=20", [20, 20, 10], 1),
        ("MAILMAX=2 RCPTMAX=10", [10, 10, 10, 10, 10], 3),
        ("MAILMAX=1 RCPTMAX=1000", [50], 1),
        ("RCPTMAX=no", [50], 1),
    ],
)
async def test_limits_that_a_host_sets_are_kept(world: World, limits: str, sizes: list[int], sessions: int) -> None:
    """RFC 9422."""
    server = one_server(world, extensions=(f"LIMITS {limits}", "PIPELINING"))
    assert await world.deliver(message(*(f"user{n}@example.net" for n in range(50)))) == ()
    assert [len(mail.recipients) for mail in server.transactions] == sizes
    assert server.sessions == sessions


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
async def test_chunks_carry_content_octet_for_octet(world: World, size: int) -> None:
    """Without dots stuffed and without a line end added (RFC 3030)."""
    server = one_server(world, extensions=("PIPELINING", "CHUNKING", "8BITMIME"))
    content = (b"Subject: x\r\n\r\n.\r\n..\r\n" + b".\xff\r\n" * size)[:size]
    assert await world.deliver(message(BOB, content=content)) == ()
    (mail,) = server.transactions
    assert (mail.content, mail.chunked) == (content, True)


async def test_many_recipients_go_in_transactions_of_a_hundred(world: World) -> None:
    server = one_server(world)
    recipients = [f"user{n}@example.net" for n in range(250)]
    assert await world.deliver(message(*recipients)) == ()
    assert [len(mail.recipients) for mail in server.transactions] == [100, 100, 50]
    assert server.sessions == 1


@pytest.mark.parametrize("refusal", ["452 4.5.3 too many", "452 too many", "552 5.5.3 too many"])
@pytest.mark.parametrize("offers", [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")])
async def test_too_many_recipients_go_in_the_next_transaction(
    world: World, offers: tuple[str, ...], refusal: str
) -> None:
    """At once, in the same session, and no more at a time from then on: RFC 5321 section 4.5.3.1.10."""
    steps = [*["250 ok"] * 10, *[refusal] * 25, *["250 ok"] * 25]
    server = one_server(world, extensions=offers, script={"RCPT": steps})
    recipients = tuple(f"user{n}@example.net" for n in range(35))
    assert await world.deliver(message(*recipients)) == ()
    assert [mail.recipients for mail in server.transactions] == [
        recipients[:10],
        recipients[10:20],
        recipients[20:30],
        recipients[30:],
    ]
    assert (server.sessions, sum(line.startswith("RCPT") for line in server.commands)) == (1, 60)


async def test_a_host_that_takes_no_recipient_is_not_asked_for_ever(world: World) -> None:
    """Too many is an answer like any other where the transaction has none; so is a 452 for another reason."""
    server = one_server(world, script={"RCPT": "452 4.5.3 too many"})
    later = again(await world.deliver(message(BOB, EVE)))
    assert len(later.item.envelope.recipients) == 2
    server.script("RCPT", "250 ok", "452 4.2.2 over quota", "250 ok")
    later = again(await world.deliver(message(BOB, EVE)))
    assert [each.address for each in later.item.envelope.recipients] == [EVE]
    server.script("RCPT", "250 ok", "452 4.5.3 too many")
    server.script(".", "550 5.7.1 no")
    bounced = await world.deliver(message(BOB, EVE))
    assert again(bounced).item.envelope.recipients[0].address == EVE
    assert len(server.transactions) == 1


async def test_dsn_parameters_go_to_a_host_that_offers_dsn(world: World) -> None:
    server = one_server(world, extensions=("DSN",))
    recipient = Recipient(address=BOB, orcpt="rfc822;Bob@example.net", notify=("SUCCESS", "FAILURE"))
    assert await world.deliver(message(recipient, ret="HDRS", envid="X+41")) == ()
    (mail,) = server.transactions
    assert set(mail.mail_params) == {"RET=HDRS", "ENVID=X+41"}
    assert mail.rcpt_params[BOB] == ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob@example.net")


async def test_success_is_reported_where_the_host_will_not(world: World) -> None:
    one_server(world, extensions=())
    recipient = Recipient(address=BOB, notify=("SUCCESS",))
    (report,) = reports(await world.deliver(message(recipient, EVE)))
    assert [(group["Final-Recipient"], group["Action"]) for group in fields(report)[1:]] == [
        (f"rfc822; {BOB}", "relayed")
    ]


async def test_the_lifetimes_end_is_reported_with_the_last_answer(world: World) -> None:
    one_server(world, script={"RCPT": "450 4.2.0 greylisted"})
    world.now = ACCEPTED_AT + 86400
    (report,) = reports(sends := await world.deliver(message(BOB)))
    assert len(sends) == 1
    _, group = fields(report)
    assert group["Status"] == "4.4.7"
    assert "450 4.2.0 greylisted" in group["Diagnostic-Code"]


async def test_nothing_expires_untried(world: World) -> None:
    server = one_server(world)
    world.now = ACCEPTED_AT + 30 * 86400
    assert await world.deliver(message(BOB)) == ()
    assert len(server.transactions) == 1


async def test_one_delay_is_reported_once(world: World) -> None:
    one_server(world, script={"RCPT": "450 4.2.0 later"})
    world.now = ACCEPTED_AT + 4 * 3600
    (report,) = reports(sends := await world.deliver(message(BOB)))
    assert fields(report)[1]["Action"] == "delayed"
    assert fields(report)[1]["Will-Retry-Until"] is not None
    world.now += 600
    assert reports(await world.deliver(again(sends))) == []


async def test_a_strangers_mail_that_fails_goes_to_quarantine(world: World) -> None:
    one_server(world, script={"RCPT": "550 5.1.1 unknown"})
    (send,) = await world.deliver(message(BOB, origin=Origin.INBOUND, sender="forged@example.com"))
    assert send.place is Place.QUARANTINE
    assert send.message.item.reason == "delivery failed: mx1.example.net said: 550 5.1.1 unknown"
    assert [each.address for each in send.message.item.envelope.recipients] == [BOB]


async def test_a_sender_whom_spf_vouches_for_gets_a_report(world: World) -> None:
    one_server(world, script={"RCPT": "550 5.1.1 unknown"})
    (report,) = reports(await world.deliver(message(BOB, origin=Origin.INBOUND, spf="pass", sender="x@example.com")))
    assert report.item.envelope.recipients[0].address == "x@example.com"


async def test_a_failed_bounce_goes_to_the_postmaster_and_no_further(world: World) -> None:
    one_server(world, script={"RCPT": "550 5.1.1 unknown"})
    world.mx("example.org", (10, world.server(script={"RCPT": "550 5.1.1 unknown"})))
    (to_sender,) = reports(await world.deliver(message(BOB)))
    (to_postmaster,) = reports(await world.deliver(to_sender))
    assert [each.address for each in to_postmaster.item.envelope.recipients] == [POSTMASTER]
    (end,) = await world.deliver(to_postmaster)
    assert end.place is Place.QUARANTINE


async def test_a_lost_null_sender_message_goes_to_the_postmaster(world: World) -> None:
    one_server(world, script={"RCPT": "550 5.1.1 unknown"})
    (report,) = reports(await world.deliver(message(BOB, sender=None, origin=Origin.INBOUND)))
    assert [each.address for each in report.item.envelope.recipients] == [POSTMASTER]


async def test_an_item_that_nobody_screened_is_parked(world: World) -> None:
    server = one_server(world)
    nobody: Verdict | None = None
    (send,) = await world.deliver(message(BOB, verdict=nobody))
    assert send.place is Place.DEAD
    assert send.message.item.reason is not None
    assert server.sessions == 0


async def test_an_item_for_two_domains_is_split_first(world: World) -> None:
    mixed = message(BOB, "x@example.com")
    sends = await world.deliver(mixed)
    assert [send.message.item.destination for send in sends] == ["example.net", "example.com"]
    assert {send.place for send in sends} == {Place.REDELIVER}
    assert {send.message.item.id for send in sends} == {ID}


async def test_a_repeated_attempt_gives_the_same_report_id(world: World) -> None:
    one_server(world, script={"RCPT": "550 5.1.1 unknown"})
    first = reports(await world.deliver(message(BOB)))
    second = reports(await world.deliver(message(BOB)))
    assert [report.item.id for report in first] == [report.item.id for report in second]


async def test_an_attempt_has_a_time_limit_and_keeps_what_was_answered(world: World) -> None:
    world.configure(attempt_timeout=1.0)
    one_server(world, script={f"RCPT {DAN}": "550 5.1.1 unknown", ".": Hang()})
    sends = await world.deliver(message(DAN, BOB))
    assert len(reports(sends)) == 1
    later = again(sends)
    assert [each.address for each in later.item.envelope.recipients] == [BOB]
    assert later.item.history[-1].text
    assert msgspec.structs.asdict(later.item)["failures"] == 0
