"""Every refusal there is: its codes agree, and it fits on one line (RFC 5321 section 4.5.3.1.5, RFC 2034 section 4)."""

import re

import pytest

from services.ingress import replies
from services.ingress.replies import Refuse

FIXED = {name: value for name, value in vars(replies).items() if isinstance(value, Refuse)}
MADE = {
    "listed": replies.listed("2001:db8:1:2:3:4:5:6", "zone.example"),
    "bad_sender": replies.bad_sender("the local part is malformed"),
    "bad_recipient": replies.bad_recipient("the local part is malformed"),
    "bad_parameter": replies.bad_parameter("ORCPT is an address type, a semicolon and xtext"),
    "unknown_parameter": replies.unknown_parameter("X" * 400),
    "bad_author": replies.bad_author("no address"),
}


@pytest.mark.parametrize("refused", (FIXED | MADE).values(), ids=(FIXED | MADE).keys())
def test_a_refusal_is_one_line_with_codes_that_agree(refused: Refuse) -> None:
    reply = refused.reply
    assert reply.code // 100 in {4, 5}
    assert reply.enhanced is not None
    assert re.fullmatch(rf"{reply.code // 100}\.[0-7]\.\d{{1,2}}", reply.enhanced)
    assert reply.text.isascii()
    assert reply.text.isprintable()
    assert len(f"{reply}\r\n") <= 512
    assert refused.rule
