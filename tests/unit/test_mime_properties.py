"""What holds for any message: bounded time, no exception, the same octets on pass, cuts and nothing else on strip."""

import email
import random
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.screener.assess import Assessed, House, assess
from services.screener.mime.anomaly import Limits
from services.screener.mime.tree import parse
from services.screener.rules import banned_extension, compile_rules
from services.screener.screening import screen
from services.screener.surgery import apply, cuts_for
from shared.config.model import Rules
from shared.model import Action, Direction
from tests.catalogue.case import Case
from tests.catalogue.test_catalogue import CASES
from tests.ordinary.test_ordinary import MESSAGES
from tests.support.mail_samples import EXE, PDF, PNG, TEXT, attachment, b64
from tests.support.mime_pieces import PIECES, spliced

CPU_CAP = 10.0
"""Seconds that one message of a megabyte may cost; the slowest known one takes a tenth of it."""
MEGABYTE = 1024 * 1024
RULES = compile_rules(Rules(), Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 86400)

SEEDS = [case.raw() for case in CASES if len(case.raw()) < 20_000] + [raw for _, _, raw in MESSAGES]


MUTANTS = st.builds(
    spliced,
    st.sampled_from(SEEDS),
    st.lists(
        st.tuples(st.integers(0, 1 << 16), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=6)),
        max_size=6,
    ),
)
SOUP = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=80).map(b"".join)


def assessed(raw: bytes) -> Assessed:
    return assess(raw, RULES, HOUSE, "reference", 1_790_000_000.0)


@settings(max_examples=400)
@given(MUTANTS | SOUP)
def test_a_message_passes_as_it_is_or_is_cut_and_clean(raw: bytes) -> None:
    result = assessed(raw)
    if result.verdict.action is Action.STRIP:
        check_strip(raw, result)
    else:
        assert result.content is raw


def check_strip(raw: bytes, result: Assessed) -> None:
    """The output parses, holds nothing banned in any reading, and is the input but for the ranges of the cuts."""
    screening = result.screening
    assert not screening.ruling.ambiguous
    parts = [seen.part for seen in screening.seen]
    cuts = cuts_for(raw, parts, screening.ruling.cut, lambda _: (b"X-Cut: 1\r\n", b""))
    kept = apply(raw, [cut._replace(instead=b"\0CUT\0") for cut in cuts]).split(b"\0CUT\0")
    position = 0
    for piece in kept:
        position = result.content.index(piece, position) + len(piece)
    assert result.content.startswith(kept[0])
    assert result.content.endswith(kept[-1])
    for seen in screening.seen:
        if seen.finding is not None and seen.part.source is raw:
            assert any(cut.start <= seen.part.header.start and seen.part.body_end <= cut.end for cut in cuts) or (
                seen.part.delim_start is None
            )
    again = screen(result.content, RULES)
    assert again.ruling.action is Action.PASS
    assert all(seen.finding is None for seen in again.seen)
    assert not parse(result.content).anomalies
    assert not banned_to_email(result.content)


def banned_to_email(content: bytes) -> list[str]:
    """Return what the standard library, which knows nothing of us, finds in a message that is banned by its name."""
    names = [part.get_filename() for part in email.message_from_bytes(content).walk()]
    return [name for name in names if name and banned_extension([name], RULES) is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.name}")
def test_every_evasion_is_cut_clean_or_left_as_it_is(case: Case) -> None:
    for _, raw in case.variants():
        result = assessed(raw)
        if result.verdict.action is Action.STRIP:
            check_strip(raw, result)
            again = assessed(result.content)
            assert (again.verdict.action, again.content) == (Action.PASS, result.content)
        else:
            assert result.content is raw
            assert result.verdict.action is not Action.PASS or not banned_to_email(raw)


PARTS = st.sampled_from(
    [
        TEXT,
        attachment("a.exe", EXE),
        attachment("b.pdf", PDF),
        attachment("c.png", PNG, "image/png"),
        attachment("d.js", b"x"),
    ]
)
KINDS = st.sampled_from(["mixed", "alternative", "related", "digest", "x-other"])


def nested(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def joined(kind: str, parts: list[str]) -> str:
        boundary = f"=_{zlib.crc32(''.join(parts).encode())}_{len(parts)}"
        body = "".join(f"--{boundary}\n{part}\n" for part in parts)
        return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'

    multiparts = st.builds(joined, KINDS, st.lists(children, min_size=1, max_size=4))
    messages = children.map(lambda part: f"Content-Type: message/rfc822\n\nFrom: a@b.example\nSubject: x\n{part}")
    return multiparts | messages


@settings(max_examples=200)
@given(st.recursive(PARTS, nested, max_leaves=8), st.sampled_from([b"\r\n", b"\n"]))
def test_stripping_any_tree_leaves_a_clean_one(tree: str, line_end: bytes) -> None:
    raw = f"From: a@b.example\nTo: c@d.example\nSubject: x\nMIME-Version: 1.0\n{tree}".encode()
    raw = raw.replace(b"\n", line_end)
    result = assessed(raw)
    banned = any(seen.finding for seen in result.screening.seen)
    assert (result.verdict.action is Action.STRIP) is banned
    if banned:
        check_strip(raw, result)


def cpu(raw: bytes) -> float:
    started = time.process_time()
    screen(raw, RULES)
    return time.process_time() - started


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4), min_size=1, max_size=12).map(b"".join),
    st.integers(0, 9),
)
@example(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 0)
@example(b"=?", 1)
@example(b"(", 2)
@example(b"\r\nbegin 644 a.exe\r\n", 3)
@example(b"=ybegin \r", 3)
@example(b"a:b\n", 0)
@example(b" ", 0)
@example(b"\n--b\n\n--b--", 4)
@example(b"--a:b\n", 5)
@example(b"\r", 6)
@example(b"\x90\xff", 7)
def test_no_megabyte_costs_more_than_the_cap(unit: bytes, place: int) -> None:
    head = [
        b"", b"Content-Disposition: attachment; filename=", b"Content-Type: multipart/mixed; ",
        b"Content-Type: text/plain\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"Content-Type: multipart/mixed\r\n\r\n",
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: x-odd\r\n\r\n",
        b"Content-Type: text/plain\r\n\r\n(This file must be converted with BinHex 4.0)\r\n:",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: x-odd\r\n\r\n",
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    ][place]  # fmt: skip
    raw = (head + unit * (MEGABYTE // len(unit) + 1))[:MEGABYTE]
    assert cpu(raw) < CPU_CAP


def encoded_in_one_another() -> bytes:
    content = b"From: a@b.example\r\n\r\n" + b"x" * 100_000
    while len(content) < MEGABYTE // 2:
        fields = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: x\r\n\r\n"
        content = fields + b64(content).replace("\n", "\r\n").encode()
    return content


def readings_in_readings() -> bytes:
    """Every multipart has six boundaries, all of them used."""
    field = "Content-Type: multipart/mixed" + "".join(f"; boundary=b{n}" for n in range(6))
    unit = "".join(f"\r\n--b{n}\r\n{field}\r\n\r\n" for n in range(6))
    return f"{field}\r\n\r\n{unit * (MEGABYTE // len(unit))}".encode()[:MEGABYTE]


def one_boundary_inside_another() -> bytes:
    units = [f"Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n" for level in range(5000)]
    return "".join(units).encode()[:MEGABYTE]


def shuffled() -> bytes:
    rng = random.Random(4)
    return b"".join(rng.choice(PIECES) for _ in range(MEGABYTE // 12))[:MEGABYTE]


def shapeless_types() -> bytes:
    """Each type is as long as one may be, and has no slash in it."""
    part = b"--b\r\nContent-Type: " + b"a" * 65_000 + b"\r\n\r\nx\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 15


def binhex_that_never_begins() -> bytes:
    return b"Content-Type: text/plain\r\n\r\n(This file must be converted with BinHex" + b"\n" * 1_000_000


def yenc_that_never_begins() -> bytes:
    fields = b"Content-Type: a/b\r\nContent-Transfer-Encoding: x-yenc\r\n\r\n"
    return fields + b"=ybegin " * 125_000


def places_without_a_host() -> bytes:
    field = b"Content-Location: " + b"a" * 4_000
    part = b"--b\r\nContent-Type: a/b\r\n" + b"".join(b"%s%d\r\n" % (field, n) for n in range(50)) + b"\r\nx\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 5


BUILDERS = [
    encoded_in_one_another, readings_in_readings, one_boundary_inside_another, shuffled, shapeless_types,
    binhex_that_never_begins, yenc_that_never_begins, places_without_a_host,
]  # fmt: skip


@pytest.mark.parametrize("build", BUILDERS)
def test_nested_readings_are_bounded(build: Callable[[], bytes]) -> None:
    assert cpu(build()) < CPU_CAP


def test_a_message_is_read_a_bounded_number_of_times() -> None:
    tree = parse(readings_in_readings(), Limits(rereads=2))
    assert "mime:over-limit" in tree.anomalies
