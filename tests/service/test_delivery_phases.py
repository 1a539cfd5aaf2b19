"""Every phase of a session against everything a host may do there, each with the exact outcome of each recipient.

A domain has two hosts: the first one misbehaves, the spare one is good. A row says what becomes of Bob and Eve: the
host that has the message, or the answer with which they wait or are returned.
"""

import asyncio
from collections.abc import Sequence

import pytest
import trustme

from shared.config.units import Duration
from shared.model import Origin, Place, Send
from tests.support.delivery_world import ID, World, message, server_tls
from tests.support.reported import reported
from tests.support.smtp_server import Drip, Drop, Hang, Raw, Reset, SmtpServer, Step

BOB, EVE = "bob@example.net", "eve@example.net"

PLAIN = ("8BITMIME",)
PIPELINING = (*PLAIN, "PIPELINING")
CHUNKING = (*PIPELINING, "CHUNKING")
OFFERS = [PLAIN, PIPELINING, CHUNKING]

LATER, NO, BYE = "450 4.2.0 later", "550 5.1.1 no", "421 4.3.2 bye"
ANSWERS: dict[str, Step] = {"4xx": LATER, "5xx": NO, "multiline": "550-5.1.1 no\n550-5.1.1\n550 5.1.1", "421": BYE}
"""What is an answer."""
BROKEN: dict[str, Step] = {
    "garbage": "what?",
    "another code in the second line": "550-5.1.1 no\n250 ok",
    "a reply without end": "\n".join(["550-5.1.1 no" + "x" * 980] * 40),
    "a line without end": "550 " + "x" * 5000,
    "early close": Drop(),
    "half a reply": Raw(b"250 o"),
    "RST": Reset(),
}
SLOW: dict[str, Step] = {"hang": Hang(), "slow drip": Drip(b"550-5.1.1 no\r\n", 0.01)}
"""What only a time-out ends."""
FIRST, SPARE, DOUBT = ("first", "first"), ("spare", "spare"), ("doubt", "doubt")

OUTCOMES: dict[str, dict[str, tuple[str, str]]] = {
    "GREETING": {"4xx": SPARE, "5xx": SPARE, "multiline": SPARE, "421": SPARE, "broken": SPARE},
    "MAIL": {"4xx": (LATER, LATER), "5xx": (NO, NO), "multiline": (NO, NO), "421": SPARE, "broken": SPARE},
    f"RCPT {BOB}": {"4xx": (LATER, "first"), "5xx": (NO, "first"), "multiline": (NO, "first")}
    | {"421": SPARE, "broken": SPARE},
    f"RCPT {EVE}": {"4xx": ("first", LATER), "5xx": ("first", NO), "multiline": ("first", NO)}
    | {"421": SPARE, "broken": SPARE},
    "RCPT": {"4xx": (LATER, LATER), "5xx": (NO, NO), "multiline": (NO, NO), "421": SPARE, "broken": SPARE},
    "DATA": {"4xx": (LATER, LATER), "5xx": (NO, NO), "multiline": (NO, NO), "421": SPARE, "broken": SPARE},
    ".": {"4xx": (LATER, LATER), "5xx": (NO, NO), "multiline": (NO, NO), "421": (BYE, BYE), "broken": DOUBT},
}
POSITIVE = {"GREETING": b"220 hi\r\n", "DATA": b"354 go on\r\n"}


class Pair:
    """The two hosts of example.net."""

    def __init__(self, world: World, **first: object) -> None:
        self.world = world
        self.first, self.spare = world.server(**first), world.server()
        world.mx("example.net", (10, self.first), (20, self.spare))

    async def deliver(self) -> tuple[str, str]:
        """Send to Bob and Eve; return what becomes of each."""
        return self._fates(await self.world.deliver(message(BOB, EVE)))

    def _fates(self, sends: Sequence[Send]) -> tuple[str, str]:
        found: dict[str, str] = {}
        for name, server in (("first", self.first), ("spare", self.spare)):
            for mail in server.transactions:
                found |= dict.fromkeys(mail.recipients, name)
            server.transactions.clear()
        for send in sends:
            item = send.message.item
            if item.origin is Origin.GENERATED:
                found |= reported(send.message.content)
            else:
                assert (send.place, item.id) == (Place.REDELIVER, ID)
                found |= {each.address: str(each.last) for each in item.envelope.recipients}
        doubt = {address: "doubt" for address, fate in found.items() if fate.startswith(("451 4.4.2", "451 4.5.0"))}
        found |= doubt
        assert not (doubt and self.spare.sessions), "what the first host may have must not go to the spare one"
        return found[BOB], found[EVE]

    async def after(self) -> None:
        """The next message meets no leftovers of this one."""
        for key in OUTCOMES:
            self.first.script(key)
        assert await self.deliver() == FIRST


def rows(kinds: dict[str, Step], outcome: str | None = None) -> list[object]:
    """Return every phase with every step of these kinds, and what is to become of Bob and Eve."""
    return [
        pytest.param(phase, step, outcomes[outcome or kind], id=f"{phase}-{kind}")
        for phase, outcomes in OUTCOMES.items()
        for kind, step in kinds.items()
    ]


@pytest.mark.parametrize("offers", OFFERS, ids=["one by one", "pipelining", "chunking"])
@pytest.mark.parametrize(("phase", "step", "outcome"), [*rows(ANSWERS), *rows(BROKEN, "broken")])
async def test_every_phase(
    world: World, offers: tuple[str, ...], phase: str, step: Step, outcome: tuple[str, str]
) -> None:
    pair = Pair(world, extensions=offers, script={phase: step})
    if phase == "DATA" and "CHUNKING" in offers:
        outcome = FIRST  # nobody says DATA
    assert await pair.deliver() == outcome
    await pair.after()


@pytest.mark.parametrize("offers", OFFERS, ids=["one by one", "pipelining", "chunking"])
@pytest.mark.parametrize(("kind", "step"), SLOW.items(), ids=list(SLOW))
async def test_every_phase_is_ended_by_its_time_out(offers: tuple[str, ...], kind: str, step: Step) -> None:
    """A reply that drips on for ever is as late as one that does not begin."""

    async def one(phase: str) -> tuple[str, str]:
        async with World(reply_timeout=Duration(1.5)) as world:
            return await Pair(world, extensions=offers, script={phase: step}).deliver()

    expected = {phase: outcomes["broken"] for phase, outcomes in OUTCOMES.items()} | {"EHLO": SPARE}
    if "CHUNKING" in offers:
        del expected["DATA"]
    found = await asyncio.gather(*map(one, expected))
    assert dict(zip(expected, found, strict=True)) == expected


@pytest.mark.parametrize("offers", OFFERS, ids=["one by one", "pipelining", "chunking"])
@pytest.mark.parametrize("phase", OUTCOMES)
async def test_a_reply_in_pieces_is_a_reply(world: World, offers: tuple[str, ...], phase: str) -> None:
    pair = Pair(world, extensions=offers, script={phase: Drip(POSITIVE.get(phase, b"250 2.0.0 ok\r\n"))})
    assert await pair.deliver() == FIRST
    await pair.after()


HELO, NONE = (FIRST, ["EHLO", "HELO"]), (SPARE, ["EHLO"])
GREETED = {
    "4xx": HELO,
    "5xx": HELO,
    "multiline": HELO,
    "a line without end": HELO,  # 5,004 octets: the library takes 8,192
    "another code in the second line": (FIRST, ["EHLO"]),  # it takes the last one's
    "421": NONE,
    "garbage": NONE,
    "a reply without end": NONE,
    "early close": NONE,
    "half a reply": NONE,
    "RST": NONE,
}


@pytest.mark.parametrize(("kind", "expected"), GREETED.items(), ids=list(GREETED))
async def test_a_host_that_refuses_ehlo_is_asked_by_helo(
    world: World, kind: str, expected: tuple[tuple[str, str], list[str]]
) -> None:
    """Until EHLO is answered aiosmtplib reads the replies, more leniently than we do afterwards."""
    pair = Pair(world, script={"EHLO": (BROKEN | ANSWERS)[kind]})
    outcome = await pair.deliver()
    assert (outcome, [line[:4] for line in pair.first.commands if line[1:4] in {"HLO", "ELO"}]) == expected


@pytest.mark.parametrize("kind", [*BROKEN, "4xx", "5xx", "421"])
async def test_what_goes_wrong_with_starttls_is_told_apart_from_the_mail(
    world: World, authority: trustme.CA, kind: str
) -> None:
    """Where TLS is opportunistic, another session goes without it."""
    step = (BROKEN | ANSWERS)[kind]
    pair = Pair(world, tls=server_tls(authority, "mx1.example.net"), script={"STARTTLS": step})
    assert await pair.deliver() == FIRST
    assert pair.first.sessions == 2


@pytest.mark.parametrize("offers", OFFERS, ids=["one by one", "pipelining", "chunking"])
@pytest.mark.parametrize("kind", [*BROKEN, "421"])
async def test_a_kept_session_found_dead_costs_nothing(world: World, offers: tuple[str, ...], kind: str) -> None:
    """Nothing came of it, so the same host is asked again over another one."""
    step = (BROKEN | ANSWERS)[kind]
    pair = Pair(world, extensions=offers, script={"MAIL": ["250 ok", step, "250 ok"]})
    assert (await pair.deliver(), await pair.deliver()) == (FIRST, FIRST)
    assert (pair.first.sessions, pair.spare.sessions) == (2, 0)


@pytest.mark.parametrize("offers", OFFERS, ids=["one by one", "pipelining", "chunking"])
@pytest.mark.parametrize("kind", BROKEN)
async def test_a_kept_session_lost_after_the_content_is_no_second_message(
    world: World, offers: tuple[str, ...], kind: str
) -> None:
    pair = Pair(world, extensions=offers, script={".": ["250 ok", BROKEN[kind], "250 ok"]})
    assert (await pair.deliver(), await pair.deliver()) == (FIRST, DOUBT)
    assert (pair.first.sessions, pair.spare.sessions) == (1, 0)
    await pair.after()


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_kept_session_lost_over_tls_is_no_second_message(
    world: World, authority: trustme.CA, kind: str
) -> None:
    """First before MAIL is answered, which costs nothing, then after the content, when nobody knows."""
    step = BROKEN[kind]
    script = {"MAIL": ["250 ok", step, "250 ok"], ".": ["250 ok", "250 ok", step, "250 ok"]}
    pair = Pair(world, extensions=PIPELINING, script=script, tls=server_tls(authority, "mx1.example.net"))
    assert [await pair.deliver() for _ in range(3)] == [FIRST, FIRST, DOUBT]
    assert (pair.first.sessions, pair.spare.sessions) == (2, 0)
    await pair.after()


@pytest.mark.parametrize("offers", OFFERS, ids=["one by one", "pipelining", "chunking"])
@pytest.mark.parametrize("kind", [*BROKEN, "4xx", "5xx", "421"])
async def test_a_kept_session_that_cannot_be_reset_is_replaced(
    world: World, offers: tuple[str, ...], kind: str
) -> None:
    pair = Pair(world, extensions=offers, script={"RCPT": [NO, NO, "250 ok"], "RSET": (BROKEN | ANSWERS)[kind]})
    assert (await pair.deliver(), await pair.deliver()) == ((NO, NO), FIRST)
    assert (pair.first.sessions, pair.spare.sessions) == (2, 0)


@pytest.mark.parametrize("farewell", [BYE, "what?", "250 ok"])
async def test_a_host_that_speaks_unasked_is_left(world: World, farewell: str) -> None:
    """Between two messages there is nothing to say but goodbye."""
    pair = Pair(world, script={".": f"250 ok\n{farewell}"})
    assert await pair.deliver() == FIRST
    await closed(pair.first)
    await pair.after()
    assert pair.first.sessions == 2


@pytest.mark.parametrize("offers", [PLAIN, PIPELINING], ids=["one by one", "pipelining"])
@pytest.mark.parametrize("phase", ["MAIL", f"RCPT {BOB}", f"RCPT {EVE}", "DATA"])
async def test_one_reply_too_many(world: World, offers: tuple[str, ...], phase: str) -> None:
    """Nobody can tell which command a reply belongs to: that is seen before the content, and the next host asked."""
    ok = "354 go on\n250 ok" if phase == "DATA" else "250 ok\n250 ok"
    pair = Pair(world, extensions=offers, script={phase: ok})
    assert await pair.deliver() == SPARE


@pytest.mark.parametrize("step", ["500 5.5.2 what", "502 5.5.1 unknown"])
async def test_a_host_that_offers_chunks_and_knows_none_gets_its_mail_by_data(world: World, step: str) -> None:
    """Over another session: in the first one it may be reading content as commands."""
    pair = Pair(world, extensions=CHUNKING, script={".": [step, "250 ok"]})
    assert await pair.deliver() == FIRST
    assert (pair.first.sessions, "DATA" in pair.first.commands) == (2, True)
    await pair.after()


@pytest.mark.parametrize("offers", [PLAIN, CHUNKING], ids=["one by one", "chunking"])
async def test_content_crosses_tls_octet_for_octet(
    world: World, authority: trustme.CA, offers: tuple[str, ...]
) -> None:
    pair = Pair(world, extensions=offers, tls=server_tls(authority, "mx1.example.net"))
    content = b"Subject: big\r\n\r\n" + b"".join(b".%070d\r\n" % n for n in range(60_000))
    for _ in range(2):
        assert await world.deliver(message(BOB, content=content)) == ()
    assert [(mail.tls, mail.content == content) for mail in pair.first.transactions] == [(True, True)] * 2
    assert pair.first.sessions == 1


@pytest.mark.parametrize("step", [*(BROKEN | ANSWERS | SLOW).values()], ids=[*(BROKEN | ANSWERS | SLOW)])
async def test_goodbye_changes_nothing(world: World, step: Step) -> None:
    pair = Pair(world, script={"QUIT": step})
    assert await pair.deliver() == FIRST
    await world.gate.close()
    await closed(pair.first)
    await pair.after()


async def closed(server: SmtpServer) -> None:
    """Wait until no session is open."""
    async with asyncio.timeout(30):
        while server.open:
            await asyncio.sleep(0.01)
