"""Rules that concern some recipients only: each outcome is a message of its own."""

import io
import itertools
import json
from typing import Any

import msgspec
import pytest

from services.screener.handler import Screener
from services.screener.settings import Settings
from shared import log
from shared.config.model import Config, Log, Relay, Rules
from shared.config.model import Screener as ScreenerConfig
from shared.config.screen_rule import ScreenRule
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send
from tests.support import mail_samples as samples
from tests.support.archive_samples import zip_of
from tests.support.mail_samples import PDF, TEXT, attachment, multipart

NOW = 1_790_000_000.0
TO = ("bob@one.example", "carol@two.example", "dave@one.example", "eve@three.example")
WITH_PDF = multipart([TEXT, attachment("a.pdf", PDF, "application/pdf")])


def rule(action: str, name: str, **conditions: Any) -> ScreenRule:
    return ScreenRule(name=name, action=action, **conditions)


async def follows(
    rules: tuple[ScreenRule, ...], content: bytes, origin: Origin = Origin.INBOUND, **item: Any
) -> list[Send]:
    config = Config(
        hostname="relay.example.net",
        relay=Relay(postmaster="postmaster@example.org"),
        screener=ScreenerConfig(rule=rules),
    )
    envelope = Envelope(sender="alice@example.org", recipients=tuple(Recipient(address=each) for each in TO))
    whole = Item(id="01K5Q0000000000000000000AA", envelope=envelope, origin=origin, accepted_at=NOW - 5)
    whole = msgspec.structs.replace(whole, **item)
    return await Screener(Settings.of(config), clock=lambda: NOW)(Message(whole, content))


def shown(sends: list[Send]) -> list[tuple[str, list[str], str]]:
    """Return place, recipients and verdict of each send."""
    return [
        (
            send.place.value.removeprefix("mail."),
            [recipient.address.partition("@")[0] for recipient in send.message.item.envelope.recipients],
            send.message.item.verdict.action.value if send.message.item.verdict else "none",
        )
        for send in sends
    ]


async def test_rules_that_concern_nobody_split_nothing() -> None:
    rules = (rule("block", "x", recipients=("z@elsewhere.example",)), rule("allow", "y", recipients=("*",)))
    sends = await follows(rules, WITH_PDF)
    assert shown(sends) == [
        ("deliver", ["bob", "dave"], "pass"),
        ("deliver", ["carol"], "pass"),
        ("deliver", ["eve"], "pass"),
    ]
    assert [send.message.item.split for send in sends] == [1, 2, 3]


async def test_one_is_stripped_another_blocked_a_third_gets_all() -> None:
    rules = (
        rule("strip", "no-pdf", recipients=("one.example",), names=("*.pdf",)),
        rule("quarantine", "no-mail", recipients=("carol@two.example",)),
    )
    sends = await follows(rules, WITH_PDF)
    assert shown(sends) == [
        ("quarantine", ["bob", "dave"], "strip"),
        ("deliver", ["bob", "dave"], "strip"),
        ("quarantine", ["carol"], "quarantine"),
        ("deliver", ["eve"], "pass"),
    ]
    contents = [send.message.content for send in sends]
    assert contents[0] is contents[2] is contents[3] is not contents[1]
    assert contents[0] is WITH_PDF
    assert b"Attachment-Removed.txt" in contents[1]
    reasons = [send.message.item.verdict.reasons if send.message.item.verdict else () for send in sends]
    assert reasons == [("rule:no-pdf",), ("rule:no-pdf",), ("rule:no-mail",), ()]
    assert {send.message.item.id for send in sends} == {"01K5Q0000000000000000000AA"}
    keys = [send.message.item.key for send in sends]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("hidden", list(itertools.permutations(TO, 2)))
async def test_nobody_learns_of_a_recipient_of_another_split(hidden: tuple[str, str]) -> None:
    """Blind copies: neither envelope, content nor report of one names another's."""
    rules = (rule("strip", "s", recipients=(hidden[0],), names=("*",)), rule("block", "b", recipients=(hidden[1],)))
    for send in await follows(rules, WITH_PDF, Origin.TRUSTED):
        names = {recipient.address for recipient in send.message.item.envelope.recipients}
        others = set(TO) - names if send.place is not Place.REDELIVER else set(TO) - {hidden[1]}
        assert not any(other.encode() in send.message.content for other in others)
        assert names == {hidden[0]} or not names & {hidden[0]}


async def test_each_block_has_a_report_of_its_own() -> None:
    rules = (rule("block", "b", recipients=("one.example",)), rule("block", "c", recipients=("two.example",)))
    sends = await follows(rules, WITH_PDF, Origin.AUTHENTICATED)
    assert [send.place.value for send in sends] == ["mail.redeliver", "mail.redeliver", "mail.deliver"]
    one, two, _ = (send.message for send in sends)
    assert one.item.id != two.item.id
    assert (one.content.count(b"Final-Recipient:"), two.content.count(b"Final-Recipient:")) == (2, 1)


@pytest.mark.parametrize(
    ("origin", "spf", "action"),
    [
        (Origin.INBOUND, None, Action.STRIP),
        (Origin.INBOUND, "softfail", Action.STRIP),
        (Origin.INBOUND, "pass", Action.PASS),
        (Origin.TRUSTED, None, Action.PASS),
        (Origin.AUTHENTICATED, None, Action.PASS),
    ],
)
async def test_a_sender_may_have_to_be_verified(origin: Origin, spf: str | None, action: Action) -> None:
    rules = (rule("allow", "a", senders=("alice@example.org",), sender_verified=True),)
    sends = await follows(rules, samples.with_exe(), origin, spf=spf)
    verdict = sends[-1].message.item.verdict
    assert verdict is not None
    assert verdict.action is action


async def test_shadow_rules_stand_in_the_verdict_only() -> None:
    rules = (
        rule("block", "try", shadow=True, recipients=("one.example",), subject=("unterlagen",)),
        rule("strip", "pdf", shadow=True, names=("*.pdf",)),
    )
    sends = await follows(rules, WITH_PDF)
    assert [send.message.item.split for send in sends] == [1, 2, 3]
    assert {send.message.content for send in sends} == {WITH_PDF}
    verdict = sends[0].message.item.verdict
    assert verdict is not None
    assert verdict.shadow == ("rule:try block", "rule:pdf strip")


async def test_everything_can_be_stripped_and_again() -> None:
    """The notice itself is spared, and the reason is the operator's."""
    rules = (rule("strip", "all", names=("*",), reason="nothing may be sent here"),)
    kept, *on = await follows(rules, multipart([TEXT, attachment("a.pdf", PDF), attachment("b.png", samples.PNG)]))
    assert kept.place is Place.QUARANTINE
    content = on[0].message.content
    assert content.count(b"nothing may be sent here") == content.count(b"Attachment-Removed.txt") == 2
    assert shown(await follows(rules, content))[0] == ("deliver", ["bob", "dave"], "pass")


async def test_the_rules_of_a_direction_are_its_own() -> None:
    rules = (rule("block", "b", direction="outbound", senders=("*",)),)
    assert {send.place for send in await follows(rules, WITH_PDF)} == {Place.DELIVER}
    assert {send.place for send in await follows(rules, WITH_PDF, Origin.TRUSTED)} == {Place.REDELIVER}


def test_the_default_has_no_rules_of_its_own() -> None:
    assert all(rules.own == () for rules in Settings.of(Config()).rules().values())
    assert Rules().suspicious == "strip"


async def test_shadow_rules_see_inside_archives_and_remarks_are_logged() -> None:
    """Neither changes what becomes of the message; both are in the verdict and in the line that operators read."""
    lines = io.StringIO()
    log.set_up(Log(), "screener", lines)
    raw = multipart([TEXT, attachment("a.zip", zip_of({"b.txt": b"hello"}))]).removesuffix(b"--=_b1--\r\n")
    sends = await follows((rule("block", "try", shadow=True, names=("b.txt",)),), raw)
    assert [(send.place, send.message.content == raw) for send in sends] == [(Place.DELIVER, True)] * 3
    verdict = sends[0].message.item.verdict
    assert verdict is not None
    assert (verdict.action, verdict.shadow, verdict.reasons) == (Action.PASS, ("rule:try block",), ())
    assert verdict.remarks == ("mime:no-closing-delimiter",)
    line = json.loads(lines.getvalue().splitlines()[-1])
    assert (line["event"], line["shadow"], line["remarks"]) == ("screened", ["rule:try block"], list(verdict.remarks))
