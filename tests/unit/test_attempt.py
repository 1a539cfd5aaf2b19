"""Which failure is a recipient's in the end, when no host took the message."""

import pytest

from services.delivery.attempt import Attempt
from shared.model import Envelope, Recipient
from shared.smtp.reply import Reply

LACKS, LACKS_TOO = Reply(550, "5.7.30", "lacks REQUIRETLS"), Reply(553, "5.6.7", "lacks SMTPUTF8")
DOWN, BUSY = Reply(451, "4.4.1", "no connection"), Reply(450, "4.3.2", "busy")


@pytest.mark.parametrize(
    ("failures", "decides"),
    [
        ([LACKS], LACKS),
        ([LACKS, LACKS_TOO], LACKS_TOO),
        ([DOWN, BUSY], BUSY),
        ([LACKS, DOWN], DOWN),
        ([DOWN, LACKS], DOWN),
        ([DOWN, LACKS, BUSY], BUSY),
    ],
)
def test_what_may_pass_outweighs_what_will_not(failures: list[Reply], decides: Reply) -> None:
    """A host that is away may yet do what another one never will."""
    attempt = Attempt(Envelope(sender="a@example.org", recipients=(Recipient(address="bob@example.net"),)))
    for reply in failures:
        attempt.failed(reply, "mx")
    (outcome,) = attempt.outcomes
    assert outcome.reply == decides
