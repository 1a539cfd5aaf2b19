"""PDF files with a password by a real program; those that only forbid something are opened by everybody, and pass."""

import re
import subprocess
from pathlib import Path

import pytest

from services.screener.containers.contents import look_inside
from services.screener.containers.member import Sign
from tests.support import document_samples as documents
from tests.support.programs import needed

PAGES = (
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
)
STRENGTHS = {
    "R2": ["40", "--"],
    "R3": ["128", "--use-aes=n", "--"],
    "R4": ["128", "--use-aes=y", "--"],
    "R4, metadata plain": ["128", "--use-aes=y", "--cleartext-metadata", "--"],
    "R5": ["256", "--force-R5", "--"],
    "R6": ["256", "--"],
}


def encrypted(folder: Path, user: str, strength: str, *options: str, owner: str = "owner") -> bytes:
    needed("qpdf")
    (folder / "in.pdf").write_bytes(documents.pdf(*PAGES))
    weak = ["--allow-weak-crypto", *options, "--encrypt", user, owner, *STRENGTHS[strength]]
    subprocess.run(["qpdf", *weak, "in.pdf", "out.pdf"], cwd=folder, check=False, capture_output=True)
    return (folder / "out.pdf").read_bytes()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_file_with_a_password_is_encrypted(strength: str, tmp_path: Path) -> None:
    assert look_inside(encrypted(tmp_path, "secret", strength)).signs == {Sign.ENCRYPTED}


@pytest.mark.parametrize("objects", ["--object-streams=disable", "--object-streams=generate"])
@pytest.mark.parametrize("strength", [name for name in STRENGTHS if name != "R6"])
def test_a_file_that_everybody_can_open_is_not(strength: str, objects: str, tmp_path: Path) -> None:
    assert look_inside(encrypted(tmp_path, "", strength, objects)).signs == frozenset()


def in_parentheses(octets: bytes, known: dict[int, bytes]) -> bytes:
    """Return a string in its other form, octets as they are, by their letters, or by octal digits."""
    letters = {10: b"\\n", 13: b"\\r", 9: b"\\t", 8: b"\\b", 12: b"\\f", 40: b"\\(", 41: b"\\)", 92: b"\\\\"} | known
    return b"(" + b"".join(letters.get(octet, bytes((octet,))) for octet in octets) + b")"


@pytest.mark.parametrize("known", [{}, {octet: b"\\%03o" % octet for octet in range(256)}], ids=["letters", "octal"])
def test_strings_in_either_form(known: dict[int, bytes], tmp_path: Path) -> None:
    """Of four files, so that every letter occurs."""
    for owner in ("b", "d", "g", "9"):
        octets = encrypted(tmp_path, "", "R3", "--static-id", owner=owner)
        found = re.sub(rb"<([0-9a-f]{32,64})>", lambda m: in_parentheses(bytes.fromhex(m[1].decode()), known), octets)
        assert found != octets
        assert look_inside(found).signs == frozenset()


@pytest.mark.parametrize(
    ("strength", "said", "instead"),
    [
        ("R3", rb"/Standard", b"/Another"),
        ("R3", rb"(/U <\w{32})\w+", rb"\1"),
        ("R5", rb"(/O <\w{32})\w+", rb"\1"),
        ("R3", rb"/R 3", b"/R 7"),
    ],
    ids=["another handler", "a short check", "a short one of the owner's", "a revision that nobody knows"],
)
def test_what_no_reader_opens_is_encrypted(strength: str, said: bytes, instead: bytes, tmp_path: Path) -> None:
    octets = re.sub(said, instead, encrypted(tmp_path, "", strength, "--object-streams=disable"))
    assert look_inside(octets).signs == {Sign.ENCRYPTED}


@pytest.mark.parametrize(
    ("strength", "said"),
    [("R2", b"/Length 128 "), ("R3", b"/EncryptMetadata false ")],
    ids=["the length of a key", "metadata that are plain"],
)
def test_a_revision_passes_over_what_later_ones_say(strength: str, said: bytes, tmp_path: Path) -> None:
    """The first has keys of forty bits, and the first two no metadata of their own (algorithm 2, steps f and i)."""
    octets = encrypted(tmp_path, "", strength, "--object-streams=disable")
    changed = re.sub(rb"(?:/Length 40 )?(/O <)", said + rb"\1", octets)
    assert changed != octets
    assert look_inside(changed).signs == frozenset()


def test_a_file_of_revision_6_counts_as_one_with_a_password(tmp_path: Path) -> None:
    assert look_inside(encrypted(tmp_path, "", "R6")).signs == {Sign.ENCRYPTED}


def test_files_inside_an_encrypted_one_are_out_of_sight(tmp_path: Path) -> None:
    octets = encrypted(tmp_path, "", "R3")
    assert look_inside(octets + documents.embedded(b"x")).signs == {Sign.ENCRYPTED}


@pytest.mark.parametrize(
    "trailer",
    [b"<</Encrypt 9 0 R>>", b"<</Encrypt<</Filter/Custom>>>>", b"<</Encr#79pt<</Filter/Standard/R 3>>>>"],
    ids=["no such object", "another handler", "an escaped name"],
)
def test_what_cannot_be_told_counts_as_encrypted(trailer: bytes) -> None:
    assert look_inside(documents.pdf(b"<</Type/Catalog>>", trailer)).signs == {Sign.ENCRYPTED}
