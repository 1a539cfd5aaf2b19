"""What a part is taken for in the readings of its encoding, and which of them are in doubt."""

import pytest

from services.screener.identity.recognise import recognise
from services.screener.mime.anomaly import Anomaly
from services.screener.mime.part import Part
from services.screener.mime.tree import parse
from tests.support.mail_samples import EXE, TEXT, attachment, b64, crlf, multipart

PROGRAM = "application/x-msdownload"
QP = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: quoted-printable"
BASE64 = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64"
NO_DOUBT: set[Anomaly] = set()


def part(fields: str, body: str) -> Part:
    return parse(crlf(f"Subject: x\n{fields}\n\n{body}")).parts[0]


@pytest.mark.parametrize(
    ("fields", "body", "types", "doubts"),
    [
        ("Content-Type: text/plain", "REGEDIT4\n", ["text/plain"], NO_DOUBT),
        ("Content-Type: text/html", "REGEDIT4\n", ["text/plain"], NO_DOUBT),
        ("Content-Type: text/enriched", "REGEDIT4\n", ["text/plain"], NO_DOUBT),
        ("Content-Type: text/x-else", "REGEDIT4\n", ["text/x-ms-regedit"], NO_DOUBT),
        ("Content-Type: text/plain; name=a", "REGEDIT4\n", ["text/x-ms-regedit"], NO_DOUBT),
        (QP, "MZ=90=00=03=00", [PROGRAM], NO_DOUBT),
        (QP, "MZ=90=00=03=00=zz", [PROGRAM], {Anomaly.BAD_QUOTED_PRINTABLE}),
        (QP, "a=zz b\n", ["text/plain"], NO_DOUBT),
        (QP, "<html><p>a=zz</p>\n", ["text/html"], NO_DOUBT),
        (BASE64, b64(EXE), [PROGRAM], NO_DOUBT),
        (BASE64, b64(EXE).replace("\n", "#\n"), [PROGRAM], NO_DOUBT),
        (BASE64, f"A\n\n{b64(EXE)}", ["application/octet-stream", PROGRAM], {Anomaly.BAD_BASE64}),
        (BASE64, b64(b"hello there, my friend"), ["text/plain"], NO_DOUBT),
        (BASE64, f"{b64(b'%PDF-1.4')[:-2]}K\n{b64(EXE)}", ["application/pdf"], NO_DOUBT),
        ("Content-Type: application/octet-stream", f"A\n\n{b64(EXE)}", ["text/plain"], NO_DOUBT),
    ],
)
def test_a_part_is_recognised_in_every_reading(fields: str, body: str, types: list[str], doubts: set[Anomaly]) -> None:
    detected, found = recognise(part(fields, body))
    assert [each.type for each in detected] == types
    assert found == doubts


def test_a_container_is_taken_for_nothing() -> None:
    outer, *inner = parse(multipart([TEXT, attachment("a.exe", EXE)])).parts
    assert recognise(outer) == ((), frozenset())
    assert [[each.type for each in recognise(one)[0]] for one in inner] == [["text/plain"], [PROGRAM]]
