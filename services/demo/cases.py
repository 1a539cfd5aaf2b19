"""The cases: what a client does, what must come of it, and what came of it."""

from collections.abc import Callable
from typing import NamedTuple

from services.demo import samples
from services.demo.clients import send, submit
from services.demo.destination import Destination
from services.demo.outcomes import PATIENCE, below_trace, bounced, refused, relayed
from services.demo.relay import OUTSIDER, TRUSTED, USER, Relay

QUEUED = 100
"""Messages in the queue when the relay is killed."""
STRANGER = "stranger@elsewhere.example"


class Lab(NamedTuple):
    """What a case works with."""

    relay: Relay
    destination: Destination


class Case(NamedTuple):
    """One row of the table; `play` returns what happened in the words of `expected`."""

    name: str
    expected: str
    play: Callable[[Lab], str]


def inbound(lab: Lab) -> str:
    """Let a stranger write to a domain we host."""
    to = "inbound@hosted.example"
    return relayed(lab.destination, to, send(lab.relay, OUTSIDER, STRANGER, to, samples.plain(STRANGER, to, "inbound")))


def foreign(lab: Lab) -> str:
    """Let a stranger try to relay."""
    to = "victim@elsewhere.example"
    return refused(lab.destination, to, send(lab.relay, OUTSIDER, STRANGER, to, samples.plain(STRANGER, to, "foreign")))


def authenticated(lab: Lab) -> str:
    """Let a user of ours write to the world from a foreign network."""
    to = "authenticated@elsewhere.example"
    return relayed(lab.destination, to, submit(lab.relay, USER, to, samples.plain(USER, to, "authenticated")))


def trusted(lab: Lab) -> str:
    """Let a trusted network write to the world."""
    to = "trusted@elsewhere.example"
    return relayed(lab.destination, to, send(lab.relay, TRUSTED, USER, to, samples.plain(USER, to, "trusted")))


def denied(lab: Lab) -> str:
    """Let the trusted network write to a denied domain."""
    to = "anyone@denied.example"
    return refused(lab.destination, to, send(lab.relay, TRUSTED, USER, to, samples.plain(USER, to, "denied")))


def stripped(lab: Lab) -> str:
    """Let a stranger send a program to a domain we host."""
    to = "stripped@hosted.example"
    head = samples.header(STRANGER, to, "stripped")
    content = samples.with_attachment(head, "holiday.exe", "application/octet-stream", samples.PROGRAM)
    result = relayed(lab.destination, to, send(lab.relay, OUTSIDER, STRANGER, to, content))
    if result != "relayed":
        return result
    (mail,) = lab.destination.mails_to(to)
    gone = b"TVqQAAMAAAA" not in mail.content
    notice = b"holiday.exe" in mail.content and b"Attachment-Removed.txt" in mail.content
    kept = b"Gr\xc3\xbc\xc3\x9fe \t \r\n" in mail.content
    return "relayed, program replaced by notice" if gone and notice and kept else f"{gone=} {notice=} {kept=}"


def blocked(lab: Lab) -> str:
    """Let our own user send a program."""
    to = "blocked@elsewhere.example"
    head = samples.header(USER, to, "blocked")
    content = samples.with_attachment(head, "tool.exe", "application/octet-stream", samples.PROGRAM)
    result = bounced(lab.destination, to, send(lab.relay, TRUSTED, USER, to, content))
    return result if not lab.destination.mails_to(to) else f"relayed; {result}"


def identical(lab: Lab) -> str:
    """Send a clean multipart and compare."""
    to = "identical@hosted.example"
    head = samples.header(STRANGER, to, "identical")
    content = samples.with_attachment(head, "picture.png", "image/png", samples.PICTURE)
    result = relayed(lab.destination, to, send(lab.relay, OUTSIDER, STRANGER, to, content))
    if result != "relayed":
        return result
    (mail,) = lab.destination.mails_to(to)
    return "relayed, byte-identical" if below_trace(mail.content, content) else "relayed, changed"


def retried(lab: Lab) -> str:
    """Let the destination say 450 first."""
    to = "later@elsewhere.example"
    lab.destination.replies[to] = ["450 4.2.0 Greylisted", "250 2.1.5 Ok"]
    result = relayed(lab.destination, to, send(lab.relay, TRUSTED, USER, to, samples.plain(USER, to, "retried")))
    tries = sum(recipient == to for recipient, _ in lab.destination.refused)
    return f"{tries} x 450, then {result}"


def rejected(lab: Lab) -> str:
    """Let the destination say 550."""
    to = "nobody@elsewhere.example"
    lab.destination.replies[to] = ["550 5.1.1 No such user"]
    return bounced(lab.destination, to, send(lab.relay, TRUSTED, USER, to, samples.plain(USER, to, "rejected")))


def unknown(lab: Lab) -> str:
    """Send to a domain that does not exist."""
    to = "anyone@nowhere.example"
    return bounced(lab.destination, to, send(lab.relay, TRUSTED, USER, to, samples.plain(USER, to, "unknown")))


def killed(lab: Lab) -> str:
    """Kill the relay with mail in its queue, and start it again."""
    to = "queued@elsewhere.example"
    lab.destination.replies[to] = ["450 4.3.2 Not now"]
    accepted = sum(
        send(lab.relay, TRUSTED, USER, to, samples.plain(USER, to, f"queued {number}")) == "250"
        for number in range(QUEUED)
    )
    lab.relay.kill()
    early = len(lab.destination.mails_to(to))
    del lab.destination.replies[to]
    lab.relay.start()
    lab.destination.wait(lambda _: len(_queued(lab, to)) >= accepted, 3 * PATIENCE)
    return f"{accepted} accepted, {early} delivered before, {accepted - len(_queued(lab, to))} lost"


def _queued(lab: Lab, recipient: str) -> set[bytes]:
    lines = (line for mail in lab.destination.mails_to(recipient) for line in mail.content.split(b"\r\n"))
    return {line for line in lines if line.startswith(b"Subject: ")}


CASES = (
    Case("stranger to a hosted domain", "relayed", inbound),
    Case("stranger to a foreign domain", "refused 550 5.7.1", foreign),
    Case("authenticated user to a foreign domain", "relayed", authenticated),
    Case("trusted network to a foreign domain", "relayed", trusted),
    Case("trusted network to a denied domain", "refused 550 5.7.1", denied),
    Case(".exe from outside", "relayed, program replaced by notice", stripped),
    Case(".exe from our own user", "report to sender, 5.7.1", blocked),
    Case("clean multipart", "relayed, byte-identical", identical),
    Case("destination says 450 once", "1 x 450, then relayed", retried),
    Case("destination says 550", "report to sender, 5.1.1", rejected),
    Case("domain does not exist", "report to sender, 5.1.2", unknown),
    Case(f"relay killed with {QUEUED} messages queued", f"{QUEUED} accepted, 0 delivered before, 0 lost", killed),
)
