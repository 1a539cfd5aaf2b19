"""Envelope addresses: one canonical mailbox or a reason (RFC 5321 section 4.1.2)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.smtp import address
from shared.smtp.address import BadAddress, Mailbox, Path, parse_domain, parse_mailbox, parse_path, quote_local

GOOD = [
    ("a@b.example", "a@b.example"),
    ("Bob.Smith@Example.ORG", "Bob.Smith@example.org"),
    ("a@example.org.", "a@example.org"),
    ('"a"@example.org', "a@example.org"),
    ('"a b"@example.org', '"a b"@example.org'),
    ('"a\\b"@example.org', "ab@example.org"),
    ('"a\\"b"@example.org', '"a\\"b"@example.org'),
    ('"a@b"@example.org', '"a@b"@example.org'),
    ('"a..b"@example.org', '"a..b"@example.org'),
    ('""@example.org', '""@example.org'),
    ('">"@example.org', '">"@example.org'),
    ("a%b@example.org", "a%b@example.org"),
    ("a!b@example.org", "a!b@example.org"),
    ("user+tag@example.org", "user+tag@example.org"),
    ("a@localhost", "a@localhost"),
    ("a@foo_bar.example.org", "a@foo_bar.example.org"),
    ("a@1and1.example", "a@1and1.example"),
    ("a@bücher.example", "a@xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
    ("a@example。org", "a@example.org"),
    ("a@example.org", "a@example.org"),
    ("a@faß.example", "a@xn--fa-hia.example"),
    ("ü@example.org", "ü@example.org"),
    ("l" * 64 + "@example.org", "l" * 64 + "@example.org"),
    ("a@" + "d" * 63 + ".example", "a@" + "d" * 63 + ".example"),
]


@pytest.mark.parametrize(("text", "canonical"), GOOD)
def test_a_mailbox_has_one_canonical_form(text: str, canonical: str) -> None:
    mailbox = parse_mailbox(text)
    assert isinstance(mailbox, Mailbox), mailbox
    assert str(mailbox) == canonical
    assert parse_mailbox(canonical) == mailbox


BAD = [
    ("", "malformed"),
    ("a", "no domain"),
    ("a@", "not a valid name"),
    ("@example.org", "source route"),
    ("@a.example,@b.example:user@c.example", "source route"),
    ("@a.example:user@c.example", "source route"),
    ("a@[127.0.0.1]", "literal"),
    ("a@[IPv6:::1]", "literal"),
    ("a@127.0.0.1", "number"),
    ("a@2130706433", "number"),
    ("a@0x7f000001", "number"),
    ("a@0x7f.1", "number"),
    ("a@example.org..", "valid name"),
    ("a@.example.org", "valid name"),
    ("a@example..org", "valid name"),
    ("a@-example.org", "valid name"),
    ("a@example-.org", "valid name"),
    ("a@exam ple.org", "valid name"),
    ("a@example.org\x00", "valid name"),
    ("a\x00@example.org", "malformed"),
    ("a@example.org\r", "valid name"),
    ("a@b@example.org", "valid name"),
    ("a..b@example.org", "malformed"),
    (".a@example.org", "malformed"),
    ("a.@example.org", "malformed"),
    ("a b@example.org", "malformed"),
    ("a(comment)@example.org", "malformed"),
    ("a@example.org(comment)", "valid name"),
    ("a,b@example.org", "malformed"),
    ("a:b@example.org", "malformed"),
    ('"a@example.org', "quoted"),
    ('"a"b@example.org', "malformed"),
    ('a"b"@example.org', "malformed"),
    ('"a\x00"@example.org', "quoted"),
    ('"a\r\n"@example.org', "quoted"),
    ("a@\udcff.example", "UTF-8"),
    ("\udcff@example.org", "UTF-8"),
    ("a@\u200b", "internationalised"),
    ("a@\u2488example.org", "internationalised"),
    ("a@example.org\uff0fevil.example", "internationalised"),
    ("a@example.org\uff20evil.example", "internationalised"),
    ("l" * 65 + "@example.org", "64"),
    ("ü" * 33 + "@example.org", "64"),
    ("a@" + "d" * 64 + ".example", "valid name"),
    ("a@" + ".".join(["d" * 63] * 4) + ".example", "255"),
    ("l" * 60 + "@" + ".".join(["d" * 60] * 4), "254"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_what_is_not_a_mailbox_says_why(text: str, reason: str) -> None:
    bad = parse_mailbox(text)
    assert isinstance(bad, BadAddress), bad
    assert reason in bad.reason


PATHS = [
    ("<>", Path(None, "")),
    ("<> SIZE=10", Path(None, "SIZE=10")),
    (" <a@b.example>", Path(Mailbox("a", "b.example"), "")),
    ("<a@b.example>  BODY=7BIT RET=HDRS ", Path(Mailbox("a", "b.example"), "BODY=7BIT RET=HDRS")),
    ('<"a>b"@c.example> X', Path(Mailbox("a>b", "c.example"), "X")),
    ('<"a\\">b"@c.example>', Path(Mailbox('a">b', "c.example"), "")),
    ("<Postmaster>", Path(Mailbox("Postmaster", ""), "")),
]


@pytest.mark.parametrize(("text", "path"), PATHS)
def test_a_path_is_split_from_its_parameters(text: str, path: Path) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b.example",
        "<a@b.example",
        "<a@b.example>SIZE=1",
        "<<a@b.example>>",
        "< a@b.example>",
        "<a>",
        "<a@b.example >",
    ],
)
def test_a_malformed_path_is_refused(text: str) -> None:
    assert isinstance(parse_path(text), BadAddress)


@given(st.text(max_size=80))
def test_any_text_is_a_canonical_mailbox_or_a_reason(text: str) -> None:
    mailbox = parse_mailbox(text)
    if isinstance(mailbox, Mailbox):
        assert parse_mailbox(str(mailbox)) == mailbox
        assert mailbox.domain.isascii()
        assert mailbox.domain == mailbox.domain.lower()


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_any_printable_local_part_survives_quoting(local: str) -> None:
    assert parse_mailbox(f"{quote_local(local)}@example.org") == Mailbox(local, "example.org")


def test_postmaster_is_recognised_in_any_case_and_quoted() -> None:
    mailbox = parse_mailbox('"PostMaster"@example.org')
    assert isinstance(mailbox, Mailbox)
    assert mailbox.is_postmaster


def test_a_domain_is_as_hostile_as_a_mailbox() -> None:
    assert parse_domain("Example.ORG.") == "example.org"
    assert isinstance(parse_domain(""), BadAddress)
    assert isinstance(parse_domain("."), BadAddress)


@given(
    st.lists(st.sampled_from(["a", "B", "0", "x1", "-", "_", ".", "..", "@", '"', "%", "é", "0x1", "a" * 63, "b" * 64]))
    .map("".join)
    .map(lambda inner: f"<{inner}>"),
    st.sampled_from(["", " SIZE=1", "x", "\n"]),
)
@example("<a@b.example>", "\n")
@example(f"<{'a' * 64}@b.example>", "")
@example(f"<a@{'b' * 60}.{'c' * 63}.{'d' * 63}.{'e' * 63}>", "")
def test_the_quick_reading_of_a_path_is_the_strict_one(path: str, rest: str) -> None:
    """Plain paths are read by one expression: it never says anything else than the whole parser."""
    assert parse_path(path + rest) == address._parse_any_path(path + rest)
