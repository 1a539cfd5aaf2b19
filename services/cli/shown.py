"""How commands show what they found: times, people, and what strangers wrote."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from shared.model import Item


def recipients(item: Item) -> str:
    """Return the first recipient, and how many more there are."""
    return first_of([recipient.address for recipient in item.envelope.recipients])


def first_of(addresses: Sequence[str]) -> str:
    """Return the first address, and how many more there are."""
    first, *others = addresses
    return f"{first} +{len(others)}" if others else first


def moment(at: float) -> str:
    """Return a time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def plain(text: str) -> Text:
    """Return what a stranger wrote without anything that a terminal would obey."""
    return Text("".join(character if character.isprintable() or character == "\t" else "\ufffd" for character in text))
