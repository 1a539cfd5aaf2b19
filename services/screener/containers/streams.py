"""Decompression as streams: every chunk bounded, however much a few octets stand for."""

import bz2
import contextlib
import lzma
import sys
import zlib
from collections.abc import Generator, Iterator
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from services.screener.containers.member import CHUNK, ContainerError, Sign

MEMORY = 64 * 1024 * 1024
"""Octets that a decoder of LZMA or zstd may take for what it refers back to."""
_ZSTD = b"\x28\xb5\x2f\xfd"
_RAW = -15
_GZIP = 31


class _Decoder(Protocol):
    """What the decompressors of bz2, lzma and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def stored(octets: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield octets as they are."""
    for position in range(start, end, CHUNK):
        yield octets[position : min(end, position + CHUNK)]


def inflate(octets: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield what raw deflate gives. Raise ContainerError if it is none, or ends too early."""
    decoder = zlib.decompressobj(_RAW)
    yield from _zlib(decoder, octets, start, end)
    if not decoder.eof:
        raise ContainerError(Sign.MALFORMED)


def gunzip(octets: bytes) -> Iterator[bytes]:
    """Yield what the members of a gzip file give, one after the other (RFC 1952 section 2.2)."""
    position = 0
    while octets.startswith(b"\x1f\x8b\x08", position):
        decoder = zlib.decompressobj(_GZIP)
        position = yield from _zlib(decoder, octets, position, len(octets))
        if not decoder.eof:
            raise ContainerError(Sign.MALFORMED)
    _only_padding(octets, position)


def _zlib(decoder: "zlib._Decompress", octets: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    """Yield what is there until it breaks off, which whoever asks sees by the decoder; return where it ends."""
    position = start
    with contextlib.suppress(zlib.error):
        while position < end and not decoder.eof:
            piece = octets[position : min(end, position + CHUNK)]
            position += len(piece)
            while piece and not decoder.eof:
                yield decoder.decompress(piece, CHUNK)
                piece = decoder.unconsumed_tail
        while not decoder.eof:
            rest = decoder.decompress(decoder.unconsumed_tail, CHUNK)
            if not rest:
                break
            yield rest
    return position - len(decoder.unused_data)


def bunzip(octets: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield what the streams of a bzip2 file give."""
    position = start
    while octets.startswith(b"BZh", position) and position < end:
        position = yield from _drain(bz2.BZ2Decompressor(), octets, position, end)
    _only_padding(octets[:end], position)


def unxz(octets: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield what the streams of an xz file give, or one of the old lzma format."""
    position = start
    while position < end and octets[position : position + 1] != b"\0":
        decoder = lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=MEMORY)
        position = yield from _drain(decoder, octets, position, end)
    _only_padding(octets[:end], position)


def is_zstd_frame(octets: bytes, position: int) -> bool:
    """Return whether a frame begins here, or one that decoders skip (RFC 8878 section 3.1)."""
    skipped = octets[position + 1 : position + 4] == b"\x2a\x4d\x18" and octets[position] & 0xF0 == 0x50
    return skipped or octets.startswith(_ZSTD, position)


def unzstd(octets: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield what the frames of zstd data give."""
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: MEMORY.bit_length() - 1}
    position = start
    while position < end and is_zstd_frame(octets, position):
        position = yield from _drain(zstd.ZstdDecompressor(options=options), octets, position, end)
    _only_padding(octets[:end], position)


def unlzma(octets: bytes, start: int, end: int, filters: list[dict[str, int]]) -> Iterator[bytes]:
    """Yield what raw LZMA data gives through a chain of filters; its end may be marked or not."""
    if any(each.get("dict_size", 0) > MEMORY for each in filters):
        raise ContainerError(Sign.OVER_LIMIT)
    try:
        decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    except (lzma.LZMAError, ValueError):
        raise ContainerError(Sign.MALFORMED) from None
    yield from _drain(decoder, octets, start, end, unmarked=True)


def lzma_filter(properties: bytes) -> dict[str, int]:
    """Return LZMA's five octets of properties as a filter."""
    packed = properties[0] if len(properties) >= 5 else 225
    if packed >= 225:
        raise ContainerError(Sign.MALFORMED)
    return {
        "id": lzma.FILTER_LZMA1,
        "lc": packed % 9,
        "lp": packed // 9 % 5,
        "pb": packed // 45,
        "dict_size": max(4096, int.from_bytes(properties[1:5], "little")),
    }


def _drain(
    decoder: _Decoder, octets: bytes, start: int, end: int, *, unmarked: bool = False
) -> Generator[bytes, None, int]:
    position = start
    try:
        with contextlib.suppress(OSError, ValueError):  # bz2's; it has not reached the end then
            while not decoder.eof:
                piece = b""
                if decoder.needs_input:
                    piece = octets[position : min(end, position + CHUNK)]
                    position += len(piece)
                chunk = decoder.decompress(piece, CHUNK)
                if chunk:
                    yield chunk
                elif not piece:
                    break
    except (lzma.LZMAError, zstd.ZstdError) as error:
        raise ContainerError(Sign.OVER_LIMIT if "memory" in str(error).lower() else Sign.MALFORMED) from None
    if not decoder.eof and not unmarked:
        raise ContainerError(Sign.MALFORMED)
    return position - len(decoder.unused_data)


def _only_padding(octets: bytes, position: int) -> None:
    if octets[position:].strip(b"\0"):
        raise ContainerError(Sign.MALFORMED)
