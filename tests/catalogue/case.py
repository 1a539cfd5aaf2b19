"""One evasion of the catalogue, and the variants it is tried in."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from services.screener.mime.anomaly import Anomaly, Remark
from tests.support.mail_samples import EXE, b64

TOP = "Received: from a.example by b.example; Mon, 21 Sep 2026 10:00:00 +0000\nFrom: a@b.example\nSubject: x\n"
PROGRAM = "content:application/x-msdownload"
NAMED = "extension:exe"
CTE = "Content-Transfer-Encoding"
MIXED = "Content-Type: multipart/mixed; boundary=b"
FILE = (
    "Content-Type: application/octet-stream; name=x.exe\n"
    f"Content-Disposition: attachment; filename=x.exe\n{CTE}: base64\n\n{b64(EXE)}\n"
)
PARTS = f"--b\n\ntext\n--b\n{FILE}\n--b--\n"
"""A text and a program between delimiters of the boundary b."""


class Case(NamedTuple):
    """A message as text with LF, in two pieces so that variants can move fields round."""

    row: int
    """Number in the catalogue."""
    name: str
    fields: str
    """The Content fields, without the last line end; whatever precedes and follows them is added."""
    body: str
    doubt: tuple[Anomaly, ...] = ()
    """Hard anomalies that must be among the reasons; none means that the message is not ambiguous."""
    rule: str | None = NAMED
    """What the rules must find in a part of it; None for nothing."""
    remark: Remark | None = None
    whole: bool = False
    """True where the message is only what it is at the top: `fields` is its whole header section."""
    line_ends: bool = True
    """False where the line ends are what it is about, and the text holds them as they are."""

    def raw(self) -> bytes:
        """Return the message with CRLF."""
        return self._octets(self._text(TOP, self.fields))

    def variants(self) -> Iterator[tuple[str, bytes]]:
        """Yield the message in each variant: line ends, letter case, order, nesting."""
        yield "crlf", self.raw()
        if not self.line_ends:
            return
        yield "lf", self._text(TOP, self.fields).encode("utf-8", "surrogateescape")
        if self.whole:
            return
        for name, fields in (("upper", _cased(self.fields, str.upper)), ("lower", _cased(self.fields, str.lower))):
            yield name, self._octets(self._text(TOP, fields))
        yield "first", self._octets(self._text("", f"{self.fields}\n{TOP}MIME-Version: 1.0"))
        yield "part", self._octets(f"{TOP}{_outer(f'{self.fields}{chr(10)}{chr(10)}{self.body}')}")
        inner = f"Content-Type: message/rfc822\n\n{self._text(TOP, self.fields)}"
        yield "forwarded", self._octets(f"{TOP}{_outer(inner)}")

    def _text(self, top: str, fields: str) -> str:
        blank = "\n\n" if self.line_ends else "\r\n\r\n"
        return f"{fields}{blank}{self.body}" if self.whole else f"{top}{fields}{blank}{self.body}"

    def _octets(self, text: str) -> bytes:
        octets = text.encode("utf-8", "surrogateescape")
        return octets.replace(b"\n", b"\r\n") if self.line_ends else octets


def _cased(fields: str, change: Callable[[str], str]) -> str:
    """Return fields with the names of the Content fields in another case."""
    lines = []
    for line in fields.split("\n"):
        name, colon, value = line.partition(":")
        is_field = colon and name.lower().startswith("content-") and " " not in name
        lines.append(f"{change(name)}:{value}" if is_field else line)
    return "\n".join(lines)


def _outer(content: str) -> str:
    text = "Content-Type: text/plain\n\nsee below\n"
    return (
        f'Content-Type: multipart/mixed; boundary="=_outer"\n\n--=_outer\n{text}\n--=_outer\n{content}\n--=_outer--\n'
    )
