"""Which parts are banned: any name, any declared type or any recognised type is enough."""

import msgspec
import pytest

from services.screener.rules import (
    Finding,
    RuleSet,
    compile_rules,
    defaults,
    judge,
    judge_member,
    judge_message,
    lets_text_pass,
)
from shared.config.model import Rules, Screener
from shared.config.screen_rule import ScreenRule
from shared.config.units import Size
from shared.errors import ConfigError
from shared.model import Action, Direction

INBOUND = compile_rules(Screener().inbound, Direction.INBOUND)
OUTBOUND = compile_rules(Screener().outbound, Direction.OUTBOUND)
OCTETS = ("application/octet-stream", None)
PROGRAM = ("application/x-msdownload", "exe")


@pytest.mark.parametrize(
    ("names", "declared", "detected", "rule"),
    [
        (["a.pdf"], ["application/pdf"], [("application/pdf", "pdf")], None),
        ([], ["text/plain"], [("text/plain", None)], None),
        (["a.exe"], ["application/pdf"], [OCTETS], "extension:exe"),
        (["a.pdf", "a.exe"], ["application/pdf"], [OCTETS], "extension:exe"),
        (["a.EXE. "], ["image/png"], [OCTETS], "extension:exe"),
        (["a.settingcontent-ms"], ["image/png"], [OCTETS], "extension:settingcontent-ms"),
        (["a.txt\u202e"], ["text/plain"], [OCTETS], "name:deceptive"),
        (["a.pdf"], ["application/x-msdownload"], [OCTETS], "type:application/x-msdownload"),
        (["a.pdf"], ["application/pdf", "application/hta"], [OCTETS], "type:application/hta"),
        (["a.pdf"], ["application/pdf"], [PROGRAM], "content:application/x-msdownload"),
        (["a.pdf"], ["application/pdf"], [OCTETS, PROGRAM], "content:application/x-msdownload"),
        (
            ["a"],
            ["application/octet-stream"],
            [("application/x-iso9660-image", "iso")],
            "content:application/x-iso9660-image",
        ),
        (["a"], ["application/octet-stream"], [("application/x-vhdx", "vhdx")], "content:application/x-vhdx"),
        ([], ["text/plain"], [("application/vnd.rar", "rar")], "content:application/vnd.rar"),
        (["a.zip"], ["application/zip"], [("application/zip", "zip")], None),
        (["a.p7m"], ["application/pkcs7-mime"], [OCTETS], None),
    ],
)
def test_default_rules(
    names: list[str], declared: list[str], detected: list[tuple[str, str | None]], rule: str | None
) -> None:
    expected = None if rule is None else Finding(Action.STRIP, rule)
    assert judge(names, declared, detected, INBOUND) == expected
    expected = None if rule is None else Finding(Action.BLOCK, rule)
    assert judge(names, declared, detected, OUTBOUND) == expected


@pytest.mark.parametrize("kind", defaults.NEVER)
@pytest.mark.parametrize("action", ["allow", "strip", "block", "quarantine"])
def test_what_cannot_be_screened_is_blocked_in_any_configuration(kind: str, action: str) -> None:
    rules = compile_rules(Rules(action=action, banned_types=(), banned_extensions=()), Direction.INBOUND)
    assert judge([], ["text/plain", kind], [OCTETS], rules) == Finding(Action.BLOCK, f"type:{kind}")


@pytest.mark.parametrize(
    ("rules", "names", "declared", "rule"),
    [
        (Rules(), ["a.exe"], [], "extension:exe"),
        (Rules(allowed_extensions=("exe",)), ["a.exe"], ["application/x-msdownload"], None),
        (Rules(allowed_extensions=(".EXE",)), ["a.exe"], [], None),
        (Rules(extra_extensions=("docm",)), ["a.docm"], [], "extension:docm"),
        (Rules(extra_extensions=("docm",)), ["a.exe"], [], "extension:exe"),
        (Rules(banned_extensions=("zip",)), ["a.zip"], [], "extension:zip"),
        (Rules(banned_extensions=("zip",)), ["a.exe"], [], None),
        (Rules(banned_extensions=("zip",)), ["a.exe"], ["application/x-msdownload"], "type:application/x-msdownload"),
        (Rules(banned_types=("image/svg+xml",)), ["a"], ["image/svg+xml"], "type:image/svg+xml"),
        (Rules(banned_types=()), ["a"], ["application/x-msdownload"], None),
        (Rules(action="allow"), ["a.exe"], [], None),
    ],
)
def test_configuration_adds_replaces_and_allows(
    rules: Rules, names: list[str], declared: list[str], rule: str | None
) -> None:
    found = judge(names, declared, [], compile_rules(rules, Direction.INBOUND))
    assert (found and found.rule) == rule


def test_a_banned_type_is_banned_by_content_too() -> None:
    rules = compile_rules(Rules(banned_types=("application/pdf",)), Direction.INBOUND)
    assert judge(["a"], [OCTETS[0]], [("application/pdf", "pdf")], rules) == Finding(
        Action.STRIP, "content:application/pdf"
    )


@pytest.mark.parametrize("action", ["strip", "block", "quarantine"])
def test_the_configured_action_is_the_finding(action: str) -> None:
    found = judge(["a.exe"], [], [], compile_rules(Rules(action=action), Direction.OUTBOUND))
    assert found == Finding(Action(action), "extension:exe")


@pytest.mark.parametrize(("key", "changes"), [("action", {"action": "delete"}), ("ambiguous", {"ambiguous": "strip"})])
def test_an_action_that_does_not_exist_is_named(key: str, changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=rf"^screener\.inbound\.{key}: .* use one of"):
        compile_rules(msgspec.structs.replace(Rules(), **changes), Direction.INBOUND)


def test_the_defaults_hold_what_most_mail_systems_block() -> None:
    assert {"exe", "scr", "vbs", "js", "lnk", "iso", "hta", "msi", "jar", "img"} <= defaults.EXTENSIONS
    assert not {"pdf", "docx", "zip", "png", "txt", "p7m", "p7s", "asc", "ics", "eml"} & defaults.EXTENSIONS
    assert set(defaults.TYPES.values()) <= defaults.EXTENSIONS


@pytest.mark.parametrize(
    ("rules", "passes"),
    [
        (Rules(), True),
        (Rules(banned_types=("text/plain",)), False),
        (Rules(banned_types=("text/html",)), False),
        (Rules(banned_types=("application/octet-stream",)), False),
        (Rules(banned_types=("text/calendar",)), True),
        (Rules(extra_extensions=("html",)), False),
    ],
)
def test_a_text_need_not_be_read_where_no_rule_says_anything_of_it(rules: Rules, passes: bool) -> None:
    assert lets_text_pass(compile_rules(rules, Direction.INBOUND)) is passes


def test_a_rule_of_the_operators_may_say_something_of_any_text() -> None:
    own = Screener(rule=(ScreenRule(name="a", action="block", subject=("x",)),))
    assert not lets_text_pass(compile_rules(Rules(), Direction.INBOUND, own))


def with_own(*own: ScreenRule, banned_types: tuple[str, ...] | None = None) -> RuleSet:
    return compile_rules(Rules(banned_types=banned_types), Direction.INBOUND, Screener(rule=own))


@pytest.mark.parametrize(
    ("banned", "ending", "declared"),
    [((), "docm", "application/x-msdownload"), (("image/svg+xml",), "svg", "image/svg+xml")],
)
def test_a_type_that_is_not_banned_or_stands_for_no_ending_takes_no_allowance_away(
    banned: tuple[str, ...], ending: str, declared: str
) -> None:
    rules = with_own(ScreenRule(name="a", action="allow", names=(f"*.{ending}",)), banned_types=banned)
    assert judge([f"a.{ending}"], [declared], [OCTETS], rules) is None


@pytest.mark.parametrize(("size", "rule"), [(8192, None), (8193, "rule:a")])
def test_what_is_longer_than_a_notice_is_none(size: int, rule: str | None) -> None:
    rules = with_own(ScreenRule(name="a", action="block", names=("*",)))
    found = judge(["Attachment-Removed.txt"], ["text/plain"], [("text/plain", None)], rules, size)
    assert (found and found.rule) == rule


def test_a_rule_on_sizes_says_nothing_of_a_file_inside_an_archive() -> None:
    rules = with_own(ScreenRule(name="c", action="block", attachment_over=Size(1)))
    assert judge_member(["a.png"], [], [("image/png", "png")], rules) == (None, ())


def test_a_message_that_is_allowed_has_no_finding() -> None:
    rules = with_own(
        ScreenRule(name="a", action="allow", subject=("x",)), ScreenRule(name="b", action="block", subject=("x",))
    )
    assert judge_message(rules) == (None, ())
