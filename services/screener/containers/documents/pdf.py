"""PDF: embedded files, and actions that start programs or run scripts (ISO 32000-1, 7.11.4, 12.6.4).

Objects are found by their octets, not by the cross-reference: readers of damaged files do the same.
"""

import re
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import islice

from services.screener.containers.documents.pdf_password import encryption, opens_without
from services.screener.containers.member import CHUNK, ContainerError, Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.words import decode_octets

_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_NAMED = re.compile(rb"/(?:UF|F)\s*(?:\(((?:[^()\\]|\\.){1,300})\)|<([0-9A-Fa-f\s]{2,1200})>)", re.DOTALL)
_LAUNCH = re.compile(rb"/Launch\b")
_SCRIPT = re.compile(rb"/JS\b")
_TELLING = re.compile(rb"/(?:Launch|JavaScript|JS|Filespec|EmbeddedFile|Encrypt)")
"""Names that say something, or begin as one that does."""
_FILTERS = re.compile(rb"/(?:\w+Decode|Crypt|AHx|A85|LZW|RL|CCF|DCT|Fl)\b")
"""Names of filters, also those that are short for one (ISO 32000-1, tables 6 and 94)."""
_MOST = 20_000
_OBJECTS = 16 * 1024 * 1024
"""Octets of compressed objects that are looked at."""


def is_pdf(octets: bytes) -> bool:
    """Return whether readers take it for a PDF file: the mark may stand a little way in."""
    return octets.find(b"%PDF-", 0, 1024) >= 0


def read_pdf(octets: bytes) -> Iterator[Found]:
    """Yield embedded files and the names of all, what the document would do, and whether it needs a password."""
    plain: list[bytes] = []
    between: list[tuple[int, int]] = []
    end = 0
    left = _OBJECTS
    holds_files = False
    last = octets.rfind(b"endstream")
    for number, (start, dictionary) in enumerate(_streams(octets)):
        between.append((end, start))
        end = octets.find(b"endstream", start) if start <= last else start
        if number > _MOST:
            yield Sign.OVER_LIMIT
            break
        if b"ObjStm" in dictionary:
            objects = _inflated(octets, start, left)
            left -= len(objects)
            plain.append(_unescaped(objects))
        elif b"EmbeddedFile" in dictionary:
            holds_files = True
            yield Member((), open=partial(_file, octets, start, dictionary))
    if left <= 0:
        yield Sign.OVER_LIMIT
    between.append((end, len(octets)))
    if _TELLING.search(octets) is not None:
        plain.insert(0, octets)
    if any(_ESCAPE.search(octets, *gap) for gap in between):
        plain.append(_unescaped(b"".join(octets[start:end] for start, end in between)))
    if any(_needs_password(text, octets, holds_files=holds_files) for text in plain):
        yield Sign.ENCRYPTED
    for text in plain:
        yield from _said(text)


def _streams(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield where every stream begins, and the dictionary before it, names in plain letters."""
    at = octets.find(b"stream")
    while at >= 0:
        if not octets.endswith(b"end", 0, at):
            opening = octets.rfind(b"obj", max(0, at - 4096), at)
            start = at + 6
            start += 2 if octets.startswith(b"\r\n", start) else octets.startswith((b"\n", b"\r"), start)
            yield start, _unescaped(octets[max(0, opening) : at])
        at = octets.find(b"stream", at + 6)


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), text) if b"#" in text else text


def _said(text: bytes) -> Iterator[Found]:
    if _LAUNCH.search(text):
        yield Sign.LAUNCH
    if b"/JavaScript" in text or _SCRIPT.search(text):
        yield Sign.SCRIPT
    if b"Filespec" in text or b"EmbeddedFile" in text:
        names = [decode_octets(match[1] or bytes.fromhex(_even(match[2]))) for match in _NAMED.finditer(text)]
        files = (name.replace("\0", "").lstrip("þÿ") for name in dict.fromkeys(names) if "://" not in name)
        yield from (Member((name,)) for name in islice(files, 1000))


def _needs_password(text: bytes, octets: bytes, *, holds_files: bool) -> bool:
    """Return whether nobody can look into a file, or nothing here can into the files that it holds."""
    dictionary = encryption(text)
    return dictionary is not None and (holds_files or not opens_without(dictionary, octets))


def _even(digits: bytes) -> str:
    text = b"".join(digits.split()).decode("ascii")
    return text if len(text) % 2 == 0 else f"{text}0"


def _inflated(octets: bytes, start: int, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(octets[start : start + most], most)
    except zlib.error:
        return b""


def _file(octets: bytes, start: int, dictionary: bytes) -> Iterator[bytes]:
    """Yield an embedded file, packed by Flate or as it is. Raise ContainerError for other filters, or several."""
    end = octets.find(b"endstream", start)
    end = len(octets) if end < 0 else end
    if b"/Fl" not in dictionary:  # FlateDecode, or its short name
        yield from stored(octets, start, end)
        if _FILTERS.search(dictionary) is not None:
            raise ContainerError(Sign.UNREADABLE)
        return
    if len(_FILTERS.findall(dictionary)) > 1:
        raise ContainerError(Sign.UNREADABLE)
    decoder = zlib.decompressobj()
    try:
        for at in range(start, len(octets), CHUNK):
            piece = octets[at : at + CHUNK]
            while piece and not decoder.eof:
                yield decoder.decompress(piece, CHUNK)
                piece = decoder.unconsumed_tail
            if decoder.eof:
                return
    except zlib.error:
        raise ContainerError(Sign.UNREADABLE) from None
