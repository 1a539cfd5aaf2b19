"""Who claims an Authentication-Results field (RFC 8601 section 2.5). No I/O."""

import re

from shared.mailauth.syntax import without_comments

TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"  # noqa: S105  (a token of the header's grammar)
_ID = re.compile(rf'[ \t]*(?:"((?:[^"\\]|\\.)*)"|({TOKEN}))(?:[ \t]+[0-9]+)?[ \t]*(?:;|$)', re.ASCII)


def authserv_id(value: bytes) -> str | None:
    """Return who claims a field, in lower case; None if that is not plain to see."""
    text = without_comments(value.decode("ascii")) if value.isascii() else None
    found = _ID.match(text) if text is not None else None
    if found is None:
        return None
    name = re.sub(r"\\(.)", r"\1", found[1]) if found[2] is None else found[2]
    return name.strip().lower()
