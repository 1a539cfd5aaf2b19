"""What makes a message ambiguous, and what is only sloppy.

An anomaly is hard: programs read the message in different ways, so no reading can be trusted alone. A remark is soft:
common in honest mail, followed up in every reading, and no reason by itself.
"""

from enum import StrEnum
from typing import NamedTuple

from services.screener.mime.deadline import OutOfTime, never


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
    ENCODED_WORD = "mime:encoded-word-in-structure"  # 8
    MALFORMED_TYPE = "mime:malformed-type"  # 17
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
    BAD_QUOTED_PRINTABLE = "mime:quoted-printable-broken"  # 32
    YENC = "mime:yenc"  # 34
    BINHEX = "mime:binhex"  # 35
    ENCODED_MESSAGE = "mime:encoded-message"  # 38
    LIMIT = "mime:over-limit"  # 73
    TIME = "mime:over-cpu-time"  # 73


class Remark(StrEnum):
    """Sloppiness that is written down and followed up, and lets the message pass."""

    UNCLOSED = "mime:no-closing-delimiter"  # 23
    QUOTED_PRINTABLE_MULTIPART = "mime:quoted-printable-multipart"  # 26
    PARTS_IN_TEXT = "mime:parts-quoted-in-text"  # 27
    BROKEN_PARAMETER = "mime:sloppy-parameter"  # 11, 13, 15


class Limits(NamedTuple):
    """Caps that keep one message from taking the screener down (SCREENING 73); beyond one, an anomaly of BEYOND."""

    header_octets: int = 256 * 1024
    fields: int = 1000
    parts: int = 1000
    depth: int = 20
    messages: int = 8
    """Messages inside messages."""
    boundary: int = 200
    parameters: int = 64
    rereads: int = 100
    """How many times its own size of a message is read, all nested readings together: what bounds the time."""
    out_of_time: OutOfTime = never


BEYOND = frozenset({Anomaly.LIMIT, Anomaly.TIME})
"""Something was left unread."""
