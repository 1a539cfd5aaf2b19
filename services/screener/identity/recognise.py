"""What a part is by content, in every reading of its transfer encoding."""

from services.screener.identity.magic import Detected, detect, is_certain
from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly
from services.screener.mime.describe import Description
from services.screener.mime.part import Kind, Part

_READ_INLINE = frozenset({"text/plain", "text/html", "text/enriched"})


def is_read_inline(description: Description) -> bool:
    """Return whether people read a part in the message itself, where no program opens it as a file."""
    return description.types[0] in _READ_INLINE and not description.is_file


def recognise(part: Part) -> tuple[tuple[Detected, ...], frozenset[Anomaly]]:
    """Return the recognised types of a leaf, each once, and whether its readings differ; nothing for a container."""
    if part.kind is not Kind.LEAF:
        return (), frozenset()
    description = part.description
    inline_text = is_read_inline(description)
    doubts: set[Anomaly] = set()
    found: dict[Detected, None] = {}
    for encoding, views in zip(part.encodings, part.heads(), strict=True):
        detected = [detect(view, inline_text=inline_text) for view in views.octets]
        found |= dict.fromkeys(detected)
        if encoding == "quoted-printable" and not views.clean and not all(map(_is_plain, detected)):
            doubts.add(Anomaly.BAD_QUOTED_PRINTABLE)
    if "base64" in part.encodings and all(one.extension is None for one in found):
        shifted = decode.shifted(part.source, part.header.body_start, part.body_end)
        found |= dict.fromkeys(detect(view) for view in shifted if is_certain(view))
    if len({one.extension for one in found}) > 1:
        doubts.add(Anomaly.BAD_BASE64)
    return tuple(found), frozenset(doubts)


def _is_plain(detected: Detected) -> bool:
    return detected.type in {"text/plain", "text/html"}
