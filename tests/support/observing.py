"""One session on arbitrary octets, and what must be true of any: a reply to each command, a durable item for each 250,
nothing relayed that may not be, no crash, nothing left over.
"""

import re
from typing import NamedTuple

from tests.support.lobby import TRUSTED, Lobby, essence
from tests.support.oracle import is_allowed
from tests.support.walk import walk


class Observed(NamedTuple):
    """What a session said and made durable, without ids, times and nonces."""

    heard: bytes
    messages: list[object]


def observed(lobby: Lobby, pieces: list[bytes], peer: str, turns: int = 1, *, under_tls: bool = False) -> Observed:
    """Hold one session, send the pieces with so many turns of the loop after each, and judge it. AssertionError."""
    heard = lobby.converse(pieces, peer, turns, under_tls=under_tls)
    messages = lobby.taken()
    assert lobby.problems() == []
    assert lobby.leftovers() == []
    queued = walk(b"".join(pieces), heard).queued
    assert [*queued] == [message.item.id for message in messages]
    for message in messages:
        content = queued[message.item.id]
        assert message.content.endswith(b"\r\n" + content), (message.content, content)
        assert not re.search(rb"\0|(?<!\r)\n|\r(?!\n)", message.content), (
            "content that another server might read as two"
        )
        origin = str(message.item.origin)
        for recipient in message.item.envelope.recipients:
            assert is_allowed(origin, recipient.address), (origin, recipient.address)
        authenticated = message.item.client is not None and message.item.client.user is not None
        assert origin == ("authenticated" if authenticated else "trusted" if peer == TRUSTED else "inbound")
        assert under_tls or not authenticated
    same = re.sub(rb"queued as \w+", b"queued as ID", re.sub(rb"334 [\w+/=]{40,}", b"334 NONCE", heard))
    return Observed(same, [essence(message) for message in messages])
