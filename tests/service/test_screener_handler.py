"""The screener's handler: called with a message, it says what follows."""

import email
import email.policy
from itertools import count

import msgspec
import pytest

from services.screener.containers.pool import Pool
from services.screener.handler import OFF_THE_LOOP, Screener
from services.screener.isolated import isolated
from services.screener.settings import Settings
from shared.config.model import Config, Relay, Rules
from shared.config.model import Screener as ScreenerConfig
from shared.ids import derive_id
from shared.model import Action, Envelope, Item, Message, Origin, Place, Recipient, Send
from tests.support import archive_samples as archives
from tests.support import mail_samples as samples
from tests.support.mail_samples import TEXT, attachment, multipart

NOW = 1_790_000_000.0
CONFIG = Config(hostname="relay.example.net", relay=Relay(postmaster="postmaster@example.org"))
EVERYBODY = ("bob@example.net", "carol@example.com", "dave@example.net")
AMBIGUOUS = samples.with_exe().replace(b"\r\n boundary=", b"\r\n boundary=x; boundary=")
PARTIAL = multipart([TEXT, "Content-Type: message/partial; id=a; number=1; total=2\n\npiece\n"])


def item(origin: Origin, sender: str | None = "alice@example.org", to: tuple[str, ...] = EVERYBODY) -> Item:
    return Item(
        id="01K5Q0000000000000000000AA",
        envelope=Envelope(sender=sender, recipients=tuple(Recipient(address=address) for address in to)),
        origin=origin,
        accepted_at=NOW - 5,
    )


def handler(config: Config = CONFIG) -> Screener:
    return Screener(Settings.of(config), clock=lambda: NOW)


async def follows(origin: Origin, content: bytes, config: Config = CONFIG) -> list[Send]:
    return await handler(config)(Message(item(origin), content))


def places(sends: list[Send]) -> list[str]:
    return [send.place.value for send in sends]


@pytest.mark.parametrize(
    ("origin", "place"), [(Origin.INBOUND, "mail.quarantine"), (Origin.AUTHENTICATED, "mail.redeliver")]
)
@pytest.mark.parametrize("size", [1, OFF_THE_LOOP])
async def test_a_message_that_takes_too_long_is_kept_or_reported(origin: Origin, place: str, size: int) -> None:
    """Every tick of the clock is a minute of CPU time."""
    minutes = count(step=60)
    content = multipart([TEXT, attachment("a.png", samples.PNG + bytes(size), "image/png")])
    screener = Screener(Settings.of(CONFIG), clock=lambda: NOW, cpu_clock=lambda: next(minutes))
    (send,) = await screener(Message(item(origin, to=("bob@example.net",)), content))
    assert send.place.value == place
    verdict = send.message.item.verdict
    assert "mime:over-cpu-time" in (verdict.reasons if verdict else send.message.content.decode())


ALL = [Origin.AUTHENTICATED, Origin.TRUSTED, Origin.INBOUND, Origin.GENERATED]


@pytest.mark.parametrize("origin", ALL)
@pytest.mark.parametrize("name", samples.CLEAN)
async def test_clean_mail_goes_on_as_the_same_object_split_by_destination(origin: Origin, name: str) -> None:
    content = samples.CLEAN[name]
    sends = await follows(origin, content)
    assert places(sends) == ["mail.deliver", "mail.deliver"]
    net, com = (send.message for send in sends)
    assert net.content is com.content is content
    assert [r.address for r in net.item.envelope.recipients] == ["bob@example.net", "dave@example.net"]
    assert (net.item.destination, com.item.destination) == ("example.net", "example.com")
    assert (net.item.split, com.item.split) == (1, 2)
    assert net.item.verdict is not None
    assert net.item.verdict.action is Action.PASS
    assert net.item.may_be_delivered


@pytest.mark.parametrize(
    ("content", "origin", "expected"),
    [
        (samples.with_exe(), Origin.INBOUND, ["mail.quarantine", "mail.deliver", "mail.deliver"]),
        (samples.with_exe(), Origin.GENERATED, ["mail.quarantine", "mail.deliver", "mail.deliver"]),
        (samples.with_exe(), Origin.TRUSTED, ["mail.redeliver"]),
        (samples.with_exe(), Origin.AUTHENTICATED, ["mail.redeliver"]),
        (samples.FORWARDED_EXE, Origin.INBOUND, ["mail.quarantine", "mail.deliver", "mail.deliver"]),
        (samples.SIGNED_EXE, Origin.INBOUND, ["mail.quarantine"]),
        (samples.SIGNED_EXE, Origin.AUTHENTICATED, ["mail.redeliver"]),
        (samples.ENCODED_FORWARD, Origin.INBOUND, ["mail.quarantine"]),
        (samples.ENCODED_FORWARD, Origin.TRUSTED, ["mail.redeliver"]),
        (AMBIGUOUS, Origin.INBOUND, ["mail.quarantine"]),
        (AMBIGUOUS, Origin.TRUSTED, ["mail.redeliver"]),
        (PARTIAL, Origin.INBOUND, ["mail.quarantine"]),
        (PARTIAL, Origin.GENERATED, ["mail.quarantine"]),
        (PARTIAL, Origin.AUTHENTICATED, ["mail.redeliver"]),
    ],
)
async def test_where_everything_else_goes(content: bytes, origin: Origin, expected: list[str]) -> None:
    assert places(await follows(origin, content)) == expected


async def test_a_stripped_message_goes_on_and_its_original_is_kept() -> None:
    original = samples.with_exe()
    kept, *on = await follows(Origin.INBOUND, original)
    assert kept.message.content is original
    assert kept.message.item.reason == "strip: extension:exe"
    assert kept.message.item.destination is None
    assert len(kept.message.item.envelope.recipients) == 3
    for send in on:
        assert b"Attachment-Removed.txt" in send.message.content
        assert send.message.item.id.encode() in send.message.content
        assert send.message.item.reason is None
        verdict = send.message.item.verdict
        assert verdict is not None
        assert (verdict.action, verdict.at) == (Action.STRIP, NOW)
        assert [(part.path, part.names, part.rule) for part in verdict.parts] == [
            ("2", ("invoice.exe",), "extension:exe")
        ]


async def test_a_blocked_sender_gets_a_report_with_the_header_only() -> None:
    (send,) = await follows(Origin.AUTHENTICATED, samples.with_exe())
    report = send.message
    assert report.item.origin is Origin.GENERATED
    assert report.item.envelope.sender is None
    assert [r.address for r in report.item.envelope.recipients] == ["alice@example.org"]
    assert report.item.destination == "example.org"
    assert report.item.id == derive_id("01K5Q0000000000000000000AA", "block", NOW - 5)
    message = email.message_from_bytes(report.content, policy=email.policy.default)
    text, status, header = message.iter_parts()
    assert header.get_content_type() == "text/rfc822-headers"
    assert b"TVqQ" not in report.content
    assert "invoice.exe (extension:exe)" in text.get_content()
    reported = [group["Final-Recipient"] for group in status.walk() if group["Final-Recipient"]]
    assert reported == [f"rfc822; {address}" for address in EVERYBODY]


async def test_the_same_work_done_again_gives_the_same_report() -> None:
    assert await follows(Origin.TRUSTED, samples.with_exe()) == await follows(Origin.TRUSTED, samples.with_exe())


async def test_the_null_sender_is_never_told() -> None:
    message = Message(item(Origin.TRUSTED, sender=None), samples.with_exe())
    (send,) = await handler()(message)
    assert send.place is Place.QUARANTINE
    assert send.message.item.reason == "block: extension:exe"


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ((None, None), 2),
        ((("NEVER",), None), 1),
        ((("DELAY",), ("FAILURE", "DELAY")), 1),
        ((("NEVER",), ("NEVER",)), 0),
    ],
)
async def test_who_wants_no_report_gets_none_and_nothing_is_lost(
    notify: tuple[tuple[str, ...] | None, ...], told: int
) -> None:
    recipients = tuple(Recipient(address=f"r{n}@example.net", notify=wish) for n, wish in enumerate(notify))
    base = item(Origin.TRUSTED)
    envelope = msgspec.structs.replace(base.envelope, recipients=recipients)
    (send,) = await handler()(Message(msgspec.structs.replace(base, envelope=envelope), samples.with_exe()))
    assert send.place is (Place.REDELIVER if told else Place.QUARANTINE)
    assert send.message.content.count(b"Final-Recipient:") == told


@pytest.mark.parametrize(
    ("rules", "content", "expected"),
    [
        (Rules(action="block"), samples.with_exe(), ["mail.quarantine"]),
        (Rules(action="quarantine"), samples.with_exe(), ["mail.quarantine"]),
        (Rules(action="allow"), samples.with_exe(), ["mail.deliver", "mail.deliver"]),
        (Rules(ambiguous="pass"), AMBIGUOUS, ["mail.quarantine"]),
        (Rules(ambiguous="pass", action="allow"), AMBIGUOUS, ["mail.deliver", "mail.deliver"]),
        (Rules(ambiguous="block"), AMBIGUOUS, ["mail.quarantine"]),
    ],
)
async def test_rules_are_configured_per_direction(rules: Rules, content: bytes, expected: list[str]) -> None:
    config = msgspec.structs.replace(CONFIG, screener=ScreenerConfig(inbound=rules))
    assert places(await follows(Origin.INBOUND, content, config)) == expected
    assert places(await follows(Origin.TRUSTED, samples.with_exe(), config)) == ["mail.redeliver"]


async def test_a_large_message_is_screened_beside_the_loop() -> None:
    big = multipart([TEXT, attachment("a.bin", bytes(OFF_THE_LOOP)), attachment("setup.exe", samples.EXE)])
    kept, *on = await follows(Origin.INBOUND, big)
    assert kept.message.content is big
    assert [b"setup.exe" in send.message.content for send in on] == [True, True]
    assert [samples.b64(samples.EXE)[:60].encode() in send.message.content for send in on] == [False, False]


async def test_a_child_process_gives_the_same_sends() -> None:
    message = Message(item(Origin.INBOUND), samples.OUTLOOK)
    alone = await isolated(Settings.of(CONFIG))(message)
    here = await handler()(message)
    assert [send.message.item.destination for send in alone] == [send.message.item.destination for send in here]
    assert [send.message.content for send in alone] == [samples.OUTLOOK] * 2


@pytest.mark.parametrize("sort", ["parts", "depth", "fields", "quotes", "pads", "words", "delimiters"])
async def test_hostile_messages_end_in_quarantine_or_pass_and_do_not_break_it(sort: str) -> None:
    """Each is far over a cap or the worst case of a scanner; the suite's time-out is what a runaway would meet."""
    head = b'Subject: x\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    content = {
        "parts": head + b"\r\n" + b"--b\r\n\r\n\r\n" * 200_000,
        "depth": b"".join(
            b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(5000)
        ),
        "fields": b"Content-Type: text/plain; a=b\r\n" * 50_000 + b"\r\n",
        "quotes": b"Content-Type: multipart/mixed; boundary=" + b'"\\' * 60_000 + b"\r\n\r\nx",
        "pads": b"Content-Transfer-Encoding: base64\r\nContent-Type: a/b\r\n\r\n" + b"QQ==" * 500_000,
        "words": b'Content-Disposition: attachment; filename="' + b"=?utf-8?q?" * 20_000 + b'"\r\n\r\nx',
        "delimiters": head + b"\r\n" + b"--bx\r\n" * 500_000,
    }[sort]
    sends = await follows(Origin.INBOUND, content)
    assert places(sends) in (["mail.quarantine"], ["mail.deliver", "mail.deliver"])


@pytest.mark.parametrize(
    ("content", "origin", "expected"),
    [
        (archives.zip_of({"a.txt": b"hello"}), Origin.INBOUND, ["mail.deliver", "mail.deliver"]),
        (archives.zip_of({"a.exe": b"hello"}), Origin.INBOUND, ["mail.quarantine", "mail.deliver", "mail.deliver"]),
        (archives.zip_of({"a.exe": b"hello"}), Origin.TRUSTED, ["mail.redeliver"]),
        (archives.overlapping_bomb(500), Origin.INBOUND, ["mail.quarantine"]),
    ],
    ids=["clean", "banned", "banned outbound", "bomb"],
)
async def test_archives_are_looked_into_by_worker_processes(
    content: bytes, origin: Origin, expected: list[str]
) -> None:
    raw = samples.multipart([TEXT, attachment("a.zip", content)])
    pool = Pool(1, module="services.screener.containers.worker")
    try:
        screener = Screener(Settings.of(CONFIG), clock=lambda: NOW, pool=pool)
        assert places(await screener(Message(item(origin), raw))) == expected
    finally:
        pool.close()
