"""What the hops of a destination give together, tabled."""

import pytest

from services.delivery.routing.hosts import Found, configured, merged
from services.delivery.routing.route import NextHop
from services.delivery.smtp.client import Target
from shared.dns.port import AddressAnswer, Status
from shared.smtp.reply import Reply

HOP = NextHop("mx.internal", 25)
TARGET, OTHER = Target(HOP, "192.0.2.1"), Target(HOP, "192.0.2.2")
SPARE = Target(HOP, "192.0.2.2", spare=True)
LATER, NEVER = Reply(451, "4.4.3", "later"), Reply(550, "5.4.4", "never")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([Found((TARGET,))], Found((TARGET,))),
        ([Found((TARGET,)), Found((OTHER,))], Found((TARGET, SPARE))),
        ([Found((), NEVER)], Found((), NEVER)),
        ([Found((), LATER), Found((), NEVER)], Found((), LATER)),
        ([Found((), NEVER), Found((), LATER)], Found((), LATER)),
        ([Found((), LATER), Found((TARGET,))], Found((TARGET,), LATER)),
        ([Found((TARGET,), LATER)], Found((TARGET,), LATER)),
        ([Found((), NEVER), Found((TARGET,))], Found((TARGET,))),
    ],
)
def test_what_may_be_there_later_is_not_forgotten(found: list[Found], expected: Found) -> None:
    assert merged(found) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (AddressAnswer(Status.FOUND, ("192.0.2.1",)), Found((TARGET,))),
        (
            AddressAnswer(Status.FOUND, ("::1", "192.0.2.1"), bases=("mx.internal",)),
            Found((Target(HOP, "::1", ("mx.internal",), "192.0.2.1"), Target(HOP, "192.0.2.1", ("mx.internal",)))),
        ),
        (AddressAnswer(Status.NO_NAME), Found((), Reply(451, "4.4.4", "next hop mx.internal has no address: no name"))),
        (
            AddressAnswer(Status.FAILED, detail="x"),
            Found((), Reply(451, "4.4.4", "next hop mx.internal has no address: x")),
        ),
    ],
)
def test_a_host_of_the_configuration(answer: AddressAnswer, expected: Found) -> None:
    assert configured(HOP, answer) == expected
