"""What a reader of containers yields: members with a bounded stream of octets, and signs of what is wrong."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

CHUNK = 64 * 1024
"""Octets at most that a stream yields at a time, and that it takes in at a time."""


class Sign(StrEnum):
    """What is to be said of a container as a whole, as it stands in verdicts (SCREENING 57 to 68).

    `container:` is about how far one can see into it, `active:` about what it does, `encrypted:` about mail that only
    its recipient can read.
    """

    ENCRYPTED = "container:encrypted"
    OVER_LIMIT = "container:over-limit"
    MALFORMED = "container:malformed"
    """Programs differ on what is in it."""
    UNREADABLE = "container:unreadable"
    """A method that cannot be undone here."""
    LISTED = "container:listed-only"
    """Names are known, contents are not: the method has no decoder that is free."""
    VOLUME = "container:multi-volume"
    MACRO = "active:macro"
    REMOTE = "active:remote-content"
    """A template, an object or a formula that the program fetches or starts when the document is opened."""
    LAUNCH = "active:launch"
    """A document that starts a program."""
    SCRIPT = "active:script"
    """A document with a script of the harmless kind that forms have."""
    SMUGGLING = "active:html-smuggling"
    """A page whose script hands a file to the reader."""
    SCRIPTED_IMAGE = "active:scripted-image"
    SCRIPTED_XML = "active:scripted-xml"
    PGP = "encrypted:pgp"
    SMIME = "encrypted:s-mime"


class ContainerError(Exception):
    """The one exception of readers and their streams: what is wrong with the container."""

    def __init__(self, sign: Sign) -> None:
        super().__init__(sign.value)
        self.sign = sign


class Member(NamedTuple):
    """One file inside a container."""

    names: tuple[str, ...]
    """Every name that a program may give it."""
    size: int = 0
    """As declared; 0 where nothing is."""
    encrypted: bool = False
    type: str = ""
    """As declared, where the container has types."""
    open: Callable[[], Iterator[bytes]] | None = None
    """Gives a new stream of the content in chunks of at most CHUNK; raises ContainerError. None: cannot be read."""


Found = Member | Sign
Reader = Callable[[bytes], Iterator[Found]]
"""From a container's octets to what is in it; raises ContainerError only, and does bounded work between two yields."""
