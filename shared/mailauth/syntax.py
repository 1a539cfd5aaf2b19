"""What header fields have in common: comments and quoted strings (RFC 5322 section 3.2). No I/O."""

import re

_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*"|[^"\\()]+|\(', re.DOTALL)
_INSIDE = re.compile(r"[^()\\]+|\\.|[()]", re.DOTALL)


def without_comments(text: str) -> str | None:
    """Return the text with each comment made a space; None if comments, strings or backslashes are not closed."""
    kept: list[str] = []
    position = depth = 0
    while position < len(text):
        found = (_INSIDE if depth else _OUTSIDE).match(text, position)
        if found is None:
            return None
        position = found.end()
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0:
            kept.append(" " if found[0] == ")" else found[0])
    return None if depth else "".join(kept)
