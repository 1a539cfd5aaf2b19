r"""What is stored of a message on its way in, after DATA or by BDAT, and what could fool the next hop. No I/O.

DATA: only CRLF "." CRLF ends the message (RFC 5321 section 4.1.1.4). BDAT: the sizes of the chunks say where it ends,
and dots mean nothing (RFC 3030). Content with a bare CR or a bare LF is refused as a whole after its true end, since
another server might see an end, or a command, where we saw none (RFC 5321 section 2.3.8); or each of them is repaired
into a CRLF, which is content like any other. Content with a NUL is always refused.
Lines may have any length: real mail exceeds the 1,000 octets of the RFC.
"""

import io

from services.ingress import replies
from services.ingress.replies import Refuse

END = b"\r\n.\r\n"
STUFFED = b"\r\n."
"""Where a line begins with a dot that is not the message's (RFC 5321 section 4.5.2), or that ends it."""
SMALL = 4096
"""Pieces are put together up to so many octets: each object costs more than a few octets do."""
_PREFIXES = tuple(END[:length] for length in range(len(END) - 1, 0, -1))


class Stored:
    """`chunks` and `size` are what is to be published. A faulty message is no longer stored, only read to its end.

    Each piece that is stored ends where no line end is split, so that each is judged by itself with whole-buffer
    operations.
    """

    def __init__(self, limit: int, *, repair: bool = False) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self._limit = limit
        self._repair = repair
        self._total = 0
        self._spoilt: Refuse | None = None
        self._has_nul = self._has_bare = False

    @property
    def fault(self) -> Refuse | None:
        """Why the message is to be refused once its end is reached.

        Of several faults always the same one, however the octets were cut into pieces on their way here.
        """
        if self._spoilt is not None:
            return self._spoilt
        if self._total > self._limit:
            return replies.TOO_LARGE
        if self._has_nul:
            return replies.NUL_OCTET
        return replies.BARE_LINE_END if self._has_bare else None

    def feed(self, octets: bytes) -> bytes | None:
        """Take more octets. Return what follows the end of the message if they tell it, None before."""
        raise NotImplementedError

    def finish(self) -> None:
        """Take the end of the message where the octets do not tell it."""

    def spoil(self, fault: Refuse) -> None:
        """Store no more and forget what was stored: the message will be refused."""
        self._spoilt = self._spoilt or fault
        self._forget()

    def _forget(self) -> None:
        self.chunks = []
        self.size = 0

    def _store(self, piece: bytes) -> None:
        if self._spoilt is not None or not piece:
            return
        self._has_nul = self._has_nul or b"\0" in piece
        if _has_bare_line_ends(piece):
            if self._repair:
                piece = _repaired(piece)
            else:
                self._has_bare = True
        self._total += len(piece)
        if self.fault is not None:
            self._forget()
        else:
            if self.chunks and len(self.chunks[-1]) + len(piece) <= SMALL:
                self.chunks[-1] += piece
            else:
                self.chunks.append(piece)
            self.size += len(piece)


class Content(Stored):
    """The octets after DATA's 354: dot-unstuffed, without the final dot."""

    def __init__(self, limit: int, *, repair: bool = False) -> None:
        super().__init__(limit, repair=repair)
        self._carry = END[:2]
        self._at_start = True

    def feed(self, octets: bytes) -> bytes | None:
        """Take more octets. Return what follows the end of the message once that is reached, None before."""
        buffer = self._carry + octets
        # One look for both, the end and stuffed lines: most pieces have neither, and base64 not even a dot.
        dot = buffer.find(STUFFED) if b"." in buffer else -1
        end = buffer.find(END, dot) if dot >= 0 else -1
        if end >= 0:
            self._carry = b""
            self._unstuff(buffer[: end + 2], stuffed=dot < end)
            return buffer[end + len(END) :]
        keep = next((len(prefix) for prefix in _PREFIXES if buffer.endswith(prefix)), 0)
        cut = len(buffer) - keep
        self._carry = buffer[cut:]
        self._unstuff(buffer[:cut], stuffed=dot >= 0)
        return None

    def _unstuff(self, piece: bytes, *, stuffed: bool) -> None:
        if not piece:
            return
        if stuffed:
            piece = piece.replace(STUFFED, b"\r\n")
        if self._at_start:
            # The CRLF in front of the first line is the DATA command's own; it is there to recognise a dot behind it.
            self._at_start = False
            piece = piece[2:]
        self._store(piece)


class ChunkedContent(Stored):
    """The octets of BDAT's chunks, whose borders may be anywhere, in a CRLF too."""

    def __init__(self, limit: int, *, repair: bool = False) -> None:
        super().__init__(limit, repair=repair)
        self._carry = b""

    def feed(self, octets: bytes) -> None:
        """Take more octets."""
        buffer = self._carry + octets
        cut = len(buffer) - buffer.endswith(b"\r")
        self._carry = buffer[cut:]
        self._store(buffer[:cut])

    def finish(self) -> None:
        """Take the end of the message. A last line without its CRLF gets it, as DATA would have made the client do."""
        self._store(self._carry)
        self._carry = b""
        if self.chunks and not self.chunks[-1].endswith(b"\r\n"):
            self._store(b"\r\n")


def _has_bare_line_ends(piece: bytes) -> bool:
    # The standard library's own notice of the kinds of line end in a text: one pass, where counting takes three.
    reader = io.IncrementalNewlineDecoder(None, translate=False)
    reader.decode(piece.decode("latin-1"), final=True)
    return reader.newlines not in {None, "\r\n"}


def _repaired(piece: bytes) -> bytes:
    """Return the piece with a CRLF for each CR or LF that is not in one."""
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
