"""Stripping in every kind of structure: outside the cut ranges not an octet changes, and nothing banned is left."""

import email
import email.policy
from base64 import b64encode
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from services.screener.assess import Assessed, House, assess
from services.screener.rules import compile_rules
from shared.config.model import Screener
from shared.model import Action, Direction
from tests.support import mail_samples as samples
from tests.support.mail_samples import EXE, HEAD, HTML, PNG, TEXT, attachment, crlf, multipart

RULES = compile_rules(Screener().inbound, Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 30 * 86400)
REFERENCE = "01K5Q0000000000000000000AA"
NOW = 1_790_000_000.0
REMOVED = "Attachment-Removed.txt"


def screened(raw: bytes) -> Assessed:
    return assess(raw, RULES, HOUSE, REFERENCE, NOW)


def stripped(raw: bytes) -> bytes:
    """Strip, and see that nothing is left to strip."""
    assessed = screened(raw)
    assert assessed.verdict.action is Action.STRIP, assessed.verdict
    again = screened(assessed.content)
    assert again.verdict.action is Action.PASS, again.verdict
    assert not again.verdict.reasons
    assert again.content is assessed.content
    return assessed.content


def shape(content: bytes) -> list[str]:
    """Return type or file name of every part, containers by their type."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return [part.get_filename() or part.get_content_type() for part in message.walk()]


def inner(parts: list[str], subtype: str, boundary: str) -> str:
    """Return a multipart to stand in another."""
    return multipart(parts, subtype, boundary, head="").decode().replace("\r\n", "\n")


BAD = attachment("a.exe", EXE)
IMAGE = attachment("a.png", PNG, "image/png")
SIGNED = inner(
    [TEXT, 'Content-Type: application/pkcs7-signature; name="smime.p7s"\n\nMIIBAAAA\n'],
    'signed; protocol="application/pkcs7-signature"',
    "=_s",
)
TWICE = samples.FORWARDED_EXE.decode().replace("\r\n", "\n").replace("=_b1", "=_c1")
SHAPES = {
    "mixed": (multipart([TEXT, BAD]), ["multipart/mixed", "text/plain", REMOVED]),
    "alternative": (multipart([TEXT, HTML, BAD], "alternative"), ["multipart/alternative", "text/plain", "text/html"]),
    "mixed in alternative": (
        multipart([TEXT, inner([HTML, BAD], "mixed", "=_i")], "alternative"),
        ["multipart/alternative", "text/plain", "multipart/mixed", "text/html", REMOVED],
    ),
    "alternative in mixed": (
        multipart([inner([TEXT, HTML, BAD], "alternative", "=_i"), BAD]),
        ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", REMOVED],
    ),
    "related": (
        multipart([HTML, IMAGE, BAD], 'related; type="text/html"'),
        ["multipart/related", "text/html", "a.png", REMOVED],
    ),
    "related whose root is banned": (multipart([BAD, IMAGE], "related"), ["multipart/related", REMOVED, "a.png"]),
    "related in alternative": (
        multipart([TEXT, inner([HTML, BAD], "related", "=_i")], "alternative"),
        ["multipart/alternative", "text/plain", "multipart/related", "text/html", REMOVED],
    ),
    "beside a signed part": (
        multipart([SIGNED, BAD], boundary="=_o"),
        ["multipart/mixed", "multipart/signed", "text/plain", "smime.p7s", REMOVED],
    ),
    "forwarded": (
        samples.FORWARDED_EXE,
        ["multipart/mixed", "text/plain", "message/rfc822", "multipart/mixed", "text/plain", REMOVED],
    ),
    "forwarded, single part": (
        multipart([TEXT, "Content-Type: message/rfc822\n\n" + HEAD + BAD]),
        ["multipart/mixed", "text/plain", "message/rfc822", REMOVED],
    ),
    "forwarded twice": (
        multipart([TEXT, "Content-Type: message/rfc822\n\n" + TWICE]),
        [*["multipart/mixed", "text/plain", "message/rfc822"] * 2, "multipart/mixed", "text/plain", REMOVED],
    ),
    "digest": (
        multipart(["\n" + HEAD + BAD, "\n" + HEAD + TEXT], "digest"),
        ["multipart/digest", "message/rfc822", REMOVED, "message/rfc822", "text/plain"],
    ),
    "one part": (crlf(HEAD + BAD), [REMOVED]),
    "root": (multipart([TEXT], 'mixed; name="a.exe"'), [REMOVED]),
    "no closing delimiter": (
        multipart([TEXT, BAD]).removesuffix(b"--=_b1--\r\n"),
        ["multipart/mixed", "text/plain", REMOVED],
    ),
    "preamble and epilogue": (
        multipart([TEXT, BAD]).replace(b"\r\n--=_b1", b"\r\nThis is MIME.\r\n--=_b1", 1) + b"A footer.\r\n",
        ["multipart/mixed", "text/plain", REMOVED],
    ),
}


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_structure(name: str, line_end: bytes) -> None:
    raw, expected = SHAPES[name]
    raw = raw.replace(b"\r\n", line_end)
    content = stripped(raw)
    assert (b"\r" in content) is (line_end == b"\r\n")
    if expected is not None:
        assert shape(content) == expected
    outside_is_unchanged(screened(raw))


def outside_is_unchanged(assessed: Assessed) -> None:
    """What lies between the ranges of the cut parts stands in the result, whole, in its order, with nothing beside."""
    raw, seen = assessed.screening.raw, assessed.screening.seen
    ranges = []
    for index in assessed.screening.ruling.cut:
        part = seen[index].part
        start = part.header.start if part.delim_start is None else part.delim_start
        ranges.append((start, part.body_end))
    edges = [0, *(edge for cut in ranges for edge in cut), len(raw)]
    kept = [raw[edges[n] : edges[n + 1]] for n in range(0, len(edges), 2)]
    position = 0
    for number, piece in enumerate(kept):
        at = assessed.content.find(piece, position) if number < len(kept) - 1 else len(assessed.content) - len(piece)
        assert at == 0 if number == 0 else at >= position
        assert assessed.content[at : at + len(piece)] == piece
        position = at + len(piece)


def message(content: str) -> str:
    return f"Content-Type: message/rfc822\n\n{HEAD}{content}"


GOOD = [TEXT, HTML, IMAGE, attachment("b.pdf", samples.PDF)]
BANNED = [BAD, attachment("grüße.scr", b"x"), attachment("c.pdf", EXE), "Content-Type: application/hta\n\nx\n"]
LEAF = st.sampled_from([*GOOD, *BANNED])


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> str:
    """Return a part of any structure; boundaries are never used twice."""
    kind = draw(st.sampled_from(["leaf", "leaf", "multipart", "message"] if depth else ["leaf"]))
    if kind == "leaf":
        return draw(LEAF)
    if kind == "message":
        return message(draw(trees(depth - 1)))
    number = draw(st.uuids())
    subtype = draw(st.sampled_from(["mixed", "related", "alternative", "x-unknown"]))
    return inner(draw(st.lists(trees(depth - 1), min_size=1, max_size=3)), subtype, f"=_{number}")


@given(st.lists(trees(), min_size=1, max_size=3), st.sampled_from(["mixed", "alternative"]), st.booleans())
def test_any_structure(parts: list[str], subtype: str, line_feeds: bool) -> None:
    raw = multipart(parts, subtype=subtype)
    raw = raw.replace(b"\r\n", b"\n") if line_feeds else raw
    assessed = screened(raw)
    banned = any(one in part for one in BANNED for part in parts)
    assert assessed.verdict.action is (Action.STRIP if banned else Action.PASS), assessed.verdict
    if banned:
        content = stripped(raw)
        assert samples.b64(EXE)[:70].encode() not in content
        outside_is_unchanged(assessed)
    else:
        assert assessed.content is raw


@pytest.mark.parametrize("top", [crlf(HEAD + BAD), multipart([TEXT], 'mixed; name="a.exe"')])
def test_at_the_top_every_other_field_stays_in_its_place(top: bytes) -> None:
    raw = top.replace(b"Content-Type", b"X-Between: 1\r\n folded\r\nContent-Type", 1)
    head = stripped(raw).partition(b"\r\n\r\n")[0] + b"\r\n"
    assert head.startswith(crlf(HEAD) + b"X-Between: 1\r\n folded\r\n")
    assert head.count(b"Content-Type:") == 1


SEALED = {
    "signed": samples.SIGNED_EXE,
    "encoded": samples.ENCODED_FORWARD,
    "encrypted": multipart([TEXT, BAD], 'encrypted; protocol="application/pgp-encrypted"'),
    "signed and forwarded": multipart([TEXT, message(SIGNED.replace(TEXT, BAD))]),
    "in a text": multipart(["Content-Type: text/plain\n\nHi\nbegin 644 a.exe\n#86)C\n`\nend\n", IMAGE]),
}


@pytest.mark.parametrize("name", SEALED)
def test_inside_a_sealed_part_nothing_is_cut(name: str) -> None:
    raw = SEALED[name]
    assessed = screened(raw)
    assert assessed.verdict.action is Action.QUARANTINE
    assert assessed.content is raw


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def dkim_passes(content: bytes) -> bool:
    public = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return bool(dkim.verify(content, dnsfunc=lambda _name, timeout=5: b"v=DKIM1; k=rsa; p=" + public))


@pytest.mark.parametrize("canon", [(b"simple", b"simple"), (b"relaxed", b"relaxed")])
@pytest.mark.parametrize("name", ["outlook", "gmail", "mutt", "forwarded", "list-footer", "no-closing-delimiter"])
def test_dkim_of_untouched_mail_still_verifies(name: str, canon: tuple[bytes, bytes]) -> None:
    """What is stripped fails by its body hash, as it must: nobody signed that."""
    private = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def signed(raw: bytes) -> bytes:
        signature: bytes = dkim.sign(raw, b"s", b"example.org", private, canonicalize=canon)
        return signature + raw

    before = signed(samples.CLEAN[name])
    assessed = screened(before)
    assert assessed.verdict.action is Action.PASS
    assert dkim_passes(assessed.content)
    assert dkim_passes(signed(samples.with_exe()))
    assert not dkim_passes(stripped(signed(samples.with_exe())))
