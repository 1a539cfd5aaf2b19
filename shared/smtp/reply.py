"""An SMTP reply as a value (RFC 5321 section 4.2, enhanced codes RFC 3463)."""

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """One reply: `code` 200-599, `enhanced` such as "5.7.1" or None, `text` without line ends."""

    code: int
    enhanced: str | None
    text: str

    @property
    def is_positive(self) -> bool:
        """True for 2xx and 3xx."""
        return self.code < 400

    @property
    def is_permanent(self) -> bool:
        """True for 5xx only; anything else that failed is temporary."""
        return 500 <= self.code <= 599

    @property
    def status(self) -> str:
        """The enhanced code, or the generic one of the reply's class (RFC 3463 section 3.1: X.0.0)."""
        return self.enhanced or f"{self.code // 100}.0.0"

    def __str__(self) -> str:
        if self.enhanced and self.text:  # nearly all
            return f"{self.code} {self.enhanced} {self.text}"
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)
