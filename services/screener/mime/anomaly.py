"""What makes a message ambiguous: programs read it in different ways, so no reading can be trusted alone.

Common sloppiness is absent on purpose: a missing closing delimiter, quoted-printable on a multipart, spaces round
the `=` of a charset, an unquoted file name, the same field twice with the same value.
"""

from enum import StrEnum
from typing import NamedTuple


class Anomaly(StrEnum):
    """Reasons as they stand in verdicts; the number is that of SCREENING section 2."""

    TWO_TYPES = "mime:two-content-types"  # 5
    TWO_ENCODINGS = "mime:two-transfer-encodings"  # 1, 2
    UNKNOWN_ENCODING = "mime:unknown-transfer-encoding"  # 3
    ENCODED_MULTIPART = "mime:encoded-multipart"  # 26
    TWO_BOUNDARIES = "mime:two-boundaries"  # 6
    BAD_BOUNDARY = "mime:malformed-boundary"  # 7, 8, 13, 14, 15, 19
    MISPLACED_BOUNDARY = "mime:boundary-on-other-type"  # 9, 27
    REUSED_BOUNDARY = "mime:boundary-reused"  # 22
    COMMENT = "mime:comment-in-structure"  # 11
    BAD_PARAMETER = "mime:malformed-parameter"  # 12, 13
    BAD_FIELD_NAME = "mime:malformed-field-name"  # 10, 15
    HIDDEN_FIELD = "mime:field-in-continuation"  # 16
    NOT_A_FIELD = "mime:header-line-without-field"  # 28
    BLANK_CONTINUATION = "mime:blank-line-inside-header"  # 28
    HEADER_IN_BODY = "mime:header-in-body"  # 28
    BARE_CR = "mime:bare-cr"  # 29
    BARE_LF = "mime:bare-lf"  # 29
    NUL = "mime:nul"  # 29
    LONGER_DELIMITER = "mime:extended-delimiter"  # 21
    HIDDEN_PARTS = "mime:parts-outside-boundary"  # 17, 24, 25
    BAD_BASE64 = "mime:base64-readings-differ"  # 30
    LIMIT = "mime:over-limit"  # 73


class Limits(NamedTuple):
    """Caps that keep one message from taking the screener down (SCREENING 73); beyond one, Anomaly.LIMIT."""

    header_octets: int = 256 * 1024
    fields: int = 1000
    parts: int = 1000
    depth: int = 20
    messages: int = 8
    """Messages inside messages."""
    boundary: int = 200
    parameters: int = 64
