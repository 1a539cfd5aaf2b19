"""The operator's rules: the first that fits decides, before the built-in tiers."""

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.screener.containers.contents import Contents, Inside
from services.screener.containers.judging import judge_contents
from services.screener.containers.member import Sign
from services.screener.identity.magic import Detected
from services.screener.mime.tree import parse
from services.screener.rules import (
    Correspondents,
    Finding,
    RuleSet,
    compile_rules,
    for_people,
    judge,
    judge_member,
    judge_message,
    judge_part,
    on_message,
)
from services.screener.rules.people import matches
from shared.config.model import Rules, Screener
from shared.config.screen_rule import ScreenRule
from shared.config.units import Size
from shared.model import Action, Direction
from tests.support.mail_samples import TEXT, crlf, multipart

BOB = Correspondents("alice@example.org", "bob@example.net", verified=False)
GROUPS: dict[str, tuple[str, ...]] = {"partners": ("example.org", "*.example.com", "Carol@example.edu")}
OCTETS = ("application/octet-stream", None)
PDF = ("application/pdf", "pdf")
PROGRAM = ("application/x-msdownload", "exe")


def compiled(*rules: ScreenRule, direction: Direction = Direction.INBOUND) -> RuleSet:
    screener = Screener(rule=rules, groups=GROUPS)
    return compile_rules(Rules(), direction, screener)


def rule(action: str = "block", name: str = "mine", **conditions: Any) -> ScreenRule:
    return ScreenRule(name=name, action=action, **conditions)


def on_part(
    rules: RuleSet, names: list[str], declared: str, detected: tuple[str, str | None], size: int = 100
) -> str | None:
    found = judge(names, [declared], [detected], rules, size)
    return None if found is None else f"{found.action} {found.rule}"


ANY = "application/octet-stream"


@pytest.mark.parametrize(
    ("conditions", "names", "declared", "detected", "expected"),
    [
        ({"names": ("*.docx",)}, ["a.docx"], ANY, OCTETS, "block rule:mine"),
        ({"names": ("*.docx",)}, ["A.DOCX. "], ANY, OCTETS, "block rule:mine"),
        ({"names": ("*.docx",)}, ["a.pdf", "b.docx"], ANY, OCTETS, "block rule:mine"),
        ({"names": ("*.docx",)}, ["a.pdf"], ANY, OCTETS, None),
        ({"names": ("*.docx",)}, ["a.exe"], ANY, OCTETS, "strip extension:exe"),
        ({"names": ("*",)}, [], ANY, OCTETS, "block rule:mine"),
        ({"names": ("*",)}, [], "text/plain", ("text/plain", None), None),
        ({"names": ("*",)}, [], "multipart/mixed", OCTETS, None),
        ({"names": ("*",)}, ["a.txt"], "text/plain", ("text/plain", None), "block rule:mine"),
        ({"names": ("*",)}, ["Attachment-Removed.txt"], "text/plain", ("text/plain", None), None),
        ({"names": ("*",)}, ["Attachment-Removed.txt"], "text/plain", PROGRAM, "block rule:mine"),
        ({"names": ("*",)}, ["Attachment-Removed.txt", "a"], "text/plain", ("text/plain", None), "block rule:mine"),
        ({"types": ("image/*",)}, [], "image/png", OCTETS, "block rule:mine"),
        ({"types": ("image/*",)}, ["a.bin"], ANY, ("image/png", "png"), "block rule:mine"),
        ({"types": ("image/*",)}, [], ANY, OCTETS, None),
        ({"types": ("text/html",)}, [], "text/html", ("text/html", "html"), "block rule:mine"),
        ({"attachment_over": Size(99)}, ["a.pdf"], ANY, PDF, "block rule:mine"),
        ({"attachment_over": Size(100)}, ["a.pdf"], ANY, PDF, None),
        ({"attachment_over": Size(99)}, [], "text/plain", ("text/plain", None), None),
        ({"names": ("*.pdf",), "attachment_over": Size(100)}, ["a.pdf"], ANY, PDF, None),
        ({"names": ("*.pdf",), "types": ("image/*",)}, ["a.pdf"], ANY, PDF, None),
        ({"names": ("*.pdf",), "types": ("application/*",)}, ["a.pdf"], ANY, PDF, "block rule:mine"),
        ({"types": ("image/*",)}, ["a.exe"], "image/png", OCTETS, "block rule:mine"),
        ({"names": ("*",)}, ["a\u202efdp.exe"], ANY, OCTETS, "block rule:mine"),
    ],
)
def test_conditions_on_a_part(
    conditions: dict[str, Any], names: list[str], declared: str, detected: tuple[str, str | None], expected: str
) -> None:
    assert on_part(compiled(rule(**conditions)), names, declared, detected) == expected


@pytest.mark.parametrize(
    ("conditions", "names", "declared", "detected", "expected"),
    [
        ({"names": ("*.exe",)}, ["a.exe"], ANY, PROGRAM, None),
        ({"names": ("setup*.exe",)}, ["setup1.exe"], "application/x-msdownload", PROGRAM, None),
        ({"names": ("*.exe",)}, ["a.exe", "a.scr"], ANY, PROGRAM, "strip extension:exe"),
        ({"names": ("*.pdf",)}, ["a.pdf"], ANY, PROGRAM, "strip content:application/x-msdownload"),
        ({"names": ("*.pdf",)}, ["a.pdf"], "application/hta", PDF, "strip type:application/hta"),
        ({"names": ("*",)}, ["a\u202efdp.exe"], ANY, PROGRAM, "strip extension:exe"),
        ({"types": ("application/x-msdownload",)}, ["a.exe"], ANY, PROGRAM, "strip extension:exe"),
        ({"types": ("application/*",)}, [], "application/x-msdownload", PROGRAM, None),
        ({"types": ("application/*",)}, ["a.exe"], ANY, PROGRAM, "strip extension:exe"),
        ({"names": ("*.docm",)}, ["a.docm"], ANY, OCTETS, None),
        ({"names": ("*.docm",)}, ["a.docm"], ANY, ("application/zip", "zip"), None),
        ({"names": ("setup*",)}, ["setup"], ANY, PROGRAM, None),
        ({"names": ("?.pdf", "?.exe")}, ["a.pdf"], ANY, PROGRAM, None),
        ({"names": ("*.exe",), "types": ("*/*",)}, [], "text/plain", PROGRAM, "strip content:application/x-msdownload"),
    ],
)
def test_what_is_allowed_must_be_covered_by_every_reading(
    conditions: dict[str, Any], names: list[str], declared: str, detected: tuple[str, str | None], expected: str
) -> None:
    assert on_part(compiled(rule("allow", **conditions)), names, declared, detected) == expected


def test_pieces_of_messages_are_blocked_whatever_the_rules_allow() -> None:
    rules = for_people(compiled(rule("allow", senders=("*",))), BOB)
    assert on_part(rules, [], "message/partial", OCTETS) == "block type:message/partial"


@pytest.mark.parametrize(
    ("names", "suspicious", "expected"),
    [
        (["a.docm"], "strip", "strip extension:docm"),
        (["a.docm"], "quarantine", "quarantine extension:docm"),
        (["a.docm"], "allow", None),
        (["a.exe"], "allow", "strip extension:exe"),
        (["page.html"], "strip", "strip extension:html"),
        (["a.zip"], "strip", None),
    ],
)
def test_the_second_tier_has_an_action_of_its_own(names: list[str], suspicious: str, expected: str | None) -> None:
    rules = compile_rules(Rules(suspicious=suspicious), Direction.INBOUND)
    assert on_part(rules, names, ANY, OCTETS) == expected


@pytest.mark.parametrize(
    ("names", "declared", "detected", "expected"),
    [
        ([], "text/html", ("text/html", "html"), None),
        ([], "text/plain", ("text/html", "html"), None),
        (["log.txt"], "text/plain", ("text/html", "html"), None),
        (["invoice"], "text/html", ("text/html", "html"), "strip type:text/html"),
        (["a.pdf"], "application/pdf", ("text/html", "html"), "strip content:text/html"),
        (["a.zip"], "application/zip", ("application/vnd.rar", "rar"), "strip content:application/vnd.rar"),
    ],
)
def test_the_text_of_a_message_is_no_file(
    names: list[str], declared: str, detected: tuple[str, str | None], expected: str | None
) -> None:
    assert on_part(compiled(), names, declared, detected) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule(name="a", names=("*.pdf",)), rule("quarantine", "b", names=("*",))], "block rule:a"),
        ([rule("quarantine", "b", names=("*",)), rule(name="a", names=("*.pdf",))], "quarantine rule:b"),
        ([rule("allow", "b", senders=("*",)), rule(name="a", names=("*.pdf",))], None),
        ([rule(name="a", names=("*.pdf",)), rule("allow", "b", senders=("*",))], "block rule:a"),
        ([rule(name="a", senders=("*",)), rule("strip", "b", names=("*",))], None),
    ],
)
def test_the_first_that_fits_a_part_decides(rules: list[ScreenRule], expected: str | None) -> None:
    """A rule on the whole message leaves the part alone: what it decides is done to the message."""
    assert on_part(for_people(compiled(*rules), BOB), ["a.pdf"], ANY, PDF) == expected


def inside(*names: str, signs: frozenset[Sign] = frozenset(), detected: tuple[Detected, ...] = ()) -> Contents:
    return Contents(tuple(Inside(name, (name,), 9, "", detected) for name in names), signs)


@pytest.mark.parametrize(
    ("members", "conditions", "expected"),
    [
        (["a.txt", "b.docx"], {"names": ("*.docx",)}, "block rule:mine"),
        (["a.txt", "b.exe"], {"names": ("*.docx",)}, "strip member:exe"),
        (["b.exe"], {"names": ("*.exe",), "types": ("image/*",)}, "strip member:exe"),
        (["a.docm"], {"names": ("*.docx",)}, None),
    ],
)
def test_names_inside_an_archive(members: list[str], conditions: dict[str, Any], expected: str | None) -> None:
    found = judge_contents(inside(*members), compiled(rule(**conditions))).finding
    assert (found and f"{found.action} {found.rule}") == expected


@pytest.mark.parametrize(
    ("action", "conditions", "expected"),
    [
        ("block", {"types": ("image/*",)}, "block rule:mine"),
        ("block", {"types": ("image/*",), "names": ("*.png",)}, "block rule:mine"),
        ("block", {"types": ("image/*",), "names": ("*.gif",)}, None),
        ("block", {"types": ("audio/*",)}, None),
        ("allow", {"types": ("image/*",)}, None),
    ],
)
def test_types_inside_an_archive(action: str, conditions: dict[str, Any], expected: str | None) -> None:
    pictures = inside("a.png", detected=(Detected("image/png", "png"),))
    found = judge_contents(pictures, compiled(rule(action, **conditions))).finding
    assert (found and f"{found.action} {found.rule}") == expected


@pytest.mark.parametrize(("declared", "expected"), [("image/png", Finding(Action.BLOCK, "rule:mine")), ("", None)])
def test_the_type_that_a_member_is_declared_to_have(declared: str, expected: Finding | None) -> None:
    said = Contents((Inside("a", ("a",), 9, declared, ()),), frozenset())
    assert judge_contents(said, compiled(rule(types=("image/*",)))).finding == expected


@pytest.mark.parametrize("conditions", [{"types": ("image/*",)}, {"names": ("*",)}])
def test_a_member_without_a_name_is_a_file(conditions: dict[str, Any]) -> None:
    nameless = Contents((Inside("?", (), 9, "", (Detected("image/png", "png"),)),), frozenset())
    found = judge_contents(nameless, compiled(rule(**conditions))).finding
    assert found == Finding(Action.BLOCK, "rule:mine")


@pytest.mark.parametrize(("is_file", "expected"), [(True, Finding(Action.BLOCK, "rule:mine")), (False, None)])
def test_a_text_that_is_attached_is_a_file_though_it_has_no_name(is_file: bool, expected: Finding | None) -> None:
    rules = compiled(rule(names=("*",)))
    text = ("text/plain", None)
    assert judge_part([], ["text/plain"], [text], rules, is_file=is_file).finding == expected


def test_what_is_allowed_inside_an_archive_says_nothing_of_its_neighbours() -> None:
    rules = compiled(rule("allow", names=("*.exe", "*.zip")))
    assert judge_contents(inside("a.exe"), rules).finding is None
    lying = Contents((Inside("a.zip", ("a.zip",), 9, "", (Detected("application/hta", "hta"),)),), frozenset())
    assert judge_contents(lying, rules).finding == Finding(Action.STRIP, "member:application/hta")
    assert judge_contents(inside("a.exe", "b.scr"), rules).finding == Finding(Action.STRIP, "member:scr")
    everything = for_people(compiled(rule("allow", senders=("*",))), BOB)
    assert judge_contents(inside("b.scr"), everything).finding is None
    assert judge_member(["b.scr"], [], [], everything) == (Finding(Action.PASS, "rule:mine"), ())


def test_an_archive_that_is_allowed_may_need_a_password_but_hides_no_program() -> None:
    locked = inside("a.txt", signs=frozenset({Sign.ENCRYPTED}))
    before = compiled(rule("allow", names=("*.zip",)))
    zip_type = ("application/zip", "zip")
    assert judge_contents(locked, before).finding == Finding(Action.QUARANTINE, Sign.ENCRYPTED.value)
    rest = judge_part(["a.zip"], [ANY], [zip_type], before).rest
    assert judge_contents(locked, rest).finding is None
    assert judge_contents(inside("a.exe"), rest).finding == Finding(Action.STRIP, "member:exe")


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        ("*", "a@b.example", True),
        ("b.example", "a@b.example", True),
        ("b.example", "a@c.b.example", False),
        ("*.b.example", "a@c.b.example", True),
        ("*.b.example", "a@b.example", False),
        (".b.example", "a@c.b.example", True),
        (".b.example", "a@cb.example", False),
        ("a@b.example", "A@b.example", True),
        ("a@b.example", "c@b.example", False),
        ("b.example", '"x@b.example"@c.example', False),
    ],
)
def test_patterns_of_people(pattern: str, address: str, expected: bool) -> None:
    assert matches(pattern, address) is expected


@pytest.mark.parametrize(
    ("conditions", "who", "concerned"),
    [
        ({"senders": ("group:partners",)}, BOB, True),
        ({"senders": ("group:partners",)}, BOB._replace(sender="x@sub.example.com"), True),
        ({"senders": ("group:partners",)}, BOB._replace(sender="carol@example.edu"), True),
        ({"senders": ("group:partners",)}, BOB._replace(sender="x@example.com"), False),
        ({"senders": ("*",)}, BOB._replace(sender=None), False),
        ({"recipients": ("example.net",)}, BOB, True),
        ({"recipients": ("example.net",)}, BOB._replace(recipient="a@b.example"), False),
        ({"recipients": ("example.net",), "senders": ("x.example",)}, BOB, False),
        ({"senders": ("*",), "sender_verified": True}, BOB, False),
        ({"senders": ("*",), "sender_verified": True}, BOB._replace(verified=True), True),
        ({"direction": "outbound", "senders": ("*",)}, BOB, False),
        ({"direction": "inbound", "senders": ("*",)}, BOB, True),
    ],
)
def test_whom_a_rule_concerns(conditions: dict[str, Any], who: Correspondents, concerned: bool) -> None:
    assert bool(for_people(compiled(rule(**conditions)), who).own) is concerned


MAIL = multipart(
    [
        TEXT,
        (
            "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
            "<p>Zahlung<b>s</b>erinnerung</p><p>IBAN&nbsp;DE</p>=FCber\n"
        ),
        (
            "Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n"
            "//5XAGkAcgBlACAACgBUAFIAQQBOAFMARgBFAFIA\n"
        ),
        'Content-Type: text/plain; name="x.txt"\n\nhidden\n',
    ]
)


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({"subject": ("unterlagen",)}, True),
        ({"subject": ("UNTERLAGEN FÜR",)}, True),
        ({"subject": ("lagen",)}, False),
        ({"subject": ("no", "dich")}, True),
        ({"subject": ("anbei",)}, False),
        ({"body": ("anbei",)}, True),
        ({"body": ("ZAHLUNGSERINNERUNG",)}, True),
        ({"body": ("iban de",)}, True),
        ({"body": ("über",)}, True),
        ({"body": ("wire transfer",)}, True),
        ({"body": ("hidden",)}, False),
        ({"body": ("anbei",), "subject": ("nothing",)}, False),
        ({"body": ("anbei",), "subject": ("dich",)}, True),
        ({"message_over": Size(len(MAIL))}, False),
        ({"message_over": Size(len(MAIL) - 1)}, True),
    ],
)
def test_conditions_on_the_message(conditions: dict[str, Any], holds: bool) -> None:
    rules = on_message(for_people(compiled(rule(**conditions)), BOB), MAIL, parse(MAIL).parts)
    expected = (Finding(Action.BLOCK, "rule:mine"), ()) if holds else (None, ())
    assert judge_message(rules) == expected


@pytest.mark.parametrize("text", ["", "\x00", "<" * 100_000, "<a" * 50_000, "&" * 100_000, "=?utf-8?q?" * 10_000])
def test_any_text_can_be_searched(text: str) -> None:
    raw = crlf(f"Subject: {text}\nContent-Type: text/html; charset=nothing\n\n{text}")
    rules = on_message(compiled(rule(body=("a b",), subject=("c",))), raw, parse(raw).parts)
    assert judge_message(rules) == (None, ())


def test_shadow_rules_report_and_change_nothing() -> None:
    rules = for_people(
        compiled(
            rule("block", "one", shadow=True, names=("*.pdf",)),
            rule("quarantine", "two", shadow=True, senders=("*",)),
            rule("strip", "three", names=("*.pdf",)),
            rule("block", "four", shadow=True, names=("*.pdf",)),
        ),
        BOB,
    )
    assert on_part(rules, ["a.pdf"], ANY, PDF) == "strip rule:three"
    assert judge_part(["a.pdf"], [ANY], [PDF], rules).shadows == ("rule:one block", "rule:two quarantine")
    assert judge_message(rules) == (None, ("rule:two quarantine",))


def test_shadow_rules_see_inside_archives() -> None:
    """Every member, also behind one that decides; what comes after the deciding rule reports nothing of that member."""
    rules = compiled(
        rule("block", "one", shadow=True, names=("*.txt",)),
        rule("quarantine", "two", names=("*.doc",)),
        rule("strip", "three", shadow=True, names=("*.doc",)),
        rule("allow", "four", shadow=True, names=("c.*",)),
    )
    found = judge_contents(inside("a.doc", "b.txt", "c.txt", "c.pdf"), rules)
    assert found.finding == Finding(Action.QUARANTINE, "rule:two")
    assert found.shadows == ("rule:one block", "rule:four pass")
    assert judge_contents(inside("b.txt"), rules)[:2] == (None, ("rule:one block",))


ACTIONS = ["allow", "strip", "block", "quarantine"]
GLOBS = ["*", "*.pdf", "a*", "*.exe", "b.*"]
RULES = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(GLOBS), st.booleans()), max_size=6)


@given(RULES, st.sampled_from(["a.pdf", "b.pdf", "a.txt", "c.txt"]))
def test_order_decides(given_rules: list[tuple[str, str, bool]], name: str) -> None:
    """As a plain loop over the list finds it."""
    rules = compiled(
        *(rule(action, f"r{n}", shadow=shadow, names=(glob,)) for n, (action, glob, shadow) in enumerate(given_rules))
    )
    fitting = [
        (f"r{n}", action, shadow) for n, (action, glob, shadow) in enumerate(given_rules) if fnmatch.fnmatch(name, glob)
    ]
    deciding = next(((label, action) for label, action, shadow in fitting if not shadow), None)
    expected = None if deciding is None or deciding[1] == "allow" else f"{deciding[1]} rule:{deciding[0]}"
    assert on_part(rules, [name], ANY, OCTETS) == expected
