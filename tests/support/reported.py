"""What a delivery report says, for tests that ask nothing else of it."""

import email
import email.message


def reported(report: bytes) -> dict[str, str]:
    """Return the diagnostic of each recipient, without its type."""
    status = email.message_from_bytes(report).get_payload(1)
    assert isinstance(status, email.message.Message)
    groups = status.get_payload()
    assert isinstance(groups, list)
    return {
        str(group["Final-Recipient"]).removeprefix("rfc822; "): str(group["Diagnostic-Code"]).removeprefix("smtp; ")
        for group in groups[1:]
        if isinstance(group, email.message.Message)
    }
