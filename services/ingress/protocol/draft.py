"""What a session knows between commands: the client, and the mail transaction so far (RFC 5321 section 3.3)."""

from services.ingress.message.incoming import Incoming
from services.ingress.protocol.params import NO_MAIL_PARAMS, MailParams, RcptParams
from services.ingress.protocol.standing import Standing
from shared.model import Envelope, Origin, Recipient
from shared.smtp.address import Mailbox


class State:
    """Of the client; a fresh one replaces it under STARTTLS."""

    __slots__ = ("extended_smtp", "host_name", "standing", "user")

    def __init__(self) -> None:
        self.host_name: str | None = None
        """Of HELO or EHLO."""
        self.extended_smtp = False
        """Whether that was EHLO."""
        self.user: str | None = None
        """The authenticated user's canonical name."""
        self.standing: Standing | None = None
        """What the client is to policy; worked out when first asked for, forgotten when that may have changed."""


class Draft:
    """Of the transaction; filled by MAIL and RCPT, a fresh one replaces it after DATA, RSET, EHLO and STARTTLS."""

    __slots__ = ("hold_until", "incoming", "origin", "params", "recipients", "sender")

    def __init__(self) -> None:
        self.origin: Origin | None = None
        """Why the sender was accepted; None before MAIL."""
        self.sender: Mailbox | None = None
        self.params = NO_MAIL_PARAMS
        self.hold_until: float | None = None
        self.recipients: dict[str, Recipient] = {}
        """By canonical address: one named twice gets one copy."""
        self.incoming: Incoming | None = None
        """The content, once it has begun."""

    def close(self) -> None:
        """Give back what the content holds."""
        if self.incoming is not None:
            self.incoming.close()

    def begin(self, sender: Mailbox | None, origin: Origin, params: MailParams, hold_until: float | None) -> None:
        """Begin the transaction; the message is to be delivered from `hold_until` on."""
        self.hold_until = hold_until
        self.sender = sender
        self.origin = origin
        self.params = params

    def has_room_for(self, mailbox: Mailbox, limit: int) -> bool:
        """Return whether a recipient is not one too many."""
        return len(self.recipients) < limit or str(mailbox) in self.recipients

    def add(self, mailbox: Mailbox, params: RcptParams) -> None:
        """Add a recipient. What was asked for the first of two equal ones stands."""
        address = str(mailbox)
        if address not in self.recipients:
            self.recipients[address] = Recipient(address, orcpt=params.orcpt, notify=params.notify)

    def finished(self) -> Envelope:
        """Return the envelope as a value."""
        return Envelope(
            sender=str(self.sender) if self.sender else None,
            recipients=tuple(self.recipients.values()),
            body=self.params.body,
            smtputf8=self.params.smtputf8,
            ret=self.params.ret,
            envid=self.params.envid,
            require_tls=self.params.require_tls,
        )
