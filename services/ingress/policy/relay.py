"""Who may send where: the table of DESIGN section 7 as two pure functions over canonical mailboxes.

The order, first match wins: 1. syntax and canonical form (the caller has parsed the address); 2. deny lists;
3. the listener; 4. trusted or authenticated; 5. hosted; 6. refuse.
"""

import re
from typing import NamedTuple

from services.ingress import replies
from services.ingress.policy.rules import Rules
from services.ingress.replies import Refuse
from shared.config.model import Mode
from shared.model import Origin
from shared.smtp.address import Mailbox

_ROUTING = re.compile(r"[%!@]")
"""The next hop might route on `user%elsewhere@hosted` and its kin (RFC 5321 section 3.6)."""


class Party(NamedTuple):
    """The client as policy sees it."""

    mode: Mode
    """Of the listener it came to."""
    trusted: bool = False
    """Its address is in a trusted network and that counts on this listener."""
    user: str | None = None
    """The authenticated user."""
    tls: bool = False

    @property
    def origin(self) -> Origin:
        """Why its mail would be accepted."""
        if self.user is not None:
            return Origin.AUTHENTICATED
        return Origin.TRUSTED if self.trusted else Origin.INBOUND

    @property
    def is_stranger(self) -> bool:
        """Neither trusted nor authenticated."""
        return self.user is None and not self.trusted


def decide_sender(rules: Rules, party: Party, sender: Mailbox | None) -> Origin | Refuse:
    """Decide about MAIL: return why the mail would be accepted, or the refusal."""
    if sender is not None and rules.denied_senders.matches(sender):
        return replies.DENIED_SENDER
    if party.mode is not Mode.RELAY and party.is_stranger:
        return replies.AUTH_REQUIRED if party.tls else replies.AUTH_REQUIRED_TLS
    if party.user is not None and not may_use(rules, party.user, sender):
        return replies.FOREIGN_SENDER
    claims_ours = sender is not None and rules.hosted.find(sender.domain) is not None
    if party.is_stranger and claims_ours and not rules.outsiders_may_use_hosted_senders:
        return replies.SPOOFED_SENDER
    return party.origin


def may_use(rules: Rules, user: str, sender: Mailbox | None) -> bool:
    """Return whether an authenticated user may send as `sender`: null, the own name, and what auth.senders says.

    A user without an entry there may use any hosted domain, unless there is an entry for all.
    """
    if sender is None or str(sender).lower() == user.lower():
        return True
    listed = rules.senders.get(user.lower()) or rules.senders.get("*")
    return rules.hosted.find(sender.domain) is not None if listed is None else listed.matches(sender)


def decide_recipient(rules: Rules, party: Party, recipient: Mailbox) -> Mailbox | Refuse:
    """Decide about RCPT, for a client whose sender was accepted: return where the mail goes, or the refusal."""
    for_postmaster = not recipient.domain
    if for_postmaster:
        recipient = rules.postmaster
    if rules.denied_destinations.matches(recipient):
        return replies.DENIED_DESTINATION
    if party.mode is not Mode.RELAY and party.is_stranger:
        return replies.AUTH_REQUIRED if party.tls else replies.AUTH_REQUIRED_TLS
    refused = None if for_postmaster or not party.is_stranger else _refuse_stranger(rules, recipient)
    return refused or recipient


def _refuse_stranger(rules: Rules, recipient: Mailbox) -> Refuse | None:
    """Return why a stranger may not send to this recipient, or None: only hosted domains, only who exists there."""
    if _ROUTING.search(recipient.local):
        return replies.ROUTED_LOCAL_PART
    known = rules.hosted.find(recipient.domain)
    if known is None:
        return replies.RELAYING_DENIED
    return None if recipient.is_postmaster or known.has(recipient) else replies.NO_SUCH_USER
