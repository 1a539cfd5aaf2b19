"""S/MIME read octet by octet: every form of BER that a mail program takes, and what is none (X.690, RFC 5652)."""

import base64

import pytest

from services.screener.containers.contents import look_inside
from services.screener.containers.documents.cms import is_cms
from services.screener.containers.member import Sign
from tests.support.mail_samples import with_exe

DATA = bytes.fromhex("06092a864886f70d010701")
SIGNED = bytes.fromhex("06092a864886f70d010702")
SEALED = [
    bytes.fromhex(oid) for oid in ("06092a864886f70d010703", "06092a864886f70d010706", "060b2a864886f70d0109100117")
]
MAIL = with_exe("evil.exe")
VERSION = b"\2\1\1"


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    length = bytes((size,)) if size < 128 else b"\x84" + size.to_bytes(4)
    return bytes((tag,)) + length + content


def ber(tag: int, *contents: bytes) -> bytes:
    """Without a length, as far as the end-of-contents."""
    return bytes((tag, 0x80)) + b"".join(contents) + b"\0\0"


def signed(*content: bytes, algorithms: bytes = b"\x31\0") -> bytes:
    return der(0x30, SIGNED, der(0xA0, der(0x30, VERSION, algorithms, der(0x30, DATA, *content))))


def pieces(*octets: bytes) -> list[bytes]:
    return [der(4, each) for each in octets]


CUT = (MAIL[:100], MAIL[100:300], MAIL[300:])


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(signed(der(0xA0, der(4, MAIL))), id="in one piece"),
        pytest.param(signed(der(0xA0, der(0x24, *pieces(*CUT)))), id="in pieces"),
        pytest.param(signed(ber(0xA0, ber(0x24, *pieces(*CUT)))), id="in pieces, without a length"),
        pytest.param(signed(der(0xA0, der(0x24, *pieces(*CUT[:2]), b"\0\0", *pieces(CUT[2])))), id="an empty piece"),
        pytest.param(signed(der(0xA0, der(4, MAIL)), algorithms=ber(0x31, b"\5\0")), id="algorithms without a length"),
        pytest.param(signed(der(0xA0, der(4, MAIL)), algorithms=ber(0x31, ber(0x30))), id="one in another"),
    ],
)
def test_the_mail_is_seen(octets: bytes) -> None:
    for form in (octets, base64.b64encode(octets), pem(octets)):
        contents = look_inside(form)
        assert "evil.exe" in {name for inside in contents.inside for name in inside.names}
        assert contents.signs == frozenset()


def pem(octets: bytes) -> bytes:
    return b"-----BEGIN CMS-----\n" + base64.b64encode(octets) + b"\n-----END CMS-----\n"


@pytest.mark.parametrize("octets", [signed(), signed(der(4, MAIL))], ids=["detached", "no content"])
def test_without_content_nothing_is_seen(octets: bytes) -> None:
    contents = look_inside(octets)
    assert (contents.inside, contents.signs) == ((), frozenset())


@pytest.mark.parametrize("oid", SEALED)
def test_what_is_for_its_reader_only_says_so(oid: bytes) -> None:
    assert look_inside(der(0x30, oid, der(0xA0, bytes(40)))).signs == {Sign.SMIME}


def nested(tag: int, depth: int, inmost: bytes = b"") -> bytes:
    for _ in range(depth):
        inmost = ber(tag, inmost)
    return inmost


@pytest.mark.parametrize(
    ("octets", "sign"),
    [
        pytest.param(signed(der(0xA0, der(4, MAIL)))[:-10], Sign.MALFORMED, id="cut off"),
        pytest.param(
            signed(der(0xA0, der(4, MAIL)), algorithms=b"\x3f\0"), Sign.MALFORMED, id="a tag of several octets"
        ),
        pytest.param(signed(der(0xA0, b"\4\x80" + MAIL + b"\0\0")), Sign.MALFORMED, id="one piece without a length"),
        pytest.param(signed(algorithms=nested(0x31, 20)), Sign.OVER_LIMIT, id="deep algorithms"),
        pytest.param(signed(algorithms=ber(0x31, b"\5\0" * 200_001)), Sign.OVER_LIMIT, id="many algorithms"),
        pytest.param(signed(ber(0xA0, nested(0x24, 20, der(4, MAIL)))), Sign.OVER_LIMIT, id="deep pieces"),
        pytest.param(signed(ber(0xA0, ber(0x24, b"\4\0" * 200_002))), Sign.OVER_LIMIT, id="many pieces"),
    ],
)
def test_what_cannot_be_read_says_so(octets: bytes, sign: Sign) -> None:
    assert look_inside(octets).signs == {sign}


@pytest.mark.parametrize("text", [b"MI" + b"x" * 60, b"MI" + b"A" * 60, pem(SIGNED + bytes(30)), b"0" + bytes(30), b""])
def test_what_only_looks_like_it_is_none(text: bytes) -> None:
    assert not is_cms(text)
