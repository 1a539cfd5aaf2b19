"""DESIGN section 7, Notifications: every origin, every kind, every NOTIFY, and who is told in each case.

S: a report to the envelope sender; P: one to the postmaster (double bounce); Q: quarantine; -: nobody and nothing.
"""

import email
import itertools

import msgspec
import pytest

from services.delivery.outcome import Outcome
from services.delivery.retry import Plan
from services.delivery.settle import Policy, settle
from services.screener.outcome import follow
from services.screener.settings import Settings
from shared.config.model import Config, Relay
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send, Verdict
from shared.smtp.reply import Reply

SENDER, POSTMASTER, BOB = "alice@example.org", "postmaster@example.org", "bob@example.net"
ACCEPTED_AT = 1_000_000.0
POLICY = Policy(Plan((60, 300), 432_000, 14_400), "relay.example.org", POSTMASTER)
SETTINGS = Settings.of(Config(hostname="relay.example.org", relay=Relay(postmaster=POSTMASTER)))
CONTENT = b"Subject: hello\r\n\r\nbody\r\n"

NOTIFY: list[tuple[str, ...] | None] = [
    None, ("NEVER",), ("SUCCESS",), ("FAILURE",), ("DELAY",), ("SUCCESS", "FAILURE", "DELAY"),
]  # fmt: skip

TABLE = """
    origin           sender  spf       to           kind        -  NEVER  SUCCESS  FAILURE  DELAY  all
    authenticated    alice   -         bob          failed      S    -       -        S       -     S
    authenticated    alice   -         bob          expired     S    -       -        S       -     S
    authenticated    alice   -         bob          delayed     S    -       -        -       S     S
    authenticated    alice   -         bob          relayed     -    -       S        -       -     S
    authenticated    alice   -         bob          blocked     S    Q       Q        S       Q     S
    trusted          alice   -         bob          failed      S    -       -        S       -     S
    trusted          alice   fail      bob          failed      S    -       -        S       -     S
    trusted          alice   -         bob          expired     S    -       -        S       -     S
    trusted          alice   -         bob          delayed     S    -       -        -       S     S
    trusted          alice   -         bob          relayed     -    -       S        -       -     S
    trusted          alice   -         bob          blocked     S    Q       Q        S       Q     S
    inbound          alice   pass      bob          failed      S    -       -        S       -     S
    inbound          alice   pass      bob          expired     S    -       -        S       -     S
    inbound          alice   pass      bob          delayed     S    -       -        -       S     S
    inbound          alice   pass      bob          relayed     -    -       S        -       -     S
    inbound          alice   pass      bob          blocked     Q    Q       Q        Q       Q     Q
    inbound          alice   -         bob          failed      Q    Q       Q        Q       Q     Q
    inbound          alice   -         bob          expired     Q    Q       Q        Q       Q     Q
    inbound          alice   -         bob          delayed     -    -       -        -       -     -
    inbound          alice   -         bob          relayed     -    -       -        -       -     -
    inbound          alice   -         bob          blocked     Q    Q       Q        Q       Q     Q
    inbound          alice   fail      bob          failed      Q    Q       Q        Q       Q     Q
    inbound          alice   softfail  bob          failed      Q    Q       Q        Q       Q     Q
    inbound          alice   neutral   bob          delayed     -    -       -        -       -     -
    inbound          alice   none      bob          relayed     -    -       -        -       -     -
    authenticated    null    -         bob          failed      P    P       P        P       P     P
    authenticated    null    -         bob          blocked     Q    Q       Q        Q       Q     Q
    trusted          null    -         bob          failed      P    P       P        P       P     P
    trusted          null    -         bob          expired     P    P       P        P       P     P
    trusted          null    -         bob          delayed     -    -       -        -       -     -
    trusted          null    -         bob          relayed     -    -       -        -       -     -
    inbound          null    pass      bob          failed      P    P       P        P       P     P
    inbound          null    pass      bob          delayed     -    -       -        -       -     -
    inbound          null    -         postmaster   failed      P    P       P        P       P     P
    inbound          null    -         bob          blocked     Q    Q       Q        Q       Q     Q
    generated        null    -         bob          failed      P    P       P        P       P     P
    generated        null    -         bob          expired     P    P       P        P       P     P
    generated        null    -         bob          delayed     -    -       -        -       -     -
    generated        null    -         bob          relayed     -    -       -        -       -     -
    generated        null    -         bob          blocked     Q    Q       Q        Q       Q     Q
    generated        alice   -         bob          failed      P    P       P        P       P     P
    generated        null    -         postmaster   failed      Q    Q       Q        Q       Q     Q
    generated        null    -         postmaster   expired     Q    Q       Q        Q       Q     Q
    generated        null    -         postmaster   delayed     -    -       -        -       -     -
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]
ADDRESSES = {"alice": SENDER, "null": None, "bob": BOB, "postmaster": POSTMASTER}
REPLIES = {
    "failed": Reply(550, "5.1.1", "unknown"),
    "expired": Reply(450, "4.2.0", "later"),
    "delayed": Reply(450, "4.2.0", "later"),
    "relayed": Reply(250, "2.0.0", "ok"),
}
AGES = {"failed": 0.0, "expired": 432_000.0, "delayed": 14_400.0, "relayed": 0.0}


def message(origin: str, sender: str, spf: str, to: str, notify: tuple[str, ...] | None) -> Message:
    """Return the message of a row."""
    recipient = Recipient(address=ADDRESSES[to] or "", notify=notify)
    envelope = Envelope(sender=ADDRESSES[sender], recipients=(recipient,))
    item = Item(
        id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        split=1,
        envelope=envelope,
        origin=Origin(origin),
        spf=None if spf == "-" else spf,
        accepted_at=ACCEPTED_AT,
    )
    return Message(item, CONTENT)


def what_follows(original: Message, kind: str) -> list[Send]:
    """Return the sends of the stage that decides about a kind, tries left out."""
    if kind == "blocked":
        return follow(original, Verdict(action=Action.BLOCK, at=ACCEPTED_AT), CONTENT, SETTINGS)
    recipient = original.item.envelope.recipients[0]
    outcome = Outcome(recipient, REPLIES[kind], "mx.example.net")
    settled = settle(original, [outcome], POLICY, ACCEPTED_AT + AGES[kind], 0.5)
    return [send for send in settled.sends if send.message.item.not_before is None]


def told(send: Send) -> str:
    """Return a send as a letter of the table."""
    if send.place is Place.QUARANTINE:
        return "Q"
    item = send.message.item
    assert (send.place, item.origin, item.envelope.sender) == (Place.REDELIVER, Origin.GENERATED, None)
    (recipient,) = item.envelope.recipients
    assert email.message_from_bytes(send.message.content)["To"] == f"<{recipient.address}>"
    return {SENDER: "S", POSTMASTER: "P"}[recipient.address]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:5]))
def test_who_is_told(row: list[str]) -> None:
    origin, sender, spf, to, kind, *letters = row
    for notify, letter in zip(NOTIFY, letters, strict=True):
        sends = what_follows(message(origin, sender, spf, to, notify), kind)
        assert ["".join(map(told, sends)) or "-", notify] == [letter, notify]


@pytest.mark.parametrize("row", [row for row in ROWS if row[4] in REPLIES], ids=lambda row: "-".join(row[:5]))
def test_a_report_begets_at_most_one_more(row: list[str]) -> None:
    """Loops are impossible: whatever fails, after two reports nothing more is sent to anybody."""
    origin, sender, spf, to, kind, *_ = row
    sends = what_follows(message(origin, sender, spf, to, None), kind)
    for generation in itertools.count():
        reports = [send.message for send in sends if send.place is Place.REDELIVER]
        if not reports:
            break
        assert generation < 2
        sends = [
            send
            for each in reports
            for failed in ("failed", "delayed", "expired")
            for send in what_follows(aged(each), failed)
        ]


def aged(report: Message) -> Message:
    """Return a report as if it had been made when its original was accepted, for the ages of the table."""
    return Message(msgspec.structs.replace(report.item, accepted_at=ACCEPTED_AT), report.content)
