"""swaks, a client we did not write, tries every row of the policy table and every trick against `sluice up`."""

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.programs import needed
from tests.support.world import OUTSIDER, PASSWORD, TRUSTED, USER, World, on_sqlite, world_on

STRANGER = "stranger@elsewhere.example"
FOREIGN = "victim@elsewhere.example"
HOSTED = "someone@hosted.example"
DENIED = "anyone@denied.example"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """`sluice up`, and swaks at hand."""
    needed("swaks")
    directory = tmp_path_factory.mktemp("swaks")
    with world_on(on_sqlite(directory), directory) as world:
        yield world


class Run(NamedTuple):
    """How a swaks session went: its exit status, and the last refusal as `(command verb, reply)`."""

    status: int
    refusal: tuple[str, str]
    output: str


def swaks(world: World, mode: str, source: str, *options: str) -> Run:
    """Run swaks against one of our listeners from `source`."""
    port = getattr(world.ports, mode)
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{port}", "--local-interface", source, "--timeout", "60", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    verb, refusal = "", ("", "")
    for line in output.splitlines():
        if sent := re.match(r"\s*(?:->|~>) ?([A-Za-z]+)", line):
            verb = sent[1].upper()
        elif reply := re.match(r"\s*<(?:\*\*|~\*) ([45]\d\d(?:[ -]\d\.\d+\.\d+)?)", line):
            refusal = verb, reply[1].replace("-", " ", 1)
    return Run(done.returncode, refusal, output)


SIGNED_IN = ("--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD)
SIGNED_IN_465 = ("--tls-on-connect", *SIGNED_IN[1:])


class Row(NamedTuple):
    """A client, what it sends, and "accept" or where and how it is refused."""

    mode: str
    source: str
    sender: str
    recipient: str
    options: tuple[str, ...]
    expected: str


ROWS = [
    # any client, deny list
    Row("relay", OUTSIDER, STRANGER, DENIED, (), "RCPT 550 5.7.1"),
    Row("relay", TRUSTED, USER, DENIED, (), "RCPT 550 5.7.1"),
    Row("relay", OUTSIDER, USER, DENIED, SIGNED_IN, "RCPT 550 5.7.1"),
    Row("submission", OUTSIDER, USER, DENIED, SIGNED_IN, "RCPT 550 5.7.1"),
    Row("submissions", OUTSIDER, USER, DENIED, SIGNED_IN_465, "RCPT 550 5.7.1"),
    # untrusted, not authenticated, hosted
    Row("relay", OUTSIDER, STRANGER, HOSTED, (), "accept"),
    Row("submission", OUTSIDER, STRANGER, HOSTED, (), "MAIL 530 5.7.0"),
    Row("submission", OUTSIDER, STRANGER, HOSTED, ("--tls",), "MAIL 530 5.7.0"),
    Row("submissions", OUTSIDER, STRANGER, HOSTED, ("--tls-on-connect",), "MAIL 530 5.7.0"),
    # untrusted, not authenticated, not hosted
    Row("relay", OUTSIDER, STRANGER, FOREIGN, (), "RCPT 550 5.7.1"),
    Row("relay", OUTSIDER, STRANGER, FOREIGN, ("--tls",), "RCPT 550 5.7.1"),
    Row("submission", OUTSIDER, STRANGER, FOREIGN, ("--tls",), "MAIL 530 5.7.0"),
    Row("submissions", OUTSIDER, STRANGER, FOREIGN, ("--tls-on-connect",), "MAIL 530 5.7.0"),
    # in a trusted network
    Row("relay", TRUSTED, USER, FOREIGN, (), "accept"),
    Row("relay", TRUSTED, "robot@elsewhere.example", FOREIGN, (), "accept"),
    Row("submission", TRUSTED, USER, FOREIGN, ("--tls",), "MAIL 530 5.7.0"),
    Row("submissions", TRUSTED, USER, FOREIGN, ("--tls-on-connect",), "MAIL 530 5.7.0"),
    # authenticated over TLS
    Row("relay", OUTSIDER, USER, FOREIGN, SIGNED_IN, "accept"),
    Row("submission", OUTSIDER, USER, FOREIGN, SIGNED_IN, "accept"),
    Row("submissions", OUTSIDER, USER, FOREIGN, SIGNED_IN_465, "accept"),
    Row("submission", OUTSIDER, USER, FOREIGN, (*SIGNED_IN[:2], "LOGIN", *SIGNED_IN[3:]), "accept"),
    # postmaster
    Row("relay", OUTSIDER, STRANGER, "postmaster", (), "accept"),
    Row("relay", OUTSIDER, STRANGER, "postmaster@hosted.example", (), "accept"),
    Row("submission", OUTSIDER, USER, "postmaster", SIGNED_IN, "accept"),
    # a hosted domain as sender from outside
    Row("relay", OUTSIDER, USER, HOSTED, (), "550 5.7.1"),
]


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_policy_table(world: World, row: Row) -> None:
    before = len(world.destination.transactions)
    run = swaks(world, row.mode, row.source, "--from", row.sender, "--to", row.recipient, *row.options)
    if row.expected == "accept":
        assert run.status == 0, run.output
        world.destination.wait_for(before + 1)
    else:
        assert run.status != 0, run.output
        assert " ".join(run.refusal).endswith(row.expected), run.output


def test_a_sender_that_is_not_the_user_s_is_refused(world: World) -> None:
    run = swaks(world, "submission", OUTSIDER, "--from", STRANGER, "--to", FOREIGN, *SIGNED_IN)
    assert run.refusal[0] in {"MAIL", "RCPT"}, run.output
    assert run.refusal[1].startswith("55"), run.output


def test_auth_is_neither_offered_nor_taken_without_tls(world: World) -> None:
    for mode in ("relay", "submission"):
        run = swaks(world, mode, OUTSIDER, "--from", USER, "--to", FOREIGN, *SIGNED_IN[1:])
        assert run.status == 28, run.output
        assert "250-AUTH" not in run.output


TRICKS = [
    "victim%elsewhere.example@hosted.example",
    '"victim%elsewhere.example"@hosted.example',
    "elsewhere.example!victim@hosted.example",
    '"elsewhere.example!victim"@hosted.example',
    "hosted.example!victim%elsewhere.example@hosted.example",
    "victim@elsewhere.example@hosted.example",
    '"victim@elsewhere.example"@hosted.example',
    "victim\\@elsewhere.example@hosted.example",
    '"victim\\@elsewhere.example"@hosted.example',
    "@hosted.example:victim@elsewhere.example",
    "@hosted.example:@relay.hosted.example:victim@elsewhere.example",
    "hosted.example:victim@elsewhere.example",
    "victim@elsewhere.example.",
    "victim@ELSEWHERE.EXAMPLE",
    "VICTIM@Elsewhere.Example.",
    "victim@elsewhere..example",
    "victim@.hosted.example",
    "victim@[127.0.0.1]",
    "victim@[IPv6:::1]",
    "victim@[elsewhere.example]",
    "victim@[hosted.example]",
    "victim@127.0.0.1",
    "victim@2130706433",
    "victim@localhost",
    "victim@sub.hosted.example",
    "victim@hosted.example.elsewhere.example",
    "victim@elsewhere.example%hosted.example",
    "victim@nothosted.example",
    "victim@xn--elsewhere-9za.example",
    "victim@élsewhere.example",
    "victim@elsewhere\u3002example",
    "victim\uff20elsewhere.example",
    "victim\uff20elsewhere.example@hosted.example",
    "victim",
    '"victim%elsewhere.example"',
    "victim%elsewhere.example",
    "postmaster%elsewhere.example",
    "postmaster@elsewhere.example",
    " victim@elsewhere.example",
    "victim@elsewhere.example ",
    "victim @elsewhere.example",
    "victim@ elsewhere.example",
    "victim@elsewhere.example(hosted.example)",
    "(hosted.example)victim@elsewhere.example",
    "<victim@elsewhere.example>@hosted.example",
    "victim@elsewhere.example>@hosted.example",
    "victim@elsewhere.example> ORCPT=rfc822;x@hosted.example",
    "victim@elsewhere.example\x01@hosted.example",
    "victim@elsewhere.example\t@hosted.example",
    "victim@hosted.example\x7f.elsewhere.example",
    "smtp:[127.0.0.1]:victim@hosted.example",
    "|/bin/true@elsewhere.example",
]


@pytest.mark.parametrize("recipient", TRICKS)
def test_no_trick_of_address_syntax_relays(world: World, recipient: str) -> None:
    before = list(world.destination.transactions)
    run = swaks(world, "relay", OUTSIDER, "--from", STRANGER, "--to", recipient)
    assert run.refusal[0] == "RCPT", run.output
    assert run.refusal[1].startswith("5"), run.output
    assert [mail for mail in world.destination.transactions[len(before) :] if _relayed(mail.recipients)] == []


def _relayed(recipients: tuple[str, ...]) -> bool:
    return not all(recipient.endswith("@hosted.example") for recipient in recipients)


CLOAKS = [
    ("--from", ""),
    ("--from", "<>"),
    ("--from", USER),
    ("--from", "postmaster@hosted.example"),
    ("--from", "@hosted.example:alice@hosted.example"),
    ("--from", STRANGER, "--helo", "localhost"),
    ("--from", STRANGER, "--helo", TRUSTED),
    ("--from", STRANGER, "--helo", f"[{TRUSTED}]"),
    ("--from", STRANGER, "--helo", "relay.hosted.example"),
    ("--from", STRANGER, "--xclient-addr", TRUSTED, "--xclient-no-verify", "--xclient-optional"),
    ("--from", STRANGER, "--xclient-login", USER, "--xclient-no-verify", "--xclient-optional"),
    ("--from", STRANGER, "--proxy-version", "1", "--proxy-source", TRUSTED, "--proxy-dest", "127.0.0.1"),
    ("--from", STRANGER, "--protocol", "SMTP"),
    ("--from", STRANGER, "--tls"),
    ("--from", STRANGER, "--h-From", USER, "--h-Sender", USER),
]


@pytest.mark.parametrize("cloak", CLOAKS)
def test_no_disguise_of_the_client_relays(world: World, cloak: tuple[str, ...]) -> None:
    options = [*cloak]
    if "--proxy-version" in options:
        options += ["--proxy-family", "TCP4", "--proxy-source-port", "25", "--proxy-dest-port", "25"]
    before = len(world.destination.transactions)
    run = swaks(world, "relay", OUTSIDER, "--to", FOREIGN, *options)
    assert run.status != 0, run.output
    assert run.refusal[1].startswith(("5", "421")), run.output
    assert [mail for mail in world.destination.transactions[before:] if _relayed(mail.recipients)] == []


def test_nothing_accepted_from_outside_has_left_our_domains(world: World) -> None:
    """After all of the above: what the destination holds for foreign domains came from trusted or signed-in clients."""
    foreign = [mail for mail in world.destination.transactions if _relayed(mail.recipients)]
    assert all(mail.recipients == (FOREIGN,) for mail in foreign), [mail.recipients for mail in foreign]
    accepted_rows = [row for row in ROWS if row.recipient == FOREIGN and row.expected == "accept"]
    assert len(foreign) == len(accepted_rows)
