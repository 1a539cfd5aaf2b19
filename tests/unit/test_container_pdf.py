"""PDF: what each object says, wherever it stands, and files in it however they are packed or damaged."""

import random
import zlib

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.member import Sign
from tests.support.document_samples import embedded, pdf
from tests.support.mail_samples import EXE

LAUNCH, ESCAPED = b"<</S/Launch/F(cmd)>>", b"<</S/L#61unch/F(cmd)>>"
STREAM = b"<</Length 9>>stream\nsome text\nendstream"
PACKED = embedded(EXE)


def names(contents: Contents) -> set[str]:
    return {name for inside in contents.inside for name in inside.names}


def has_program(contents: Contents) -> bool:
    return any(one.extension == "exe" for inside in contents.inside for one in inside.detected)


@pytest.mark.parametrize(
    ("document", "signs"),
    [
        (pdf(LAUNCH), {Sign.LAUNCH}),
        (pdf(STREAM, LAUNCH, STREAM), {Sign.LAUNCH}),
        *((pdf(*order), {Sign.LAUNCH}) for order in ((ESCAPED, STREAM), (STREAM, ESCAPED), (STREAM, ESCAPED, STREAM))),
        (pdf(b"<</Type/ObjStm/N 1>>stream\n1 0 <</S/Launch>>\nendstream"), {Sign.LAUNCH}),
        (pdf(compressed=b"1 0 " + ESCAPED), {Sign.LAUNCH}),
        (pdf(b"<</Type/#4fbjStm>>stream\n" + zlib.compress(LAUNCH) + b"\nendstream"), {Sign.LAUNCH}),
        (pdf(STREAM.replace(b"some text", b"/L#61unch")), set()),
        (pdf(b"<</S/Launcher/F(cmd)>>"), set()),
        (pdf(b"<</S/JavaScript>>"), {Sign.SCRIPT}),
        (pdf(b"<</JS(x)>>"), {Sign.SCRIPT}),
        (pdf(b"<</JSX(x)>>"), set()),
        (pdf(*[STREAM] * 20_001), set()),
        (pdf(*[STREAM] * 20_003), {Sign.OVER_LIMIT}),
        (pdf(compressed=bytes(16 * 1024 * 1024)), {Sign.OVER_LIMIT}),
        (pdf(compressed=bytes(16 * 1024 * 1024 - 1)), set()),
    ],
)
def test_what_a_document_does(document: bytes, signs: set[Sign]) -> None:
    assert look_inside(document).signs == signs


@pytest.mark.parametrize(
    "document",
    [
        PACKED,
        embedded(EXE, packed=False),
        PACKED.replace(b"/FlateDecode", b"/Fl"),
        PACKED.replace(b"\r\n", b"\n", 1),
        PACKED.replace(b"\r\n", b"\r", 1),
        PACKED.replace(b"\r\n", b"", 1),
        PACKED.removesuffix(b"endstream"),
        embedded(EXE, packed=False).removesuffix(b"\r\nendstream"),
        embedded(EXE * 300),
        embedded(EXE + random.Random(1).randbytes(150_000)),
    ],
)
def test_a_file_in_a_document_is_seen(document: bytes) -> None:
    for octets in (pdf(document), b"%PDF-1.7\n1 0 obj\n" + document):
        contents = look_inside(octets)
        assert has_program(contents)
        assert contents.signs == frozenset()


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(PACKED.replace(b"/FlateDecode", b"/LZWDecode"), id="another filter"),
        pytest.param(PACKED.replace(b"/FlateDecode", b"/A85"), id="another one by its short name"),
        pytest.param(PACKED.replace(b"/FlateDecode", b"[/FlateDecode/ASCIIHexDecode]"), id="two filters"),
        pytest.param(PACKED[:-60], id="damaged"),
        pytest.param(embedded(EXE, packed=False).replace(b"/Length", b"/Filter/Fl/Length"), id="no packed data"),
    ],
)
def test_a_file_that_cannot_be_unpacked_is_said_to_be_unreadable(document: bytes) -> None:
    contents = look_inside(pdf(document))
    assert not has_program(contents)
    assert contents.signs == {Sign.UNREADABLE}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"<</Type/Filespec/F(run.exe)>>", "run.exe"),
        (b"<</Names[/EmbeddedFiles]/UF(run.exe)>>", "run.exe"),
        (b"<</Type/Filespec/UF(a\\)b.exe)>>", "a\\)b.exe"),
        (b"<</Type/Filespec/UF <72756e2e 657865>>>", "run.exe"),
        (b"<</Type/Filespec/UF<72756e2e6578 6>>>", "run.ex`"),
        (b"<</Type/Filespec/UF<FEFF00720075006e>>>", "run"),
        (b"<</Type/Filespec/F(http://a.example/run.exe)>>", None),
        (b"<</Type/Other/F(run.exe)>>", None),
    ],
)
def test_the_name_of_a_file_is_seen(said: bytes, name: str | None) -> None:
    assert names(look_inside(pdf(said))) == ({name} if name else set())
