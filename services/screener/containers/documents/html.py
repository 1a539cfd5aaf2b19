"""HTML and SVG that bring a file along or run at once, and calendars with files in them (SCREENING 66 to 68, 71)."""

import binascii
import re
from collections.abc import Iterator
from functools import partial
from html import unescape
from itertools import islice
from urllib.parse import unquote_to_bytes

from services.screener.containers.documents.texts import is_text, without_nul
from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.addresses import CODED, may_hold_data
from services.screener.mime.words import decode_octets, lenient_base64

_DATA = re.compile(rb"data: *([\w.+-]{1,80}/[\w.+-]{1,80})?((?: *;[^,;<>]{0,80}){0,8}),([^\"'\s>)<]*)", re.IGNORECASE)
_SAVED_AS = re.compile(rb"\bdownload\s*=\s*[\"']?([^\"'\s>]{1,255})", re.IGNORECASE)
_HANDS_OVER = (b"msSaveOrOpenBlob", b"msSaveBlob", b"createObjectURL")
_BUILDS = (b"atob(", b"Uint8Array", b"fromCharCode", b"charCodeAt", b"new Blob", b"new File(")
_DOWNLOAD = re.compile(rb"<a\s(?:(?!<a\s)[^>]){0,2000}?\bdownload\b|\.download\s*=", re.IGNORECASE)
_SVG_RUNS = re.compile(
    rb"<(?:\w+:)?script\b|[\s\"'/]on[a-z]{3,24}\s*=|javascript:|<(?:\w+:)?foreignobject\b",
    re.IGNORECASE,
)
_SVG = re.compile(
    rb"(?:\s++|(?><\?.*?\?>)|(?><!--.*?-->)|(?><!doctype[^\[>]*+(?:\[[^\]]*+\][^>]*+)?>))*+<(?:\w+:)?svg\b",
    re.IGNORECASE | re.DOTALL,
)
"""A drawing from its first element on, whatever stands before."""
_PROLOGUE = 64 * 1024
_ATTACH = re.compile(
    rb"^(?:[\w-]{1,80}\.)?(?:ATTACH|PHOTO|LOGO|SOUND|KEY)((?:;(?:[^:\"\r\n]|\"[^\"\r\n]*+\"){0,2000}+)?+)"
    rb":(?:data:[^,\r\n]{0,200},)?([A-Za-z0-9+/=]{16,})\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_PARAMETER = re.compile(rb";(?:x-)?(?:filename|apple-filename)=\"?([^;:\"]{1,255})", re.IGNORECASE)
_TYPE = re.compile(rb";fmttype=\"?([^;:\"]{1,100})", re.IGNORECASE)
_MOST = 1000


def is_active(octets: bytes) -> bool:
    """Return whether there is anything to look at: most pages have nothing of it."""
    head = octets[:4096].lstrip()[:1024]
    if b"<" not in head or (b"\0" in head and not is_text(octets)):
        return False
    text = without_nul(octets)
    if _SVG.match(text, 0, _PROLOGUE) is not None or may_hold_data(text):
        return True
    return any(word in text for word in _HANDS_OVER)


def read_html(octets: bytes) -> Iterator[Found]:
    """Yield the files in `data:` addresses, and say whether a script would hand one to the reader."""
    text = _in_ascii(octets)
    hands_over = any(word in text for word in _HANDS_OVER) or _DOWNLOAD.search(text)
    if hands_over and any(word in text for word in _BUILDS):
        yield Sign.SMUGGLING
    if _SVG.match(text, 0, _PROLOGUE) and _SVG_RUNS.search(text):
        yield Sign.SCRIPTED_IMAGE
    addresses = _DATA.finditer(text.translate(None, b"\t\r\n"))
    for number, match in enumerate(addresses):
        if number == 0:
            yield from (Member((decode_octets(name),)) for name in islice(_SAVED_AS.findall(text), _MOST))
        if number > _MOST:
            yield Sign.OVER_LIMIT
            return
        packed = unquote_to_bytes(match[3])
        content = lenient_base64(packed) if b"base64" in match[2].lower() else packed
        kind = (match[1] or b"").decode("ascii", "replace").lower()
        yield Member((), type=kind, open=partial(stored, content, 0, len(content)))


def _in_ascii(octets: bytes) -> bytes:
    text = without_nul(octets)
    return unescape(text.decode("latin-1")).encode("utf-8", "replace") if CODED.search(text) else text


def is_calendar(octets: bytes) -> bool:
    """Return whether it is a calendar or a card with a file in it."""
    head = octets[:256].lstrip(b"\xef\xbb\xbf \r\n\t").upper()
    return (
        head.startswith((b"BEGIN:VCALENDAR", b"BEGIN:VCARD"))
        and re.search(rb"(?i)ENCODING=\"?B|;base64,", octets) is not None
    )


def read_calendar(octets: bytes) -> Iterator[Found]:
    """Yield the files in it, lines unfolded (RFC 5545 section 3.1, 3.8.1.1)."""
    unfolded = re.sub(rb"\r?\n[ \t]", b"", octets)
    for number, match in enumerate(_ATTACH.finditer(unfolded)):
        if number > _MOST:
            yield Sign.OVER_LIMIT
            return
        names = tuple(decode_octets(name) for name in _PARAMETER.findall(match[1]))
        kind = _TYPE.search(match[1])
        try:
            content = binascii.a2b_base64(match[2])
        except binascii.Error:
            content = lenient_base64(match[2])
        declared = decode_octets(kind[1]).lower() if kind else ""
        yield Member(names, type=declared, open=partial(stored, content, 0, len(content)))
