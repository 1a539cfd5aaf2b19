"""Archives: real ones made by real tools, and hand-made ones that no tool would make."""

import gzip
import io
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.mail_samples import EXE, PNG
from tests.support.programs import needed

FILES = {"read me.txt": b"hello\n" * 400, "sub/größe.exe": EXE, "pic.png": PNG}


def tree(folder: Path) -> Path:
    """Write FILES below a folder and return it."""
    for name, content in FILES.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "in"


TOOLS: dict[str, list[list[str]]] = {
    "zip": [["zip", "-q", "-r", "OUT.zip", "."]],
    "zip-stored": [["zip", "-q", "-0", "-r", "OUT.zip", "."]],
    "zip-bzip2": [["zip", "-q", "-Z", "bzip2", "-r", "OUT.zip", "."]],
    "zip-7z": [["7z", "a", "-tzip", "OUT.zip", "."]],
    "zip-7z-lzma": [["7z", "a", "-tzip", "-mm=LZMA", "OUT.zip", "."]],
    "zip-7z-xz": [["7z", "a", "-tzip", "-mm=xz", "OUT.zip", "."]],
    "7z": [["7z", "a", "OUT.7z", "."]],
    "7z-lzma": [["7z", "a", "-m0=LZMA", "OUT.7z", "."]],
    "7z-bcj": [["7z", "a", "-m0=BCJ", "-m1=LZMA", "OUT.7z", "."]],
    "7z-stored": [["7z", "a", "-mx=0", "OUT.7z", "."]],
    "7z-deflate": [["7z", "a", "-m0=Deflate", "-ms=off", "OUT.7z", "."]],
    "7z-bzip2": [["7z", "a", "-m0=BZip2", "-mhc=off", "OUT.7z", "."]],
    "7z-high": [["7z", "a", "-mx=9", "OUT.7z", "."]],
    "cab": [["gcab", "-c", "OUT.cab", "read me.txt", "sub/größe.exe", "pic.png"]],
    "cab-mszip": [["gcab", "-c", "-z", "OUT.cab", "read me.txt", "sub/größe.exe", "pic.png"]],
    "iso-joliet": [["genisoimage", "-quiet", "-J", "-R", "-input-charset", "utf-8", "-o", "OUT.iso", "."]],
    "tar-gnu": [["tar", "--format=gnu", "-cf", "OUT.tar", "."]],
    "tar-pax": [["tar", "--format=pax", "-cf", "OUT.tar", "."]],
    "tar-v7": [["tar", "--format=v7", "-cf", "OUT.tar", "."]],
    "tar-gz": [["tar", "-czf", "OUT.tar.gz", "."]],
    "tar-bz2": [["tar", "-cjf", "OUT.tar.bz2", "."]],
    "tar-xz": [["tar", "-cJf", "OUT.tar.xz", "."]],
    "tar-lzma": [["tar", "--lzma", "-cf", "OUT.tar.lzma", "."]],
    "tar-zstd": [["tar", "--zstd", "-cf", "OUT.tar.zst", "."]],
}
"""Name = the commands that pack the current folder as OUT.*; contents are readable in all of them."""


def made_by(name: str, folder: Path, tools: dict[str, list[list[str]]] | None = None) -> bytes:
    """Return the archive that real tools make of FILES; skip the test where one is missing."""
    source = tree(folder)
    out = folder / "out"
    for command in (tools or TOOLS)[name]:
        needed(command[0], {"7z": "p7zip-full"}.get(command[0], ""))
        if "--zstd" in command:
            needed("zstd")
        argv = [word.replace("OUT", str(out)) for word in command]
        subprocess.run(argv, cwd=source, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (made,) = folder.glob("out*")
    return made.read_bytes()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file as Python writes it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    """Return a tar file as Python writes it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def gzip_of(content: bytes, name: str = "") -> bytes:
    """Return a gzip file that says what its content is called."""
    target = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=target, mtime=0) as file:
        file.write(content)
    return target.getvalue()


def zip_entry(name: bytes, data: bytes, **say: int) -> tuple[bytes, bytes]:
    """Return a local header with data, and a directory entry for offset 0; `say` lies in the fields of both."""
    fields = {
        "flags": 0,
        "method": 0,
        "crc": zlib.crc32(data),
        "packed": len(data),
        "size": len(data),
        "local": 0,
    } | say
    facts = (fields["crc"], fields["packed"], fields["size"], len(name), 0)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, fields["flags"], fields["method"], 0, 0, *facts) + name
    head = struct.pack("<4sHHHHHHIIIHH", b"PK\x01\x02", 20, 20, fields["flags"], fields["method"], 0, 0, *facts)
    return local + data, head + struct.pack("<HHHII", 0, 0, 0, 0, fields["local"]) + name


END = b"PK\5\6"
"""What the record at a zip file's end begins with."""


def zip_end(count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    """Return the record at a zip file's end."""
    return struct.pack("<4sHHHHIIH", END, 0, 0, count, count, size, offset, len(comment)) + comment


def zip_with(local: bytes, *entries: bytes) -> bytes:
    """Return a zip file of given local part and directory entries."""
    directory = b"".join(entries)
    return local + directory + zip_end(len(entries), len(directory), len(local))


def overlapping_bomb(count: int, kernel: int = 8 * 1024 * 1024) -> bytes:
    """Return a zip file whose members all share one block of data."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflater.compress(bytes(kernel)) + deflater.flush()
    say = {"method": 8, "crc": zlib.crc32(bytes(kernel)), "size": kernel}
    local, _ = zip_entry(b"same", data, **say)
    entries = [zip_entry(b"same", data, **say)[1] for _ in range(count)]
    return zip_with(local, *entries)


RarFile = tuple[str, bytes, dict[str, int]]


def rar5(*files: RarFile, volume: bool = False, header_encrypted: bool = False) -> bytes:
    """Return an archive in RAR 5's format; members may say a `method` or that they are `encrypted`."""

    def number(value: int) -> bytes:
        return bytes((value,)) if value < 128 else bytes((value & 127 | 128,)) + number(value >> 7)

    def block(body: bytes, data: bytes = b"") -> bytes:
        header = number(len(body)) + body
        return zlib.crc32(header).to_bytes(4, "little") + header + data

    out = b"Rar!\x1a\x07\x01\0"
    if header_encrypted:
        return out + block(number(4) + number(0) + bytes(20))
    out += block(number(1) + number(0) + number(int(volume)))
    for name, data, say in files:
        extra = b"\x02\x01\0" if say.get("encrypted") else b""
        facts = number(0) + number(len(data)) + number(0) + number(say.get("method", 0) << 7) + number(0)
        sizes = (number(len(extra)) if extra else b"") + number(len(data))
        body = number(2) + number(3 if extra else 2) + sizes + facts + number(len(name)) + name.encode() + extra
        out += block(body, data)
    return out + block(number(5) + number(0) + number(0))


def rar4(*files: RarFile, volume: bool = False, header_encrypted: bool = False) -> bytes:
    """Return an archive in the format before RAR 5; the same arguments."""

    def block(kind: int, flags: int, body: bytes, data: bytes = b"") -> bytes:
        return struct.pack("<HBHH", 0, kind, flags, 7 + len(body)) + body + data

    out = b"Rar!\x1a\x07\0" + block(0x73, (1 if volume else 0) | (0x80 if header_encrypted else 0), bytes(6))
    for name, data, say in files:
        facts = (len(data), len(data), 2, zlib.crc32(data), 0, 29, say.get("method", 0x30), len(name), 0)
        body = struct.pack("<IIBIIBBHI", *facts) + name.encode()
        out += block(0x74, 0x8000 | (4 if say.get("encrypted") else 0), body, data)
    return out + block(0x7B, 0x4000, b"")


class Cabinet(NamedTuple):
    """A cabinet of one folder; what is not said is as in one that a program makes."""

    files: tuple[tuple[str, int, int], ...]
    """Name, offset in the folder, size."""
    blocks: tuple[bytes, ...]
    """Unpacked."""
    method: int = 1
    reserved: bytes = b""
    """In the header, in each folder and in each block."""
    before: bytes = b""
    """Names of the cabinet before this one and of its disk, each with its NUL."""
    after: bytes = b""
    prefix: bytes = b"CK"
    folders: int = 1
    """All with the same content; the files are in the last."""

    def octets(self) -> bytes:
        """Return the file."""
        flags = bool(self.before) | 2 * bool(self.after) | 4 * bool(self.reserved)
        extra = struct.pack("<HBB", *[len(self.reserved)] * 3) + self.reserved if self.reserved else b""
        extra += self.before + self.after
        listed = b"".join(
            struct.pack("<IIHHHH", size, offset, self.folders - 1, 0, 0, 0x80) + name.encode() + b"\0"
            for name, offset, size in self.files
        )
        at_files = 36 + len(extra) + (8 + len(self.reserved)) * self.folders
        folder = struct.pack("<IHH", at_files + len(listed), len(self.blocks), self.method) + self.reserved
        facts = struct.pack("<HHHHH", self.folders, len(self.files), flags, 0, 0)
        rest = extra + folder * self.folders + listed + b"".join(self._data())
        return b"MSCF" + struct.pack("<4xI4xI4xBB", 36 + len(rest), at_files, 3, 1) + facts + rest

    def _data(self) -> Iterator[bytes]:
        before = b""
        for block in self.blocks:
            packed = block
            if self.method == 1:
                deflater = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=before)
                packed, before = self.prefix + deflater.compress(block) + deflater.flush(), block
            yield struct.pack("<IHH", 0, len(packed), len(block)) + self.reserved + packed


def by_installed_tools() -> list[bytes]:
    """Return small archives by those of the tools that are here, to be damaged by property tests."""
    found = []
    for name, commands in TOOLS.items():
        if shutil.which(commands[0][0]):
            with tempfile.TemporaryDirectory() as folder:
                found.append(made_by(name, Path(folder)))
    return found
