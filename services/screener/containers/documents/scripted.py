"""XML with scripts that run when it is opened or transformed: style sheets, pages within something else."""

import re
from collections.abc import Iterator

from services.screener.containers.documents.office import plain_xml
from services.screener.containers.member import Found, Sign

_FIRST, _HEAD = 4096, 64 * 1024
_BLANK = b"\xef\xbb\xbf\xff\xfe \t\r\n\0"
_PAGE = re.compile(
    rb"(?:\s++|(?><\?.*?\?>)|(?><!--.*?-->)|(?><!doctype[^\[>]*+(?:\[[^\]]*+\][^>]*+)?>))*+<(?:[\w.-]{1,100}+:)?html\b",
    re.IGNORECASE | re.DOTALL,
)
"""A page by its first element: told by its type, and inside an archive no more than any other page."""
_SCRIPT = re.compile(rb"<(?:([^\s=:<>/\"']{1,100}+):)?script\b")
_PAGES = rb"http://www\.w3\.org/(?:1999/xhtml|2000/svg)"
_ENGINE = re.compile(
    rb"xmlns(?::([^\s=:<>/\"']{1,100}+))?\s*=\s*[\"']\s*"
    rb"(?:urn:schemas-microsoft-com:xslt|http://xml\.apache\.org/xalan|%b)\s*[\"']" % _PAGES
)
"""A namespace whose `script` something runs, and the prefix that stands for it."""
_SHOWN = re.compile(_PAGES)
_EVENT = re.compile(
    rb"[\s\"']on(?:load|error|begin|end|repeat|activate|focus|blur|click|mouse|pointer|touch|key|wheel|scroll|resize|page"
    rb"|hash|message|toggle|animation|transition|play|canplay|progress|start|input|change|select|submit|drag|copy|paste)"
    rb"[a-z]{0,16}+\s*+=\s*+[\"']|=\s*+[\"']\s*+javascript:",
    re.IGNORECASE,
)
"""What runs without a `script` where a namespace makes an element one of a page or a drawing."""


def is_scripted(octets: bytes) -> bool:
    """Return whether XML has a script of a kind that something runs. A namespace that an entity hides counts as one."""
    if not octets[:_FIRST].lstrip(_BLANK).startswith(b"<") or _PAGE.match(plain_xml(octets[:_HEAD]).lstrip(_BLANK)):
        return False
    text = plain_xml(octets)
    if (b"<!ENTITY" in text or _SHOWN.search(text) is not None) and _EVENT.search(text) is not None:
        return True
    scripts = {match[1] for match in _SCRIPT.finditer(text)}
    return bool(scripts) and (b"<!ENTITY" in text or not scripts.isdisjoint(m[1] for m in _ENGINE.finditer(text)))


def read_scripted(_: bytes) -> Iterator[Found]:
    """Say so."""
    yield Sign.SCRIPTED_XML
