"""`ingress.bare_line_ends = "repair"` over real sockets: one message with clean line ends, by DATA and by BDAT."""

from collections.abc import Iterator

import pytest

from tests.support.front import Front, front_config
from tests.support.smuggling import SMUGGLED, TERMINATORS


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    with Front(front_config(bare_line_ends="repair")) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(front: Front) -> None:
    front.recorder.sends.clear()


@pytest.mark.parametrize("by", ["DATA", "BDAT"])
@pytest.mark.parametrize("terminator", TERMINATORS)
def test_a_false_end_becomes_clean_content_of_the_one_message(front: Front, by: str, terminator: bytes) -> None:
    content = b"Subject: x\r\n\r\nhello" + terminator + SMUGGLED
    with front.ready() as talk:
        if by == "BDAT":
            talk.send(b"\r\n.\r\n")
            assert talk.reply().startswith("250")
            front.recorder.sends.clear()
            talk.send(b"MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<bob@example.org>\r\n")
            assert [talk.reply()[:3] for _ in range(2)] == ["250"] * 2
            content = b"BDAT %d LAST\r\n" % len(content) + content
        talk.send(content + (b".\r\n" if by == "DATA" else b"") + b"NOOP\r\n")
        refused = b"\0" in terminator
        assert talk.reply().startswith("550 5.6.0 " if refused else "250 2.0.0 Ok: queued as ")
        assert talk.reply() == "250 2.0.0 Ok"
    assert len(front.recorder.sends) == (not refused)
    for message in front.recorder.messages:
        bare = message.content.replace(b"\r\n", b"")
        assert b"\r" not in bare
        assert b"\n" not in bare
        assert message.content.endswith(
            b"\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nevil\r\n"
        )


def test_content_with_clean_line_ends_stays_as_it_is(front: Front) -> None:
    body = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 100_000
    with front.ready() as talk:
        talk.send(body + b".\r\n")
        assert talk.reply().startswith("250")
    assert front.recorder.messages[0].content.endswith(b"\r\n" + body)
