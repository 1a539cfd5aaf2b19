"""Documents with something inside, built octet by octet after their specifications."""

import struct
import zlib

FREE, END, TABLE, LISTS = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC


def compound(streams: dict[str, bytes], root: bytes = bytes(16), sector: int = 512) -> bytes:
    """Return a compound file; names of streams are paths by `/`. Streams under 4,096 octets are in the mini stream.

    Sectors of 512 octets make it one of version 3, of 4,096 one of version 4.
    """
    numbers_each = sector // 4
    paths = sorted({"/".join(name.split("/")[:n]) for name in streams for n in range(1, name.count("/") + 2)})
    sectors: list[bytes] = []
    table: list[int] = []

    def put(octets: bytes) -> int:
        if not octets:
            return END
        start = len(sectors)
        pieces = [octets[at : at + sector].ljust(sector, b"\0") for at in range(0, len(octets), sector)]
        sectors.extend(pieces)
        table.extend([*range(start + 1, start + len(pieces)), END])
        return start

    mini, mini_table, places = b"", list[int](), dict[str, tuple[int, int]]()
    for path, octets in streams.items():
        if len(octets) >= 4096:
            places[path] = (put(octets), len(octets))
            continue
        first, count = len(mini) // 64, -(-len(octets) // 64)
        mini += octets.ljust(count * 64, b"\0")
        mini_table += [*range(first + 1, first + count), END] if count else []
        places[path] = (first if count else END, len(octets))
    numbers = {path: number for number, path in enumerate(paths, start=1)}

    def entry(path: str, name: str, kind: int) -> bytes:
        children = [each for each in paths if each.rpartition("/")[0] == path and each != path]
        siblings = [
            each for each in paths if path and each.rpartition("/")[0] == path.rpartition("/")[0] and each > path
        ]
        encoded = name.encode("utf-16-le") + b"\0\0"
        start, size = places.get(path, (0, 0))
        if not path:
            start, size = put(mini), len(mini)
        right = numbers[siblings[0]] if siblings else FREE
        child = numbers[children[0]] if children else FREE
        facts = struct.pack("<HBBIII", len(encoded), kind, 1, FREE, right, child)
        return (
            encoded.ljust(64, b"\0")
            + facts
            + (root if not path else bytes(16))
            + bytes(20)
            + struct.pack("<IQ", start, size)
        )

    directory = entry("", "Root Entry", 5)
    directory += b"".join(entry(path, path.rpartition("/")[2], 2 if path in streams else 1) for path in paths)
    at_directory = put(directory)
    whole = -(-len(mini_table) * 4 // sector) * sector
    at_mini = put(struct.pack(f"<{len(mini_table)}I", *mini_table).ljust(whole, b"\xff"))
    lists, first, further = _tabled(sectors, table, numbers_each)
    header = _version(sector) + struct.pack("<IIIIII", 0, len(lists), at_directory, 0, 4096, at_mini)
    header += struct.pack("<III109I", 1, first, further, *(lists + [FREE] * 109)[:109])
    return header.ljust(sector, b"\0") + b"".join(sectors)


def _version(sector: int) -> bytes:
    """Return how a file of sectors of this size begins."""
    version, shift = (3, 9) if sector == 512 else (4, 12)
    signature = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    return signature + bytes(16) + struct.pack("<HHHHH", 0x3E, version, 0xFFFE, shift, 6) + bytes(6)


def _tabled(sectors: list[bytes], table: list[int], each: int) -> tuple[list[int], int, int]:
    """Append the table's own sectors, and the lists of those that the header has no room for.

    Return where the table is, and where the further lists begin, and how many there are.
    """
    count, further = 0, 0
    while count * each < len(sectors) + count + further or 109 + further * (each - 1) < count:
        count += count * each < len(sectors) + count + further
        further += 109 + further * (each - 1) < count
    lists = [*range(len(sectors), len(sectors) + count)]
    first = len(sectors) + count
    whole = table + [TABLE] * count + [LISTS] * further
    whole += [FREE] * (count * each - len(whole))
    sectors += [struct.pack(f"<{each}I", *whole[n : n + each]) for n in range(0, len(whole), each)]
    beyond = lists[109:]
    for number in range(further):
        piece = (beyond[number * (each - 1) : (number + 1) * (each - 1)] + [FREE] * each)[: each - 1]
        sectors.append(struct.pack(f"<{each}I", *piece, first + number + 1 if number + 1 < further else END))
    return lists, first if further else END, further


def native(name: bytes, content: bytes) -> bytes:
    """Return the stream `Ole10Native` of a package."""
    path = b"C:\\tmp\\" + name + b"\0"
    body = b"\2\0" + name + b"\0" + path + b"\0\0\3\0" + len(path).to_bytes(4, "little") + path
    body += len(content).to_bytes(4, "little") + content
    return len(body).to_bytes(4, "little") + body


def outlook(name: str, content: bytes) -> bytes:
    """Return an Outlook message with one attachment."""
    place = "__attach_version1.0_#00000000/__substg1.0_"
    return compound(
        {
            f"{place}3707001F": name.encode("utf-16-le"),
            f"{place}37010102": content,
            "__properties_version1.0": bytes(32),
        }
    )


def tnef(title: bytes, content: bytes, long_name: str = "") -> bytes:
    """Return what Outlook calls winmail.dat."""

    def attribute(level: int, number: int, value: bytes) -> bytes:
        return bytes((level,)) + struct.pack("<II", number, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)

    out = b"\x78\x9f\x3e\x22\x01\0" + attribute(1, 0x00089006, b"\0\0\1\0")
    out += (
        attribute(2, 0x00069002, bytes(14))
        + attribute(2, 0x00018010, title + b"\0")
        + attribute(2, 0x0006800F, content)
    )
    if long_name:
        text = long_name.encode("utf-16-le") + b"\0\0"
        padded = text.ljust(-(-len(text) // 4) * 4, b"\0")
        number = struct.pack("<HHI", 3, 0x0E21, 7)
        named = struct.pack("<HH", 3, 0x8001) + bytes(16) + struct.pack("<III", 0, 5, 1)
        prop = struct.pack("<HHII", 0x1F, 0x3707, 1, len(text)) + padded
        out += attribute(2, 0x00069005, struct.pack("<I", 3) + number + named + prop)
    return out


def rtf(content: bytes, name: bytes = b"Package") -> bytes:
    """Return an RTF file with an object in it."""
    data = struct.pack("<II", 0x501, 2)
    data += b"".join(len(each).to_bytes(4, "little") + each for each in (name + b"\0", b"", b""))
    data += len(content).to_bytes(4, "little") + content
    digits = data.hex()
    lines = "\r\n".join(digits[at : at + 60] for at in range(0, len(digits), 60))
    return b"{\\rtf1\\ansi hello {\\object\\objemb{\\*\\objclass X}{\\*\\objdata {\\par}" + lines.encode() + b"}}}"


def onenote(*contents: bytes, name: str = "", source: str = "") -> bytes:
    """Return a OneNote section with files in it; with a name there is the object that says what one is called."""
    out = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(1024)
    if name:
        # the file's container, its name, its source, a flag, a colour: numbers first, then the values of those with any
        out += struct.pack("<H5I", 5, 0x20001D9B, 0x1C001D9C, 0x1C001D9D, 0x88001C09, 0x14001C01)
        for text in (name, source):
            value = text.encode("utf-16-le") + b"\0\0"
            out += struct.pack("<I", len(value)) + value
        out += struct.pack("<I", 0xFF000000)
    for content in contents:
        out += bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<Q", len(content)) + bytes(12) + content
    return out


def pdf(*objects: bytes, compressed: bytes = b"") -> bytes:
    """Return a PDF file of some objects; those in `compressed` are in an object stream."""
    out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    for number, each in enumerate(objects, start=1):
        out += b"%d 0 obj\n" % number + each + b"\nendobj\n"
    if compressed:
        packed = zlib.compress(compressed)
        out += b"99 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
        out += packed + b"\nendstream\nendobj\n"
    return out + b"trailer\n<</Root 1 0 R>>\n%%EOF\n"


def embedded(content: bytes, *, packed: bool = True) -> bytes:
    """Return a PDF object that is an embedded file."""
    data = zlib.compress(content) if packed else content
    how = b"/Filter/FlateDecode" if packed else b""
    return b"<</Type/EmbeddedFile%s/Length %d>>stream\r\n" % (how, len(data)) + data + b"\r\nendstream"
