"""Sizes and durations as people write them."""

import pytest

from shared.config.units import Duration, Quota, Size


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


@pytest.mark.parametrize(
    ("text", "octets", "quota"),
    [
        ("100/min", False, (100, 60)),
        ("100/m", False, (100, 60)),
        ("20 / s", False, (20, 1)),
        ("1000/h", False, (1000, 3600)),
        ("5/d", False, (5, 86400)),
        ("5000/10m", False, (5000, 600)),
        ("5000/1h30m", False, (5000, 5400)),
        ("1GiB/d", True, (1024**3, 86400)),
        ("500/s", True, (500, 1)),
    ],
)
def test_quotas(text: str, octets: bool, quota: tuple[int, float]) -> None:
    assert Quota.parse(text, octets=octets) == quota


@pytest.mark.parametrize(
    "text",
    ["", "100", "100/", "/min", "0/min", "-1/min", "1.5/min", "1GiB/d", "100/0s", "100/fortnight", "\u0661/s", "1/2/s"],
)
def test_what_is_no_quota(text: str) -> None:
    with pytest.raises(ValueError, match='such as "100/min"'):
        Quota.parse(text)
