r"""The octets after DATA: find the end, undo dot-stuffing, refuse what could fool the next hop. No I/O.

Only CRLF "." CRLF ends the message (RFC 5321 section 4.1.1.4). Content with a bare CR, a bare LF or a NUL is refused
as a whole after its true end: another server might see an end, or a command, where we saw none (section 2.3.8).
Lines may have any length: real mail exceeds the 1,000 octets of the RFC.
"""

from services.ingress import replies
from services.ingress.replies import Refuse

END = b"\r\n.\r\n"
_PREFIXES = tuple(END[:length] for length in range(len(END) - 1, 0, -1))


class Content:
    """One message on its way in; `chunks` and `size` are what is stored: dot-unstuffed, without the final dot.

    Each piece that is stored ends where no line end and no stuffed dot is split, so that each is judged by itself
    with whole-buffer operations. A faulty message is no longer stored, only read to its end.
    """

    def __init__(self, limit: int) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.fault: Refuse | None = None
        """Why the message is to be refused once its end is reached."""
        self._limit = limit
        self._carry = END[:2]
        self._at_start = True

    def feed(self, chunk: bytes) -> bytes | None:
        """Take more octets. Return what follows the end of the message once that is reached, None before."""
        buffer = self._carry + chunk
        end = buffer.find(END)
        if end >= 0:
            self._carry = b""
            self._store(buffer[: end + 2])
            return buffer[end + len(END) :]
        keep = next((len(prefix) for prefix in _PREFIXES if buffer.endswith(prefix)), 0)
        cut = len(buffer) - keep
        self._carry = buffer[cut:]
        self._store(buffer[:cut])
        return None

    def spoil(self, fault: Refuse) -> None:
        """Store no more and forget what was stored: the message will be refused. The first fault stands."""
        self.fault = self.fault or fault
        self.chunks = []
        self.size = 0

    def _store(self, piece: bytes) -> None:
        if self.fault is not None or not piece:
            return
        piece = piece.replace(b"\r\n.", b"\r\n")
        if self._at_start:
            # The CRLF in front of the first line is the DATA command's own; it is there to recognise a dot behind it.
            self._at_start = False
            piece = piece[2:]
        fault = _fault_of(piece)
        if fault is None and self.size + len(piece) > self._limit:
            fault = replies.TOO_LARGE
        if fault is not None:
            self.spoil(fault)
        elif piece:
            self.chunks.append(piece)
            self.size += len(piece)


def _fault_of(piece: bytes) -> Refuse | None:
    pairs = piece.count(b"\r\n")
    if piece.count(b"\r") != pairs or piece.count(b"\n") != pairs:
        return replies.BARE_LINE_END
    return replies.NUL_OCTET if b"\0" in piece else None
