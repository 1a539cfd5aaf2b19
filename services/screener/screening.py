"""Screening one message: its parts, what the rules say to each, and the ruling; pure, from octets to values."""

from typing import NamedTuple

from services.screener.containers.contents import look_inside
from services.screener.containers.formats import readers_for
from services.screener.containers.judging import judge_contents
from services.screener.containers.pool import Look
from services.screener.identity.magic import Detected, detect
from services.screener.mime import decode
from services.screener.mime.anomaly import Anomaly, Limits
from services.screener.mime.tree import Kind, Part, parse
from services.screener.rules import Finding, RuleSet, judge
from services.screener.verdict import Ruling, decide
from shared.model import PartReport

_SHOWN_NAMES = 8
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


def screen(
    raw: bytes,
    rules: RuleSet,
    limits: Limits = Limits(),  # noqa: B008  (a value, never changed)
    look: Look = look_inside,
) -> Screening:
    """Return what is in a message and what becomes of it. Raises only what `look` does: it sees into attachments."""
    tree = parse(raw, limits)
    anomalies = set(tree.anomalies)
    seen = []
    for part in tree.parts:
        detected = _recognise(part) if part.kind is Kind.LEAF else ()
        if len({one.extension for one in detected}) > 1:
            anomalies.add(Anomaly.BAD_BASE64)
        finding = judge(part.description.names, part.description.types, detected, rules)
        if finding is None and part.kind is Kind.LEAF:
            finding = _judge_inside(part, rules, look)
        seen.append(Seen(part, detected, finding))
    ruling = decide([(one.part, one.finding) for one in seen], frozenset(anomalies), rules)
    return Screening(raw, tuple(seen), ruling)


def _judge_inside(part: Part, rules: RuleSet, look: Look) -> Finding | None:
    """Return what the rules say of what is in a leaf, in any reading of its encoding."""
    description = part.description
    start, end = part.header.body_start, part.body_end
    readings = (decode.whole(part.source, start, end, encoding) for encoding in description.encodings)
    for octets in dict.fromkeys(readings):
        if readers_for(octets):
            finding = judge_contents(look(octets, description.names), rules)
            if finding is not None:
                return finding
    return None


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
