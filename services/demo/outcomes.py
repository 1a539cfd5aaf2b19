"""What came of a message, in the words of the table's "expected"."""

from services.demo.destination import Destination, Mail

PATIENCE = 20.0
"""Seconds that anything may take before it counts as not having come."""


def relayed(destination: Destination, recipient: str, answer: str) -> str:
    """Return "relayed" once a message has arrived for `recipient`."""
    if answer != "250":
        return f"refused {answer}"
    arrived = destination.wait(lambda mail: mail.recipient == recipient, PATIENCE)
    return "relayed" if arrived else f"accepted, nothing arrived in {PATIENCE:g} s"


def refused(destination: Destination, recipient: str, answer: str) -> str:
    """Return "refused" with the reply, provided that nothing was relayed."""
    if answer == "250":
        return "accepted"
    return f"refused {answer}" if not destination.mails_to(recipient) else "refused, yet relayed"


def report(destination: Destination, about: str) -> Mail | None:
    """Return the delivery report that speaks of `about`: null sender, multipart/report."""
    return destination.wait(
        lambda mail: mail.sender == "" and b"multipart/report" in mail.content and about.encode() in mail.content,
        PATIENCE,
    )


def bounced(destination: Destination, recipient: str, answer: str) -> str:
    """Return "report to sender" and the status of the report about `recipient`."""
    if answer != "250":
        return f"refused {answer}"
    mail = report(destination, recipient)
    if mail is None:
        return f"accepted, no report in {PATIENCE:g} s"
    status = next(
        (line[8:] for line in mail.content.decode("utf-8", "replace").splitlines() if line[:8] == "Status: "), "?"
    )
    return f"report to sender, {status}"


def below_trace(content: bytes, sent: bytes) -> bool:
    """Return whether `content` is `sent` byte for byte below nothing but prepended trace fields."""
    trace = content[: len(content) - len(sent)]
    fields = (line for line in trace.split(b"\r\n") if line and line[:1] not in b" \t")
    return content.endswith(sent) and bool(trace) and all(f.startswith((b"Received:", b"X-")) for f in fields)
