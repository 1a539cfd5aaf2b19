"""Who is offered which extension, what EHLO says of it, and how long mail is held."""

from typing import Any

import pytest

from services.ingress import replies
from services.ingress.policy.relay import Party
from services.ingress.protocol.extensions import Announcement, keywords
from services.ingress.protocol.hold import release_at
from services.ingress.protocol.params import MailParams, Offers
from services.ingress.protocol.standing import party_of, standing_of
from services.ingress.replies import Refuse
from shared.config.model import Extension, Listener, Mode

HOLD = 600
NOW = 1_795_521_600.0
"""2026-11-24T12:00:00Z."""
BASE = ["PIPELINING", "SIZE 1000", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "LIMITS RCPTMAX=50"]


def listener(mode: Mode, *strangers_may: Extension, without_auth: bool = False) -> Listener:
    return Listener("127.0.0.1:25", mode, without_auth, strangers_may)


PARTIES = [
    (Mode.RELAY, False, True, True),
    (Mode.SUBMISSION, False, True, False),
    (Mode.SUBMISSION, True, True, True),
    (Mode.SUBMISSIONS, True, False, False),
]


@pytest.mark.parametrize(("mode", "without_auth", "in_network", "trusted"), PARTIES)
def test_a_network_counts_where_the_listener_says_so(
    mode: Mode, without_auth: bool, in_network: bool, trusted: bool
) -> None:
    made = party_of(listener(mode, without_auth=without_auth), in_trusted_network=in_network, user=None, tls=True)
    assert made == Party(mode, trusted=trusted, tls=True)


STRANGER: dict[str, Any] = {}
TRUSTED = {"trusted": True}
USER = {"user": "bob"}
KNOWN = {"dsn": True, "smtputf8": True}
OFFERS = [
    (Mode.RELAY, STRANGER, True, (), {}),
    (Mode.RELAY, STRANGER, False, (Extension.DSN,), {"dsn": True}),
    (Mode.RELAY, STRANGER, False, (Extension.SMTPUTF8,), {"smtputf8": True}),
    (Mode.RELAY, STRANGER, True, (Extension.REQUIRETLS,), {"require_tls": True}),
    (Mode.RELAY, STRANGER, False, (Extension.REQUIRETLS,), {}),
    (Mode.RELAY, TRUSTED, False, (), KNOWN),
    (Mode.RELAY, TRUSTED, True, (), {**KNOWN, "require_tls": True}),
    (Mode.RELAY, USER, True, (), {**KNOWN, "require_tls": True, "max_hold": HOLD}),
    (Mode.SUBMISSION, STRANGER, False, (), {**KNOWN, "max_hold": HOLD}),
    (Mode.SUBMISSION, USER, True, (), {**KNOWN, "require_tls": True, "max_hold": HOLD}),
    (Mode.SUBMISSION, TRUSTED, True, (), {**KNOWN, "require_tls": True}),
]


@pytest.mark.parametrize(("mode", "who", "tls", "strangers_may", "offers"), OFFERS)
def test_who_may_use_what(
    mode: Mode, who: dict[str, Any], tls: bool, strangers_may: tuple[Extension, ...], offers: dict[str, Any]
) -> None:
    party = Party(mode, tls=tls)._replace(**who)
    standing = standing_of(listener(mode, *strangers_may), party, auth=False, max_hold=HOLD)
    assert standing.offers == Offers()._replace(**offers)
    assert standing.is_stranger is (who is STRANGER)


ANNOUNCED = [
    ({}, []),
    ({"starttls": True}, ["STARTTLS"]),
    ({"auth": ("PLAIN", "LOGIN")}, ["AUTH PLAIN LOGIN"]),
    ({"offers": Offers(dsn=True)}, ["DSN"]),
    ({"offers": Offers(smtputf8=True, require_tls=True)}, ["SMTPUTF8", "REQUIRETLS"]),
    ({"offers": Offers(max_hold=HOLD)}, ["FUTURERELEASE 600 2026-11-24T12:10:00Z"]),
]


@pytest.mark.parametrize(("fields", "lines"), ANNOUNCED)
def test_what_ehlo_announces(fields: dict[str, Any], lines: list[str]) -> None:
    base = Announcement(1000, 50, starttls=False, auth=(), offers=Offers(), now=NOW)
    assert keywords(base._replace(**fields)) == [*BASE, *lines]


HELD = [
    ({}, None),
    ({"hold_for": 0}, None),
    ({"hold_for": 600}, NOW + 600),
    ({"hold_for": 601}, replies.HELD_TOO_LONG),
    ({"hold_until": NOW - 1}, None),
    ({"hold_until": NOW + 600}, NOW + 600),
    ({"hold_until": NOW + 601}, replies.HELD_TOO_LONG),
]


@pytest.mark.parametrize(("fields", "expected"), HELD)
def test_from_when_on_mail_is_delivered(fields: dict[str, Any], expected: float | Refuse | None) -> None:
    assert release_at(MailParams()._replace(**fields), Offers(max_hold=HOLD), NOW) == expected


def test_holdfor_and_holduntil_exclude_each_other() -> None:
    refused = release_at(MailParams(hold_for=1, hold_until=NOW), Offers(max_hold=HOLD), NOW)
    assert isinstance(refused, Refuse)
    assert (refused.reply.code, refused.reply.enhanced) == (501, "5.5.4")
