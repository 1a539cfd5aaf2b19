"""Mail inside of attachments: .eml in an archive, .mht, the content of an S/MIME signature (RFC 5322, 2557)."""

from collections.abc import Iterator
from functools import partial

from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import stored
from services.screener.mime.part import Kind
from services.screener.mime.tree import parse


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
