"""The wire format: every version ever shipped still decodes, and nothing else but WireError comes of garbage."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import wire
from shared.errors import WireError
from shared.model import (
    Action,
    Attempt,
    Client,
    Envelope,
    Item,
    Message,
    Origin,
    PartReport,
    Recipient,
    Release,
    Verdict,
)
from shared.smtp.reply import Reply

GOLDEN = Path(__file__).parent.parent / "golden"

PLAIN = Message(
    Item(
        id="01HF7YAT00000000000000000A",
        envelope=Envelope(sender="a@example.net", recipients=(Recipient(address="b@example.org"),)),
        origin=Origin.INBOUND,
        accepted_at=1_700_000_000.25,
    ),
    b"Subject: plain\r\n\r\nHello.\r\n",
)

NULL_SENDER = Message(
    Item(
        id="01HF7YAT00000000000000000B",
        envelope=Envelope(sender=None, recipients=(Recipient(address="postmaster@example.org"),)),
        origin=Origin.GENERATED,
        accepted_at=1_700_000_001.0,
        destination="example.org",
    ),
    b"Subject: a report\r\n\r\n\x00\xff\n lines of any kind \n",
)

EVERY_FIELD = Message(
    Item(
        id="01HF7YAT00000000000000000C",
        split=2,
        attempt=5,
        envelope=Envelope(
            sender="jörg@example.net",
            recipients=(
                Recipient(
                    address="b@xn--bcher-kva.example",
                    orcpt="rfc822;B@xn--bcher-kva.example",
                    notify=("SUCCESS", "DELAY"),
                    last=Reply(450, "4.2.1", "try later"),
                    last_host="mx1.example",
                ),
                Recipient(address="c@xn--bcher-kva.example", notify=("NEVER",), last=Reply(421, None, "")),
            ),
            body="8BITMIME",
            smtputf8=True,
            ret="HDRS",
            envid="QQ314159",
            require_tls=True,
        ),
        origin=Origin.AUTHENTICATED,
        client=Client(
            address="2001:db8::1",
            helo="pc.example.net",
            user="jörg",
            protocol="UTF8SMTPSA",
            tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
            listener="submission",
        ),
        spf="pass",
        accepted_at=1_700_000_002.5,
        destination="xn--bcher-kva.example",
        verdict=Verdict(
            action=Action.STRIP,
            at=1_700_000_003.0,
            reasons=("banned-extension",),
            ambiguous=True,
            parts=(
                PartReport(
                    path="2.1",
                    names=("a.exe", "b.txt"),
                    declared_type="text/plain",
                    detected_type="application/x-dosexec",
                    size=1234,
                    action="strip",
                    rule="banned-extension",
                ),
            ),
        ),
        release=Release(at=1_700_000_004.0, by="root"),
        not_before=1_700_000_600.0,
        failures=3,
        delay_reported=True,
        reason="why it is kept",
        history=(
            Attempt(at=1.0, stage="screen", text="ValueError: x"),
            Attempt(at=2.0, stage="deliver", text="450 4.2.1 try later", host="mx1.example"),
        ),
    ),
    b"",
)

HELD = Message(msgspec.structs.replace(PLAIN.item, hold_until=1_700_003_600.0), PLAIN.content)

NAMED = Message(
    msgspec.structs.replace(PLAIN.item, client=Client(address="192.0.2.7", name="mail.example.net")), PLAIN.content
)

SHADOWED = Message(
    msgspec.structs.replace(PLAIN.item, verdict=Verdict(action=Action.PASS, at=1.0, shadow=("rule:try strip",))),
    PLAIN.content,
)

LOST = Message(msgspec.structs.replace(PLAIN.item, lost=3), PLAIN.content)

FLUSHED = Message(msgspec.structs.replace(PLAIN.item, flushed_at=1_700_000_900.5), PLAIN.content)

REMARKED = Message(
    msgspec.structs.replace(PLAIN.item, verdict=Verdict(action=Action.PASS, at=1.0, remarks=("mime:unclosed",))),
    PLAIN.content,
)

GOLDENS = [
    ("v1-plain", PLAIN),
    ("v1-null-sender", NULL_SENDER),
    ("v1-every-field", EVERY_FIELD),
    ("v1-held", HELD),
    ("v1-named", NAMED),
    ("v1-shadowed", SHADOWED),
    ("v1-lost", LOST),
    ("v1-remarked", REMARKED),
    ("v1-flushed", FLUSHED),
]
ADDED = {
    "hold_until": HELD.item,
    "name": NAMED.item.client,
    "shadow": SHADOWED.item.verdict,
    "lost": LOST.item,
    "remarks": REMARKED.item.verdict,
    "flushed_at": FLUSHED.item,
}
"""Fields younger than `EVERY_FIELD`, each with the golden file that holds it."""


@pytest.mark.parametrize(("name", "message"), GOLDENS)
def test_bodies_of_version_1_decode(name: str, message: Message) -> None:
    """Whatever a release has put on a queue, later releases take from it."""
    assert wire.decode((GOLDEN / f"{name}.bin").read_bytes()) == message


@pytest.mark.parametrize(("name", "message"), GOLDENS)
def test_this_release_writes_what_it_shipped(name: str, message: Message) -> None:
    """A difference here is a new wire format: older releases beside this one must be able to read it."""
    assert wire.encode(message) == (GOLDEN / f"{name}.bin").read_bytes()


def test_every_field_is_in_a_golden_file() -> None:
    """A field that is added needs a golden file of its own beside these."""
    for value in (EVERY_FIELD.item, EVERY_FIELD.item.envelope, EVERY_FIELD.item.client, EVERY_FIELD.item.verdict):
        assert value is not None
        for field in msgspec.structs.fields(value):
            held = ADDED.get(field.name, value)
            assert field.required or getattr(held, field.name) != field.default, field.name


def test_fields_of_a_newer_release_are_ignored() -> None:
    """During an upgrade old and new services share queues."""
    assert wire.decode((GOLDEN / "v1-newer-fields.bin").read_bytes()) == PLAIN


BROKEN = [
    ("v2-unknown-version", "item version 2, this release knows 1"),
    ("broken-truncated", "item does not decode"),
    ("broken-no-line-feed", "no line feed"),
    ("broken-no-recipients", "at least one recipient"),
    ("broken-wrong-type", "Expected `str | null`, got `int`"),
    ("broken-garbage", "item does not decode"),
    ("broken-nested", "item does not decode"),
    ("broken-empty", "no line feed"),
]


@pytest.mark.parametrize(("name", "said"), BROKEN)
def test_what_is_not_ours_is_a_wire_error(name: str, said: str) -> None:
    """So that it is parked, with a reason that says what is wrong."""
    with pytest.raises(WireError, match=said.replace("|", r"\|")):
        wire.decode((GOLDEN / f"{name}.bin").read_bytes())


def test_every_golden_file_is_tested() -> None:
    """None is there for nothing."""
    named = {name for name, _ in GOLDENS} | {name for name, _ in BROKEN} | {"v1-newer-fields"}
    assert {path.stem for path in GOLDEN.glob("*.bin")} == named


@pytest.mark.parametrize("message", [message for _, message in GOLDENS])
def test_a_body_cut_anywhere_in_its_line_is_a_wire_error(message: Message) -> None:
    """There is no prefix of the line that means something else."""
    line = wire.encode(Message(message.item, b""))
    for end in range(len(line) - 1):
        with pytest.raises(WireError):
            wire.decode(line[:end])
        with pytest.raises(WireError):
            wire.decode(line[:end] + b"\n")


def test_decode_item_reads_the_line_only() -> None:
    """The content is not looked at."""
    assert wire.decode_item(wire.encode(PLAIN)) == PLAIN.item


@given(st.binary(max_size=400))
@example(b'{"v":1,"item":' + b"[" * 100_000 + b"\n")
@example(b'{"v":' + b"9" * 5000 + b',"item":{}}\n')
@example(b'{"v":1e999,"item":{}}\n')
@example(b'{"v":1,"item":{"id":"\\ud800"}}\n')
@example(b"\xff\xfe\n")
@example(b"\n")
@example(b"null\n")
def test_garbage_is_never_more_than_a_wire_error(body: bytes) -> None:
    """A stage that met another exception would hand the body back, and meet it again."""
    with pytest.raises(WireError):
        wire.decode(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from([field.name for field in msgspec.structs.fields(Item)]), _JSON)
def test_any_value_in_any_field_decodes_or_is_a_wire_error(field: str, value: object) -> None:
    """What JSON may hold where we expect something else."""
    line = msgspec.json.decode(wire.encode(PLAIN).split(b"\n")[0])
    line["item"][field] = value
    try:
        message = wire.decode(msgspec.json.encode(line) + b"\ncontent")
    except WireError:
        return
    assert message.content == b"content"


_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_TIME = st.floats(min_value=0, max_value=1e11)

_REPLY = st.builds(Reply, st.integers(200, 599), st.none() | _TEXT, _TEXT)
_RECIPIENT = st.builds(
    Recipient,
    address=_TEXT,
    orcpt=st.none() | _TEXT,
    notify=st.none() | st.tuples(_TEXT),
    last=st.none() | _REPLY,
    last_host=st.none() | _TEXT,
)
_ENVELOPE = st.builds(
    Envelope,
    sender=st.none() | _TEXT,
    recipients=st.lists(_RECIPIENT, min_size=1, max_size=4).map(tuple),
    body=st.none() | _TEXT,
    smtputf8=st.booleans(),
    envid=st.none() | _TEXT,
)
_ATTEMPT = st.builds(Attempt, at=_TIME, stage=_TEXT, text=_TEXT, host=st.none() | _TEXT)
_ITEM = st.builds(
    Item,
    id=_TEXT,
    split=st.integers(0, 1000),
    attempt=st.integers(0, 10_000),
    envelope=_ENVELOPE,
    origin=st.sampled_from(Origin),
    accepted_at=_TIME,
    verdict=st.none() | st.builds(Verdict, action=st.sampled_from(Action), at=_TIME, reasons=st.tuples(_TEXT)),
    release=st.none() | st.builds(Release, at=_TIME, by=_TEXT),
    not_before=st.none() | _TIME,
    reason=st.none() | _TEXT,
    history=st.lists(_ATTEMPT, max_size=4).map(tuple),
)


@given(st.builds(Message, _ITEM, st.binary(max_size=200)))
def test_round_trip(message: Message) -> None:
    """What goes in comes out, byte for byte."""
    body = wire.encode(message)
    assert wire.decode(body) == message
    assert body.endswith(b"\n" + message.content)
    assert body.index(b"\n") == len(body) - len(message.content) - 1
