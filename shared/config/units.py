"""Sizes and durations as people write them: "35MiB", "5d"."""

import math
import re
from typing import NamedTuple, Self

_SIZES = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Size(int):
    """A number of octets."""

    @classmethod
    def parse(cls, text: str | int) -> Self:
        """Accept an integer or such as "35MiB". Raise ValueError otherwise."""
        match = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", str(text).strip(), re.ASCII)
        if match is None or match[2] not in _SIZES:
            raise ValueError(f'"{text}" is not a size: write octets, or a number with KiB, MiB or GiB, such as "35MiB"')
        return cls(int(match[1]) * _SIZES[match[2]])


class Duration(float):
    """A number of seconds."""

    @classmethod
    def parse(cls, text: str | float) -> Self:
        """Accept a number of seconds or such as "5d", "1h30m", "500ms". Raise ValueError otherwise."""
        if isinstance(text, (int, float)) and not isinstance(text, bool) and 0 <= text < math.inf:
            return cls(text)
        compact = str(text).replace(" ", "")
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", compact, re.ASCII)
        if not parts or "".join(number + unit for number, unit in parts) != compact:
            raise ValueError(f'"{text}" is not a duration: write such as "30s", "5m", "4h" or "5d"')
        return cls(sum(float(number) * _SECONDS[unit] for number, unit in parts))


class Quota(NamedTuple):
    """So many of something in so many seconds."""

    amount: int
    period: float

    @classmethod
    def parse(cls, text: str, *, octets: bool = False) -> Self:
        """Accept such as "100/min", "20/s", "5000/10m", and "1GiB/d" for octets. Raise ValueError otherwise."""
        amount, slash, period = text.replace(" ", "").partition("/")
        example = '"1GiB/d"' if octets else '"100/min"'
        try:
            count = Size.parse(amount) if octets else int(amount) if amount.isascii() and amount.isdecimal() else 0
            seconds = Duration.parse(period if period[:1].isdigit() else f"1{period.removesuffix('in')}")
        except ValueError:
            count, seconds = 0, Duration(0)
        if not slash or count <= 0 or seconds <= 0:
            raise ValueError(f'"{text}" is not a rate: write such as {example}, with s, min, h or d') from None
        return cls(int(count), float(seconds))
