"""Screening one message: its parts, what the rules say to each, and the ruling; pure, from octets to values."""

from typing import NamedTuple

import msgspec

from services.screener.containers.contents import look_inside
from services.screener.containers.documents.tnef import SIGNATURE as TNEF
from services.screener.containers.formats import is_volume, readers_for
from services.screener.containers.judging import Within, judge_contents
from services.screener.containers.member import Sign
from services.screener.containers.pool import Look
from services.screener.identity.magic import Detected
from services.screener.identity.recognise import is_read_inline, recognise
from services.screener.mime.anomaly import Anomaly, Limits, Remark
from services.screener.mime.part import Kind, Part
from services.screener.mime.tree import parse
from services.screener.rules import Finding, RuleSet, judge_part, judge_suspicious, on_message
from services.screener.verdict import Ruling, decide
from shared.model import Action, PartReport

_SHOWN_NAMES = 8
_CMS = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})


class Seen(NamedTuple):
    """One part with what was recognised in it and what the rules say."""

    part: Part
    detected: tuple[Detected, ...]
    """One for each reading of the encoding, empty for containers."""
    finding: Finding | None


class Screening(msgspec.Struct, frozen=True):
    """Everything known about a screened message."""

    raw: bytes
    seen: tuple[Seen, ...]
    """In the order of the message, containers before their content; empty where nothing had to be read (mime/quick)."""
    ruling: Ruling
    remarks: frozenset[Remark] = frozenset()
    largest: int = 0
    """Octets of the largest file inside an attachment; 0 if there is none."""


def screen(
    raw: bytes,
    rules: RuleSet,
    limits: Limits = Limits(),  # noqa: B008  (a value, never changed)
    look: Look = look_inside,
) -> Screening:
    """Return what is in a message and what becomes of it. Raises only what `look` does: it sees into attachments.

    Parts that no time was left for are not among those seen; the message is ambiguous then.
    """
    tree = parse(raw, limits)
    anomalies = set(tree.anomalies)
    rules = on_message(rules, raw, tree.parts)
    shadows: list[str] = []
    largest = 0
    seen = []
    for part in tree.parts:
        if limits.out_of_time():
            anomalies.add(Anomaly.TIME)
            break
        detected, doubts = recognise(part)
        anomalies |= doubts
        facts = (part.description.names, part.description.types, detected)
        attached = part.description.attached
        finding, noted, rest = judge_part(*facts, rules, _size(part, rules), is_file=attached)
        shadows += noted
        if finding is None and part.kind is Kind.LEAF:
            within = _judge_inside(part, rest, look)
            finding, largest = within.finding, max(largest, within.largest)
            shadows += within.shadows
        elif finding is None:
            finding = _judge_sealed(part, rest)
        finding = finding or judge_suspicious(*facts, rest, is_file=attached)
        seen.append(Seen(part, detected, finding))
    ruling = decide([(one.part, one.finding) for one in seen], frozenset(anomalies), rules)
    shadow = tuple(dict.fromkeys((*ruling.shadow, *shadows)))
    return Screening(raw, tuple(seen), ruling._replace(shadow=shadow), tree.remarks, largest)


def _judge_inside(part: Part, rules: RuleSet, look: Look) -> Within:
    """Return what the rules say of what is in a leaf, in any reading of its encoding."""
    if part.sealed == "encrypted":
        rules = rules._replace(encrypted_mail=Action.PASS)  # said of the whole, or the whole is allowed
    found = Within(None)
    is_file = not is_read_inline(part.description)
    for octets in part.readings():
        if readers_for(octets, is_file=is_file) or is_volume(part.description.names):
            finding, shadows, largest = judge_contents(look(octets, part.description.names), rules)
            if finding is not None and finding.action is Action.STRIP and _CMS & set(part.description.types):
                finding = finding._replace(action=rules.instead)  # it is the text as well (SCREENING 42)
            found = Within(finding, (*found.shadows, *shadows), max(found.largest, largest))
            if finding is not None:
                break
    return found if found.finding is not None else found._replace(finding=_judge_broken(part, rules))


def _judge_broken(part: Part, rules: RuleSet) -> Finding | None:
    """Return what the rules say of a part that programs open as TNEF and that is none in any reading (SCREENING 41)."""
    if rules.unreadable is Action.PASS or _TNEF.isdisjoint(part.description.types):
        return None
    if any(octets.startswith(TNEF) for octets in part.readings()):
        return None
    return Finding(rules.unreadable, Sign.MALFORMED.value)


def _judge_sealed(part: Part, rules: RuleSet) -> Finding | None:
    """Return what the rules say of PGP/MIME, which tells by its type that nobody can look into it (RFC 3156)."""
    if rules.encrypted_mail is Action.PASS or "multipart/encrypted" not in part.description.types:
        return None
    return Finding(rules.encrypted_mail, "encrypted:pgp-mime")


def report(seen: Seen, action: str) -> PartReport:
    """Return a part as it stands in verdicts and in JSON."""
    part = seen.part
    declared = part.description.types[0]
    return PartReport(
        path=part.path,
        names=part.description.names[:_SHOWN_NAMES],
        declared_type=declared,
        detected_type=seen.detected[0].type if seen.detected else declared,
        size=len(part.content()),
        action=action,
        rule=seen.finding.rule if seen.finding else None,
    )


def action_on(seen: Seen, ruling: Ruling) -> str:
    """Return what happens to one part: what the whole message gets if the rules name the part, else "allow"."""
    return "allow" if seen.finding is None else ruling.action.value


def _size(part: Part, rules: RuleSet) -> int:
    """Return a part's size: decoded if a rule asks for it, else as it stands, which is never less."""
    return len(part.content()) if rules.measures else part.body_end - part.header.body_start
