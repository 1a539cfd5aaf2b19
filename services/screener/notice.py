"""The part that stands where an attachment stood: what was removed, why, and whom to ask (SCREENING section 5)."""

import binascii
import textwrap
from typing import NamedTuple

_WIDTH = 72
FILE_NAME = "Attachment-Removed.txt"

REASONS = {
    "extension": "files of this kind may not be sent by e-mail here",
    "member": "it holds files of a kind that may not be sent by e-mail here",
    "active": "it runs something when it is opened: a macro, a script or a program",
    "container": "what is in it cannot be seen, or is read in different ways by different programs",
    "type": "content of this kind may not be sent by e-mail here",
    "content": "its content is of a kind that may not be sent by e-mail here, whatever it is called",
    "name": "its name hides what kind of file it is",
}
_OTHER_REASON = "the rules of this mail system do not let it through"


class Notice(NamedTuple):
    """What a notice says."""

    name: str
    """Already fit for display; "" if the part had none."""
    type: str
    size: int
    sha256: str
    rule: str
    reason: str
    """In the operator's words; "" for ours."""
    reference: str
    organisation: str
    helpdesk: str
    date: str
    kept_until: str


def notice_part(notice: Notice, line_end: bytes) -> tuple[bytes, bytes]:
    """Return the part's header fields and its body, no line of which can be taken for a delimiter."""
    text = _text(notice)
    encoding = b"7bit"
    body = text.encode().replace(b"\n", line_end)
    if not text.isascii():
        encoding = b"quoted-printable"
        body = binascii.b2a_qp(text.encode(), istext=True).replace(b"\n", line_end)
    body = _without_delimiters(body, line_end, encoding)
    fields = (
        b"Content-Type: text/plain; charset=utf-8",
        f'Content-Disposition: attachment; filename="{FILE_NAME}"'.encode(),
        b"Content-Transfer-Encoding: " + encoding,
    )
    return b"".join(field + line_end for field in fields), body


def _text(notice: Notice) -> str:
    what = f'The attachment "{notice.name}"' if notice.name else "An attachment without a name"
    reason = notice.reason or REASONS.get(notice.rule.partition(":")[0], _OTHER_REASON)
    opening = (
        f"{what} ({notice.type}, {size_text(notice.size)}) was removed from this message by {notice.organisation}, "
        f"because {reason}."
    )
    closing = (
        f"If you need it, ask {notice.helpdesk} and quote the reference; the message is kept as it was until "
        f"{notice.kept_until}."
    )
    facts = [f"Reference: {notice.reference}", f"Date: {notice.date}", f"SHA-256: {notice.sha256}"]
    paragraphs = [_wrapped(opening), "\n".join(facts), _wrapped(closing)]
    return "\n\n".join(paragraphs) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=True, break_on_hyphens=False)


def _without_delimiters(body: bytes, line_end: bytes, encoding: bytes) -> bytes:
    """Keep `--` from the start of every line, whatever the name brought there."""
    instead = b"=2D-" if encoding == b"quoted-printable" else b" --"
    lines = body.split(line_end)
    return line_end.join(instead + line[2:] if line.startswith(b"--") else line for line in lines)


def size_text(octets: int) -> str:
    """Return a size as people write it."""
    if octets < 1000:
        return f"{octets} bytes"
    kilobytes = octets / 1000
    return f"{kilobytes:.3g} kB" if kilobytes < 999.5 else f"{kilobytes / 1000:.1f} MB"
