"""MAIL and RCPT as they are written: the limits of RFC 5321 section 4.5.3.1 at and beyond the octet, what is no path or
parameter, however nearly, and what holds for any text: it is a value or a reply, and no value says more than it means.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.protocol.arguments import MailArgument, RcptArgument, read_mail, read_rcpt
from services.ingress.protocol.chunking import Chunk, parse_bdat
from services.ingress.protocol.commands import MAX_AUTH_LINE, MAX_LINE, Command, parse_command
from services.ingress.protocol.params import Offers
from services.ingress.protocol.session import COMMANDS
from services.ingress.replies import Refuse
from shared.config.model import Ingress
from shared.smtp.address import BadAddress, Mailbox, Path, parse_mailbox, parse_path
from tests.support.effort import effort

ALL = Offers(dsn=True, smtputf8=True, auth=True, require_tls=True, max_hold=3600)


def domain(octets: int) -> str:
    """Return a domain of so many octets, in labels of at most 63."""
    labels = []
    while octets > 63:
        take = min(63, octets - 2)
        labels.append("d" * take)
        octets -= take + 1
    return ".".join([*labels, "d" * octets])


def code(text: str, *, extended: bool = True) -> str:
    """Return what RCPT (or MAIL, if it is one) with this argument is answered: 250, or code and enhanced code."""
    read: MailArgument | RcptArgument | Refuse
    if text.upper().startswith("FROM"):
        read = read_mail(text, ALL, extended=extended)
    else:
        read = read_rcpt(text, ALL, extended=extended, smtputf8=False)
    return f"{read.reply.code} {read.reply.enhanced}" if isinstance(read, Refuse) else "250"


SIZES = [
    # 4.5.3.1.1: a local part has 64 octets, whatever its characters and its quoting.
    ("TO:<" + "l" * 64 + "@b.example>", "250"),
    ("TO:<" + "l" * 65 + "@b.example>", "553 5.1.3"),
    ('TO:<"' + "l " * 32 + '"@b.example>', "250"),
    ('TO:<"' + "l " * 32 + 'l"@b.example>', "553 5.1.3"),
    ('TO:<"' + "\\l" * 64 + '"@b.example>', "250"),
    ('TO:<"' + "\\l" * 65 + '"@b.example>', "553 5.1.3"),
    ("FROM:<" + "ü" * 32 + "@b.example> SMTPUTF8", "250"),
    ("FROM:<" + "ü" * 32 + "l@b.example> SMTPUTF8", "553 5.1.7"),
    # 4.5.3.1.2: a domain has 255 octets, but 4.5.3.1.3 leaves a path 256 with its brackets; a label 63 (RFC 1035).
    (f"TO:<l@{domain(252)}>", "250"),
    (f"TO:<l@{domain(253)}>", "553 5.1.3"),
    (f"TO:<l@{domain(255)}>", "553 5.1.3"),
    (f"TO:<l@{domain(256)}>", "553 5.1.3"),
    ("TO:<l@" + "d" * 63 + ".example>", "250"),
    ("TO:<l@" + "d" * 64 + ".example>", "553 5.1.3"),
    # 4.5.3.1.3: both together.
    ("TO:<" + "l" * 64 + f"@{domain(189)}>", "250"),
    ("TO:<" + "l" * 64 + f"@{domain(190)}>", "553 5.1.3"),
    # RFC 3461 4.2 and 4.4, RFC 1870 3.
    ("FROM:<> ENVID=" + "e" * 100, "250"),
    ("FROM:<> ENVID=" + "e" * 101, "501 5.5.4"),
    ("TO:<l@b.example> ORCPT=rfc822;" + "o" * 493, "250"),
    ("TO:<l@b.example> ORCPT=rfc822;" + "o" * 494, "501 5.5.4"),
    ("FROM:<> SIZE=" + "9" * 20, "250"),
    ("FROM:<> SIZE=" + "9" * 21, "501 5.5.4"),
]


@pytest.mark.parametrize(("text", "expected"), SIZES)
def test_a_size_at_its_limit_and_beyond(text: str, expected: str) -> None:
    assert code(text) == expected


def test_the_longest_commands_there_may_be_fit_on_a_line() -> None:
    """4.5.3.1.4: 512 octets, and more for each extension that adds a parameter."""
    path = f"<{'l' * 64}@{domain(189)}>"
    assert len(path) == 256
    for line in (
        f"MAIL FROM:{path} SIZE={'9' * 20} BODY=8BITMIME SMTPUTF8 RET=FULL ENVID={'+2B' * 33} AUTH={'a' * 500}",
        f"RCPT TO:{path} NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{'+2B' * 164}",
    ):
        command = parse_command(line.encode())
        assert isinstance(command, Command)
        assert len(line) <= MAX_LINE
        assert code(command.argument) == "250"


def test_the_least_that_must_be_possible() -> None:
    """4.5.3.1.7 and 4.5.3.1.8: messages of 64 kB, a hundred recipients."""
    assert Ingress().max_message_size >= 65536
    assert Ingress().max_recipients >= 100


ODD = [
    ("FROM:<>", "250"),
    ("from:<A@B.example>", "250"),
    ("FROM: <a@b.example>", "250"),
    ("FROM:<a@b.example>   SIZE=1   BODY=7BIT", "250"),
    ("FROM", "501 5.5.4"),
    ("FROM<a@b.example>", "501 5.5.4"),
    ("FROM :<a@b.example>", "501 5.5.4"),
    ("FROM:", "553 5.1.7"),
    ("FROM:<", "553 5.1.7"),
    ("FROM:<a@b.example", "553 5.1.7"),
    ("FROM:a@b.example>", "553 5.1.7"),
    ("FROM:<<a@b.example>>", "553 5.1.7"),
    ("FROM:<a@b.example><c@d.example>", "553 5.1.7"),
    ("FROM:<a@b.example>SIZE=1", "553 5.1.7"),
    ("FROM:<a@b.example>\tSIZE=1", "553 5.1.7"),
    ("FROM:\t<a@b.example>", "553 5.1.7"),
    ("FROM:<a@b.example,c@d.example>", "553 5.1.7"),
    ("FROM:< >", "553 5.1.7"),
    ("FROM:<a @b.example>", "553 5.1.7"),
    ("FROM:<a@b.example\n>", "553 5.1.7"),
    ("FROM:<a\0@b.example>", "553 5.1.7"),
    ("FROM:<a\x7f@b.example>", "553 5.1.7"),
    ("FROM:<a@b\u3002example>", "553 5.6.7"),
    ("FROM:<a@b.example> SIZE", "501 5.5.4"),
    ("FROM:<a@b.example> SIZE=+1", "501 5.5.4"),
    ("FROM:<a@b.example> SIZE= 1", "501 5.5.4"),
    ("FROM:<a@b.example> SIZE =1", "501 5.5.4"),
    ("FROM:<a@b.example> SIZE=1,", "501 5.5.4"),
    ("FROM:<a@b.example> SIZE=\u0661 SMTPUTF8", "501 5.5.4"),
    ("FROM:<a@b.example> BODY=8B\u0131TMIME SMTPUTF8", "501 5.5.4"),
    ("FROM:<a@b.example> RET=HDR\u017f SMTPUTF8", "501 5.5.4"),
    ("FROM:<a@b.example> SMTPUTF\uff18", "501 5.5.4"),
    ("FROM:<a@b.example> BODY=8BITMIME BODY=7BIT", "501 5.5.4"),
    ("FROM:<a@b.example> ENVID=a=b", "501 5.5.4"),
    ("FROM:<a@b.example> ENVID=a\x01", "501 5.5.4"),
    ("FROM:<a@b.example> ENVID=\u00fc SMTPUTF8", "501 5.5.4"),
    ("TO:<a@b.example> NOTIFY=\u017fUCCESS", "501 5.5.4"),
    ("TO:<a@b.example> NOTIFY=NEVER,", "501 5.5.4"),
    ("TO:<a@b.example> NOTIFY=,NEVER", "501 5.5.4"),
    ("TO:<a@b.example> NOTIFY=NEVER,NEVER", "501 5.5.4"),
    ("TO:<a@b.example> ORCPT=rfc822; a", "501 5.5.4"),
    ("TO:<a@b.example> ORCPT=rfc 822;a", "501 5.5.4"),
    ("TO:<a@b.example> ORCPT=rfc822;a+2b", "501 5.5.4"),
    ("TO:<postmaster>", "250"),
    ("TO:<postmaster@>", "553 5.1.3"),
    ('TO:<"postmaster">', "553 5.1.3"),
    ("TO:<po\u017ftmaster>", "553 5.1.3"),
    ("TO:<>", "553 5.1.3"),
    ("TO:<@a.example:b@c.example>", "553 5.1.3"),
    ("TO:<a@[127.0.0.1]>", "553 5.1.3"),
    ("TO:<a@[IPv6:::1]>", "553 5.1.3"),
    ("TO:<a@b.example.>", "250"),
    ("TO:<a@b.example..>", "553 5.1.3"),
    ('TO:<"a\\">"@b.example>', "250"),
    ('TO:<"a>@b.example>', "553 5.1.3"),
    ('TO:<"a"b@b.example>', "553 5.1.3"),
    ('TO:<"a\\"@b.example>', "553 5.1.3"),
    ('TO:<"a"."b"@b.example>', "553 5.1.3"),
    ('TO:<"a\x01"@b.example>', "553 5.1.3"),
    ('TO:<"a\n"@b.example>', "553 5.1.3"),
    ('TO:<"a\\\r"@b.example>', "553 5.1.3"),
    ('TO:<"a\t"@b.example>', "553 5.1.3"),
]


@pytest.mark.parametrize(("text", "expected"), ODD)
def test_what_is_nearly_right(text: str, expected: str) -> None:
    assert code(text) == expected


@pytest.mark.parametrize("text", ["FROM:<> SIZE=1", "FROM:<> SMTPUTF8", "TO:<a@b.example> NOTIFY=NEVER"])
def test_who_said_helo_has_no_parameters(text: str) -> None:
    assert (code(text), code(text, extended=False)) == ("250", "501 5.5.4")


# What holds for any text.

ATOMS = "abcXYZ0189!#$%&'*+-/=?^_`{|}~"
local_parts = st.one_of(
    st.lists(st.text(ATOMS, min_size=1, max_size=8), min_size=1, max_size=4).map(".".join),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    st.text(st.characters(min_codepoint=0xA1, exclude_categories=["Cs"]), min_size=1, max_size=8),
)
labels = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda label: "--" not in label)
domains = st.lists(labels, min_size=1, max_size=4).map(lambda names: ".".join([*names, "example"]))
mailboxes = st.builds(Mailbox, local_parts, domains)
near = st.text(
    st.sampled_from(
        [*'<>@."\\:;,=+[]()% \t\r\n\0\x7f', "a", "B", "1", "ü", "\u017f", "\u0131", "\u212a", "\u3002", "\udcff"]
    ),
    max_size=40,
)
xtext = st.lists(st.sampled_from([*"abc;@<>.,", "+2B", "+3D"]), min_size=1, max_size=20).map("".join)


@effort(200)
@given(mailboxes)
def test_a_mailbox_is_read_as_it_is_written(mailbox: Mailbox) -> None:
    """In a path, too, with anything behind it: no local part can close the bracket or add a parameter."""
    assert parse_mailbox(str(mailbox)) == mailbox
    assert parse_path(f"<{mailbox}>") == Path(mailbox, "")
    assert parse_path(f" <{mailbox}>  SIZE=1 ") == Path(mailbox, "SIZE=1")


def is_clean(text: str) -> bool:
    """Whether a next hop can be told this: no control character, and a space only within quotes."""
    bare = text if not text.startswith('"') else text[text.rindex('"') + 1 :]
    return all(" " <= char != "\x7f" for char in text) and " " not in bare


@effort(200)
@given(
    near | st.text(max_size=60),
    st.sampled_from(["", "<", "FROM:<", "TO:<"]),
    st.sampled_from(["", ">", "@b.example>"]),
)
@example("a@b.example\n", "TO:<", ">")
def test_any_argument_is_a_value_or_a_reply(text: str, before: str, after: str) -> None:
    argument = before + text + after
    for read in (
        read_mail(argument, ALL, extended=True),
        read_rcpt(argument, ALL, extended=True, smtputf8=True),
    ):
        if isinstance(read, MailArgument):
            mailbox: Mailbox | None = read.sender
            said: list[str | None] = [read.params.envid, read.params.body, read.params.ret]
        elif isinstance(read, RcptArgument):
            mailbox = read.recipient
            said = [read.params.orcpt, *(read.params.notify or ())]
        else:
            continue
        assert all(word is None or (word.isascii() and is_clean(word) and " " not in word) for word in said)
        if mailbox is not None and mailbox.domain:
            assert is_clean(str(mailbox))
            assert mailbox.domain.isascii()
            assert len(mailbox.local.encode()) <= 64
            assert len(str(mailbox).encode()) <= 254
            assert parse_path(f"<{mailbox}>") == Path(mailbox, "")


@effort(200)
@given(near)
def test_any_text_after_the_path_is_parameters_or_a_reply(text: str) -> None:
    for argument in (f"FROM:<a@b.example>{text}", f"FROM:<a@b.example> {text}", f"FROM:<a@b.example> ENVID={text}"):
        read = read_mail(argument, ALL, extended=True)
        if isinstance(read, MailArgument):
            assert read.sender == Mailbox("a", "b.example")
            assert read.params.envid is None or is_clean(read.params.envid)


@effort(200)
@given(
    st.none() | mailboxes,
    st.integers(0, 10**20 - 1),
    st.sampled_from(["7BIT", "8BITMIME", "8bitmime"]),
    st.sampled_from(["FULL", "hdrs"]),
    xtext,
    st.permutations(range(5)),
)
def test_mail_says_what_was_put_into_it(
    sender: Mailbox | None, size: int, body: str, ret: str, envid: str, order: list[int]
) -> None:
    words = [f"SIZE={size}", f"BODY={body}", f"RET={ret}", f"ENVID={envid}", "SMTPUTF8"]
    read = read_mail(f"FROM:<{sender or ''}> {' '.join(words[at] for at in order)}", ALL, extended=True)
    assert isinstance(read, MailArgument), read
    params = read.params
    assert (read.sender, params.size, params.smtputf8) == (sender, size, True)
    assert (params.body, params.ret, params.envid) == (body.upper(), ret.upper(), envid)


@effort(200)
@given(mailboxes, st.lists(st.sampled_from(["SUCCESS", "FAILURE", "delay"]), min_size=1, unique=True), xtext)
def test_rcpt_says_what_was_put_into_it(recipient: Mailbox, notify: list[str], orcpt: str) -> None:
    text = f"TO:<{recipient}> ORCPT=rfc822;{orcpt} NOTIFY={','.join(notify)}"
    read = read_rcpt(text, ALL, extended=True, smtputf8=True)
    assert isinstance(read, RcptArgument), read
    assert (read.recipient, read.params.orcpt) == (recipient, f"rfc822;{orcpt}")
    assert read.params.notify == tuple(word.upper() for word in notify)


@effort(200)
@given(
    st.binary(max_size=60)
    | st.builds(
        lambda verb, argument: f"{verb}{argument}".encode("utf-8", "replace"), st.sampled_from(sorted(COMMANDS)), near
    )
)
@example(b"NOOP  a ")
@example(b"NOOP a\x01")
@example(b"NOOP \xc3\xbc\x7f")
@example("R\u017fET".encode())
@example("QU\u0131T".encode())
@example("STARTTL\u017f".encode())
@example(b"NOOP\x0b")
def test_any_line_is_a_command_or_a_reply(line: bytes) -> None:
    """A command is one in ASCII, and its argument holds no control octet and no space around it."""
    command = parse_command(line)
    if isinstance(command, Refuse):
        assert command.reply.code in {421, 500, 501, 554}
        return
    assert all(" " <= char != "\x7f" for char in command.argument)
    assert command.argument == command.argument.strip(" ")
    if command.verb in COMMANDS:
        assert line.partition(b" ")[0].upper() == command.verb.encode()
    assert len(line) <= MAX_AUTH_LINE


@effort(200)
@given(st.integers(0, 10**20 - 1), st.booleans(), st.sampled_from(["LAST", "last", "Last"]))
def test_bdat_says_what_was_put_into_it(octets: int, last: bool, word: str) -> None:
    assert parse_bdat(f"{octets} {word}" if last else str(octets)) == Chunk(octets, last)


@effort(200)
@given(st.text("0123456789 LASTla\u017ft+-_.\u0661", max_size=12))
@example("\u0663")
@example("1 la\u017ft")
def test_any_bdat_is_a_chunk_or_a_reply(text: str) -> None:
    chunk = parse_bdat(text)
    if isinstance(chunk, Refuse):
        assert chunk is replies.BDAT_SYNTAX
    else:
        assert text.isascii()
        assert chunk.octets == int(text.partition(" ")[0])


@effort(200)
@given(near)
def test_any_path_is_a_mailbox_or_a_reason(text: str) -> None:
    path = parse_path(text)
    assert isinstance(path, BadAddress) or text.lstrip(" ").startswith("<")
