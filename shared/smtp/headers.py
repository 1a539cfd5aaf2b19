"""Reading header fields on raw octets, without parsing or changing the message (RFC 5322 section 2.2)."""

import re

SCAN_LIMIT = 256 * 1024
"""Octets in which fields are looked for: relays prepend, so what they wrote stands at the top."""

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_FOLD = re.compile(rb"\r\n(?=[ \t])")


def header_section(content: bytes) -> bytes:
    """Return the header fields with their line ends, at most SCAN_LIMIT octets, without the empty line."""
    if content.startswith(b"\r\n"):
        return b""
    end = content.find(b"\r\n\r\n", 0, SCAN_LIMIT)
    return content[: end + 2] if end >= 0 else content[:SCAN_LIMIT]


def field_values(content: bytes, name: str) -> list[bytes]:
    """Return the values of every field of that name, unfolded, top first; the name in any case."""
    wanted = name.lower().encode("ascii")
    section = header_section(content)
    if wanted not in section.lower():
        return []
    values = []
    for line in _FOLD.sub(b"", section).split(b"\r\n"):
        head, colon, value = line.partition(b":")
        if colon and head.rstrip(b" \t").lower() == wanted:
            values.append(value.strip())
    return values


def waives_tls(content: bytes) -> bool:
    """Return whether the sender put delivery before TLS: one field `TLS-Required: No` (RFC 8689 section 5)."""
    return [value.lower() for value in field_values(content, "TLS-Required")] == [b"no"]


def starts_with_field(content: bytes) -> bool:
    """Return whether fields may be prepended as they are: content begins with a field, or with the empty line."""
    return content.startswith(b"\r\n") or _FIELD.match(content) is not None
