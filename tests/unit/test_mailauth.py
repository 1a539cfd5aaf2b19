"""Mail authentication, the pure parts: authors, DMARC, canonical bodies, and fields that claim to be ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.mailauth.dkim import DkimFinding
from services.ingress.mailauth.dkim_record import Dkim, Signature, read_key, read_signature
from services.ingress.mailauth.dmarc import Dmarc, Policy, Published, judge, read_policy, select
from services.ingress.mailauth.results import without_claims
from services.ingress.mailauth.spf_record import BadRecord, Record, Spf, parse
from shared.mailauth.author import NoAuthor, author_domain
from shared.mailauth.canonical import Body
from shared.mailauth.fields import MAX_HEADER, Parts, fields_of, split

HOST = "relay.example.net"

AUTHORS = [
    (b"From: a@example.org\r\n", "example.org"),
    (b"FROM : A <a@Example.ORG>\r\n", "example.org"),
    (b"From: =?utf-8?q?=C3=BC?= <a@example.org>\r\n", "example.org"),
    (b"From: \xfcber <a@example.org>\r\n", "example.org"),
    (b'From: "a@evil.example" <a@example.org>\r\n', "example.org"),
    (b"From: a@evil.example <a@example.org>\r\n", "example.org"),
    (b"From: (a@evil.example) a@example.org (c (d) \\) e)\r\n", "example.org"),
    (b"From: a@example.org, b <b@example.org>\r\n", "example.org"),
    (b"From: Team: a@example.org, b@example.org;\r\n", "example.org"),
    (b"From:\r\n A\r\n <a@example.org>\r\n", "example.org"),
    ("From: a@bücher.example\r\n".encode(), "xn--bcher-kva.example"),
]
NO_AUTHORS = [
    (b"Subject: x\r\n", False),
    (b"From: a@example.org\r\nfrom: b@evil.example\r\n", True),
    (b"From: a@example.org\r\nFrom : a@example.org\r\n", True),
    (b"From: a@example.org, b@evil.example\r\n", True),
    (b"From: <a@example.org> <b@evil.example>\r\n", False),
    (b"From: a@example.org evil.example\r\n", False),
    (b"From: <>\r\n", False),
    (b"From: a@[192.0.2.1]\r\n", False),
    (b"From: a\r\n", False),
    (b"From: a@b@example.org\r\n", False),
    (b"From: (a@example.org\r\n", False),
    (b'From: "a@example.org\r\n', False),
    (b"From: Team:;\r\n", False),
]


@pytest.mark.parametrize(("header", "domain"), AUTHORS)
def test_the_author_is(header: bytes, domain: str) -> None:
    assert author_domain(fields_of(header)) == domain


@pytest.mark.parametrize(("header", "several"), NO_AUTHORS)
def test_there_is_no_one_author(header: bytes, several: bool) -> None:
    author = author_domain(fields_of(header))
    assert isinstance(author, NoAuthor)
    assert author.several is several


CLAIMS = [
    b"Authentication-Results: relay.example.net; spf=pass\r\n",
    b"AUTHENTICATION-results \t: RELAY.example.NET ; spf=pass\r\n",
    b"Authentication-Results:\r\n\trelay.example.net;\r\n spf=pass\r\n",
    b"Authentication-Results\r\n : relay.example.net; none\r\n",
    b"Authentication-Results: (a \\) (b)) relay.example.net (c) 1; none\r\n",
    b'Authentication-Results: "relay.example.net"; none\r\n',
    b'Authentication-Results: "relay\\.example.net" 1; none\r\n',
    b"Authentication-Results: relay.example.net.; none\r\n",
    b"Authentication-Results: relay.example.net\r\n",
    b"Authentication-Results: relay.example.net spf=pass\r\n",
    b"Authentication-Results: relay.example.net/1; none\r\n",
    b"Authentication-Results: =?utf-8?q?relay.example.net?=; none\r\n",
    b"Authentication-Results: (relay.example.net; none\r\n",
    b"Authentication-Results: relay.example\xc2\xad.net; none\r\n",
    b"Authentication-\x01Results: relay.example.net; none\r\n",
    b"Authentication-Results:\r\n",
]
OTHERS = [
    b"Authentication-Results: mx.example.com; spf=pass\r\n",
    b"Authentication-Results: relay.example.net.evil.example; spf=pass\r\n",
    b'Authentication-Results: "mx.example.com" 1; dkim=pass reason="relay.example.net"\r\n',
    b"ARC-Authentication-Results: i=1; relay.example.net; spf=pass\r\n",
    b"X-Authentication-Results: relay.example.net; spf=pass\r\n",
    b"Subject: Authentication-Results: relay.example.net; spf=pass\r\n",
]


@pytest.mark.parametrize("field", CLAIMS)
def test_what_passes_for_our_own_results_is_cut(field: bytes) -> None:
    fields = fields_of(b"To: b@example.org\r\n" + field + b"Subject: x\r\n")
    assert b"".join(kept.raw for kept in without_claims(fields, HOST)) == b"To: b@example.org\r\nSubject: x\r\n"


@pytest.mark.parametrize("field", OTHERS)
def test_other_fields_stay_as_they_are(field: bytes) -> None:
    assert without_claims(fields_of(field), HOST) == fields_of(field)


REJECT = Published(Policy("reject", "reject"))
JUDGED = [
    ("spf", REJECT, (Spf.PASS, "mail.example.org"), [], Dmarc.PASS, "none"),
    ("spf elsewhere", REJECT, (Spf.PASS, "example.com"), [], Dmarc.FAIL, "reject"),
    ("spf softfail", REJECT, (Spf.SOFTFAIL, "example.org"), [], Dmarc.FAIL, "reject"),
    ("dkim", REJECT, (Spf.FAIL, "example.org"), [DkimFinding(Dkim.PASS, domain="example.org")], Dmarc.PASS, "none"),
    ("dkim elsewhere", REJECT, (Spf.NONE, ""), [DkimFinding(Dkim.PASS, domain="evil.example")], Dmarc.FAIL, "reject"),
    ("dkim policy", REJECT, (Spf.NONE, ""), [DkimFinding(Dkim.POLICY, domain="example.org")], Dmarc.FAIL, "reject"),
    ("dkim late", REJECT, (Spf.NONE, ""), [DkimFinding(Dkim.TEMPERROR)], Dmarc.TEMPERROR, "none"),
    ("spf late", REJECT, (Spf.TEMPERROR, "example.org"), [], Dmarc.TEMPERROR, "none"),
    ("spf late elsewhere", REJECT, (Spf.TEMPERROR, "example.com"), [], Dmarc.FAIL, "reject"),
    ("strict", Published(Policy("reject", strict_spf=True)), (Spf.PASS, "m.example.org"), [], Dmarc.FAIL, "reject"),
    ("sp", Published(Policy("reject", "none"), inherited=True), (Spf.NONE, ""), [], Dmarc.FAIL, "none"),
    ("pct", Published(Policy("reject", percent=50)), (Spf.NONE, ""), [], Dmarc.FAIL, "quarantine"),
    ("pct in", Published(Policy("reject", percent=51)), (Spf.NONE, ""), [], Dmarc.FAIL, "reject"),
    ("no policy", Published(), (Spf.PASS, "example.org"), [], Dmarc.NONE, "none"),
    ("no answer", Published(failed=True), (Spf.PASS, "example.org"), [], Dmarc.TEMPERROR, "none"),
]


@pytest.mark.parametrize(("what", "published", "spf", "dkim", "result", "wanted"), JUDGED)
def test_dmarc(
    what: str, published: Published, spf: tuple[Spf, str], dkim: list[DkimFinding], result: Dmarc, wanted: str
) -> None:
    found = judge("example.org", published, spf, dkim, 0.5)
    assert (found.result, found.wanted) == (result, wanted), what


def test_names_under_a_public_suffix_are_not_aligned() -> None:
    assert judge("a.co.uk", REJECT, (Spf.PASS, "b.co.uk"), [], 0).result is Dmarc.FAIL
    assert judge("x.a.co.uk", REJECT, (Spf.PASS, "a.co.uk"), [], 0).result is Dmarc.PASS


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("v=DMARC1; p=reject", Policy("reject", "reject")),
        ("v=DMARC1;p=reject;sp=none;adkim=s;aspf=s;pct=7;", Policy("reject", "none", True, True, 7)),
        ("v=DMARC1; p=moo", None),
        ("v=DMARC1; p=moo; rua=mailto:a@example.org", Policy()),
        ("v=DMARC1", None),
        ("v=DMARC1; p=none; p=reject", None),
        ("v=DMARC1; p=none; pct=1000", Policy()),
    ],
)
def test_policies(text: str, policy: Policy | None) -> None:
    assert read_policy(text) == policy


def test_several_dmarc_records_are_none() -> None:
    assert select(["v=DMARC1; p=none", "v=DMARC1; p=reject"]) is None
    assert select(["v=DMARC1; p=none", "v=spf1 -all", "v=DMARC10"]) == "v=DMARC1; p=none"


BODIES = [
    (False, b"", b"\r\n"),
    (True, b"", b""),
    (False, b"\r\n\r\n", b"\r\n"),
    (True, b" \t\r\n \r\n", b""),
    (False, b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n"),
    (True, b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
    (True, b"a\r\n \t\r\n\tb", b"a\r\n\r\n b\r\n"),
    (False, b"a", b"a\r\n"),
]


def canonical(body: bytes, size: int, *, relaxed: bool) -> bytes:
    found: list[bytes] = []
    taking = Body(found.append, relaxed=relaxed)
    for start in range(0, len(body), size):
        taking.feed(body[start : start + size])
    taking.finish()
    return b"".join(found)


@pytest.mark.parametrize(("relaxed", "body", "expected"), BODIES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_canonical_bodies_however_they_are_cut(relaxed: bool, body: bytes, expected: bytes, size: int) -> None:
    """The third pair of cases is RFC 6376 section 3.4.5's example."""
    assert canonical(body, size, relaxed=relaxed) == expected


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"b c", b"\r\n\r\n"])).map(b"".join), st.integers(1, 9))
def test_a_body_is_canonical_whatever_its_pieces(body: bytes, size: int) -> None:
    for relaxed in (False, True):
        assert canonical(body, size, relaxed=relaxed) == canonical(body, 10_000, relaxed=relaxed)


@given(st.binary(max_size=60).map(lambda text: text.replace(b"a", b"\r\n")), st.integers(1, 9))
def test_a_message_split_is_the_message(content: bytes, size: int) -> None:
    parts = split([content[start : start + size] for start in range(0, len(content), size)])
    assert parts is not None
    assert b"".join((*(field.raw for field in parts.fields), parts.rest, *parts.body)) == content


def test_an_endless_header_section_is_not_taken() -> None:
    line = b"X: " + b"a" * 997 + b"\r\n"
    assert split([line] * (MAX_HEADER // 1002 + 2) + [b"\r\nbody"]) is None
    assert isinstance(split([line] * 10 + [b"\r\nbody"]), Parts)


SIGNATURE = Signature("rsa-sha256", "example.org", "s", b"", b"", (b"from",), False, False, None, "example.org")


@given(st.text(max_size=80))
def test_parsers_never_raise(text: str) -> None:
    assert isinstance(parse(f"v=spf1 {text}"), (Record, BadRecord))
    read_policy(f"v=DMARC1; {text}")
    read_signature(text, 0)
    read_signature(f"v=1; a=rsa-sha256; d=example.org; s=s; h=from; b=AA==; bh=AA==; {text}", 0)
    read_key(f"v=DKIM1; p={text}", SIGNATURE)
    read_key(f"v=DKIM1; p=; {text}", SIGNATURE)
    author_domain(fields_of(b"From: " + text.encode("utf-8", "replace") + b"\r\n"))
    without_claims(fields_of(b"Authentication-Results: " + text.encode("utf-8", "replace") + b"\r\n"), HOST)
