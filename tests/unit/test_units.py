"""Sizes and durations as people write them."""

import pytest

from shared.config.units import Duration, Size


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("0", 0),
        ("1B", 1),
        ("1KiB", 1024),
        ("35MiB", 35 * 1024**2),
        ("35 MiB", 35 * 1024**2),
        ("  35MiB ", 35 * 1024**2),
        ("4GiB", 4 * 1024**3),
        ("1kB", 1000),
        ("1MB", 1_000_000),
        ("1GB", 1_000_000_000),
    ],
)
def test_sizes(text: str | int, octets: int) -> None:
    """Powers of 1024 with an i, of 1000 without."""
    assert Size.parse(text) == octets


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "MiB",
        "-1",
        "-1MiB",
        "1.5MiB",
        "35mib",
        "35MIB",
        "35M",
        "35 Mi B",
        "1e3",
        "0x10",
        "35MiB 1KiB",
        "\u0661MiB",
        True,
    ],
)
def test_what_is_no_size(text: str) -> None:
    """The error says how to write one."""
    with pytest.raises(ValueError, match='such as "35MiB"'):
        Size.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (0, 0.0),
        (30, 30.0),
        (0.5, 0.5),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("4h", 14400.0),
        ("5d", 432000.0),
        ("1h30m", 5400.0),
        ("1d 2h 3m 4s 5ms", 93784.005),
        ("1m500ms", 60.5),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    """`m` is minutes, `ms` milliseconds."""
    assert Duration.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "5",
        "-5s",
        "5 x",
        "5sec",
        "5S",
        "1h30",
        "5s!",
        "s5",
        "1,5s",
        "\u0665s",
        -1,
        -0.5,
        float("nan"),
        True,
    ],
)
def test_what_is_no_duration(text: str | float) -> None:
    """The error says how to write one."""
    with pytest.raises(ValueError, match='such as "30s"'):
        Duration.parse(text)
