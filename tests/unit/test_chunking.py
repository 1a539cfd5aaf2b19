"""BDAT's argument (RFC 3030 section 2)."""

import pytest

from services.ingress import replies
from services.ingress.protocol.chunking import Chunk, parse_bdat

GOOD = [
    ("0", Chunk(0, last=False)),
    ("86", Chunk(86, last=False)),
    ("0 LAST", Chunk(0, last=True)),
    ("1000000 last", Chunk(1_000_000, last=True)),
    ("007  LAST", Chunk(7, last=True)),
    ("9" * 20, Chunk(10**20 - 1, last=False)),
]
BAD = [
    "",
    "LAST",
    "-1",
    "+1",
    "1.5",
    "0x10",
    "1_0",
    "٣",
    "1 FIRST",
    "1 LAST LAST",
    "1LAST",
    "1 LA",
    "1\tLAST",
    "9" * 21,
]


@pytest.mark.parametrize(("argument", "chunk"), GOOD)
def test_a_chunk(argument: str, chunk: Chunk) -> None:
    assert parse_bdat(argument) == chunk


@pytest.mark.parametrize("argument", BAD)
def test_what_is_no_chunk(argument: str) -> None:
    assert parse_bdat(argument) == replies.BDAT_SYNTAX
