"""Addresses `data:` in HTML, which bring a file along; browsers forgive much in how they are written (RFC 2397)."""

import re

_ADDRESS = re.compile(rb"data: *(?:[a-z][a-z0-9.+-]*/[a-z]|[;,])")
CODED = re.compile(
    rb"&(?:colon|tab|newline);"
    rb"|&#(?:x0*+(?:[46][14]|[57]4|3a|[9ad])|0*+(?:100|97|116|68|65|84|58|9|10|13))(?![0-9a-f])",
    re.IGNORECASE,
)
"""A letter of `data:`, or white space that may stand inside, written as a reference."""


def may_hold_data(octets: bytes) -> bool:
    """Return whether a page may have a `data:` address; tabs and line ends inside count for nothing."""
    flat = octets.translate(None, b"\t\r\n").lower()
    if b"data:" in flat and _ADDRESS.search(flat) is not None:
        return True
    return b"&" in flat and CODED.search(flat) is not None
