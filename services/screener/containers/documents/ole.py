"""What is in compound files: macros, embedded packages, encrypted documents, attachments of Outlook messages."""

import re
from collections.abc import Iterator
from functools import partial

from services.screener.containers.documents.compound import Compound, Entry
from services.screener.containers.member import Found, Member, Sign
from services.screener.containers.streams import inflate, stored
from services.screener.mime.words import decode_octets

_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")
"""Class of a Windows installer's root, {000C1084-0000-0000-C000-000000000046}."""
_ATTACHED = re.compile(
    r"((?:.*/)?__attach_version1\.0_#[0-9A-F]{8})/__substg1\.0_(3701|3704|3707|3001)(0102|001E|001F)"
)
_ENCRYPTED_SLIDES = b"\xdf\xc4\xd1\xf3"
"""The headerToken of a presentation with a password (MS-PPT 2.3.2)."""
_NATIVE = "\x01Ole10Native"
_NAME = 260


def read_ole(octets: bytes) -> Iterator[Found]:
    """Yield embedded files, and say whether there are macros or a password."""
    compound = Compound(octets)
    if any(entry.clsid == _INSTALLER for entry in compound.entries[:1]):
        yield Member(("installer.msi",))
    for entry in compound.entries:
        yield from _signs(compound, entry)
    for entry in compound.streams():
        if entry.path.endswith(_NATIVE):
            yield from read_native(compound.read(entry))
        elif entry.path.rpartition("/")[2] in {"CONTENTS", "Package"}:
            yield _member((), compound.read(entry))
    yield from _attachments(compound)


def read_activemime(octets: bytes) -> Iterator[Found]:
    """Yield the compound file that Office packs into web archives as `editdata.mso`: its macros."""
    yield Member((), open=partial(inflate, octets, 52, len(octets)))


def read_old_sheet(octets: bytes) -> Iterator[Found]:
    """Say whether a sheet of Excel 2 to 4, which is no compound file, is one of macros, or several sheets in one."""
    if int.from_bytes(octets[6:8], "little") in {0x40, 0x100}:
        yield Sign.MACRO


def read_native(octets: bytes) -> Iterator[Found]:
    """Yield the file of a package: label, path, temporary path and content (the `Ole10Native` stream)."""
    rest = octets[6:]
    label, _, rest = rest.partition(b"\0")
    path, _, rest = rest.partition(b"\0")
    length = int.from_bytes(rest[4:8], "little")
    temporary, rest = rest[8 : 8 + length], rest[8 + length :]
    size = int.from_bytes(rest[:4], "little")
    raw = (label, path, temporary.rstrip(b"\0"))
    names = tuple(dict.fromkeys(decode_octets(name[:_NAME]) for name in raw if name))
    yield _member(names, rest[4 : 4 + size] if len(rest) >= 4 else octets[4:])


def _member(names: tuple[str, ...], content: bytes) -> Member:
    return Member(names, open=partial(stored, content, 0, len(content)))


def _signs(compound: Compound, entry: Entry) -> Iterator[Sign]:
    name = entry.path.rpartition("/")[2]
    if name.upper() in {"_VBA_PROJECT", "_VBA_PROJECT_CUR", "VBA"}:
        yield Sign.MACRO
    elif (
        name == "EncryptedPackage"
        or (entry.path == "WordDocument" and int.from_bytes(compound.read(entry, 12)[11:12]) & 1)
        or (entry.path == "Current User" and compound.read(entry, 16)[12:] == _ENCRYPTED_SLIDES)
    ):
        yield Sign.ENCRYPTED
    elif entry.path in {"Workbook", "Book"}:
        yield from _workbook(compound.read(entry, 64 * 1024))


def _workbook(octets: bytes) -> Iterator[Sign]:
    """Walk the records at the start: a password, and sheets of Excel 4 macros (MS-XLS 2.4.28, 2.4.117)."""
    at = 0
    while at + 4 <= len(octets):
        kind, size = (int.from_bytes(octets[at + n : at + n + 2], "little") for n in (0, 2))
        if kind == 0x2F:
            yield Sign.ENCRYPTED
            return
        if kind == 0x85 and octets[at + 9 : at + 10] == b"\1":
            yield Sign.MACRO
        if kind == 0x0A:
            return
        at += 4 + size


def _attachments(compound: Compound) -> Iterator[Found]:
    """Yield the attachments of an Outlook message, those of messages attached to it too (MS-OXMSG 2.2.2)."""
    names: dict[str, list[str]] = {}
    contents: dict[str, bytes] = {}
    for entry in compound.streams():
        match = _ATTACHED.fullmatch(entry.path)
        if match is None:
            continue
        octets = compound.read(entry)
        if match[2] == "3701":
            contents[match[1]] = octets
        elif match[3] != "0102":
            text = octets.decode("utf-16-le", "replace") if match[3] == "001F" else decode_octets(octets)
            names.setdefault(match[1], []).append(text.rstrip("\0")[:_NAME])
    for place in dict.fromkeys((*names, *contents)):
        yield _member(tuple(names.get(place, ())), contents.get(place, b""))
