"""The table of (state x command) -> reply (tests/dialogs/replies.table): read, and asked of real sessions.

A section begins with `== ` and the doors it speaks of; its next line names the states, one column each. Then a row per
command: the command, two spaces or more, and the reply in each state as code and enhanced code; one reply alone stands
for every state. At a listener with TLS from the first octet there is no state in plain text. `{...}`: see PLACEHOLDERS.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from shared.config.model import Mode
from tests.support.lobby import DENIED, PASSWORD, STRANGER, TRUSTED, USER, Lobby
from tests.support.wire import Caller

EHLO = b"EHLO c.example"
MAIL = b"MAIL FROM:<>"
RCPT = b"RCPT TO:<bob@example.org>"
REFUSED_RCPT = b"RCPT TO:<x@denied.example>"
REFUSED = (REFUSED_RCPT, b"EHLO bad name")


def plain(password: str) -> bytes:
    """Return the initial response of PLAIN."""
    return base64.b64encode(f"\0{USER}\0{password}".encode())


PLACEHOLDERS = {
    b"{nothing}": b"",
    b"{good}": plain(PASSWORD),
    b"{wrong}": plain("guess"),
    b"{NUL}": b"\0",
    b"{TAB}": b"\t",
    b"{0xFF}": b"\xff",
    b"{5000 octets}": b"x" * 5000,
    b"{13000 octets}": b"x" * 13000,
}

DOORS = {
    "relay/stranger": (Mode.RELAY, STRANGER),
    "relay/trusted": (Mode.RELAY, TRUSTED),
    "relay/denied": (Mode.RELAY, DENIED),
    "submission/stranger": (Mode.SUBMISSION, STRANGER),
    "submission/trusted": (Mode.SUBMISSION, TRUSTED),
    "submissions/stranger": (Mode.SUBMISSIONS, STRANGER),
}

IN_PLAIN_TEXT: dict[str, tuple[bytes, ...]] = {
    "connected": (),
    "HELO": (b"HELO c.example",),
    "EHLO": (EHLO,),
    "EHLO-bad": (b"EHLO bad name",),
}
UNDER_TLS: dict[str, tuple[bytes, ...]] = {
    "TLS": (),
    "TLS,HELO": (b"HELO c.example",),
    "TLS,EHLO": (EHLO,),
    "AUTH": (EHLO, b"AUTH PLAIN {good}"),
}
IN_TRANSACTION: dict[str, tuple[bytes, ...]] = {
    "MAIL": (MAIL,),
    "MAIL,RCPT": (MAIL, RCPT),
    "RCPT-bad": (MAIL, REFUSED_RCPT),
    "BDAT": (MAIL, RCPT, b"BDAT 0"),
}
"""After EHLO on a relay listener, after AUTH on the others."""
STATES = {**IN_PLAIN_TEXT, **UNDER_TLS, **IN_TRANSACTION}

CHANGES = {"HELO", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "QUIT"}
"""Commands after which the session is in another state, if they succeed. No other reply changes it, but BDAT's."""
MANY_ERRORS = 15


class Cell(NamedTuple):
    """One expectation."""

    door: str
    state: str
    command: str
    reply: str


def read(path: Path) -> list[Cell]:
    """Return every cell of the table."""
    cells: list[Cell] = []
    for section in path.read_text(encoding="utf-8").split("\n== ")[1:]:
        doors, columns, *rows = (line for line in section.splitlines() if line.strip() and not line.startswith("#"))
        states = columns.split()
        for row in rows:
            command, *replies = re.split(r"  +", row.strip())
            if len(replies) == 1:
                replies *= len(states)
            assert len(replies) == len(states), f"{row}: {len(replies)} replies for {len(states)} states"
            cells += [
                Cell(door, state, command, reply)
                for door in doors.split()
                for state, reply in zip(states, replies, strict=True)
                if not (door.startswith("submissions") and state in IN_PLAIN_TEXT)
            ]
    return cells


async def enter(lobby: Lobby, door: str, state: str) -> Caller:
    """Return a new session that has come to this state."""
    mode, peer = DOORS[door]
    caller = await lobby.call(peer, mode)
    lines = STATES[state]
    if state in IN_TRANSACTION:
        lines = (*(IN_PLAIN_TEXT["EHLO"] if mode is Mode.RELAY else UNDER_TLS["AUTH"]), *lines)
    under_tls = state in UNDER_TLS or (state in IN_TRANSACTION and mode is not Mode.RELAY)
    if under_tls and mode is not Mode.SUBMISSIONS:
        assert (await caller.ask(b"STARTTLS")).startswith("220")
        await caller.start_tls(lobby.trust)
    for line in lines:
        reply = await caller.ask(written_out(line))
        assert reply.startswith("5" if line in REFUSED else "2"), (door, state, line, reply)
    return caller


def written_out(command: bytes) -> bytes:
    """Return the octets of a command as they are sent."""
    for name, octets in PLACEHOLDERS.items():
        command = command.replace(name, octets)
    return command


def short(reply: str) -> str:
    """Return code and enhanced code of a reply."""
    found = re.match(r"\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3}(?= ))?", reply)
    assert found, f"no reply: {reply!r}"
    return found[0]


async def replies_in(lobby: Lobby, door: str, state: str, commands: Iterable[str]) -> dict[str, str]:
    """Return the reply of a session in this state to each command; what leaves the state is followed by a new one."""
    return await replies_of(lambda: enter(lobby, door, state), commands)


async def replies_of(begin: Callable[[], Awaitable[Caller]], commands: Iterable[str]) -> dict[str, str]:
    """Return the reply to each command of a session as `begin` makes it."""
    replies: dict[str, str] = {}
    caller, errors = await begin(), 0
    for command in commands:
        reply = replies[command] = short(await caller.ask(written_out(command.encode())))
        errors += reply.startswith("5")
        verb = command.partition(" ")[0].upper()
        if (verb in CHANGES and reply < "4") or verb == "BDAT" or reply.startswith("421") or errors == MANY_ERRORS:
            caller.wire.cut()
            caller, errors = await begin(), 0
    caller.wire.cut()
    return replies
