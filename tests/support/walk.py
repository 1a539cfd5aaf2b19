"""What a client may conclude from octets sent and octets heard, by RFC 5321 alone: the commands, each with its reply.

Used on arbitrary input: nothing here knows what ingress makes of a command, only where commands and content end.
"""

import re
from typing import NamedTuple

END = b"\r\n.\r\n"
_REPLY = re.compile(rb"(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n")
_BDAT = re.compile(rb"BDAT +([0-9]{1,20})( +LAST)? *", re.IGNORECASE)
_SIMPLE = {b"NOOP": b"250", b"RSET": b"250", b"QUIT": b"221"}
"""What these must be answered, wherever they are commands."""
_ENDS = re.compile(rb"(RSET|EHLO|HELO)\b", re.IGNORECASE)
_QUEUED = re.compile(rb"250 2\.0\.0 [^\r\n]*queued as ([0-9A-Z]{26})")


class Walk(NamedTuple):
    """`queued`: the ids the server claims to have made durable."""

    pairs: list[tuple[bytes, bytes]]
    queued: dict[str, bytes]
    """With the content that each must have."""


def replies_of(output: bytes) -> list[bytes]:
    """Split into whole replies. AssertionError if there is anything else."""
    found, position = [], 0
    while position < len(output):
        match = _REPLY.match(output, position)
        assert match, f"no reply: {output[position : position + 200]!r}"
        lines = match[0].split(b"\r\n")[:-1]
        assert len({line[:3] for line in lines}) == 1, f"codes differ within one reply: {match[0]!r}"
        assert lines[-1].isascii(), f"non-ASCII reply: {match[0]!r}"
        assert len(max(lines, key=len)) <= 510, f"reply line over 512 octets: {match[0]!r}"
        found.append(match[0])
        position = match.end()
    return found


def walk(sent: bytes, heard: bytes) -> Walk:
    """Pair each command, answer and content with its reply. AssertionError if one has none, or there are more.

    `sent` was followed by the end of the input. A last 421 may come unasked; what is said under TLS is not followed.
    """
    replies = replies_of(heard)
    assert replies, "no greeting"
    pairs = [(b"", replies.pop(0))]
    rest = sent
    queued: dict[str, bytes] = {}
    chunks = b""
    while replies and not _is_final(pairs[-1]):
        command, rest = _next(pairs[-1], rest)
        if command is None:
            break
        expected = (
            _SIMPLE.get(command.removesuffix(b"\r").rstrip(b" ").upper())
            if pairs[-1][1][:3] not in {b"334", b"354"}
            else None
        )
        is_content = pairs[-1][1].startswith(b"354")
        pairs.append((command, replies.pop(0)))
        reply = pairs[-1][1]
        assert expected is None or reply[:3] in {expected, b"421"}, pairs[-1]
        chunk, rest = rest[: _chunk(command, reply)], rest[_chunk(command, reply) :]
        # A refused chunk ends its message, and so does what ends a transaction; nothing else that is refused does.
        if _BDAT.fullmatch(command.removesuffix(b"\r")):
            chunks = chunks + chunk if reply.startswith(b"250") else b""
        elif reply.startswith(b"250") and _ENDS.match(command):
            chunks = b""
        if found := _QUEUED.match(reply):
            queued[found[1].decode()] = _unstuffed(command) if is_content else _ended(chunks)
            chunks = b""
    if not _is_final(pairs[-1]):
        if replies and replies[-1].startswith(b"421 "):
            replies.pop()
        else:
            command, rest = _next(pairs[-1], rest)
            cut_short = command is not None and _chunk(command, b"") > len(rest)
            assert command is None or cut_short, f"no reply to {command[:200]!r}; the last was {pairs[-1]!r}"
    assert not replies, f"replies to nothing: {replies!r}"
    return Walk(pairs, queued)


def _unstuffed(content: bytes) -> bytes:
    """Return what is meant by content after DATA, its final dot included (RFC 5321 section 4.5.2)."""
    lines = content.split(b"\r\n")[:-2]
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines)


def _ended(content: bytes) -> bytes:
    return content if not content or content.endswith(b"\r\n") else content + b"\r\n"


def _is_final(pair: tuple[bytes, bytes]) -> bool:
    """Return whether the client may send no command after this reply."""
    command, reply = pair
    if reply[:3] in {b"221", b"421"} or b", goodbye" in reply or b"; goodbye" in reply:
        return True
    return reply[:3] == b"220" and command.strip().upper() == b"STARTTLS"


def _next(last: tuple[bytes, bytes], rest: bytes) -> tuple[bytes | None, bytes]:
    """Return what the server must answer next, None if that is not complete, and what follows it."""
    if last[1].startswith(b"354"):
        end = (b"\r\n" + rest).find(END)
        return (None, b"") if end < 0 else (rest[: end + 3], rest[end + 3 :])
    line, newline, after = rest.partition(b"\n")
    return (line, after) if newline else (None, b"")


def _chunk(command: bytes, reply: bytes) -> int:
    """Return how many octets of content belong to a command: those of BDAT, taken or refused, where it is known."""
    found = _BDAT.fullmatch(command.removesuffix(b"\r"))
    return int(found[1]) if found and not reply.startswith((b"500 5.5.1", b"502 5.5.1")) else 0
