"""What a check of the configuration finds, and what it must be told besides."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from shared.config.model import Config


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Problem(NamedTuple):
    """One finding: where, what and what to do."""

    severity: Severity
    key: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}" + (f"; {self.remedy}" if self.remedy else "")


class Facts(NamedTuple):
    """What the configuration does not say of itself."""

    gateways: tuple[str, ...] = ()
    """Of a container's networks: published ports may show one of them as every client's address."""
    readable_by_all: bool = False
    """The configuration file may be read by every user of the machine."""


Check = Callable[[Config, Facts], Iterator[Problem]]
