"""The From field of a submitted message: every author must be one whom the user may use (`auth.check_from_header`).

What a reader's program shows must be what was checked here, so the reading is narrow (RFC 5322 section 3.4, without
its obsolete forms): one From field; no groups; no route, comment or encoded word in an address; no comment or encoded
word that could pass for an address. Whatever does not fit is refused with the reason.
"""

import base64
import quopri
import re
from collections.abc import Callable, Iterator

from services.ingress import replies
from services.ingress.replies import Refuse
from shared.smtp.address import BadAddress, Mailbox, parse_mailbox
from shared.smtp.headers import SCAN_LIMIT, field_values, header_section

_LINE = re.compile(rb"[!-9;-~]+:.*|[ \t]+[^ \t].*", re.DOTALL)
_TOKEN = re.compile(
    r"""[ \t]*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<comment>\((?:[^()\\]|\\.)*\))
      | (?P<angle><(?:"(?:[^"\\]|\\.)*"|[^<>"()])*>)
      | (?P<comma>,)
      | (?P<word>[^\s()<>,:;"\\\[\]]+)
    )[ \t]*""",
    re.VERBOSE,
)
_ENCODED = re.compile(r"=\?([^?*]+)(?:\*[^?]*)?\?([BbQq])\?([^?]*)\?=")
_DISGUISE = re.compile("[@<>\uff20\ufe6b]")
"""With the two other forms of the at sign."""

Token = tuple[str, str]


def decide_author(head: bytes, may_use: Callable[[Mailbox], bool]) -> Refuse | None:
    """Return why a message that begins with `head` is refused, or None."""
    authors = read_authors(head)
    if isinstance(authors, BadAddress):
        return replies.bad_author(authors.reason)
    return None if all(map(may_use, authors)) else replies.FOREIGN_AUTHOR


def read_authors(head: bytes) -> tuple[Mailbox, ...] | BadAddress:
    """Return the authors named in the header at the start of `head`, one or more."""
    section = header_section(head)
    if b"\r\n\r\n" not in head[:SCAN_LIMIT] and len(head) >= SCAN_LIMIT:
        return BadAddress("the header is too long")
    if not all(map(_LINE.fullmatch, section.removesuffix(b"\r\n").split(b"\r\n"))):
        return BadAddress("the header is malformed")
    values = field_values(head, "From")
    if len(values) != 1:
        return BadAddress(f"there must be one From field, not {len(values)}")
    try:
        return parse_authors(values[0].decode())
    except UnicodeDecodeError:
        return BadAddress("the From field is not UTF-8")


def parse_authors(text: str) -> tuple[Mailbox, ...] | BadAddress:
    """Return the mailboxes of a From field's unfolded value."""
    tokens = list(_tokens(text.replace("\t", " ")))
    if not tokens or not all(tokens):
        return BadAddress("the From field is malformed")
    authors = []
    for group in _split(tokens):
        author = _author(group)
        if isinstance(author, BadAddress):
            return author
        authors.append(author)
    return tuple(authors)


def _tokens(text: str) -> Iterator[Token]:
    """Yield kind and text of each token; an empty text where there is none, at the end."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or not text.isprintable():
            yield "", ""
            return
        at = found.end()
        yield str(found.lastgroup), found[str(found.lastgroup)]


def _split(tokens: list[Token]) -> list[list[Token]]:
    groups: list[list[Token]] = [[]]
    for token in tokens:
        if token[0] == "comma":
            groups.append([])
        else:
            groups[-1].append(token)
    return groups


def _author(tokens: list[Token]) -> Mailbox | BadAddress:
    """Read `address`, or `words <address>`, with comments around them."""
    if any(kind == "comment" and _disguised(text) for kind, text in tokens):
        return BadAddress("a comment in the From field looks like an address")
    *words, last = [token for token in tokens if token[0] != "comment"] or [("", "")]
    kind, text = last
    address = text[1:-1] if kind == "angle" else text
    if kind not in ("angle", "word") or (kind == "word" and words) or "=?" in address:
        return BadAddress("the From field is malformed")
    if not all(_is_plain(*word) for word in words):
        return BadAddress("a name in the From field looks like an address")
    return parse_mailbox(address)


def _is_plain(kind: str, text: str) -> bool:
    """Return whether part of a display name cannot be taken for an address."""
    if kind == "quoted":
        # The quotes are understood everywhere; an encoded word in them is not one, but some decode it.
        return "=?" not in text or not _disguised(text[1:-1])
    return kind == "word" and not _disguised(text)


def _disguised(text: str) -> bool:
    """Return whether a text is, or some program would decode it to, what could pass for an address."""
    return _DISGUISE.search(_ENCODED.sub(_decoded, text.strip("()"))) is not None


def _decoded(found: re.Match[str]) -> str:
    """Return the meaning of an encoded word (RFC 2047); "@", which is refused, for one that has none."""
    charset, encoding, text = found.groups()
    try:
        if encoding in "Bb":
            octets = base64.b64decode(text, validate=True)
        else:
            octets = quopri.decodestring(text.replace("_", " "))
        return octets.decode(charset, "replace")
    except (ValueError, LookupError):
        return "@"
