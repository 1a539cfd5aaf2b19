"""What hosts say, and what it means."""

import pytest

from services.delivery.cause import Cause
from services.delivery.outcome import MAX_TEXT, Outcome, Result, rcpt_reply, remote_reply, softened
from shared.model import Recipient
from shared.smtp.reply import Reply

BOB = Recipient(address="bob@example.net")


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (250, "2.1.5 ok", Reply(250, "2.1.5", "ok")),
        (250, "ok", Reply(250, None, "ok")),
        (250, "2.1.5", Reply(250, "2.1.5", "")),
        (550, "5.1.1 no such\n5.1.1 user", Reply(550, "5.1.1", "no such user")),
        (550, "5.1.1 no such\nuser", Reply(550, "5.1.1", "no such user")),
        (550, "5.1.1 no such\n5.1.10 user", Reply(550, "5.1.1", "no such 5.1.10 user")),
        (550, "4.2.0 of another class", Reply(550, None, "4.2.0 of another class")),
        (550, "5.1.1no space", Reply(550, None, "5.1.1no space")),
        (550, "5.7.606 Access denied", Reply(550, "5.7.606", "Access denied")),
        (450, "a\x00b\x1b[0m\r c\u2028d", Reply(450, None, "a b [0m c d")),
        (450, "caf\udce9", Reply(450, None, "caf")),
        (421, "", Reply(421, None, "")),
        (450, "x" * 5000, Reply(450, None, "x" * MAX_TEXT)),
        (-1, "Malformed", Reply(451, "4.5.0", "not an SMTP reply: Malformed")),
        (999, "what", Reply(451, "4.5.0", "not an SMTP reply: what")),
        (150, "what", Reply(451, "4.5.0", "not an SMTP reply: what")),
        (600, "what", Reply(451, "4.5.0", "not an SMTP reply: what")),
    ],
)
def test_a_reply_is_read(code: int, text: str, expected: Reply) -> None:
    assert remote_reply(code, text) == expected


@pytest.mark.parametrize("code", range(200, 600))
def test_only_5xx_is_permanent_and_only_2xx_delivers(code: int) -> None:
    result = Outcome(BOB, Reply(code, None, ""), "mx").result
    assert result is {2: Result.DELIVERED, 3: Result.TEMPORARY, 4: Result.TEMPORARY, 5: Result.PERMANENT}[code // 100]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(554, "5.7.1", "go"), Reply(450, "4.7.1", "mx answered EHLO with: 554 5.7.1 go")),
        (Reply(554, None, "go"), Reply(450, "4.3.0", "mx answered EHLO with: 554 go")),
        (Reply(421, "4.3.2", "busy"), Reply(450, "4.3.2", "mx answered EHLO with: 421 4.3.2 busy")),
    ],
)
def test_a_refused_session_is_temporary(reply: Reply, expected: Reply) -> None:
    assert softened(reply, "mx", "EHLO") == expected


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(552, "5.5.3", "too many recipients"), 452),
        (Reply(552, "5.2.2", "mailbox full"), 552),
        (Reply(552, None, "?"), 552),
        (Reply(550, "5.5.3", "?"), 550),
        (Reply(452, "4.5.3", "too many recipients"), 452),
    ],
)
def test_too_many_recipients_is_temporary(reply: Reply, code: int) -> None:
    assert rcpt_reply(reply).code == code


@pytest.mark.parametrize(
    ("code", "known", "why"),
    [
        (250, None, None),
        (250, Cause.LOOP, None),
        (550, None, Cause.UNKNOWN_MAILBOX),
        (550, Cause.WITHDRAWN, Cause.WITHDRAWN),
    ],
)
def test_why_it_failed(code: int, known: Cause | None, why: Cause | None) -> None:
    assert Outcome(BOB, Reply(code, None, "user unknown"), "mx", cause=known).why == why


@pytest.mark.parametrize(("ours", "expected"), [(True, None), (False, "mx")])
def test_our_words_are_not_the_hosts(ours: bool, expected: str | None) -> None:
    assert Outcome(BOB, Reply(450, None, ""), "mx", ours=ours).said_by == expected
