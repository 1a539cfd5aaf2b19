"""What is fuzzed: one session of ingress. The first octet of an input says how the rest of it arrives.

Bits of the first octet: 1 from the trusted network; 2 a greeted session with a transaction is sent first; 4 and DATA
after it; 8 a session under TLS, where AUTH is offered; the higher four: in pieces of so many octets, 0 all at once.
In pieces, the session must do what it does on the same octets in one piece.
"""

from tests.support.lobby import STRANGER, TRUSTED, Lobby
from tests.support.observing import observed

START = b"EHLO c.example\r\nMAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\n"
MAX_LENGTH = 2048


def run(lobby: Lobby, data: bytes) -> None:
    """Run one input. AssertionError if the session breaks a promise."""
    if not data:
        return
    how, rest = data[0], data[1:]
    peer = TRUSTED if how & 1 else STRANGER
    stream = (START if how & 6 else b"") + (b"DATA\r\n" if how & 4 else b"") + rest
    under_tls = bool(how & 8)
    whole = observed(lobby, [stream], peer, under_tls=under_tls)
    size = how >> 4
    if size:
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert observed(lobby, pieces, peer, under_tls=under_tls) == whole
