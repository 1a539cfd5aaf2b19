"""What a submission server may add to a message that lacks it (RFC 6409 section 8)."""

from services.ingress.message.received import rfc5322_date
from shared.smtp.headers import field_values


def missing_fields(content: bytes, message_id: str, hostname: str, at: float) -> bytes:
    """Return the Date and Message-ID fields that `content` lacks, each with its CRLF; b"" if it lacks none."""
    lacking = ""
    if not field_values(content, "Date"):
        lacking += f"Date: {rfc5322_date(at)}\r\n"
    if not field_values(content, "Message-ID"):
        lacking += f"Message-ID: <{message_id}@{hostname}>\r\n"
    return lacking.encode("ascii")
