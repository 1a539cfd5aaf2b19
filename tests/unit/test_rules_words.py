"""Which texts keywords are looked for in."""

import pytest

from services.screener.mime.tree import parse
from services.screener.rules.words import LONGEST, bodies
from tests.support.mail_samples import crlf, multipart


@pytest.mark.parametrize(
    ("fields", "body", "texts"),
    [
        ("Content-Type: text/plain", "one  Two", ["one two"]),
        ("Content-Type: text/plain", "a &amp; b", ["a &amp; b", "a & b"]),
        ("Content-Type: text/plain", "a<p>b", ["a<p>b", "a b"]),
        ("Content-Type: application/octet-stream", "one", []),
        (
            "Content-Type: multipart/mixed; boundary=b\nContent-Type: text/plain",
            "--b\nContent-Type: text/plain\n\none\n--b--",
            ["one"],
        ),
    ],
)
def test_the_texts_that_people_read(fields: str, body: str, texts: list[str]) -> None:
    assert list(bodies(parse(crlf(f"Subject: x\n{fields}\n\n{body}\n")).parts)) == texts


def test_no_more_is_read_than_four_long_texts_hold() -> None:
    raw = multipart([f"Content-Type: text/plain\n\n{'x' * LONGEST}\n"] * 6)
    assert sum(map(len, bodies(parse(raw).parts))) == 4 * LONGEST
