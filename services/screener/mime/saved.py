"""Files that are mail or text again, whatever type they are declared as: .eml, web archives, uuencoded files."""

import re

from services.screener.identity.names import extension, forms
from services.screener.mime.part import Part

_ENDINGS = frozenset({"eml", "mht", "mhtml", "nws"})
_TYPES = frozenset({"application/x-mimearchive", "application/eml", "application/x-eml"})
_CODED_ENDINGS = frozenset({"uu", "uue", "hqx", "ync", "bhx"})
_CODED_TYPES = frozenset({"application/mac-binhex40", "application/x-uuencode", "application/mac-binhex"})
_OFFICE = frozenset({"doc", "dot", "docx", "rtf", "wri", "xls", "xlt", "xlsx", "ppt", "pps", "pptx"})
"""Endings of files that Office opens as the web archives they may be."""
_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?(?:\r?\n)?[A-Za-z][A-Za-z0-9-]{1,60}:[ \t]")
_MIME = re.compile(rb"(?:^|\n)(?:content-(?:type|transfer-encoding|disposition)|mime-version)[ \t]*:", re.IGNORECASE)
_LONGEST = 64 * 1024
_FIRST_FIELD = re.compile(rb"\s{0,20}[!-9;-~]{1,100}:")


def is_saved_message(part: Part) -> bool:
    """Return whether a leaf is a message by a name or a type, and begins as one (SCREENING 40).

    What is no text, or a document by its name, need only begin as a message that says how it is to be read.
    """
    if not _is_one_of(part, _ENDINGS, _TYPES):
        text = any(kind.startswith("text/") for kind in part.description.types)
        if text and not _is_one_of(part, _OFFICE, frozenset()):
            return False
        return any(is_mail(view) for views in part.heads() for view in views.octets)
    return any(_FIRST_FIELD.match(view) for views in part.heads() for view in views.octets)


def is_mail(octets: bytes) -> bool:
    """Return whether content begins with a header that says how it is to be read."""
    return _FIRST.match(octets) is not None and _MIME.search(octets, 0, _LONGEST) is not None


def is_coded_file(part: Part) -> bool:
    """Return whether a leaf is a text that files stand in, by a name or a type (SCREENING 33, 35)."""
    return _is_one_of(part, _CODED_ENDINGS, _CODED_TYPES)


def _is_one_of(part: Part, endings: frozenset[str], types: frozenset[str]) -> bool:
    names = part.description.names
    return bool(types & set(part.description.types)) or any(extension(f) in endings for n in names for f in forms(n))
