"""What clamd's replies mean, and what follows from them."""

import pytest

from services.screener.antivirus.answer import Answer, State, Unavailable, read_answer
from services.screener.antivirus.ruling import by_size, pieces, wait, with_answer
from services.screener.assess import House, assess
from services.screener.rules import RuleSet, compile_rules
from shared.config.model import Rules, Screener
from shared.model import Action, Direction, Message, Place
from tests.support import mail_samples as samples
from tests.support.mail_samples import crlf
from tests.support.messages import make_item

INBOUND = compile_rules(Screener().inbound, Direction.INBOUND)
OUTBOUND = compile_rules(Screener().outbound, Direction.OUTBOUND)
HOUSE = House("Example", "help@example.org", 86400)


@pytest.mark.parametrize(
    ("line", "state", "name"),
    [
        ("stream: OK", State.CLEAN, ""),
        ("1: stream: OK", State.CLEAN, ""),
        ("12: stream: Own.Eicar.UNOFFICIAL FOUND", State.INFECTED, "Own.Eicar.UNOFFICIAL"),
        ("stream: Heuristics.Encrypted.Zip FOUND", State.ENCRYPTED, "Heuristics.Encrypted.Zip"),
        ("stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND", State.UNSCANNABLE, None),
        ("INSTREAM size limit exceeded. ERROR", State.UNSCANNABLE, "INSTREAM size limit exceeded."),
        ("1: INSTREAM size limit exceeded. ERROR", State.UNSCANNABLE, None),
        ("stream: CL_ETIMEOUT: Time limit reached ERROR", State.UNSCANNABLE, None),
        ("stream: CL_EFORMAT: Bad format or broken data ERROR", State.UNSCANNABLE, None),
        ("stream: Time limit reached ERROR", State.UNSCANNABLE, "Time limit reached"),
        *(
            (f"stream: CL_{code} ERROR", State.UNSCANNABLE, f"CL_{code}")
            for code in ("ETIMEOUT", "EMAXSIZE", "EMAXREC", "EMAXFILES", "EFORMAT", "EPARSE", "EUNPACK")
        ),
        ("stream: Bad format or broken data ERROR", State.UNSCANNABLE, None),
        ("Own.Eicar: stream: OK", None, None),
        ("12", None, None),
        ("stream: Can't allocate memory ERROR", None, None),
        ("stream: Can't create temporary file ERROR", None, None),
        ("UNKNOWN COMMAND", None, None),
        ("", None, None),
        ("stream: NOT OK", None, None),
    ],
)
def test_replies(line: str, state: State | None, name: str | None) -> None:
    if state is None:
        with pytest.raises(Unavailable):
            read_answer(line)
        return
    answer = read_answer(line)
    assert answer.state is state
    assert name is None or answer.name == name


VIRUS = Answer(State.INFECTED, "Eicar")
LIMIT = Answer(State.UNSCANNABLE, "size")
LOCKED = Answer(State.ENCRYPTED, "zip")


@pytest.mark.parametrize(
    ("rules", "raw", "answer", "action", "reason"),
    [
        (INBOUND, samples.OUTLOOK, Answer(State.CLEAN), Action.PASS, None),
        (INBOUND, samples.OUTLOOK, VIRUS, Action.QUARANTINE, "virus:Eicar"),
        (OUTBOUND, samples.OUTLOOK, VIRUS, Action.BLOCK, "virus:Eicar"),
        (INBOUND, samples.with_exe(), VIRUS, Action.QUARANTINE, "virus:Eicar"),
        (INBOUND, samples.SIGNED_EXE, VIRUS, Action.QUARANTINE, "virus:Eicar"),
        (OUTBOUND, samples.with_exe(), VIRUS, Action.BLOCK, "extension:exe"),
        (INBOUND, samples.OUTLOOK, LIMIT, Action.QUARANTINE, "antivirus:unscannable"),
        (OUTBOUND, samples.OUTLOOK, LIMIT, Action.BLOCK, "antivirus:unscannable"),
        (INBOUND, samples.OUTLOOK, LOCKED, Action.QUARANTINE, "antivirus:encrypted"),
        (OUTBOUND, samples.OUTLOOK, LOCKED, Action.PASS, None),
        (compile_rules(Rules(unreadable="strip"), Direction.INBOUND), samples.OUTLOOK, LIMIT, Action.QUARANTINE, None),
        (compile_rules(Rules(unreadable="allow"), Direction.INBOUND), samples.OUTLOOK, LIMIT, Action.PASS, None),
    ],
)
def test_what_becomes_of_the_message(
    rules: RuleSet, raw: bytes, answer: Answer, action: Action, reason: str | None
) -> None:
    assessed = with_answer(assess(raw, rules, HOUSE, "ref", 0.0), answer, rules)
    assert assessed.verdict.action is action
    assert reason is None or assessed.verdict.reasons[-1] == reason
    if action is not Action.PASS:
        assert assessed.content is raw


@pytest.mark.parametrize(
    ("answer", "largest", "expected"),
    [
        (Answer(State.CLEAN), 0, State.CLEAN),
        (Answer(State.CLEAN), 100, State.CLEAN),
        (Answer(State.CLEAN), 101, State.UNSCANNABLE),
        (LOCKED, 101, State.UNSCANNABLE),
        (LIMIT, 0, State.UNSCANNABLE),
        (VIRUS, 101, State.INFECTED),
    ],
)
def test_what_clamd_cannot_have_looked_at_is_not_clean(answer: Answer, largest: int, expected: State) -> None:
    assert by_size(answer, largest, 100).state is expected


def test_the_message_and_what_encodings_hide_are_scanned() -> None:
    assessed = assess(samples.with_exe(), INBOUND, HOUSE, "ref", 0.0)
    assert list(pieces(assessed.screening)) == [samples.with_exe(), samples.EXE]


def test_a_container_is_no_piece_whatever_encoding_it_claims() -> None:
    inner = "--b\nContent-Type: text/plain\n\nhello=20\n--b--\n"
    head = "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n"
    assessed = assess(crlf(head + inner), INBOUND, HOUSE, "ref", 0.0)
    assert list(pieces(assessed.screening)) == [crlf(head + inner)]


def test_a_text_that_was_passed_without_a_full_parse_is_scanned_decoded() -> None:
    raw = crlf("Subject: hi\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVsbG8gdGhlcmU=\n")
    assessed = assess(raw, INBOUND, HOUSE, "ref", 0.0)
    assert assessed.screening.seen == ()
    assert list(pieces(assessed.screening)) == [raw, b"hello there"]


@pytest.mark.parametrize(("age", "seconds"), [(0, 5), (19, 5), (40, 10), (1200, 300), (864000, 300), (-50, 5)])
def test_how_long_a_message_waits_for_the_scanner(age: float, seconds: float) -> None:
    message = Message(make_item(), samples.OUTLOOK)
    now = message.item.accepted_at + age
    send = wait(message, Unavailable("away"), now)
    assert send.place is Place.SCREEN
    assert send.message.item.not_before == now + seconds
    assert send.message.item.failures == 0
    assert send.message.content is message.content
    assert send.message.item.history[-1].text == "antivirus: away"
