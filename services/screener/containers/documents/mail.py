"""Mail inside of attachments: .eml in an archive, .mht, the content of an S/MIME signature (RFC 5322, 2557)."""

import re
from collections.abc import Iterator
from functools import partial

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.part import Kind
from services.screener.mime.tree import parse

_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?(?:\r?\n)?[A-Za-z][A-Za-z0-9-]{1,60}:[ \t]")
_MIME = re.compile(rb"(?:^|\n)(?:content-(?:type|transfer-encoding|disposition)|mime-version)[ \t]*:", re.IGNORECASE)
_HEAD = 64 * 1024


def is_mail(octets: bytes) -> bool:
    """Return whether it begins with a header that says how it is to be read."""
    return _FIRST.match(octets) is not None and _MIME.search(octets, 0, _HEAD) is not None


def read_mail(octets: bytes) -> Iterator[Found]:
    """Yield every leaf in every reading of its encoding."""
    tree = parse(octets)
    if tree.anomalies:
        yield Sign.MALFORMED
    for part in tree.parts:
        if part.kind is Kind.LEAF:
            for content in part.readings():
                opened = partial(stored, content, 0, len(content))
                yield Member(part.description.names, 0, type=part.description.types[0], open=opened)
