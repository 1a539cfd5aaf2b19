"""RTF: what is looked at, what is fetched, and objects in all the ways that programs read them."""

import pytest

from services.screener.containers.contents import Contents, look_inside
from services.screener.containers.documents.rtf import is_rtf
from services.screener.containers.member import Sign
from tests.support.document_samples import native, rtf
from tests.support.mail_samples import EXE

PACKAGE = rtf(native(b"x.exe", EXE)[4:])
OBJECT = rtf(EXE, b"X.1")


def has_program(contents: Contents) -> bool:
    return any(one.extension == "exe" for inside in contents.inside for one in inside.detected)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"{\\rtf1\\object", True),
        (b" \r\n{\\rt \\objdata", True),
        (b"{\\rtf1{\\*\\template x}", True),
        (b"{\\rtf1 DDE", True),
        (b"{\\rtf1 text", False),
        (b"x{\\rtf1\\object", False),
        (b" " * 64 + b"{\\rtf1\\object", False),
    ],
)
def test_what_is_looked_at(octets: bytes, expected: bool) -> None:
    assert is_rtf(octets) is expected


@pytest.mark.parametrize(
    ("text", "fetches"),
    [
        (b"\\objautlink", True),
        (b"\\objupdate", True),
        (b"\\objlink", True),
        (b"\\objemb", False),
        (b"{\\*\\template http://a.example/b}", True),
        (b"{\\*\\template \\'68\\'74tp\\'3a//a}", True),
        (b"{\\*\\template \\u58?\\u47 ?//a\\object}", True),
        (b"{\\*\\template C:\\\\a.dot}", False),
        (b"{\\*\\templates http://a.example/b}", False),
        (b"{\\field{\\*\\fldinst DDE cmd}}", True),
        (b"{\\field{\\*\\fldinst DDEAUTO cmd}}", True),
        (b"{\\field{\\*\\fldinst PAGE}} DDE", False),
    ],
)
def test_what_is_fetched(text: bytes, fetches: bool) -> None:
    assert look_inside(b"{\\rtf1{" + text + b"}}").signs == ({Sign.REMOTE} if fetches else set())


@pytest.mark.parametrize(
    "octets",
    [
        PACKAGE,
        OBJECT,
        PACKAGE.replace(b"objdata ", b"objdata1 "),
        OBJECT.replace(b"objdata ", b"objdata-1 "),
        OBJECT.replace(b"objdata ", b"objdata"),
        OBJECT.replace(b"{\\par}", b"{\\*\\x {\\y}}\\b \\'"),
        OBJECT.replace(b"{\\par}", b"\\}\\{"),
        OBJECT.removesuffix(b"}}}"),
        OBJECT.replace(b"\r\n", b"\r\n zz"),
        b"{\\rtf1{\\objdatax 00}{\\objdata 00}" + OBJECT[6:],
    ],
)
def test_a_program_in_an_object_is_seen(octets: bytes) -> None:
    contents = look_inside(octets)
    assert has_program(contents)
    assert contents.signs == set()


def test_a_package_has_the_name_that_it_gives_and_an_object_of_another_class_none() -> None:
    assert look_inside(PACKAGE).inside[0].names == ("x.exe", "C:\\tmp\\x.exe")
    assert [inside.names for inside in look_inside(OBJECT).inside] == [()]
    (empty,) = look_inside(rtf(b"", b"Package")).inside
    assert empty.names == ()
    assert empty.size > 0


def test_text_behind_an_object_is_none_of_it() -> None:
    contents = look_inside(b"{\\rtf1{\\objdata 4d}" + EXE.hex().encode() + b"}")
    assert not has_program(contents)


@pytest.mark.parametrize(("count", "signs"), [(499, set()), (500, {Sign.OVER_LIMIT})])
def test_very_many_objects_are_over_the_limit(count: int, signs: set[Sign]) -> None:
    assert look_inside(b"{\\rtf1" + b"{\\objdata 00}" * count).signs == signs
