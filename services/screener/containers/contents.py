"""Looking into an attachment: everything in it, nested ones too, within a budget. Pure; never raises."""

from collections.abc import Sequence
from typing import NamedTuple

from services.screener.containers.budget import Budget, Limits
from services.screener.containers.documents.office import member_signs
from services.screener.containers.formats import AT_THE_END, SINGLE, is_volume, readers_for
from services.screener.containers.member import ContainerError, Member, Reader, Sign
from services.screener.identity.magic import Detected, detect
from services.screener.mime.decode import HEAD

_FIRST = 1024 * 1024
"""Octets of every member that are unpacked; of a container, all."""


class Inside(NamedTuple):
    """One file inside an attachment."""

    path: str
    """Names of what it is in and its own, by `/`."""
    names: tuple[str, ...]
    size: int
    """As declared, or as unpacked where nothing is."""
    declared: str
    detected: tuple[Detected, ...]
    """Empty where the content could not be read."""


class Contents(NamedTuple):
    """What was found in an attachment."""

    inside: tuple[Inside, ...]
    signs: frozenset[Sign]


NOTHING = Contents((), frozenset())


def look_inside(octets: bytes, names: Sequence[str] = (), limits: Limits = Limits()) -> Contents:  # noqa: B008  (a value)
    """Return everything in an attachment of the given names; what is over a limit is left unread and said."""
    walk = _Walk(Budget(limits, len(octets)))
    walk.descend(octets, tuple(names), "", 0)
    return Contents(tuple(walk.inside), frozenset(walk.signs))


class _Walk:
    """Collects members while it descends."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.inside: list[Inside] = []
        self.signs: set[Sign] = set()

    def descend(self, octets: bytes, names: tuple[str, ...], path: str, depth: int) -> None:
        readers = readers_for(octets, inside=depth > 0)
        if is_volume(names):
            self.signs.add(Sign.VOLUME)
        if readers and depth >= self.budget.limits.depth:
            self.signs.add(Sign.OVER_LIMIT)
            return
        for reader in readers:
            self._read(reader, octets, (names, path, depth))

    def _read(self, reader: Reader, octets: bytes, place: tuple[tuple[str, ...], str, int]) -> None:
        names, path, depth = place
        outer = tuple(_without_suffix(name) for name in names) if reader in SINGLE else ()
        try:
            for found in reader(octets):
                if isinstance(found, Sign):
                    self.signs.add(found)
                else:
                    self._member(found._replace(names=(*found.names, *outer)), path, depth)
        except ContainerError as error:
            self.signs.add(error.sign)

    def _member(self, member: Member, path: str, depth: int) -> None:
        self.budget.member(member.size)
        if member.encrypted:
            self.signs.add(Sign.ENCRYPTED)
        path = f"{path}/{member.names[0] if member.names else '?'}".lstrip("/")
        content, octets = self._content(member)
        detected = () if content is None else (detect(content[:HEAD]),)
        size = member.size or octets
        if 0 < member.size < octets:
            self.signs.add(Sign.MALFORMED)
        self.inside.append(Inside(path[:1024], member.names, size, member.type, detected))
        self.signs |= member_signs(member.names, content or b"")
        if content:
            self.descend(content, member.names, path, depth + 1)

    def _content(self, member: Member) -> tuple[bytes | None, int]:
        """Return the first octets of a member, all of a container, None where it cannot be read; and how many it has.

        Of the rest only marks are looked for that tell a container by its end (SCREENING 70).
        """
        if member.open is None:
            return None, 0
        stream = member.open()
        content, broken = self.budget.take(stream, _FIRST)
        octets = len(content)
        if octets >= _FIRST:
            if readers_for(content, inside=True):
                rest, broken = self.budget.take(stream, self.budget.limits.expansion)
                octets += len(rest)
                content += rest
            else:
                more, told, broken = self.budget.drain(stream, AT_THE_END, content)
                octets += more
                if told:
                    content, broken = self.budget.take(member.open(), self.budget.limits.expansion)
        if broken is not None:
            self.signs.add(broken)
        return content, octets


def _without_suffix(name: str) -> str:
    """Return `x.exe` for `x.exe.gz`, and `x.tar` for `x.tgz`."""
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        return name
    return f"{stem}.tar" if suffix.lower() in {"tgz", "tbz", "tbz2", "txz", "tzst"} else stem
