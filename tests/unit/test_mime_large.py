"""Large bodies: what is read by the piece, or searched by way of a rare octet, is read as if it were whole."""

import base64
import re

import pytest

from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly
from services.screener.mime.octets import doubtful_line_ends, find_line

PIECE = 256 * 1024
LONG = bytes(range(256)) * 3000


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE // 4 * 3 - 1, PIECE // 4 * 3, PIECE // 4 * 3 + 1, len(LONG)])
@pytest.mark.parametrize("line", [3, 57, 1000])
def test_clean_base64_of_any_length_is_read_once(size: int, line: int) -> None:
    content = LONG[:size]
    lines = [base64.b64encode(content[at : at + line * 3]) for at in range(0, size, line * 3)]
    body = b"head\r\n" + b"\r\n".join(lines) + b"\r\ntail"
    assert decode.wholes(body, 6, len(body) - 4, "base64") == (content,)


@pytest.mark.parametrize("pad", [b"QQ==", b"QUI="])
@pytest.mark.parametrize("after", [b"QUJD", b"=", b"Q"])
def test_a_pad_at_the_end_of_a_piece_does_not_hide_what_follows(pad: bytes, after: bytes) -> None:
    body = b"QUJD" * (PIECE // 4 - 1) + pad + after
    assert decode.wholes(body, 0, len(body), "base64") == decode._base64(body).octets


@pytest.mark.parametrize("before", [0, 1, 65530, 65534, 65535, 65536, 65537, 66530, 66536, 200_000])
@pytest.mark.parametrize("filling", [b"x", b"x-"])
def test_a_line_is_found_wherever_it_stands(before: int, filling: bytes) -> None:
    source = (filling * before)[:before] + b"\r\n--" + b"b" * 70 + b"\r\n--b"
    for mark in (b"--" + b"b" * 70, b"--b\r", b"--b"):
        for start in (0, before, before + 1):
            assert find_line(source, mark, start, len(source)) == source.find(b"\n" + mark, start)


@pytest.mark.parametrize("before", [0, 65530, 65536, 131_000])
@pytest.mark.parametrize("filling", [b"x", b"a -- b "])
@pytest.mark.parametrize("structure", ["--", "Content-Type :", "content-DISPOSITION:", "begin 644", "x", "content-id:"])
@pytest.mark.parametrize("space", ["", " ", " \t"])
def test_structure_after_a_bare_line_end_is_doubtful(before: int, filling: bytes, structure: str, space: str) -> None:
    doubtful = re.match("--|begin|.*(?:type|disposition)", structure, re.IGNORECASE) is not None
    start, rest = b"X: y\r\n\r\n" + (filling * before)[:before], f"{space}{structure}".encode()
    assert doubtful_line_ends(start + b"\r" + rest) == ({Anomaly.BARE_CR} if doubtful else set())
    assert doubtful_line_ends(start + b"\n" + rest) == ({Anomaly.BARE_LF} if doubtful else set())
    assert doubtful_line_ends(start + b"\r\n" + rest) == set()
