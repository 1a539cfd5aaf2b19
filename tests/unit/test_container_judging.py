"""What the built-in rules say of what is inside an attachment, one condition at a time."""

import pytest

from services.screener.containers.contents import Contents, Inside
from services.screener.containers.judging import judge_contents
from services.screener.containers.member import Sign
from services.screener.identity.magic import Detected
from services.screener.rules import Finding, RuleSet
from shared.model import Action, Direction

RULES = RuleSet(
    Direction.INBOUND,
    Action.STRIP,
    ambiguous=Action.PASS,
    extensions=frozenset({"exe"}),
    types=frozenset({"application/hta"}),
)
TEXT = Inside("a.txt", ("a.txt",), 9, "", ())


def with_actions(**actions: Action) -> RuleSet:
    return RULES._replace(**actions)  # type: ignore[arg-type]  # the fields that are named are actions


def verdict(rules: RuleSet, *members: Inside, signs: frozenset[Sign] = frozenset()) -> Finding | None:
    return judge_contents(Contents(members, signs), rules).finding


@pytest.mark.parametrize(
    ("sign", "decided_by"),
    [
        (Sign.ENCRYPTED, "encrypted"),
        (Sign.PGP, "encrypted_mail"),
        (Sign.SMIME, "encrypted_mail"),
        (Sign.MACRO, "suspicious"),
        (Sign.SMUGGLING, "suspicious"),
        (Sign.OVER_LIMIT, "unreadable"),
        (Sign.MALFORMED, "unreadable"),
        (Sign.UNREADABLE, "unreadable"),
        (Sign.VOLUME, "unreadable"),
    ],
)
def test_each_sign_has_the_action_of_its_own_key_and_no_other(sign: Sign, decided_by: str) -> None:
    signs = frozenset({sign})
    keys = ("encrypted", "encrypted_mail", "suspicious", "unreadable")
    alone = with_actions(**{decided_by: Action.BLOCK})
    others = with_actions(**{key: Action.BLOCK for key in keys if key != decided_by})
    assert verdict(alone, TEXT, signs=signs) == Finding(Action.BLOCK, sign.value)
    assert verdict(others, TEXT, signs=signs) is None


def test_what_is_only_listed_goes_by_the_list_its_format_is_on() -> None:
    signs = frozenset({Sign.LISTED})
    listed = RULES._replace(suspicious=Action.BLOCK, unreadable=Action.QUARANTINE)
    assert verdict(listed, TEXT, signs=signs) is None
    on_list = listed._replace(suspicious_extensions=frozenset({"rar"}))
    assert verdict(on_list, TEXT, signs=signs) == Finding(Action.BLOCK, Sign.LISTED.value)


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (Inside("a.exe", ("a.exe",), 9, "", ()), "member:exe"),
        (Inside("a\u202etxt.png", ("a\u202etxt.png",), 9, "", ()), "member:deceptive-name"),
        (Inside("a", ("a",), 9, "application/hta", ()), "member:application/hta"),
        (Inside("a", ("a",), 9, "", (Detected("application/hta", None),)), "member:application/hta"),
        (Inside("a", ("a",), 9, "", (Detected("application/x-dosexec", "exe"),)), "member:application/x-dosexec"),
        (Inside("a", ("a",), 9, "text/plain", (Detected("text/plain", None),)), None),
    ],
)
def test_a_member_is_banned_by_its_name_its_declared_type_or_its_content(member: Inside, found: str | None) -> None:
    assert verdict(RULES, member) == (found and Finding(Action.STRIP, found))
    assert verdict(RULES._replace(action=Action.PASS), member) is None


def test_scripts_of_forms_pass_whatever_the_keys_say() -> None:
    strict = RULES._replace(
        encrypted=Action.BLOCK, encrypted_mail=Action.BLOCK, suspicious=Action.BLOCK, unreadable=Action.BLOCK
    )
    assert verdict(strict, TEXT, signs=frozenset({Sign.SCRIPT})) is None
