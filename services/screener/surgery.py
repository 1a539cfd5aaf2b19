"""Stripping parts by cutting byte ranges: every octet outside the cuts stays where it is (SCREENING section 4b)."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from services.screener.mime.octets import line_end
from services.screener.mime.part import Part

NoticeFor = Callable[[int], tuple[bytes, bytes]]
"""From a part's index to the header fields and the body of the notice that replaces it, in the message's line ends."""


class Cut(NamedTuple):
    """One range of the message and what stands there instead."""

    start: int
    end: int
    instead: bytes


def cuts_for(raw: bytes, parts: Sequence[Part], chosen: Sequence[int], notice_for: NoticeFor) -> list[Cut]:
    """Return the cuts that strip the chosen parts, in order, none overlapping.

    A part of a multipart is exchanged for its notice. In multipart/alternative it is removed, since a notice that
    stands last would win the display; only if nothing else is left, the first one becomes a notice. At the top of
    a message the Content fields are exchanged with the body.
    """
    cuts: list[Cut] = []
    emptied = _emptied(parts, chosen)
    eol = line_end(raw)
    for index in chosen:
        part = parts[index]
        fields, body = notice_for(index)
        if part.delim_start is None:
            cuts += _top(raw, part, fields, body, eol)
        elif _removable(parts, part) and index not in emptied:
            cuts.append(Cut(part.delim_start, part.body_end, b""))
        else:
            cuts.append(Cut(part.header.start, part.body_end, fields + eol + body))
    return sorted(cuts, key=lambda cut: cut.start)


def apply(raw: bytes, cuts: Iterable[Cut]) -> bytes:
    """Return the message with the cuts made."""
    pieces: list[bytes] = []
    position = 0
    for cut in cuts:
        pieces += (raw[position : cut.start], cut.instead)
        position = cut.end
    pieces.append(raw[position:])
    return b"".join(pieces)


def _top(raw: bytes, part: Part, fields: bytes, body: bytes, eol: bytes) -> list[Cut]:
    """Exchange the Content fields and the body of a message that is one part; every other field stays."""
    header = part.header
    old = [field for field in header.fields if field.name.startswith("content-")]
    if not any(field.name == "mime-version" for field in header.fields):
        fields = b"MIME-Version: 1.0" + eol + fields
    kept_last = header.fields[-1:] != tuple(old[-1:])
    open_line = eol if kept_last and raw[header.start : header.end][-1:] not in {b"", b"\n"} else b""
    if not old:
        return [Cut(header.end, part.body_end, open_line + fields + eol + body)]
    return [
        Cut(old[0].start, old[0].end, fields),
        *(Cut(field.start, field.end, b"") for field in old[1:]),
        Cut(header.end, part.body_end, open_line + eol + body),
    ]


def _removable(parts: Sequence[Part], part: Part) -> bool:
    return part.parent is not None and parts[part.parent].description.types[0] == "multipart/alternative"


def _emptied(parts: Sequence[Part], chosen: Sequence[int]) -> set[int]:
    """Return the first child of every multipart/alternative that would lose all of its children."""
    first = set()
    for parent in {parts[index].parent for index in chosen}:
        children = [index for index, part in enumerate(parts) if part.parent == parent]
        if set(children) <= set(chosen):
            first.add(children[0])
    return first
