"""Signs in members of documents that are zip files (ECMA-376, OpenDocument): macros, a password, what is fetched."""

import re
from collections.abc import Sequence

from services.screener.containers.member import Sign

_MACROS = re.compile(r"(?:^|/)(?:vbaproject\.bin|macrosheets/[^/]+\.(?:xml|bin)|basic/[^/]+/(?!script-lb)[^/]+\.xml)$")
_EXTERNAL = re.compile(rb"<(?:\w+:)?Relationship\s[^<>]{0,4096}+>", re.IGNORECASE)
_FETCHED = (b"attachedtemplate", b"/oleobject", b"/frame", b"/externallinkpath/dde")


def member_signs(names: Sequence[str], content: bytes) -> set[Sign]:
    """Return what a member says of the document."""
    found: set[Sign] = set()
    lowered = [name.lower().replace("\\", "/") for name in names]
    if any(_MACROS.search(name) for name in lowered):
        found.add(Sign.MACRO)
    if any(name.endswith(".rels") for name in lowered):
        for match in _EXTERNAL.finditer(content):
            relation = match[0].lower()
            outside = b'targetmode="external"' in relation or b"targetmode='external'" in relation
            if outside and any(kind in relation for kind in _FETCHED):
                found.add(Sign.REMOTE)
    if any("externallinks/" in name for name in lowered) and b"<ddeLink" in content:
        found.add(Sign.REMOTE)
    if any(name == "meta-inf/manifest.xml" for name in lowered) and b"encryption-data" in content:
        found.add(Sign.ENCRYPTED)
    return found
