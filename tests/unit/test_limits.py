"""Connections and octets are counted across all sessions, and given back."""

from contextlib import closing

import pytest

from services.ingress import replies
from services.ingress.message.budget import Budget, Share
from services.ingress.policy.limits import Connections, client_key


def test_connections_are_limited_in_all_and_by_client() -> None:
    connections = Connections(limit=3, limit_per_client=2)
    assert connections.enter("192.0.2.1") is None
    assert connections.enter("192.0.2.1") is None
    assert connections.enter("192.0.2.1") == replies.TOO_MANY_FROM_CLIENT
    assert connections.enter("192.0.2.2") is None
    assert connections.enter("192.0.2.3") == replies.TOO_MANY_CONNECTIONS
    connections.leave("192.0.2.1")
    assert connections.enter("192.0.2.1") is None
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        connections.leave(address)
    assert connections.open == 0
    assert not connections._clients


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::/64"),
        ("2001:db8:1:2::", "2001:0db8:0001:0002::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_client_is_an_address_or_a_64(address: str, key: str) -> None:
    assert client_key(address) == key


def test_a_share_grows_and_is_given_back() -> None:
    budget = Budget(160)  # five eighths are for content
    one, two = Share(budget), Share(budget)
    with closing(one), closing(two):
        assert one.hold(60)
        assert one.hold(50)
        assert budget.used == 60
        assert not two.hold(41)
        assert two.hold(40)
        assert budget.room == 0
        assert not one.hold(61)
        assert one.hold(60)
    assert budget.used == 0
