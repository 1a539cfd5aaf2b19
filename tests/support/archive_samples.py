"""Archives: real ones made by real tools, and hand-made ones that no tool would make."""

import gzip
import io
import struct
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

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
    "tar-gnu": [["tar", "--format=gnu", "-cf", "OUT.tar", "."]],
    "tar-pax": [["tar", "--format=pax", "-cf", "OUT.tar", "."]],
    "tar-v7": [["tar", "--format=v7", "-cf", "OUT.tar", "."]],
    "tar-gz": [["tar", "-czf", "OUT.tar.gz", "."]],
    "tar-bz2": [["tar", "-cjf", "OUT.tar.bz2", "."]],
    "tar-xz": [["tar", "-cJf", "OUT.tar.xz", "."]],
    "tar-lzma": [["tar", "--lzma", "-cf", "OUT.tar.lzma", "."]],
}
"""Name = the commands that pack the current folder as OUT.*; contents are readable in all of them."""


def made_by(name: str, folder: Path, tools: dict[str, list[list[str]]] | None = None) -> bytes:
    """Return the archive that real tools make of FILES; skip the test where one is missing."""
    source = tree(folder)
    out = folder / "out"
    for command in (tools or TOOLS)[name]:
        needed(command[0], {"7z": "p7zip-full"}.get(command[0], ""))
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


def zip_end(count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    """Return the record at a zip file's end."""
    return struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, size, offset, len(comment)) + comment


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
