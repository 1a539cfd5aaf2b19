"""OpenPGP: an encrypted message by its packets or its armour, and what only resembles one."""

from itertools import product

import pytest

from services.screener.containers.contents import look_inside
from services.screener.containers.documents.pgp import is_pgp
from services.screener.containers.member import Sign

KEY, PASSWORD, SIGNATURE, LITERAL = 1, 3, 2, 11
BODY = bytes(8)


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet in the new format."""
    size = len(body)
    if size < 192:
        length = bytes((size,))
    elif size < 8384:
        length = bytes((((size - 192) >> 8) + 192, (size - 192) & 0xFF))
    else:
        length = b"\xff" + size.to_bytes(4)
    return bytes((0xC0 | kind,)) + length + body


def old(kind: int, body: bytes, width: int) -> bytes:
    """Return a packet in the old format; its length has 1, 2 or 4 octets."""
    return bytes((0x80 | kind << 2 | {1: 0, 2: 1, 4: 2}[width],)) + len(body).to_bytes(width) + body


FIRST = [(KEY, 3), (KEY, 6), (PASSWORD, 4), (PASSWORD, 5), (PASSWORD, 6)]
SECOND = [KEY, PASSWORD, 9, 18, 20]
ENCRYPTED = packet(18, BODY)
ARMOUR = b"-----BEGIN PGP MESSAGE-----\nVersion: 1\n\nhQIMA0123456789\n"


@pytest.mark.parametrize(("first", "second"), list(product(FIRST, SECOND)))
def test_a_session_key_and_what_it_is_for(first: tuple[int, int], second: int) -> None:
    kind, version = first
    octets = packet(kind, bytes((version,)) + BODY) + packet(second, BODY)
    assert look_inside(octets).signs == {Sign.PGP}


@pytest.mark.parametrize(
    "first",
    [
        *(packet(KEY, b"\3" + bytes(size)) for size in (0, 190, 191, 300, 8382, 8383, 9000)),
        *(old(KEY, b"\3" + BODY, width) for width in (1, 2, 4)),
    ],
)
def test_lengths_in_every_form(first: bytes) -> None:
    assert is_pgp(first + ENCRYPTED)
    assert is_pgp(first + old(9, BODY, 2))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc1", id="cut off at once"),
        pytest.param(packet(KEY, b"\3" + BODY), id="a key alone"),
        pytest.param(packet(KEY, b"\3" + BODY) + ENCRYPTED[:3], id="cut off"),
        pytest.param(packet(KEY, b"\4" + BODY) + ENCRYPTED, id="a key of another version"),
        pytest.param(packet(PASSWORD, b"\3" + BODY) + ENCRYPTED, id="a password of another version"),
        pytest.param(packet(SIGNATURE, b"\3" + BODY) + ENCRYPTED, id="something else first"),
        pytest.param(packet(KEY, b"\3" + BODY) + packet(LITERAL, BODY), id="something else second"),
        pytest.param(packet(KEY, b"\3" + BODY) + bytes((ENCRYPTED[0] & 0x7F,)) + ENCRYPTED[1:], id="no packet second"),
        pytest.param(bytes((0x41,)) + packet(KEY, b"\3" + BODY)[1:] + ENCRYPTED, id="no packet first"),
    ],
)
def test_what_is_none(octets: bytes) -> None:
    assert not is_pgp(octets)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARMOUR, True),
        (b"Hi,\r\n" + ARMOUR.replace(b"\n", b"\r\n"), True),
        (ARMOUR.replace(b"Version: 1\n", b""), True),
        (ARMOUR.replace(b"\nV", b" \nV"), True),
        (b"> " + ARMOUR, False),
        (b"look for -----BEGIN PGP MESSAGE----- in it", False),
        (b"-----BEGIN PGP MESSAGE-----\n\n...", False),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nhQIMA0123456789\n", False),
    ],
)
def test_armour(text: bytes, expected: bool) -> None:
    assert is_pgp(text) is expected
