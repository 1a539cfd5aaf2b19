"""What a session knows between commands: the client, and the mail transaction so far (RFC 5321 section 3.3)."""

from aiosmtpd.smtp import Envelope as AiosmtpdEnvelope
from aiosmtpd.smtp import Session as AiosmtpdSession

from services.ingress.protocol.params import MailParams, RcptParams
from shared.model import Envelope, Origin, Recipient
from shared.smtp.address import Mailbox


class State(AiosmtpdSession):
    """Of the client: peer, host_name (of HELO or EHLO), extended_smtp; a fresh one replaces it under STARTTLS."""

    user: str | None = None
    """The authenticated user's canonical name."""


class Draft(AiosmtpdEnvelope):
    """Of the transaction; filled by MAIL and RCPT, a fresh one replaces it after DATA, RSET, EHLO and STARTTLS."""

    def __init__(self) -> None:
        super().__init__()
        self.origin: Origin | None = None
        """Why the sender was accepted; None before MAIL."""
        self.sender: Mailbox | None = None
        self.params = MailParams()
        self.recipients: dict[str, Recipient] = {}
        """By canonical address: one named twice gets one copy."""

    def begin(self, sender: Mailbox | None, origin: Origin, params: MailParams) -> None:
        """Begin the transaction."""
        self.sender = sender
        self.origin = origin
        self.params = params

    def add(self, mailbox: Mailbox, params: RcptParams, limit: int) -> bool:
        """Add a recipient; False if that is one too many. What was asked for the first of two equal ones stands."""
        address = str(mailbox)
        if address not in self.recipients:
            if len(self.recipients) >= limit:
                return False
            self.recipients[address] = Recipient(address, orcpt=params.orcpt, notify=params.notify)
        return True

    def finished(self) -> Envelope:
        """Return the envelope as a value."""
        return Envelope(
            sender=str(self.sender) if self.sender else None,
            recipients=tuple(self.recipients.values()),
            body=self.params.body,
            smtputf8=self.params.smtputf8,
            ret=self.params.ret,
            envid=self.params.envid,
        )
