"""What the guard asks when, and what of it outlives a reload."""

import asyncio
from collections.abc import Coroutine

import pytest

from services.ingress import replies
from services.ingress.policy.guard import Guard
from services.ingress.policy.inquiry import Findings
from services.ingress.policy.relay import Party
from services.ingress.policy.reverse import Reverse
from services.ingress.policy.rules import compile_rules
from services.ingress.policy.verdicts import Question, Verdict
from services.ingress.replies import Refuse
from shared.config.model import Hosted, Ingress, Mode, Relay
from shared.config.strangers import CallOut, Rate
from shared.config.units import Duration
from shared.dns.port import Status
from shared.smtp.address import Mailbox
from tests.support.front import NO_DNS

STRANGER, OTHER, TRUSTED, DENIED = "192.0.2.1", "192.0.2.2", "10.0.0.1", "198.51.100.7"
BOB = Mailbox("bob", "example.org")
RULES = compile_rules(
    Relay(
        trusted_networks=("10.0.0.0/8",),
        denied_clients=("198.51.100.0/24", "10.0.0.66/32"),
        hosted={"example.org": "mail.internal"},
    )
)


def one_each(per: str, *, exempt_trusted: bool = True) -> Rate:
    return Rate(
        per=per, connections="1/h", messages="1/h", recipients="1/h", bytes="1000B/h", exempt_trusted=exempt_trusted
    )


def guard(*rates: Rate, previous: Guard | None = None) -> Guard:
    return Guard(RULES, Ingress(rate=rates), NO_DNS, "relay.example", previous, clock=lambda: 100.0)


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        (STRANGER, None),
        (TRUSTED, None),
        (DENIED, replies.DENIED_CLIENT),
        ("::ffff:198.51.100.7", replies.DENIED_CLIENT),
        ("10.0.0.66", replies.DENIED_CLIENT),
        ("unknown", None),
    ],
)
def test_denied_clients_are_turned_away_trusted_or_not(address: str, refused: Refuse | None) -> None:
    assert guard().connect(address) == refused


def test_a_denied_client_uses_up_nothing() -> None:
    one = guard(Rate(per="network", connections="1/h"))
    denied = [one.connect(DENIED) for _ in range(3)]
    assert denied == [replies.DENIED_CLIENT] * 3


def asked(one: Guard, address: str, user: str | None) -> list[object]:
    """Return the answers at each of the four points."""
    answers: list[object] = [
        one.connect(address) if user is None else one.authenticated(address, user),
        one.sender(address, user, 0),
        one.recipient(address, Party(Mode.RELAY, trusted=address == TRUSTED, user=user), BOB, None),
    ]
    one.received(address, user, 1000)
    return [*answers, one.sender(address, user, 1)]


ALL = [replies.RATE_CONNECTIONS, replies.RATE_BYTES, replies.RATE_RECIPIENTS, replies.RATE_BYTES]
FIRST = [None, None, None, replies.RATE_BYTES]
NONE = [None] * 4


@pytest.mark.parametrize(
    ("rate", "address", "user", "first", "second"),
    [
        (one_each("client"), STRANGER, None, FIRST, ALL),
        (one_each("network"), STRANGER, None, FIRST, ALL),
        (one_each("user"), STRANGER, None, NONE, NONE),
        (one_each("client"), TRUSTED, None, NONE, NONE),
        (one_each("client", exempt_trusted=False), TRUSTED, None, FIRST, ALL),
        (one_each("client"), STRANGER, "bob", NONE, NONE),
        (one_each("user"), STRANGER, "bob", FIRST, ALL),
        (one_each("user"), TRUSTED, "bob", FIRST, ALL),
    ],
)
def test_who_is_limited_by_what(
    rate: Rate, address: str, user: str | None, first: list[Refuse | None], second: list[Refuse | None]
) -> None:
    one = guard(rate)
    assert asked(one, address, user) == first
    assert asked(one, address, user) == second
    assert asked(one, OTHER, "eve" if user else None)[0] in {None, second[0] if rate.per == "network" else None}


def test_counts_outlive_a_reload_and_rules_do_not() -> None:
    rate = Rate(per="client", connections="1/h")
    before = guard(rate)
    assert before.connect(STRANGER) is None
    after = Guard(
        compile_rules(Relay(trusted_networks=("192.0.2.2/32",))),
        Ingress(rate=(rate,)),
        NO_DNS,
        "relay.example",
        before,
        lambda: 100,
    )
    assert after.connect(STRANGER) == replies.RATE_CONNECTIONS
    assert [after.connect(address) for address in (DENIED, OTHER, OTHER)] == [None] * 3
    assert Guard(RULES, Ingress(), NO_DNS, "relay.example", after).connect(STRANGER) is None


LISTED, NAMELESS = Findings("bl.example"), Findings("", Reverse(Status.NO_NAME))
NAMED = Findings("", Reverse(Status.FOUND, "mail.example.net"))
KNOWN = {"nobody": Verdict.REFUSED, "busy": Verdict.UNCERTAIN, "bob": Verdict.EXISTS, "postmaster": Verdict.REFUSED}
STRANGE, AT_HOME = Party(Mode.RELAY), Party(Mode.RELAY, trusted=True)
ASKED = "has to be asked"
BLOCKED = replies.listed(STRANGER, "bl.example")
RECIPIENTS: list[tuple[Party, str, Findings | None, object]] = [
    (STRANGE, "bob", None, None),
    (STRANGE, "bob", NAMED, None),
    (STRANGE, "nobody", NAMED, replies.NOT_VERIFIED),
    (STRANGE, "NoBody", None, replies.NOT_VERIFIED),
    (STRANGE, "busy", NAMED, replies.VERIFY_LATER),
    (STRANGE, "unknown", NAMED, ASKED),
    (STRANGE, "nobody", LISTED, BLOCKED),
    (STRANGE, "unknown", LISTED, BLOCKED),
    (STRANGE, "bob", NAMELESS, replies.NO_REVERSE_DNS),
    (STRANGE, "Postmaster", LISTED, None),
    (STRANGE, "admin", LISTED, None),
    (AT_HOME, "nobody", LISTED, None),
    (Party(Mode.RELAY, user="carol"), "nobody", LISTED, None),
    (Party(Mode.SUBMISSION, user="carol"), "nobody", NAMELESS, None),
]


@pytest.mark.parametrize(("party", "local", "findings", "answer"), RECIPIENTS)
async def test_what_is_asked_about_a_recipient_and_in_which_order(
    party: Party, local: str, findings: Findings | None, answer: object
) -> None:
    """DNS before the next hop; neither about the postmaster's mail, nor for those who are known.

    What is known is answered at once.
    """
    relay = Relay(
        postmaster="admin@example.org",
        trusted_networks=("10.0.0.0/8",),
        hosted={"example.org": Hosted(next_hop=("127.0.0.1:9",), verify="call-out"), "plain.example": "127.0.0.1:9"},
    )
    rules = compile_rules(relay)
    hops = rules.hosted.exact["example.org"].ask
    address = TRUSTED if party.trusted else STRANGER
    settings = Ingress(
        require_reverse_dns=True,
        call_out=CallOut(uncertain="defer"),
        rate=(Rate(per="client", recipients="1/h"), Rate(per="user", recipients="1/h")),
    )
    one = Guard(rules, settings, NO_DNS, "relay.example", clock=lambda: 100.0)
    for name, verdict in KNOWN.items():
        one.call_outs.verdicts.put(Question(hops, f"{name}@example.org"), verdict, 101, 9)
    inquiry = None if findings is None else asyncio.create_task(_found(findings))
    await asyncio.sleep(0)
    said = one.recipient(address, party, Mailbox(local, "example.org"), inquiry)
    if isinstance(said, Coroutine):
        said.close()
    assert (ASKED if isinstance(said, Coroutine) else said) == answer
    again = one.recipient(address, party, Mailbox(local, "example.org"), inquiry)
    limited = party.user is not None or not party.trusted
    assert again == (replies.RATE_RECIPIENTS if limited else None), "limits come first"
    assert one.recipient(OTHER, STRANGE, Mailbox(local, "plain.example"), None) is None


async def _found(findings: Findings) -> Findings:
    return findings


async def test_an_inquiry_that_goes_on_is_waited_for() -> None:
    one = Guard(RULES, Ingress(), NO_DNS, "relay.example")
    inquiry = asyncio.create_task(_found(LISTED))
    said = one.recipient(STRANGER, STRANGE, BOB, inquiry)
    assert isinstance(said, Coroutine)
    assert await said == BLOCKED


@pytest.mark.parametrize(
    ("address", "mode", "delay"),
    [(STRANGER, Mode.RELAY, 5.0), (STRANGER, Mode.SUBMISSION, 0), (TRUSTED, Mode.RELAY, 0)],
)
def test_who_must_wait_for_the_greeting(address: str, mode: Mode, delay: float) -> None:
    one = Guard(RULES, Ingress(greeting_delay=Duration(5)), NO_DNS, "relay.example")
    assert one.greeting_delay(address, mode) == delay
    assert guard().greeting_delay(STRANGER, Mode.RELAY) == 0
