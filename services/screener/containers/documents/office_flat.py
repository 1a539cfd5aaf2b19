"""Office documents that are one XML file: WordprocessingML of 2003, and the flat form of ECMA-376."""

import re
from collections.abc import Iterator

from services.screener.containers.documents.office import plain_xml
from services.screener.containers.member import Found, Sign

_HEAD = 8192
_ROOTS = (b"/office/word/2003/wordml", b"/office/2006/xmlpackage")
"""Namespaces, of which one stands in the first element."""
_MACROS = re.compile(
    rb"macrosPresent\s*=\s*[\"'](?:yes|on|true|1)|editdata\.mso|vbaProject\.bin|\"QWN0aXZlTWlt|>\s*QWN0aXZlTWlt",
    re.IGNORECASE,
)
"""QWN0aXZlTWlt is "ActiveMim" in base64: how macros stand in it."""


def is_flat(octets: bytes) -> bool:
    """Return whether Word opens it as a document, whatever it is called."""
    head = plain_xml(octets[:_HEAD])
    return b"<" in head and any(root in head.lower() for root in _ROOTS)


def read_flat(octets: bytes) -> Iterator[Found]:
    """Say whether it has macros."""
    if _MACROS.search(plain_xml(octets)) is not None:
        yield Sign.MACRO
