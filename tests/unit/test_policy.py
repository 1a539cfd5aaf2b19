"""Who may send where: every row of DESIGN section 7 for every kind of client, and the tricks that must not relay."""

import ipaddress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress import replies
from services.ingress.policy.lists import Entry, Networks, plain_address
from services.ingress.policy.relay import Party, decide_recipient, decide_sender, may_use
from services.ingress.policy.rules import Rules, compile_rules, parents_of
from services.ingress.protocol.arguments import RcptArgument, read_rcpt
from services.ingress.protocol.params import Offers
from services.ingress.replies import Refuse
from shared.config.model import Hosted, Mode, Relay
from shared.errors import ConfigError
from shared.model import Origin
from shared.smtp.address import BadAddress, Mailbox, parse_mailbox

RELAY = Relay(
    postmaster="hostmaster@example.org",
    trusted_networks=("192.0.2.0/24", "2001:db8::/32"),
    denied_destinations=("*.denied.example", "denied.example", "Bad@Mixed.example", ".only-below.example"),
    denied_senders=("spammer.example", "one@mixed.example"),
    hosted={
        "example.org": "mail:25",
        "BÜCHER.example": "mail:25",
        ".sub.example": "mail:25",
        "both.denied.example": "mail:25",
    },
)
RULES = compile_rules(RELAY)

STRANGER = Party(Mode.RELAY)
TRUSTED = Party(Mode.RELAY, trusted=True)
USER = Party(Mode.RELAY, user="bob", tls=True)
SUB_STRANGER = Party(Mode.SUBMISSION, tls=True)
SUB_PLAIN = Party(Mode.SUBMISSION)
SUB_TRUSTED = Party(Mode.SUBMISSION, trusted=True)  # the listener says trusted_without_auth
SUB_USER = Party(Mode.SUBMISSION, user="bob", tls=True)
SMTPS_USER = Party(Mode.SUBMISSIONS, user="bob", tls=True)
SMTPS_STRANGER = Party(Mode.SUBMISSIONS, tls=True)

STRANGERS = (STRANGER, SUB_STRANGER, SUB_PLAIN, SMTPS_STRANGER)
INSIDERS = (TRUSTED, USER, SUB_TRUSTED, SUB_USER, SMTPS_USER)


def mailbox(text: str) -> Mailbox:
    parsed = parse_mailbox(text)
    assert not isinstance(parsed, BadAddress), parsed
    return parsed


SENDERS = [
    (STRANGER, "a@elsewhere.example", Origin.INBOUND),
    (STRANGER, None, Origin.INBOUND),
    (STRANGER, "a@example.org", replies.SPOOFED_SENDER),
    (STRANGER, "a@EXAMPLE.org.", replies.SPOOFED_SENDER),
    (STRANGER, "a@x.sub.example", replies.SPOOFED_SENDER),
    (STRANGER, "a@xn--bcher-kva.example", replies.SPOOFED_SENDER),
    (STRANGER, "a@spammer.example", replies.DENIED_SENDER),
    (STRANGER, "ONE@mixed.example", replies.DENIED_SENDER),
    (STRANGER, "two@mixed.example", Origin.INBOUND),
    (TRUSTED, "a@spammer.example", replies.DENIED_SENDER),
    (USER, "a@spammer.example", replies.DENIED_SENDER),
    (TRUSTED, "a@example.org", Origin.TRUSTED),
    (TRUSTED, "a@elsewhere.example", Origin.TRUSTED),
    (TRUSTED, None, Origin.TRUSTED),
    (USER, "a@example.org", Origin.AUTHENTICATED),
    (USER, None, Origin.AUTHENTICATED),
    (USER, "a@elsewhere.example", replies.FOREIGN_SENDER),
    (USER, "bob@elsewhere.example", replies.FOREIGN_SENDER),
    (SUB_USER, "a@example.org", Origin.AUTHENTICATED),
    (SUB_USER, "a@elsewhere.example", replies.FOREIGN_SENDER),
    (SMTPS_USER, "a@example.org", Origin.AUTHENTICATED),
    (SUB_STRANGER, "a@elsewhere.example", replies.AUTH_REQUIRED),
    (SUB_STRANGER, "a@example.org", replies.AUTH_REQUIRED),
    (SUB_STRANGER, None, replies.AUTH_REQUIRED),
    (SMTPS_STRANGER, None, replies.AUTH_REQUIRED),
    (SUB_PLAIN, None, replies.AUTH_REQUIRED_TLS),
    (SUB_PLAIN, "a@spammer.example", replies.DENIED_SENDER),
    (SUB_TRUSTED, "a@elsewhere.example", Origin.TRUSTED),
]


@pytest.mark.parametrize(("party", "sender", "expected"), SENDERS)
def test_sender(party: Party, sender: str | None, expected: Origin | Refuse) -> None:
    assert decide_sender(RULES, party, mailbox(sender) if sender else None) == expected


def test_a_site_may_let_outsiders_use_its_domains() -> None:
    rules = RULES._replace(outsiders_may_use_hosted_senders=True)
    assert decide_sender(rules, STRANGER, mailbox("a@example.org")) is Origin.INBOUND


def test_a_user_may_always_use_the_own_name() -> None:
    assert may_use(RULES, "bob@elsewhere.example", mailbox("Bob@Elsewhere.example"))
    assert not may_use(RULES, "bob@elsewhere.example", mailbox("eve@elsewhere.example"))


DENIED = [
    "x@denied.example",
    "x@a.b.denied.example",
    "x@both.denied.example",
    "bad@mixed.example",
    "x@a.only-below.example",
]


@pytest.mark.parametrize("party", [*STRANGERS, *INSIDERS])
@pytest.mark.parametrize("recipient", DENIED)
def test_nobody_sends_to_a_denied_destination(party: Party, recipient: str) -> None:
    """A domain that is hosted and denied is denied: rule 2 comes before rule 5."""
    assert decide_recipient(RULES, party, mailbox(recipient)) == replies.DENIED_DESTINATION


@pytest.mark.parametrize("recipient", ["good@mixed.example", "x@only-below.example", "x@notdenied.example"])
def test_a_deny_pattern_denies_no_more_than_it_says(recipient: str) -> None:
    assert decide_recipient(RULES, TRUSTED, mailbox(recipient)) == mailbox(recipient)


RECIPIENTS = ["x@example.org", "x@anywhere.example", "a%b@anywhere.example", "Postmaster@example.org"]


@pytest.mark.parametrize("party", INSIDERS)
@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_trusted_and_authenticated_clients_send_anywhere(party: Party, recipient: str) -> None:
    assert decide_recipient(RULES, party, mailbox(recipient)) == mailbox(recipient)


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_submission_without_authentication_is_refused_at_rcpt_too(recipient: str) -> None:
    assert decide_recipient(RULES, SUB_STRANGER, mailbox(recipient)) == replies.AUTH_REQUIRED
    assert decide_recipient(RULES, SMTPS_STRANGER, mailbox(recipient)) == replies.AUTH_REQUIRED
    assert decide_recipient(RULES, SUB_PLAIN, mailbox(recipient)) == replies.AUTH_REQUIRED_TLS


HOSTED = [
    "x@example.org",
    "X@EXAMPLE.ORG",
    "x@example.org.",
    "x@bücher.example",
    "x@XN--bcher-kva.Example",
    "x@a.sub.example",
]


@pytest.mark.parametrize("recipient", [*HOSTED, "x@a.b.sub.example", '"x y"@example.org', "postmaster@example.org"])
def test_strangers_send_to_hosted_domains(recipient: str) -> None:
    assert decide_recipient(RULES, STRANGER, mailbox(recipient)) == mailbox(recipient)


@pytest.mark.parametrize("party", [STRANGER, *INSIDERS])
def test_postmaster_without_a_domain_is_ours(party: Party) -> None:
    assert decide_recipient(RULES, party, Mailbox("PostMaster", "")) == mailbox("hostmaster@example.org")


def test_the_mailbox_that_postmaster_stands_for_opens_no_way_to_its_domain() -> None:
    rules = RULES._replace(postmaster=mailbox("admin@elsewhere.example"))
    assert decide_recipient(rules, STRANGER, Mailbox("postmaster", "")) == mailbox("admin@elsewhere.example")
    assert decide_recipient(rules, STRANGER, mailbox("admin@elsewhere.example")) == replies.RELAYING_DENIED
    assert decide_recipient(rules, STRANGER, mailbox("postmaster@elsewhere.example")) == replies.RELAYING_DENIED


# Every one of these was, or looks like, a way through somebody's relay. None reaches a domain that is not hosted.
TRICKS = [
    "<x@foreign.example>",
    "<x@FOREIGN.example>",
    "<x@foreign.example.>",
    "<x@notexample.org>",
    "<x@example.org.foreign.example>",
    "<x@example.orgg>",
    "<x@sub.example>",
    "<x@asub.example>",
    "<x@org>",
    "<x@localhost>",
    "<x%foreign.example@example.org>",
    "<x%foreign.example@EXAMPLE.ORG>",
    "<x%foreign.example@example.org.>",
    "<%@example.org>",
    "<foreign.example!x@example.org>",
    "<a!b!x@example.org>",
    '<"x@foreign.example"@example.org>',
    '<"x%foreign.example"@example.org>',
    '<"foreign.example!x"@example.org>',
    '<"x\\@foreign.example"@example.org>',
    '<"x\\%foreign.example"@example.org>',
    '<"@foreign.example:x"@example.org>',
    '<"@"@example.org>',
    "<x%foreign.example@a.sub.example>",
    "<postmaster%foreign.example@example.org>",
    "<x@foreign.example@example.org>",
    "<x@example.org@foreign.example>",
    "<@example.org:x@foreign.example>",
    "<@foreign.example:x@example.org>",
    "<@example.org,@b.example:x@foreign.example>",
    "<@example.org@foreign.example>",
    "<:x@foreign.example>",
    "<x@[127.0.0.1]>",
    "<x@[192.0.2.1]>",
    "<x@[IPv6:::1]>",
    "<x@[IPv6:2001:db8::1]>",
    "<x@127.0.0.1>",
    "<x@2130706433>",
    "<x@0x7f000001>",
    "<x@[example.org]>",
    "<x@example.org:25>",
    "<x@example.org/foreign.example>",
    "<x@example.org%foreign.example>",
    "<x@example.org#foreign.example>",
    "<x@example.org\\@foreign.example>",
    "<x@ example.org>",
    "<x @example.org>",
    "<x@foreign.example(@example.org)>",
    "<x@foreign.example\x00@example.org>",
    "<x@foreign.example\x00.example.org>",
    "<x@example.org\x00.foreign.example>",
    "<x@foreign.example\t@example.org>",
    "<x@foreign.example\r@example.org>",
    "<x@foreign.example,y@example.org>",
    "<x@foreign.example;y@example.org>",
    "<x@foreign.example> <y@example.org>",
    "<x@foreign.example><y@example.org>",
    "<<x@foreign.example>@example.org>",
    '<"x@foreign.example>@example.org>',
    '<"x"@foreign.example"@example.org>',
    "x@foreign.example",
    "foreign.example!x",
    "<foreign.example!x>",
    "<x>",
    "<x@>",
    "<@example.org>",
    "<@>",
    "<>",
    "<postmaster@foreign.example>",
    "<postmaster@>",
    "<postmaster@[127.0.0.1]>",
    "<x@exampIe.org>",
    "<x@\u0435xample.org>",
    "<x@example\u3002org.foreign\u3002example>",
    "<x@foreign.example\uff0f.example.org>",
    "<x@foreign.example\uff20example.org>",
    "<x\uff20foreign.example>",
    "<x%foreign.example@bücher.example>",
    "<x@..example.org>",
    "<x@example..org>",
    "<x@.sub.example>",
    "<x@*.example.org>",
    "<x@*>",
    "<x@both.denied.example>",
    "<\udcff@example.org>",
    "<x@\udcff.example.org>",
    '<""@foreign.example>',
]


@pytest.mark.parametrize("smtputf8", [False, True])
@pytest.mark.parametrize("path", TRICKS)
def test_no_trick_relays_for_a_stranger(path: str, smtputf8: bool) -> None:
    argument = read_rcpt(f"TO:{path}", Offers(smtputf8=smtputf8), extended=True, smtputf8=smtputf8)
    decision = decide_recipient(RULES, STRANGER, argument.recipient) if isinstance(argument, RcptArgument) else argument
    assert isinstance(decision, Refuse), decision
    assert decision.reply.is_permanent


def test_there_are_enough_tricks() -> None:
    assert len(set(TRICKS)) == len(TRICKS) >= 60


def test_a_recipient_list_decides_who_exists(tmp_path: Path) -> None:
    file = tmp_path / "recipients"
    file.write_text("# people\nalice\nBob@listed.example  # full\ncarol@other.example\n\n")
    rules = compile_rules(Relay(postmaster="p@listed.example", hosted={"listed.example": Hosted(("mail",), str(file))}))

    def decide(text: str) -> Mailbox | Refuse:
        return decide_recipient(rules, STRANGER, mailbox(text))

    for known in ("alice@listed.example", "ALICE@listed.example", '"alice"@listed.example', "bob@listed.example"):
        assert decide(known) == mailbox(known)
    for unknown in ("carol@listed.example", "dave@listed.example", "alice+tag@listed.example"):
        assert decide(unknown) == replies.NO_SUCH_USER
    assert decide("Postmaster@listed.example") == mailbox("Postmaster@listed.example")
    assert decide_recipient(rules, TRUSTED, mailbox("dave@listed.example")) == mailbox("dave@listed.example")


def test_a_hosted_domain_wins_over_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "recipients"
    file.write_text("alice\n")
    hosted: dict[str, str | tuple[str, ...] | Hosted] = {
        ".example.org": Hosted(("a",), str(file)),
        "b.example.org": "b",
    }
    rules = compile_rules(Relay(postmaster="p@b.example.org", hosted=hosted))
    assert decide_recipient(rules, STRANGER, mailbox("dave@b.example.org")) == mailbox("dave@b.example.org")
    assert decide_recipient(rules, STRANGER, mailbox("dave@c.example.org")) == replies.NO_SUCH_USER
    assert decide_recipient(rules, STRANGER, mailbox("dave@c.b.example.org")) == replies.NO_SUCH_USER
    assert decide_recipient(rules, STRANGER, mailbox("dave@example.org")) == replies.RELAYING_DENIED


ADDRESSES = [
    ("192.0.2.1", True),
    ("192.0.3.1", False),
    ("::ffff:192.0.2.1", True),
    ("::ffff:192.0.3.1", False),
    ("2001:db8::1", True),
    ("2001:db9::1", False),
    ("2001:db8::1%eth0", True),
    ("::1", False),
    ("unknown", False),
    ("", False),
]


@pytest.mark.parametrize(("address", "trusted"), ADDRESSES)
def test_trusted_networks(address: str, trusted: bool) -> None:
    assert RULES.trusts(address) is trusted


DENIED_CLIENTS = [
    ("198.51.100.7", True),
    ("198.51.100.8", False),
    ("203.0.113.255", True),
    ("203.0.114.0", False),
    ("::ffff:203.0.113.1", True),
    ("2001:db8:bad::1", True),
    ("2001:db8:bae::1", False),
    ("::cb00:7101", False),
    ("unknown", False),
]


@pytest.mark.parametrize(("address", "denied"), DENIED_CLIENTS)
def test_denied_clients_of_configuration_and_file(tmp_path: Path, address: str, denied: bool) -> None:
    file = tmp_path / "clients"
    file.write_text("# pests\n203.0.113.0/24  # a whole network\n\n2001:db8:bad::/48\n198.51.100.1\n")
    rules = compile_rules(
        msgspec.structs.replace(RELAY, denied_clients=("198.51.100.7",), denied_clients_file=str(file))
    )
    assert rules.denies(address) is denied
    assert not RULES.denies(address)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=8), st.integers(0, 2**32 - 1))
def test_a_set_of_networks_holds_what_its_networks_hold(pairs: list[tuple[int, int]], number: int) -> None:
    networks = [ipaddress.ip_network((start, prefix), strict=False) for start, prefix in pairs]
    address = ipaddress.IPv4Address(number)
    compiled = Networks.of(Entry("k", str(network)) for network in networks)
    assert (address in compiled) == any(address in network for network in networks)


def test_the_files_of_deny_lists_count_beside_the_lists(tmp_path: Path) -> None:
    senders, destinations = tmp_path / "senders", tmp_path / "destinations"
    senders.write_text("bulk.example\n*.bulk.example # all of it\nEve@Mixed.example\n")
    destinations.write_text(".trap.example\n")
    rules = compile_rules(
        msgspec.structs.replace(RELAY, denied_senders_file=str(senders), denied_destinations_file=str(destinations))
    )
    for sender in ("a@bulk.example", "a@b.bulk.example", "eve@mixed.example", "a@spammer.example"):
        assert decide_sender(rules, TRUSTED, mailbox(sender)) == replies.DENIED_SENDER
    for recipient in ("a@x.trap.example", "a@denied.example"):
        assert decide_recipient(rules, TRUSTED, mailbox(recipient)) == replies.DENIED_DESTINATION
    assert decide_recipient(rules, TRUSTED, mailbox("a@trap.example")) == mailbox("a@trap.example")


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("denied_clients", "10.0.0.0/33", "line 1"),
        ("denied_senders", "ok.example\n\nnot ok", "line 3"),
        ("denied_destinations", "a b@c.example", "line 1"),
        ("denied_clients", "\udcff", "readable UTF-8"),
        ("denied_clients", None, "readable UTF-8"),
    ],
)
def test_a_bad_entry_of_a_file_is_named_with_its_line(tmp_path: Path, key: str, text: str | None, reason: str) -> None:
    file = tmp_path / "list"
    if text is not None:
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=rf"^relay\.{key}_file: .*{reason}"):
        compile_rules(msgspec.structs.replace(RELAY, **{f"{key}_file": str(file)}))


def test_only_named_next_hops_are_asked() -> None:
    hops = (
        "mail.internal",
        "mx",
        "lmtp://a",
        "smtps://b",
        "lmtp:///c",
        "[2001:db8::1]:2525",
        "smtp://[2001:db8::2]?tls=none",
    )
    hosted = Hosted(hops, verify="call-out")
    found = compile_rules(msgspec.structs.replace(RELAY, hosted={"a.example": hosted})).hosted.find("a.example")
    assert found is not None
    assert found.ask == (("mail.internal", 25), ("2001:db8::1", 2525), ("2001:db8::2", 25))
    with pytest.raises(ConfigError, match=r'^relay\.hosted\."a\.example"\.verify: '):
        compile_rules(msgspec.structs.replace(RELAY, hosted={"a.example": Hosted(("mx",), verify="call-out")}))


BAD_RELAYS = [
    (Relay(postmaster="nobody"), "relay.postmaster"),
    (Relay(trusted_networks=("300.0.0.0/8",)), "relay.trusted_networks"),
    (Relay(denied_destinations=("ex ample",)), "relay.denied_destinations"),
    (Relay(denied_senders=("a b@example.org",)), "relay.denied_senders"),
    (Relay(hosted={"exa mple.org": "x"}), 'relay.hosted."exa mple.org"'),
    (Relay(hosted={"a.example": Hosted(("x",), "/does/not/exist")}), 'relay.hosted."a.example".recipients'),
]


@pytest.mark.parametrize(("relay", "key"), BAD_RELAYS)
def test_rules_that_cannot_be_used_name_their_key(relay: Relay, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_rules(relay)
    assert str(caught.value).startswith(f"{key}: ")


def test_everything_can_be_denied() -> None:
    rules: Rules = compile_rules(Relay(denied_destinations=("*",)))
    assert decide_recipient(rules, TRUSTED, mailbox("x@anywhere.example")) == replies.DENIED_DESTINATION


def test_parents_and_plain_addresses() -> None:
    assert parents_of("a.b.c") == ["b.c", "c"]
    assert parents_of("c") == []
    assert str(plain_address("::ffff:10.0.0.1")) == "10.0.0.1"
