"""Signs in members of documents that are zip files (ECMA-376, OpenDocument): macros, a password, what is fetched."""

import re
from collections.abc import Sequence
from html import unescape

from services.screener.containers.member import Sign

_MACROS = re.compile(r"(?:^|/)(?:vbaproject\.bin|macrosheets/[^/]+\.(?:xml|bin)|basic/[^/]+/(?!script-lb)[^/]+\.xml)$")
_EXTERNAL = re.compile(rb"<(?:\w+:)?Relationship\s[^<>]{0,4096}+>", re.IGNORECASE)
_OUTSIDE = re.compile(rb"targetmode\s*=\s*[\"']external[\"']")
_FETCHED = (b"attachedtemplate", b"/oleobject", b"/frame", b"/afchunk", b"/subdocument", b"/externallinkpath/dde")
_MACRO_TYPES = (b"ms-office.vbaproject", b"macrosheet")
_FIELD = re.compile(rb"<(?:\w+:)?(?:del)?instrText\b[^<>]*+>([^<]*+)|<(?:\w+:)?fldSimple\b[^<>]*?\binstr=\"([^\"<>]*+)")
_ON_LOAD = re.compile(rb"\bonload\s*=\s*[\"'][^\"'<>]*?(?://|\\\\)", re.IGNORECASE)
"""A ribbon that calls a macro of another document, by its address (MS-CUSTOMUI 2.2.18)."""
_DDE = re.compile(r"(?:^|[\s{])DDE(?:AUTO)?\s", re.IGNORECASE)


def member_signs(names: Sequence[str], content: bytes) -> set[Sign]:
    """Return what a member says of the document."""
    found: set[Sign] = set()
    lowered = [name.lower().replace("\\", "/") for name in names]
    if any(_MACROS.search(name) for name in lowered):
        found.add(Sign.MACRO)
    if any(name.endswith(".rels") for name in lowered):
        for match in _EXTERNAL.finditer(plain_xml(content)):
            relation = match[0].lower()
            if _OUTSIDE.search(relation) and any(kind in relation for kind in _FETCHED):
                found.add(Sign.REMOTE)
    if any(name == "[content_types].xml" for name in lowered):
        kinds = plain_xml(content).lower()
        found |= {Sign.MACRO for kind in _MACRO_TYPES if kind in kinds}
    if _has_dde(content):
        found.add(Sign.REMOTE)
    if any("customui" in name for name in lowered) and _ON_LOAD.search(plain_xml(content)) is not None:
        found.add(Sign.REMOTE)
    if any("externallinks/" in name for name in lowered) and b"<ddeLink" in content:
        found.add(Sign.REMOTE)
    if any(name == "meta-inf/manifest.xml" for name in lowered) and b"encryption-data" in content:
        found.add(Sign.ENCRYPTED)
    return found


def _has_dde(content: bytes) -> bool:
    """Return whether a field of a text starts a program."""
    if b"instrText" in content or b"fldSimple" in content:
        fields = [unescape((m[1] or m[2] or b"").decode("latin-1")) for m in _FIELD.finditer(content)]
        return any(_DDE.search(joint.join(fields)) is not None for joint in ("", "\n"))  # a word may be cut into runs
    return False


def plain_xml(content: bytes) -> bytes:
    """Return XML in one octet a character, references resolved: programs read either form."""
    text = content.translate(None, b"\0") if b"\0" in content[:4] else content
    return unescape(text.decode("latin-1")).encode("latin-1", "replace") if b"&#" in text else text
