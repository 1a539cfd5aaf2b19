"""One item per destination domain, with nobody forgotten and nobody twice."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Attempt, Envelope, Item, Recipient
from shared.split import by_destination
from tests.support.messages import make_item


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        (["a@x"], [("x", ["a@x"])]),
        (["a@x", "b@x"], [("x", ["a@x", "b@x"])]),
        (["a@x", "b@y", "c@x"], [("x", ["a@x", "c@x"]), ("y", ["b@y"])]),
        (["c@y", "a@x", "b@z"], [("y", ["c@y"]), ("x", ["a@x"]), ("z", ["b@z"])]),
        (['"a@x"@y', "b@x"], [("y", ['"a@x"@y']), ("x", ["b@x"])]),
        (["a@x", "a@x"], [("x", ["a@x", "a@x"])]),
    ],
)
def test_groups_in_order_of_first_appearance(recipients: list[str], expected: list[tuple[str, list[str]]]) -> None:
    """Recipients keep their order within their domain."""
    items = by_destination(make_item(recipients=recipients))
    found = [(item.destination, [each.address for each in item.envelope.recipients]) for item in items]
    assert found == expected
    assert [item.split for item in items] == list(range(1, len(expected) + 1))


def test_what_belongs_to_the_stage_that_is_left_starts_again() -> None:
    """Its failures and attempts are no news to delivery; everything else stays."""
    item = msgspec.structs.replace(
        make_item(recipients=["a@x"]),
        attempt=3,
        failures=2,
        not_before=5.0,
        spf="pass",
        reason="kept once",
        history=(Attempt(at=1.0, stage="screen", text="x"),),
    )
    (split,) = by_destination(item)
    fresh = msgspec.structs.replace(item, split=1, attempt=0, failures=0, not_before=None, history=(), destination="x")
    assert split == fresh


def test_recipients_keep_what_was_asked_for_them() -> None:
    """NOTIFY and ORCPT travel with their recipient (RFC 3461 section 5.2.2)."""
    recipients = (Recipient(address="a@x", notify=("NEVER",)), Recipient(address="b@y", orcpt="rfc822;B@y"))
    item = msgspec.structs.replace(make_item(), envelope=Envelope(sender=None, recipients=recipients, ret="HDRS"))
    items = by_destination(item)
    assert tuple(each for split in items for each in split.envelope.recipients) == recipients
    assert {split.envelope.ret for split in items} == {"HDRS"}


@given(st.lists(st.builds("{}@{}".format, st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_every_recipient_exactly_once(recipients: list[str]) -> None:
    """Whatever the mix of domains."""
    items = by_destination(make_item("M", recipients=recipients))
    assert sorted(each.address for item in items for each in item.envelope.recipients) == sorted(recipients)
    assert all({each.domain for each in item.envelope.recipients} == {item.destination} for item in items)
    keys = [item.key for item in items]
    assert len(set(keys)) == len(keys)


def test_keys_differ_between_splits_and_from_the_whole() -> None:
    """A publish's message_id is unique (BROKER.md 17)."""
    item: Item = make_item("M", recipients=["a@x", "b@y"])
    assert {item.key, *(split.key for split in by_destination(item))} == {"M.0.0", "M.1.0", "M.2.0"}
