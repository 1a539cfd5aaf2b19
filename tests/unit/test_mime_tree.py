"""The part tree: exact ranges, ordinary mail never ambiguous, what programs read differently always."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.part import Kind, Part
from services.screener.mime.tree import parse
from tests.support import mail_samples as samples
from tests.support.mail_samples import EXE, HEAD, PNG, TEXT, attachment, b64, crlf, multipart
from tests.support.mime_pieces import PIECES


def header(part: Part) -> bytes:
    return part.source[part.header.start : part.header.end]


def body(part: Part) -> bytes:
    return part.source[part.header.body_start : part.body_end]


@pytest.mark.parametrize("name", samples.CLEAN)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_ordinary_mail_is_not_ambiguous(name: str, line_end: bytes) -> None:
    assert parse(samples.CLEAN[name].replace(b"\r\n", line_end)).anomalies == frozenset()


def test_ranges_are_exact_and_leave_the_delimiters_their_line_ends() -> None:
    raw = crlf(
        "Content-Type: multipart/mixed; boundary=b\n\n"
        "preamble\n--b\nA: 1\n\none\n--b\n\n\ntwo\n\n--b  \nC: 3\n--b--\nend\n"
    )
    top, one, two, three = parse(raw).parts
    assert (header(top), top.delim_start) == (b"Content-Type: multipart/mixed; boundary=b\r\n", None)
    assert (header(one), body(one)) == (b"A: 1\r\n", b"one")
    assert (header(two), body(two)) == (b"", b"\r\ntwo\r\n")
    assert (header(three), body(three)) == (b"C: 3", b"")
    for part in (one, two, three):
        assert part.delim_start is not None
        assert raw[part.delim_start :].startswith(b"\r\n--b")
        assert raw[part.body_end :].startswith(b"\r\n--b")


def test_a_first_delimiter_without_preamble_begins_at_the_body() -> None:
    raw = crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n")
    top, one = parse(raw).parts
    assert one.delim_start == top.header.body_start
    assert body(one) == b"one"


def test_without_a_closing_delimiter_the_last_part_reaches_to_the_end() -> None:
    raw = crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n")
    assert body(parse(raw).parts[-1]) == b"two\r\n"


def test_delimiters_without_anything_between_them_hold_empty_parts() -> None:
    parts = parse(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n--b--\n")).parts[1:]
    assert [(header(part), body(part)) for part in parts] == [(b"", b""), (b"", b"")]
    assert all(part.header.start <= part.body_end for part in parts)


@pytest.mark.parametrize(
    ("declared", "followed"),
    [
        ([], ("",)),
        (["Base64 "], ("base64",)),
        (["base64", "8bit"], ("base64", "8bit")),
        (["x-foo"], ("", "base64", "quoted-printable", "x-uuencode")),
        (["x-foo", "base64"], ("base64", "", "quoted-printable", "x-uuencode")),
    ],
)
def test_every_transfer_encoding_is_followed_up_the_known_ones_first(
    declared: list[str], followed: tuple[str, ...]
) -> None:
    fields = "".join(f"{CTE}: {encoding}\n" for encoding in declared)
    (part,) = parse(crlf(f"Content-Type: image/png\n{fields}\nx\n")).parts
    assert part.description.encodings == followed


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        (samples.PLAIN, ["1"]),
        (samples.with_exe(), ["", "1", "2"]),
        (samples.OUTLOOK, ["", "1", "1.1", "1.1.1", "1.1.2", "1.2", "2"]),
        (samples.FORWARDED_EXE, ["", "1", "2", "2", "2.1", "2.2"]),
        (samples.DIGEST, ["", "1", "1.1", "2", "2.1"]),
        (crlf("Content-Type: message/rfc822\n\nSubject: x\n\nhi\n"), ["1", "1.1"]),
    ],
)
def test_paths_are_section_numbers_as_in_imap(raw: bytes, paths: list[str]) -> None:
    assert [part.path for part in parse(raw).parts] == paths


def test_a_forwarded_message_is_read_inside_in_the_same_octets() -> None:
    parts = parse(samples.FORWARDED_EXE).parts
    assert [part.kind for part in parts] == [
        Kind.MULTIPART,
        Kind.LEAF,
        Kind.MESSAGE,
        Kind.MULTIPART,
        Kind.LEAF,
        Kind.LEAF,
    ]
    assert all(part.source is parts[0].source for part in parts)
    assert parts[-1].description.names == ("invoice.exe",)
    assert parts[-1].sealed is None


def test_an_encoded_message_is_read_inside_but_sealed() -> None:
    parts = parse(samples.ENCODED_FORWARD).parts
    assert parts[-1].description.names == ("invoice.exe",)
    assert parts[-1].sealed == "encoded"
    assert parts[-1].source is not parts[0].source


def test_what_is_signed_is_sealed() -> None:
    parts = parse(samples.SIGNED_EXE).parts
    assert parts[0].sealed is None
    assert {part.sealed for part in parts[1:]} == {"signed"}


@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_message_in_what_is_signed_is_sealed_too(encoding: str) -> None:
    inner = "Content-Type: image/png\n\nx\n"
    coded = inner if encoding == "7bit" else b64(inner.encode())
    fields = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n"
    raw = crlf(f"Content-Type: multipart/signed; boundary=b\n\n--b\n{fields}\n{coded}\n--b--\n")
    assert [part.sealed for part in parse(raw).parts] == [None, "signed", "signed"]


def test_what_is_encrypted_is_sealed() -> None:
    raw = crlf(f"Content-Type: multipart/encrypted; boundary=b\n\n--b\n{attachment('x.exe', EXE)}\n--b--\n")
    assert [part.sealed for part in parse(raw).parts] == [None, "encrypted"]


@pytest.mark.parametrize("kind", ["message/rfc822", "message/global", "message/news"])
def test_every_kind_of_message_is_read_inside(kind: str) -> None:
    parts = parse(crlf(f"Content-Type: {kind}\n\nContent-Type: image/png\n\nx")).parts
    assert [(part.kind, part.description.types[0]) for part in parts] == [
        (Kind.MESSAGE, kind),
        (Kind.LEAF, "image/png"),
    ]


FORWARD = "Content-Type: message/rfc822\n\n"
UU = "begin 644 a.exe\n#86)C\nend\n"
LONG = "A" * 600 * 1024 + "\n"
MULTIPART = "Content-Type: multipart/mixed; boundary=b\n\n"


@pytest.mark.parametrize(
    ("text", "limits", "most"),
    [
        (FORWARD * 5 + "X: y\n\nz", Limits(parts=3, messages=50), 3),
        (MULTIPART + "--b\n\nx\n" * 9 + "--b--\n", Limits(parts=5), 5),
        (f"{MULTIPART}--b\n\n{UU}{UU}--b\n\nx\n--b--\n", Limits(parts=4), 4),
        (MULTIPART + "--bc\n" * 13 + "--b\n\nx\n--b--\n", Limits(parts=3), 3),
        (f"\n{UU * 5}", Limits(parts=3), 3),
        (f"Content-Type: application/x\n\n{LONG * 2}", Limits(rereads=0), 1),
        (f"Content-Transfer-Encoding: base64\n\n{LONG}", Limits(rereads=0), 1),
    ],
    ids=["messages", "parts", "files and parts", "delimiters", "files", "octets", "decoded octets"],
)
def test_what_is_left_unread_is_said(text: str, limits: Limits, most: int) -> None:
    tree = parse(crlf(text), limits)
    assert Anomaly.LIMIT in tree.anomalies
    assert len(tree.parts) <= most


def test_a_text_that_needs_no_decoding_is_read_whole() -> None:
    assert Anomaly.LIMIT not in parse(crlf(f"\n{LONG}"), Limits(rereads=0)).anomalies


@pytest.mark.parametrize("body", ["--c\nContent-Type: image/png\n\nx\n", "Hi\nContent-Type: image/png\n\nx\n"])
def test_a_multipart_whose_boundary_is_nowhere_is_searched_for_parts(body: str) -> None:
    assert Anomaly.HIDDEN_PARTS in parse(crlf(MULTIPART + body)).anomalies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"\n{UU}", "embedded"),
        (f"Content-Type: x-file/plain\n\n{UU}", "embedded"),
        ("Content-Transfer-Encoding: base64\n\n" + b64(UU.encode()), "encoded"),
        (f"Content-Transfer-Encoding: quoted-printable\n\n{UU}", "embedded"),
        (f"Content-Type: multipart/signed; boundary=b\n\n--b\n\n{UU}\n--b--\n", "signed"),
    ],
)
def test_a_file_in_a_text_is_sealed(text: str, expected: str) -> None:
    file = parse(crlf(text)).parts[-1]
    assert (file.path.rpartition(".")[2], file.description.names, file.sealed) == ("u1", ("a.exe",), expected)


def test_a_boundary_splits_whatever_the_type() -> None:
    raw = crlf("Content-Type: application/x; boundary=b\n\n--b\n\nx\n--b--\n")
    assert [part.description.types[0] for part in parse(raw).parts] == ["application/x", "text/plain"]


def test_a_boundary_that_is_nowhere_hides_nothing_twice() -> None:
    parts = parse(crlf("Content-Type: application/x; boundary=b\n\n--c\nContent-Type: image/png\n\nx\n--c--\n")).parts
    assert [part.description.types[0] for part in parts] == ["application/x", "image/png"]


IMAGE = "Content-Type: image/png\n\nx\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"\nFrom: x\n{IMAGE}", True),
        (f"Subject: y\n\nFrom: x\n{IMAGE}", False),
        (f"{MULTIPART}--b\n\nFrom: x\n{IMAGE}\n--b--\n", False),
        (f"{MULTIPART}--b\n\n{IMAGE}\n--b--\n", True),
    ],
)
def test_a_header_in_a_body(text: str, found: bool) -> None:
    """After an empty line at the very beginning some programs read on; elsewhere people quote headers."""
    assert (Anomaly.HEADER_IN_BODY in parse(crlf(text)).anomalies) == found


def test_what_is_decoded_is_searched_from_its_beginning() -> None:
    """A line in the header that is no field says where the text of a message without an empty line may begin."""
    fields = "Content-Transfer-Encoding: base64\nthis is a line of a text, is it not?\n\n"
    assert parse(crlf(fields + b64(UU.encode() + b"x" * 200))).parts[-1].description.names == ("a.exe",)


CODED = "Content-Transfer-Encoding: base64\n"
PARTS = f"--b\n{IMAGE}--b--\n"


def test_a_message_that_is_encoded_may_use_the_boundary_again() -> None:
    inner = b64(f"{MULTIPART}{PARTS}".encode())
    tree = parse(crlf(f"{MULTIPART}--b\nContent-Type: message/rfc822\n{CODED}\n{inner}\n--b--\n"))
    assert tree.parts[-1].description.types == ("image/png",)
    assert Anomaly.REUSED_BOUNDARY not in tree.anomalies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{CODED}{MULTIPART}" + b64(PARTS.encode()), "encoded"),
        (f"{MULTIPART}--c\n{IMAGE}--c--\n", "guessed"),
    ],
)
@pytest.mark.parametrize("is_signed", [False, True])
def test_what_only_some_programs_find_is_sealed(text: str, expected: str, is_signed: bool) -> None:
    if is_signed:
        text = f"Content-Type: multipart/signed; boundary=s\n\n--s\n{text}\n--s--\n"
    last = parse(crlf(text)).parts[-1]
    assert (last.description.types, last.sealed) == (("image/png",), "signed" if is_signed else expected)


MIXED = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
HIDDEN = f"--b\n\ntext\n--b\n{attachment('x.exe', EXE)}\n--b--\n"


def evil(fields: str, content: str = HIDDEN) -> bytes:
    return crlf(f"From: a@b.example\nSubject: x\n{fields}\n\n{content}")


CT = "Content-Type: multipart/mixed; boundary=b"
CTE = "Content-Transfer-Encoding"
FILE = f"Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=x.png\n{CTE}"

TOLERATED = {
    "the same type twice": evil(f"{CT}\n{CT}"),
    "the same encoding twice": evil(f"{FILE}: base64\n{CTE}: base64", b64(PNG)),
    "folded encoding": evil(f"{FILE}:\n base64", b64(PNG)),
    "encoding in capitals with a space": evil(f"{FILE}: BASE64 ", b64(PNG)),
    "8-bit": evil(f"Content-Type: text/plain\n{CTE}: 8-bit", "x"),
    "quoted-printable multipart": evil(f"{CT}\n{CTE}: quoted-printable"),
    "unquoted boundary with =": evil(
        "Content-Type: multipart/mixed; boundary=----=_b", "------=_b\n\nx\n------=_b--\n"
    ),
    "boundary on the next line": evil("Content-Type: multipart/mixed;\n\tboundary=b"),
    "trailing semicolon": evil(f"{CT};"),
    "spaces round = of a charset": evil('Content-Type: text/plain; charset = "utf-8"', "x"),
    "comment on a text": evil('Content-Type: text/plain; charset="us-ascii" (Plain text)', "x"),
    "name with parentheses": evil("Content-Type: image/png; name=a (1).png", "x"),
    "name without its end quote": evil('Content-Type: image/png; name="a.png', "x"),
    "old type without subtype": evil("Content-Type: text", "x"),
    "a signature of a message with a type": evil(f"DKIM-Signature: v=1; h=From:Subject:\n Content-Type:To; b=x\n{CT}"),
    "a mailbox's From line": b"From a@b.example Mon Sep 21 10:00:00 2026\r\n" + evil(CT),
    "a malformed line in the header of a text": evil("nonsense", "x"),
    "bare CR in a text": evil("Content-Type: text/plain", "100\r%\n"),
    "dashes in a text": evil("Content-Type: text/plain", "--\n-- \n--- a/x\nContent is king: yes\n"),
    "text that quotes a header": evil("Content-Type: text/plain", "look:\n\nContent-Type: text/html\n\nthere\n"),
    "a bounce that quotes a message": evil("X: y", f"Hi. This is qmail-send.\n\n--- Below\n\n{CT}\n\n{HIDDEN}"),
    "junk after the end": evil(CT, "--b\n\nx\n--b--\n--b--\n\n_____\nlist footer\n"),
    "an empty multipart": evil(CT, "nothing here\n"),
    "binary with NUL": evil(f"{FILE}: binary", "a\0b"),
}


@pytest.mark.parametrize("case", TOLERATED)
def test_sloppiness_of_real_mail_is_tolerated(case: str) -> None:
    assert parse(TOLERATED[case]).anomalies == frozenset()


def test_nesting_beyond_the_limit_is_noted_and_left_unread() -> None:
    content = "text"
    for depth in range(40):
        content = f"Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n{content}\n--b{depth}--\n"
    tree = parse(crlf(content))
    assert tree.anomalies == {Anomaly.LIMIT}
    assert len(tree.parts) == Limits().depth + 1


def test_messages_in_messages_beyond_the_limit_are_noted() -> None:
    tree = parse(crlf("Content-Type: message/rfc822\n\n" * 12 + "Subject: x\n\nhi\n"))
    assert Anomaly.LIMIT in tree.anomalies


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=60).map(b"".join))
@example(b"Content-Transfer-Encoding: base64\r\n=ybegin line=1 name=a\r\n")
def test_any_octets_give_a_tree_whose_ranges_nest(raw: bytes) -> None:
    parts = parse(raw).parts
    for part in parts:
        start = part.header.start if part.delim_start is None else part.delim_start
        assert 0 <= start <= part.header.start <= part.header.end <= part.header.body_start <= part.body_end
        assert part.body_end <= len(part.source)
        parent = None if part.parent is None else parts[part.parent]
        if parent is not None and parent.source is part.source:
            stray = parent.header.stray  # where the body begins to programs that end the header at its first odd line
            assert (parent.header.body_start if stray is None else stray) <= start
            assert part.body_end <= parent.body_end


@given(st.lists(st.sampled_from([TEXT, attachment("a.png", PNG, "image/png"), "\n\n"]), min_size=1, max_size=6))
def test_the_octets_of_a_multipart_are_its_parts_and_delimiters(parts: list[str]) -> None:
    raw = multipart(parts, head=HEAD)
    top, *children = parse(raw).parts
    assert len(children) == len(parts)
    assert [raw[c.header.start : c.body_end] for c in children] == [crlf(part) for part in parts]
    assert top.body_end == len(raw)
