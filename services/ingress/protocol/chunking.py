"""BDAT's argument (RFC 3030 section 2). No I/O."""

import re
from typing import NamedTuple

from services.ingress import replies
from services.ingress.replies import Refuse

_ARGUMENT = re.compile(r"(?P<octets>[0-9]{1,20})(?: +(?P<last>LAST))?", re.IGNORECASE | re.ASCII)


class Chunk(NamedTuple):
    """What BDAT announces: so many octets follow the line, and whether they end the message."""

    octets: int
    last: bool


def parse_bdat(argument: str) -> Chunk | Refuse:
    """Read what follows `BDAT `. After a refusal nobody knows where the chunk ends: the session must end too."""
    found = _ARGUMENT.fullmatch(argument)
    return Chunk(int(found["octets"]), found["last"] is not None) if found else replies.BDAT_SYNTAX
