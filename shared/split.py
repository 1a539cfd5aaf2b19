"""Splitting by destination: an item for delivery has exactly one destination domain (DESIGN section 5)."""

import msgspec

from shared.model import Item, Recipient


def by_destination(item: Item) -> tuple[Item, ...]:
    """Return one item per recipient domain, in order of first appearance, numbered from the item's split + 1.

    Recipients keep their order. The counters of the stage that is left start again at 0.
    """
    groups: dict[str, list[Recipient]] = {}
    for recipient in item.envelope.recipients:
        groups.setdefault(recipient.domain, []).append(recipient)
    return tuple(
        msgspec.structs.replace(
            item,
            split=item.split + number,
            attempt=0,
            failures=0,
            lost=0,
            not_before=None,
            history=(),
            destination=domain,
            envelope=msgspec.structs.replace(item.envelope, recipients=tuple(recipients)),
        )
        for number, (domain, recipients) in enumerate(groups.items(), start=1)
    )
