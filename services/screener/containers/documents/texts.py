"""Telling texts from anything else, in whatever of the usual encodings."""

_HEAD = 4096
_CONTROL = bytes(set(range(1, 32)) - set(b"\t\r\n\f\x1b"))


def is_text(octets: bytes) -> bool:
    """Return whether programs may take it for a text, by what it begins with.

    Of anything else one octet in ten is a control character; of a text, however odd, hardly any. NULs are those of
    UTF-16, or such as browsers pass over.
    """
    head = octets[:_HEAD].translate(None, b"\0")
    return 20 * (len(head) - len(head.translate(None, _CONTROL))) <= len(head)


def without_nul(octets: bytes) -> bytes:
    """Return a text in one octet a character, if all of them are in ASCII, without the mark at its beginning."""
    return octets.replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
