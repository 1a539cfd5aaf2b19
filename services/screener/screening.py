"""Screening one message: its parts, what the rules say to each, and the ruling; pure, from octets to values."""

from typing import NamedTuple

from services.screener.containers.zip_names import member_names
from services.screener.identity.magic import Detected, detect
from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.tree import Kind, Part, parse
from services.screener.rules import Finding, RuleSet, judge, judge_members
from services.screener.verdict import Ruling, decide
from shared.model import PartReport

_SHOWN_NAMES = 8
_ZIPS = frozenset({"zip", "docx", "odt", "jar", "apk"})
_READ_INLINE = frozenset({"text/plain", "text/html", "text/enriched"})


class Seen(NamedTuple):
    """One part with what was recognised in it and what the rules say."""

    part: Part
    detected: tuple[Detected, ...]
    """One for each reading of the encoding, empty for containers."""
    finding: Finding | None


class Screening(NamedTuple):
    """Everything known about a screened message."""

    raw: bytes
    seen: tuple[Seen, ...]
    """In the order of the message, containers before their content."""
    ruling: Ruling


def screen(raw: bytes, rules: RuleSet, limits: Limits = Limits()) -> Screening:  # noqa: B008  (a value, never changed)
    """Return what is in a message and what becomes of it. Never raises."""
    tree = parse(raw, limits)
    anomalies = set(tree.anomalies)
    seen = []
    for part in tree.parts:
        detected = _recognise(part) if part.kind is Kind.LEAF else ()
        if len({one.extension for one in detected}) > 1:
            anomalies.add(Anomaly.BAD_BASE64)
        finding = judge(part.description.names, part.description.types, detected, rules)
        if finding is None and any(one.extension in _ZIPS for one in detected):
            members, too_many = member_names(content(part))
            anomalies |= {Anomaly.LIMIT} if too_many else set()
            finding = judge_members(members, rules)
        seen.append(Seen(part, detected, finding))
    ruling = decide([(one.part, one.finding) for one in seen], frozenset(anomalies), rules)
    return Screening(raw, tuple(seen), ruling)


def report(seen: Seen, action: str) -> PartReport:
    """Return a part as it stands in verdicts and in JSON."""
    part = seen.part
    declared = part.description.types[0]
    return PartReport(
        path=part.path,
        names=part.description.names[:_SHOWN_NAMES],
        declared_type=declared,
        detected_type=seen.detected[0].type if seen.detected else declared,
        size=len(content(part)),
        action=action,
        rule=seen.finding.rule if seen.finding else None,
    )


def action_on(seen: Seen, ruling: Ruling) -> str:
    """Return what happens to one part: what the whole message gets if the rules name the part, else "allow"."""
    return "allow" if seen.finding is None else ruling.action.value


def content(part: Part) -> bytes:
    """Return a part's decoded content; of a container, its body as it is."""
    encoding = part.description.encodings[0] if part.kind is Kind.LEAF else ""
    return decode.whole(part.source, part.header.body_start, part.body_end, encoding)


def _recognise(part: Part) -> tuple[Detected, ...]:
    """Return the recognised types of a leaf, one for each reading of its encoding, each once."""
    description = part.description
    inline_text = description.types[0] in _READ_INLINE and not description.names
    start, end = part.header.body_start, part.body_end
    found = []
    for encoding in description.encodings:
        views = decode.head(part.source, start, end, encoding)
        found += [detect(view, inline_text=inline_text) for view in views.octets]
    return tuple(dict.fromkeys(found))
