"""7z archives, record by record (7zFormat.txt of the LZMA SDK), the header packed or not."""

import lzma
import random
import struct
import zlib

from services.screener.containers.sevenzip import SIGNATURE
from tests.support.mail_samples import EXE

COPY, LZMA, LZMA2, BCJ, DELTA = b"\0", b"\3\1\1", b"\x21", b"\3\3\1\3", b"\3"
DEFLATE, BZIP2, AES, UNKNOWN = b"\4\1\x08", b"\4\2\2", b"\6\xf1\7\1", b"\3\4\1"
ZSTD = b"\4\xf7\x11\1"
TEXT = b"some text " * 30
MANY = 100_001


def number(value: int) -> bytes:
    for extra in range(8):
        if value < 1 << (7 * (extra + 1)):
            high = value >> (8 * extra)
            return bytes((0xFF << (8 - extra) & 0xFF | high,)) + (value & ((1 << 8 * extra) - 1)).to_bytes(
                extra, "little"
            )
    return b"\xff" + value.to_bytes(8, "little")


def coder(method: bytes, properties: bytes = b"", streams: tuple[int, int] | None = None) -> bytes:
    flags = len(method) | 0x10 * (streams is not None) | 0x20 * bool(properties)
    out = bytes((flags,)) + method
    out += b"".join(map(number, streams)) if streams is not None else b""
    return out + (number(len(properties)) + properties if properties else b"")


def folder(*coders: bytes, bound: tuple[tuple[int, int], ...] = (), packed: tuple[int, ...] = ()) -> bytes:
    pairs = b"".join(number(into) + number(out) for into, out in bound)
    return number(len(coders)) + b"".join(coders) + pairs + b"".join(map(number, packed))


def pack(*sizes: int, start: int = 0, digests: bytes = b"") -> bytes:
    return b"\6" + number(start) + number(len(sizes)) + b"\x09" + b"".join(map(number, sizes)) + digests + b"\0"


def unpack(folders: list[bytes], sizes: list[int], digests: bytes = b"", elsewhere: bytes = b"\0") -> bytes:
    listed = b"".join(map(number, sizes))
    return b"\7\x0b" + number(len(folders)) + elsewhere + b"".join(folders) + b"\x0c" + listed + digests + b"\0"


def streams(*sections: bytes) -> bytes:
    return b"".join(sections) + b"\0"


def files(*names: str, empty: bytes = b"", extra: bytes = b"", external: bytes = b"\0") -> bytes:
    text = external + "".join(f"{name}\0" for name in names).encode("utf-16-le")
    out = b"\5" + number(len(names)) + (b"\x0e" + number(len(empty)) + empty if empty else b"") + extra
    return out + b"\x11" + number(len(text)) + text + b"\0"


def header(*sections: bytes) -> bytes:
    return b"\1" + b"".join(sections) + b"\0"


def archive(said: bytes, data: bytes = b"", crc: int | None = None) -> bytes:
    """Return an archive whose data come first, then the header."""
    start = struct.pack("<QQI", len(data), len(said), zlib.crc32(said) if crc is None else crc)
    return SIGNATURE + b"\0\4" + struct.pack("<I", zlib.crc32(start)) + start + data + said


def one(data: bytes, *coders: bytes, size: int = len(EXE), bound: tuple[tuple[int, int], ...] = ()) -> bytes:
    """Return an archive of one file by some coders."""
    sizes = [size] * len(coders)
    return archive(
        header(b"\4" + streams(pack(len(data)), unpack([folder(*coders, bound=bound)], sizes)), files("a")), data
    )


def packed_zstd(data: bytes) -> bytes:
    """Return a frame of one block as it is (RFC 8878, sections 3.1.1.1 and 3.1.1.2)."""
    return (
        b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(data) - 256) + (len(data) << 3 | 1).to_bytes(3, "little") + data
    )


def raw_lzma(data: bytes, *filters: dict[str, int]) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=list(filters))


F1, F2 = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}
ARM = {"id": lzma.FILTER_ARM}
NEXT_1 = {"id": lzma.FILTER_DELTA, "dist": 1}
FAR = EXE + random.Random(7).randbytes(9000) * 2
X86, NEXT = {"id": lzma.FILTER_X86}, {"id": lzma.FILTER_DELTA, "dist": 3}
P1, P2 = b"\x5d\0\0\1\0", b"\x08"
LONG = EXE * 40
TWO = EXE + TEXT
CODER_2 = coder(LZMA2, P2)


def substreams(*sections: bytes) -> bytes:
    return b"\x08" + b"".join(sections) + b"\0"


TOGETHER = unpack([folder(coder(COPY))], [len(TWO)])
