"""The fast path: messages that are one readable text and nothing else, told without reading their parts.

Sound, not complete: whatever is told here parses without an anomaly into one text whose content is text, in which
no program finds a file. A doubt of any kind leaves the message to the full parse, and costs only time. One match reads
the header; each step on the body is a C function that looks for a rare octet and what must stand round it.
"""

import binascii
import re

from services.screener.identity.magic import begins_as_text, is_certain
from services.screener.mime import decode
from services.screener.mime.addresses import may_hold_data

_LONGEST = 1024 * 1024
_LONGEST_HEADER = 64 * 1024

_REST = rb"[^\r]*+\r\n"
_SIGNATURE = rb"(?:DKIM-Signature|X-Google-DKIM-Signature|ARC-[A-Za-z-]++):"
_PLAIN = b"(?:%b){0,300}+" % b"|".join(
    (
        rb"[BE-WYZbe-wyz0-9][A-Za-z0-9-]*+:" + _REST,
        rb"[ \t]++(?![Cc](?i:ontent-))[^ \t\r\n]" + _REST,
        rb"%b%b(?:[ \t]++[^ \t\r\n]%b)*+" % (_SIGNATURE, _REST, _REST),
        rb"[ADXadx][A-Za-z0-9-]*+:" + _REST,
        rb"[Cc](?!(?i:ontent-))[A-Za-z0-9-]*+:" + _REST,
        rb"(?i:content-(?:language: [a-z]{2}(?:-[a-z]{2})?|disposition: inline))\r\n(?![ \t])",
    )
)
"""Fields that say nothing of the structure; lists of signed fields may fold to a line "Content-Type:..."."""
_PARAMETER = rb"; ?(?:\r\n[ \t])?(?:charset=\"?[a-z0-9_-]{1,40}\"?|format=\"?flowed\"?|delsp=\"?(?:yes|no)\"?)"
_TYPE = rb"(?i:content-type: text/(?:plain|html)(?:%b){0,3})\r\n(?![ \t])%b" % (_PARAMETER, _PLAIN)
_ENCODING = rb"(?i:content-transfer-encoding: (?:7bit|8bit|(quoted-printable)|(base64)))\r\n(?![ \t])%b" % _PLAIN
_HEADER = re.compile(
    rb"(?![\r\t ])%(plain)b(?:%(type)b(?:%(encoding)b)?|%(encoding)b(?:%(type)b)?)?\r\n"
    % {b"plain": _PLAIN, b"type": _TYPE, b"encoding": _ENCODING}
)
"""A whole header with one type and one encoding at most; no CR in it is bare. The last group is the encoding."""
_BARE_LF = re.compile(rb"\n(?<!\r\n)")

_FILE = re.compile(rb"be(?:gin(?:-base64)?[ \t]++[0-7]{3}|(?<==ybe)gin | converted with BinHex)")
_STRUCTURE = re.compile(
    rb"-(?:(?<=[\r\n\t ]-)(?<!\r\n-)(?<![!-~\x80-\xff] -)-"
    rb"|----begin (?:pgp message|cms|pkcs ?#?7)"
    rb"|(?<=content-)(?:type|transfer-encoding|disposition)[ \t]*:)",
    re.IGNORECASE,
)
"""Two hyphens where a line begins after a bare CR or LF, or may; armour; a Content field anywhere."""
_ACTIVE = (b"<script", b"<hta", b"<svg", b":svg", b"mssave", b"createobjecturl")
_HYPHEN, _LESS = b"-<"
"""As numbers: an octet is found sooner than a string of one."""
_BROKEN_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r\n)")


def is_only_text(raw: bytes) -> bool:
    """Return whether a message is one text that people read in the message, and holds nothing else."""
    header = _HEADER.match(raw)
    if header is None or 0 in raw or len(raw) > _LONGEST:
        return False
    start = header.end()
    if start > _LONGEST_HEADER or _BARE_LF.search(raw, 0, start) is not None or not _holds_nothing(raw, start):
        return False
    encoding = header.lastindex
    if encoding is None:
        return True
    return _is_simple_base64(raw, start) if encoding % 2 == 0 else _is_simple_quoted(raw[start:])


def _is_simple_quoted(coded: bytes) -> bool:
    if _BROKEN_QP.search(coded) is not None:
        return False
    decoded = binascii.a2b_qp(coded)
    return 0 not in decoded and _holds_nothing(decoded, 0)


def _is_simple_base64(raw: bytes, start: int) -> bool:
    """Return whether it is flawless, holds nothing, and is no file to a program that skips its first characters."""
    decoded, *more = decode.wholes(raw, start, len(raw), "base64")
    if more or 0 in decoded or not _holds_nothing(decoded, 0):
        return False
    return not any(map(is_certain, decode.shifted(raw, start, len(raw))))


def _holds_nothing(text: bytes, start: int) -> bool:
    """Return whether a text from `start`, without NUL, has no mark of structure, of files or of programs."""
    if _FILE.search(text, start) is not None or not begins_as_text(text, start):
        return False
    hyphen = text.find(_HYPHEN, start)
    if hyphen >= 0 and _STRUCTURE.search(text, hyphen) is not None:
        return False
    if text.find(_LESS, start) < 0:
        return True
    low = text[start:].lower()
    return not (any(word in low for word in _ACTIVE) or may_hold_data(low))
