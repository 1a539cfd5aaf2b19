"""Types recognised by content: the first octets tell what a program will do with a file, whatever it is called."""

import re
from collections.abc import Iterable
from typing import NamedTuple


class Detected(NamedTuple):
    """A recognised type, and the extension that stands for it in the rules."""

    type: str
    extension: str | None


_TABLE: tuple[tuple[int, bytes, str, str | None], ...] = (
    (0, b"\x7fELF", "application/x-executable", "elf"),
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-binary", "macho"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-binary", "macho"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-binary", "macho"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary", "macho"),
    (0, b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut", "lnk"),
    (0, b"ITSF", "application/vnd.ms-htmlhelp", "chm"),
    (0, b"MSCF", "application/vnd.ms-cab-compressed", "cab"),
    (0, b"ISc(", "application/x-installshield-cab", "cab"),
    (0, b"?_\x03\0", "application/winhlp", "hlp"),
    (4, b"Standard Jet DB", "application/x-msaccess", "mdb"),
    (4, b"Standard ACE DB", "application/x-msaccess", "mdb"),
    (0, b"!BDN", "application/vnd.ms-outlook-pst", "pst"),
    (0, b"dex\n03", "application/x-dex", "dex"),
    (0, b"conectix", "application/x-vhd", "vhd"),
    (0, b"vhdxfile", "application/x-vhdx", "vhdx"),
    (0, b"MSWIM\0\0\0", "application/x-ms-wim", "wim"),
    (0x8001, b"CD001", "application/x-iso9660-image", "iso"),
    (0x8001, b"BEA01", "application/x-udf-image", "iso"),
    (0, b"xar!", "application/x-xar", "pkg"),
    (0, b"\xe4R\\{\x8c\xd8\xa7M\xae\xb1Sx\xd0)\x96\xd3", "application/onenote", "one"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "ole"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar", "rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "7z"),
    (7, b"**ACE**", "application/x-ace-compressed", "ace"),
    (0, b"\x60\xea", "application/x-arj", "arj"),
    (2, b"-lh5-", "application/x-lzh-compressed", "lzh"),
    (0, b"\x1f\x8b\x08", "application/gzip", "gz"),
    (0, b"BZh", "application/x-bzip2", "bz2"),
    (0, b"\xfd7zXZ\0", "application/x-xz", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd", "zst"),
    (257, b"ustar", "application/x-tar", "tar"),
    (0, b"!<arch>\ndebian", "application/vnd.debian.binary-package", "deb"),
    (0, b"\xed\xab\xee\xdb", "application/x-rpm", "rpm"),
    (0, b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef", "tnef"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (0, b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (0, b"GIF87a", "image/gif", "gif"),
    (0, b"GIF89a", "image/gif", "gif"),
    (0, b"II*\0", "image/tiff", "tif"),
    (0, b"MM\0*", "image/tiff", "tif"),
    (0, b"OggS", "audio/ogg", "ogg"),
    (0, b"ID3", "audio/mpeg", "mp3"),
    (4, b"ftyp", "video/mp4", "mp4"),
    (0, b"FWS", "application/x-shockwave-flash", "swf"),
    (0, b"CWS", "application/x-shockwave-flash", "swf"),
    (0, b"%!PS", "application/postscript", "ps"),
    (0, b"{\\rt", "application/rtf", "rtf"),
    (0, b"-----BEGIN PGP MESSAGE-----", "application/pgp-encrypted", "asc"),
)
_BY_FIRST: dict[int, list[tuple[bytes, str, str | None]]] = {}
for _offset, _octets, _type, _extension in _TABLE:
    if _offset == 0:
        _BY_FIRST.setdefault(_octets[0], []).append((_octets, _type, _extension))
_ELSEWHERE = tuple(row for row in _TABLE if row[0])


def _marks(offset: int) -> list[bytes]:
    """Return the marks of all types that stand so many octets in."""
    return [octets for at, octets, _, _ in _TABLE if at == offset]


def _any(marks: Iterable[bytes]) -> bytes:
    """Return a pattern for any of them."""
    return b"|".join(map(re.escape, marks))


_FIRST = (
    *b"MZ ZM PK RIFF BM #! ID; RE~^ KDMV QFI\xfb ALZ\x01 EGGA 7kSt zPQ LZIP ZOO koly ActiveMime".split(),
    *(b"Windows Registry", b"REGEDIT", b"[Internet", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"),
    *_marks(0),
)
_BEGINNING = re.compile(
    # Most texts begin with the first octet of no mark: one look for all.
    rb"(?!(?=[%b])(?:%b)"
    % (re.escape(bytes({mark[0] for mark in _FIRST})), _any(_FIRST))
    + rb"|\s{0,255}+(?:\{\\rt|MI[A-Za-z0-9+/]{30}|(?i:begin:v))"
    rb"|..(?:-l|"
    + _any(_marks(2))
    + rb"|..(?:"
    + _any(_marks(4))
    + rb"|...(?:"
    + _any(_marks(7))
    + rb"|.{141}[ 0-7]{8}|.{250}(?:"
    + _any(_marks(257))
    + rb")))))"
    rb"(?:[\t\r\n -~\x80-\xff]{32}|[\t\r\n -~\x80-\xff]++\Z)",
    re.DOTALL,
)
"""What begins with no mark of a type, and is no tar of text: the sum in its header has eight digits or spaces."""

_CMS = tuple(bytes.fromhex(f"06{oid}") for oid in ("092a864886f70d0107", "0b2a864886f70d01091001"))
"""Object identifiers of S/MIME: signed, compressed or for its recipient only (RFC 5652 section 14, RFC 3274)."""

_RIFF = {b"WAVE": ("audio/wav", "wav"), b"AVI ": ("video/x-msvideo", "avi"), b"WEBP": ("image/webp", "webp")}
_SCRIPTS: tuple[tuple[bytes, str, str], ...] = (
    (b"windows registry editor version", "text/x-ms-regedit", "reg"),
    (b"regedit4", "text/x-ms-regedit", "reg"),
    (b"[internetshortcut]", "application/x-mswinurl", "url"),
)
_ROOTS: tuple[tuple[bytes, str, str], ...] = (
    (b"<librarydescription", "application/windows-library+xml", "library-ms"),
    (b"<persistedquery", "application/windows-search+xml", "search-ms"),
    (b"<searchconnectordescription", "application/windows-search-connector+xml", "searchconnector-ms"),
    (b"<pcsettings", "application/windows-settings+xml", "settingcontent-ms"),
)
"""Root elements of XML files that Windows acts on when they are opened (SCREENING 63)."""
_SHEET = re.compile(
    rb"ID;[PNE][^\r\n]*+(?s:.*?)(?<=[\r\n])"
    rb"(?:[CF];(?:[^;\r\n]*;)*?[XY]\d+[;\r\n]|C;(?:K[^;\r\n]*+;)?E[^\r\n]*[(!]|NN;N\w|O;(?:[^;\r\n]*;)*?E\s)"
)
"""A sheet as SYLK, which spreadsheets tell by this from a table of text: it may have macros, and starts programs."""
_AFTER_MZ = frozenset({b"\x90\0", b"P\0", b"\0\0", b"\x80\0", b"x\0"})
_BY_TWO_OR_THREE = frozenset({"arj", "gz", "bz2", "jpg", "mp3", "bmp", "swf"})
"""Types whose mark is so short that random octets show it now and then."""
_PERCENT = ord("%")
"""As a number: an octet is found sooner than a string of one."""
_AT_THE_END = (b"koly", b"conectix")
_IN_AN_IMAGE = (b"CD001", b"BEA01", b"NSR0")
_PAGE = re.compile(rb"<(?:script|hta:application)\b", re.IGNORECASE)
_HTML = re.compile(
    rb"[\xef\xbb\xbf\xff\xfe\s]*+(?:(?:(?><\?.*?\?>)|(?><!--.*?-->)|(?!<!doctype html)%b)\s*+)*+"
    rb"<(?:!doctype html|(?:[\w.-]{1,100}+:)?html\b)" % rb"(?><!doctype[^\[>]*+(?:\[[^\]]*+\][^>]*+)?>)",
    re.IGNORECASE | re.DOTALL,
)
"""A page from its first element on, whatever stands before: with a declaration of XML it is one too."""
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


def detect(head: bytes, *, inline_text: bool = False) -> Detected:
    """Return the type of content that begins with `head`.

    `inline_text` says that people read it in the message itself: scripts are not recognised there by their first words.
    """
    if not head:
        return Detected("application/x-empty", None)
    found = _program(head) or _container(head) or _table(head)
    if found is None and not inline_text:
        found = _script(head)
    elif found is not None and found.type.startswith("image/") and _PAGE.search(head, 0, 4096) is not None:
        return Detected("application/hta", "hta")  # mshta looks for the page in whatever it is given (SCREENING 70)
    return found or _text(head)


def begins_as_text(octets: bytes, start: int) -> bool:
    """Return whether what begins at `start`, without NUL, is text by its first octets and of no known type by any."""
    if _BEGINNING.match(octets, start) is None:
        return False
    if octets.find(_PERCENT, start, start + 1024) >= 0 and octets.find(b"%PDF-", start, start + 1024) >= 0:
        return False
    size = len(octets) - start
    if size <= 512:
        return True
    return not (
        octets.startswith(_AT_THE_END, -512) or (size > 0x8001 and octets.startswith(_IN_AN_IMAGE, start + 0x8001))
    )


def is_certain(head: bytes) -> bool:
    """Return whether content tells its type by more than chance: four octets of it at least, and not by being text."""
    if head[:2] in {b"MZ", b"ZM"}:
        return head[2:4] in _AFTER_MZ or b"PE\0\0" in head
    found = (_program(head) or _container(head) or _table(head)) if head else None
    return found is not None and found.extension not in _BY_TWO_OR_THREE


def _program(head: bytes) -> Detected | None:
    if head[:2] in {b"MZ", b"ZM"} and not _is_text(head[:512]):
        return Detected("application/x-msdownload", "exe")
    if head[:4] == b"\xca\xfe\xba\xbe" and len(head) >= 8:
        # A Java class begins as a fat Mach-O file does; the next number is a version of 45 up, or a count of machines.
        if int.from_bytes(head[4:8], "big") >= 45:
            return Detected("application/java-vm", "class")
        return Detected("application/x-mach-binary", "macho")
    return None


def _container(head: bytes) -> Detected | None:
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06", b"PK00"}:
        return _zip(head)
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return Detected(*_RIFF[head[8:12]])
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return Detected("image/bmp", "bmp")
    if head[:1] == b"0" and head.startswith(_CMS, content_info(head)):
        return Detected("application/pkcs7-mime", "p7m")
    return Detected("application/pdf", "pdf") if b"%PDF-" in head[:1024] else None


def content_info(octets: bytes) -> int:
    """Return where the content type of S/MIME's outermost structure would stand, 0 if none can (RFC 5652 section 3)."""
    if octets[:1] != b"0" or len(octets) < 16:
        return 0
    return 2 + (octets[1] & 0x7F if octets[1] > 0x80 else 0)


def _zip(head: bytes) -> Detected:
    """Tell what a zip file stands for by its first member names."""
    if b"[Content_Types].xml" in head[:4096]:
        return Detected("application/vnd.openxmlformats-officedocument", "docx")
    if head[30:38] == b"mimetype":
        return Detected("application/vnd.oasis.opendocument", "odt")
    if b"AndroidManifest.xml" in head:
        return Detected("application/vnd.android.package-archive", "apk")
    if b"META-INF/" in head[30:45]:
        return Detected("application/java-archive", "jar")
    return Detected("application/zip", "zip")


def _table(head: bytes) -> Detected | None:
    for octets, kind, extension in _BY_FIRST.get(head[0], ()):
        if head.startswith(octets):
            return Detected(kind, extension)
    for offset, octets, kind, extension in _ELSEWHERE:
        if head.startswith(octets, offset):
            return Detected(kind, extension)
    return None


def _script(head: bytes) -> Detected | None:
    start = head[:4096]
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        start = start.decode("utf-16", "replace").encode("utf-8", "replace")
    if _SHEET.match(head) is not None:
        return Detected("application/x-sylk", "slk")
    lowered = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for words, kind, extension in _SCRIPTS:
        if lowered.startswith(words):
            return Detected(kind, extension)
    if lowered.startswith((b"<?xml", *(root for root, _, _ in _ROOTS))):
        for root, kind, extension in _ROOTS:
            if root in lowered:
                return Detected(kind, extension)
    if b"<hta:application" in lowered:
        return Detected("application/hta", "hta")
    if lowered.startswith(b"#!"):
        return Detected("text/x-shellscript", "sh")
    return None


def _text(head: bytes) -> Detected:
    if _is_page(head):
        return Detected("text/html", "html")
    return Detected("text/plain", None) if _is_text(head[:4096]) else Detected("application/octet-stream", None)


def _is_page(head: bytes) -> bool:
    start = head[:4096]
    if b"\0" in start[:4]:  # UTF-16, marked or not
        start = start.translate(None, b"\0")
    return _HTML.match(start) is not None


def _is_text(octets: bytes) -> bool:
    return octets.translate(None, _CONTROL) == octets
