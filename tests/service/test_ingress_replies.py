"""Every command in every state, at every listener, for strangers and trusted clients: the table of replies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingress.protocol.session import COMMANDS
from tests.support.lobby import Lobby, papers
from tests.support.reply_table import DOORS, IN_PLAIN_TEXT, STATES, Cell, enter, read, replies_in, replies_of
from tests.support.wire import Caller

TABLE = read(Path(__file__).resolve().parents[1] / "dialogs/replies.table")
PLACES = sorted({(cell.door, cell.state) for cell in TABLE})


def expected(door: str, state: str) -> dict[str, str]:
    return {cell.command: cell.reply for cell in TABLE if (cell.door, cell.state) == (door, state)}


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lobby]:
    with Lobby(papers(tmp_path_factory.mktemp("replies"))) as running:
        yield running


@pytest.mark.parametrize(("door", "state"), PLACES)
def test_each_command_has_its_reply(lobby: Lobby, door: str, state: str) -> None:
    """Refused commands share a session: they leave its state as it was."""
    wanted = expected(door, state)
    assert lobby.run(replies_in(lobby, door, state, wanted)) == wanted
    assert lobby.problems() == []


GIVEN_UP = [
    ("RSET", [b"RSET"]),
    ("EHLO", [b"EHLO again.example"]),
    ("message", [b"DATA", b"Subject: x\r\n\r\nhello\r\n."]),
    ("refused message", [b"DATA", b"Subject: x\r\n\r\nbare\nhello\r\n."]),
]


@pytest.mark.parametrize(("lines", "state"), [(lines, "EHLO") for _, lines in GIVEN_UP], ids=[n for n, _ in GIVEN_UP])
@pytest.mark.parametrize("door", ["relay/stranger", "relay/trusted"])
def test_after_a_transaction_the_state_is_that_after_ehlo(
    lobby: Lobby, door: str, state: str, lines: list[bytes]
) -> None:
    async def begin() -> Caller:
        caller = await enter(lobby, door, "MAIL,RCPT")
        for line in lines:
            await caller.ask(line)
        return caller

    wanted = expected(door, state)
    assert lobby.run(replies_of(begin, wanted)) == wanted


@pytest.mark.parametrize("before", ["EHLO", "MAIL,RCPT"])
@pytest.mark.parametrize("door", ["relay/stranger", "relay/trusted"])
def test_starttls_ends_every_state(lobby: Lobby, door: str, before: str) -> None:
    async def begin() -> Caller:
        caller = await enter(lobby, door, before)
        assert (await caller.ask(b"STARTTLS")).startswith("220")
        await caller.start_tls(lobby.trust)
        return caller

    wanted = expected(door, "TLS")
    assert lobby.run(replies_of(begin, wanted)) == wanted


def test_the_table_is_whole() -> None:
    """Each verb, in each state, at each door, once; a door with TLS from the first octet has fewer states."""
    assert len({(cell.door, cell.state, cell.command) for cell in TABLE}) == len(TABLE)
    for door in DOORS:
        states = {cell.state for cell in TABLE if cell.door == door}
        if door == "relay/denied":
            assert states == {"connected"}
        else:
            assert states == set(STATES) - (IN_PLAIN_TEXT.keys() if "submissions" in door else set())
        for state in states:
            assert {command.partition(" ")[0].upper() for command in expected(door, state)} >= COMMANDS.keys()


@pytest.mark.parametrize("cell", sorted({Cell("", "", cell.command, cell.reply) for cell in TABLE}))
def test_every_reply_has_an_enhanced_code_of_its_class(cell: Cell) -> None:
    """RFC 2034 section 4: all of 2xx, 4xx and 5xx, but not to HELO and EHLO."""
    code, _, enhanced = cell.reply.partition(" ")
    if code in {"334", "354"} or (code == "250" and cell.command.upper().startswith(("HELO ", "EHLO "))):
        assert not enhanced
    else:
        assert enhanced[:2] == f"{code[0]}."
