"""RTF: embedded objects, which are hexadecimal digits among control words (Rich Text Format 1.9.1, MS-OLEDS 2.2)."""

import re
from collections.abc import Iterator
from functools import partial

from services.screener.containers.documents.ole import read_native
from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored

_OBJECT = re.compile(rb"\\objdata(?![a-zA-Z])")
_NUMBER = re.compile(rb"-?\d{1,10} ?")
_TEMPLATE = re.compile(rb"\\template\b([^{}]{0,4096})")
_UNICODE = re.compile(rb"\\u(\d{1,5}) ?\??|\\'([0-9a-fA-F]{2})")
_DDE = re.compile(rb"\\fldinst\b[^}]{0,200}?\bDDE(?:AUTO)?\b")
_CONTROL = re.compile(rb"\\(?:[a-zA-Z]{1,32}-?\d{0,10} ?|[^a-zA-Z])|[{}\r\n\t ]")
_BRACE = re.compile(rb"\\.|[{}]", re.DOTALL)
_NOT_HEX = re.compile(rb"[^0-9A-Fa-f]+")
_LINKS = (b"\\objautlink", b"\\objupdate", b"\\objlink")
_ACTIVE = (b"\\obj", b"\\template", b"DDE")
_MOST = 500


def is_rtf(octets: bytes) -> bool:
    """Return whether programs open it as RTF: most of them ask for no more than a brace and `rt`."""
    return octets[:64].lstrip().startswith(b"{\\rt") and any(word in octets for word in _ACTIVE)


def read_rtf(octets: bytes) -> Iterator[Found]:
    """Yield every object."""
    fetched = any(b"://" in _letters(match[1]) for match in _TEMPLATE.finditer(octets))
    if fetched or _DDE.search(octets) or any(word in octets for word in _LINKS):
        yield Sign.REMOTE
    at = _next(octets, 0)
    for _ in range(_MOST):
        if at < 0:
            return
        end = _end_of_group(octets, at)
        number = _NUMBER.match(octets, at + 8)
        for start in (at + 8, number.end()) if number else (at + 8,):
            digits = _NOT_HEX.sub(b"", _CONTROL.sub(b"", octets[start:end]))
            yield from _object(bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii")))
        at = _next(octets, end)
    yield Sign.OVER_LIMIT


def _next(octets: bytes, start: int) -> int:
    match = _OBJECT.search(octets, start)
    return match.start() if match else -1


def _letters(text: bytes) -> bytes:
    """Return text with characters that are written by number as they are, those beyond Latin-1 gone."""
    return _UNICODE.sub(lambda m: bytes((int(m[1]) & 255,)) if m[1] else bytes((int(m[2], 16),)), text)


def _end_of_group(octets: bytes, at: int) -> int:
    """Return where the group that `at` is in ends: groups inside of it belong to the digits for some programs."""
    depth = 0
    for match in _BRACE.finditer(octets, at):
        depth += {b"{": 1, b"}": -1}.get(match[0], 0)
        if depth < 0:
            return match.start()
    return len(octets)


def _object(data: bytes) -> Iterator[Found]:
    """Yield what an embedded object holds: version, format, class, topic and item names, then the data."""
    at, names = 8, []
    for _ in range(3):
        length = int.from_bytes(data[at : at + 4], "little")
        names.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    native = data[at + 4 :]
    if names[0].lower().startswith(b"package") and native:
        yield from read_native(len(native).to_bytes(4, "little") + native)
    content = native or data
    yield Member((), open=partial(stored, content, 0, len(content)))
