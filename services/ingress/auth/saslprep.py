"""SASLprep (RFC 4013): the one form of a name or password that can be typed in several ways."""

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def saslprep(text: str) -> str | None:
    """Return the prepared text, or None if SASLprep forbids it. Code points newer than Unicode 3.2 are forbidden."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(table(char) for char in prepared for table in _PROHIBITED):
        return None
    return prepared if _reads_one_way(prepared) else None


def prepared(text: str) -> str:
    """Return the prepared text; one that SASLprep forbids as it is, as most implementations do."""
    return saslprep(text) or text


def _reads_one_way(text: str) -> bool:
    """Return whether the text keeps the rules about right-to-left writing (RFC 3454 section 6)."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
