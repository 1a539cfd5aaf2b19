"""LMTP for next hops inside: an answer for each recipient after the content (RFC 2033)."""

import re
from pathlib import Path

import pytest

from shared.model import Recipient
from tests.support.delivery_world import World, again, message
from tests.support.reported import reported
from tests.support.smtp_server import Drop, SmtpServer, Step

BOB, EVE, DAN = "bob@example.net", "eve@example.net", "dan@example.net"
OFFERS = [(), ("PIPELINING", "8BITMIME"), ("PIPELINING", "CHUNKING")]


def store(world: World, **options: object) -> SmtpServer:
    """Start the mail store of example.net, next hop by LMTP."""
    server = world.server(**options)
    where = server.host if server.host.startswith("/") else f"{server.host}:{server.port}"
    world.configure(relay={"hosted": {"example.net": f"lmtp://{where}"}})
    return server


@pytest.mark.parametrize("offers", OFFERS)
async def test_every_recipient_has_an_answer_of_its_own(world: World, offers: tuple[str, ...]) -> None:
    script = {f". {EVE}": "450 4.2.2 over quota", f". {DAN}": "550 5.2.0 no room"}
    server = store(world, extensions=offers, script=script)
    sends = await world.deliver(message(BOB, EVE, DAN))
    (mail,) = server.transactions
    assert (mail.recipients, mail.chunked) == ((BOB,), "CHUNKING" in offers)
    (waiting,) = again(sends).item.envelope.recipients
    assert (waiting.address, str(waiting.last)) == (EVE, "450 4.2.2 over quota")
    (report,) = [send.message.content for send in sends if send.message.item.envelope.sender is None]
    assert reported(report) == {DAN: "550 5.2.0 no room"}


@pytest.mark.parametrize(("offers", "told"), [((), ["delivered", "delivered"]), (("DSN",), [])])
async def test_success_is_reported_as_delivered(world: World, offers: tuple[str, ...], told: list[str]) -> None:
    """The answer is the mail store's own; where it offers DSN it tells the sender itself (RFC 3464 section 2.3.3)."""
    store(world, extensions=offers)
    asking = [Recipient(address=each, notify=("SUCCESS",)) for each in (BOB, EVE)]
    sends = await world.deliver(message(*asking, DAN))
    content = b"".join(send.message.content for send in sends)
    assert re.findall(r"^Action: (.*)\r$", content.decode(), re.MULTILINE) == told
    assert all(b"Subject: Your message was delivered" in send.message.content for send in sends)


async def test_only_accepted_recipients_are_answered(world: World) -> None:
    server = store(world, script={f"RCPT {BOB}": "450 4.2.0 later"})
    later = again(await world.deliver(message(BOB, EVE)))
    assert [each.address for each in later.item.envelope.recipients] == [BOB]
    assert server.transactions[0].recipients == (EVE,)
    assert await world.deliver(message(DAN)) == ()
    assert (server.sessions, [line for line in server.commands if line[1:4] == "HLO"]) == (
        1,
        ["LHLO relay.example.org"],
    )


async def test_a_socket_in_the_file_system(world: World, tmp_path: Path) -> None:
    server = store(world, host=str(tmp_path / "lmtp.socket"))
    assert await world.deliver(message(BOB, EVE)) == ()
    assert await world.deliver(message(DAN)) == ()
    assert (server.sessions, [mail.recipients for mail in server.transactions]) == (1, [(BOB, EVE), (DAN,)])


async def test_no_socket_is_tried_again(world: World, tmp_path: Path) -> None:
    world.configure(relay={"hosted": {"example.net": f"lmtp://{tmp_path}/none"}})
    (recipient,) = again(await world.deliver(message(BOB))).item.envelope.recipients
    assert "No such file" in str(recipient.last)


@pytest.mark.parametrize("step", [Drop(), "421 4.3.2 bye", "what?", "354 what"])
async def test_a_session_lost_between_two_answers(world: World, step: Step) -> None:
    """Bob's answer counts; what became of Eve's and Dan's mail nobody knows, so no other host is tried now."""
    first, spare = world.server(script={f". {EVE}": step}), world.server()
    hops = tuple(f"lmtp://{server.host}:{server.port}" for server in (first, spare))
    world.configure(relay={"hosted": {"example.net": hops}})
    later = again(await world.deliver(message(BOB, EVE, DAN)))
    assert [each.address for each in later.item.envelope.recipients] == [EVE, DAN]
    assert {each.last.code // 100 for each in later.item.envelope.recipients if each.last} == {4}
    assert spare.sessions == 0


@pytest.mark.parametrize("step", ["500 5.5.1 what", "421 4.3.2 bye", Drop()])
async def test_a_host_that_speaks_no_lmtp_is_for_us_to_mend(world: World, step: Step) -> None:
    """It is not greeted by HELO in its place: then one answer would stand for all."""
    server = store(world, script={"EHLO": step})
    again(await world.deliver(message(BOB)))
    assert server.commands == ["LHLO relay.example.org"]
