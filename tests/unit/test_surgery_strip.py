"""Stripping: every octet outside the cut stays, nothing banned is left, and doing it again changes nothing."""

import email
import email.policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.screener.assess import Assessed, House, assess
from services.screener.notice import Notice, notice_part, size_text
from services.screener.rules import compile_rules
from shared.config.model import Rules, Screener
from shared.model import Action, Direction
from tests.support import mail_samples as samples
from tests.support.mail_samples import EXE, HEAD, HTML, PDF, PNG, TEXT, attachment, b64, crlf, multipart

RULES = compile_rules(Screener().inbound, Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 30 * 86400)
REFERENCE = "01K5Q0000000000000000000AA"
NOW = 1_790_000_000.0


def strip(raw: bytes) -> Assessed:
    assessed = assess(raw, RULES, HOUSE, REFERENCE, NOW)
    assert assessed.verdict.action is Action.STRIP, assessed.verdict
    again = assess(assessed.content, RULES, HOUSE, REFERENCE, NOW)
    assert again.verdict.action is Action.PASS
    assert again.content is assessed.content
    return assessed


def unchanged(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """Return what is replaced and what stands there, having taken away what both have in common at both ends."""
    start = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    limit = min(len(before), len(after)) - start
    end = next((n for n in range(limit) if before[-1 - n] != after[-1 - n]), limit)
    return before[start : len(before) - end], after[start : len(after) - end]


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_the_part_becomes_a_notice_and_the_rest_stays(line_end: bytes) -> None:
    raw = samples.with_exe().replace(b"\r\n", line_end)
    part = crlf(attachment("invoice.exe", EXE, "application/x-msdownload")).replace(b"\r\n", line_end)
    before, _, after = raw.partition(part)
    stripped = strip(raw).content
    assert stripped.startswith(before)
    assert stripped.endswith(after)
    notice = stripped[len(before) : len(stripped) - len(after)]
    assert notice.startswith(b"Content-Type: text/plain; charset=utf-8" + line_end)
    assert notice.count(b"\n") == notice.count(line_end)
    assert b"\n--" not in notice


def test_the_notice_says_what_why_and_whom_to_ask() -> None:
    message = email.message_from_bytes(strip(samples.with_exe()).content, policy=email.policy.default)
    text, notice = message.iter_parts()
    assert text.get_content().startswith("Hallo Bob")
    assert notice.get_filename() == "Attachment-Removed.txt"
    words = " ".join(notice.get_content().split())
    for said in (
        'The attachment "invoice.exe" (application/x-msdownload, 785 bytes) was removed',
        "by Example Org, because files of this kind may not be sent by e-mail here.",
        f"Reference: {REFERENCE}",
        "SHA-256: a7ad2f31f93953f63477c7bb50f576725dcd4b5d2530f508bba36c846cd1f620",
        "ask help@example.org and quote the reference",
        "until Wed, 21 Oct 2026",
    ):
        assert said in words


def test_in_an_alternative_the_part_is_removed() -> None:
    bad = attachment("x.js", b"alert()", "text/javascript")
    raw = multipart([TEXT, bad, HTML], subtype="alternative")
    assert strip(raw).content == multipart([TEXT, HTML], subtype="alternative")


def test_an_alternative_keeps_one_part_at_least() -> None:
    bad = attachment("x.js", b"alert()", "text/javascript")
    stripped = strip(multipart([bad, bad], subtype="alternative")).content
    message = email.message_from_bytes(stripped, policy=email.policy.default)
    assert [part.get_filename() for part in message.iter_parts()] == ["Attachment-Removed.txt"]


def test_a_message_that_is_one_program_keeps_its_other_fields() -> None:
    raw = crlf(HEAD + attachment("a.exe", EXE) + "X-Not: a field, but body\n")
    stripped = strip(raw).content
    message = email.message_from_bytes(stripped, policy=email.policy.default)
    assert stripped.startswith(crlf(HEAD))
    assert message.get_content_type() == "text/plain"
    assert message.get_filename() == "Attachment-Removed.txt"
    assert 'The attachment "a.exe"' in message.get_content()
    assert stripped.count(b"Content-Type") == stripped.count(b"Content-Disposition") == 1


@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: application/hta\nFrom: a@b.example\n\nx\n",
        "From: a@b.example\nContent-Type: application/hta\n\nx\n",
        "From: a@b.example\nContent-Type: application/hta\nSubject: x",
        "From: a@b.example\nContent-Type: application/hta",
        "Content-Type: application/hta\nFrom: a@b.example\nContent-Description: y\nSubject: x\n",
        'Content-Disposition: attachment;\n filename="a.exe"\nFrom: a@b.example\n\n',
    ],
)
def test_odd_tops_become_well_formed(head: str) -> None:
    message = email.message_from_bytes(strip(crlf(head)).content, policy=email.policy.default)
    assert message.defects == []
    assert message["From"] == "a@b.example"
    assert message["MIME-Version"] == "1.0"
    assert message.get_filename() == "Attachment-Removed.txt"
    assert "was removed" in message.get_content()
    assert message["Subject"] in {None, "x"}


def test_inside_a_forwarded_message_only_the_part_changes() -> None:
    removed, notice = unchanged(samples.FORWARDED_EXE, strip(samples.FORWARDED_EXE).content)
    assert b64(EXE)[:70].encode() in removed
    assert b"Content-Disposition: inline" not in removed
    assert b"--=_b1" not in removed
    assert b"Attachment-Removed.txt" in notice


def test_several_parts_are_stripped_at_once() -> None:
    raw = multipart(
        [attachment("a.exe", EXE), TEXT, attachment("b.pdf", EXE), attachment("c.pdf", PDF), attachment("d.lnk", b"x")]
    )
    stripped = strip(raw)
    parts = list(email.message_from_bytes(stripped.content, policy=email.policy.default).iter_parts())
    removed = "Attachment-Removed.txt"
    assert [part.get_filename() for part in parts] == [removed, None, removed, "c.pdf", removed]
    assert [part.rule for part in stripped.verdict.parts] == [
        "extension:exe",
        "content:application/x-msdownload",
        "extension:lnk",
    ]


def test_a_whole_forwarded_message_named_as_a_program_goes() -> None:
    raw = multipart(
        [TEXT, f"Content-Type: message/rfc822; name=x.exe\n\n{samples.with_exe().decode()}".replace("=_b1", "=_i")]
    )
    stripped = strip(raw)
    assert b"=_i" not in stripped.content
    assert len(stripped.screening.ruling.cut) == 1


@pytest.mark.parametrize(
    "name", ["=_b1", "--=_b1", "x --=_b1-- y", "--=_b1 " * 15, "-" * 500, "ü--=_b1" * 20, "a\\nb", "\u202e", "é" * 300]
)
def test_no_name_can_forge_a_delimiter_in_the_notice(name: str) -> None:
    raw = multipart([TEXT, attachment(f"{name}.exe", EXE), attachment("a.png", PNG, "image/png")])
    message = email.message_from_bytes(strip(raw).content, policy=email.policy.default)
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/plain", "image/png"]


def test_where_the_notice_itself_is_banned_the_message_is_kept() -> None:
    rules = compile_rules(Rules(extra_extensions=("txt",)), Direction.INBOUND)
    assessed = assess(samples.with_exe(), rules, HOUSE, REFERENCE, NOW)
    assert assessed.verdict.action is Action.QUARANTINE
    assert assessed.verdict.reasons == ("extension:exe", "strip:result-not-clean")
    assert assessed.content == samples.with_exe()


@pytest.mark.parametrize("name", samples.CLEAN)
def test_a_clean_message_is_the_same_object(name: str) -> None:
    raw = samples.CLEAN[name]
    assert assess(raw, RULES, HOUSE, REFERENCE, NOW).content is raw


GOOD = [TEXT, HTML, attachment("a.png", PNG, "image/png"), attachment("b.pdf", PDF)]
BAD = [
    attachment("a.exe", EXE),
    attachment("grüße.scr", b"x"),
    attachment("c.pdf", EXE),
    "Content-Type: application/hta\n\nx\n",
]


def nested(parts: list[str]) -> str:
    return multipart(parts, boundary="=_in", head="").decode().replace("\r\n", "\n")


ONE = st.sampled_from([*GOOD, *BAD])
TREES = st.lists(ONE | st.lists(ONE, min_size=1, max_size=3).map(nested), min_size=1, max_size=5)


@given(TREES, st.sampled_from(["mixed", "related", "alternative"]))
def test_the_result_differs_in_the_cuts_only(parts: list[str], subtype: str) -> None:
    raw = multipart(parts, subtype=subtype)
    assessed = assess(raw, RULES, HOUSE, REFERENCE, NOW)
    banned = [content for content in BAD if crlf(content) in raw]
    assert assessed.verdict.action is (Action.STRIP if banned else Action.PASS)
    kept = [crlf(content) for content in GOOD]
    assert [assessed.content.count(content) for content in kept] == [raw.count(content) for content in kept]
    assert not any(crlf(content) in assessed.content for content in BAD)
    if banned:
        strip(raw)


@pytest.mark.parametrize(
    ("octets", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (12345, "12.3 kB"), (35_000_000, "35.0 MB")],
)
def test_sizes_read_as_people_write_them(octets: int, text: str) -> None:
    assert size_text(octets) == text


@given(st.text(max_size=200), st.text(max_size=50))
@example("--x " * 30, "Example Org")
@example("--ü " * 30, "Example Org")
def test_no_line_of_a_notice_begins_as_a_delimiter(name: str, organisation: str) -> None:
    notice = Notice(name, "a/b", 1, "00", "extension:exe", "", "ref", organisation, "help", "now", "then")
    fields, body = notice_part(notice, b"\r\n")
    for line in (fields + body).split(b"\r\n"):
        assert not line.startswith(b"--")
        assert len(line) <= 998
