"""Who may send where, said once more and in other words than the policy's: addresses whose meaning is known because
they were made to mean it, and the table of DESIGN section 7 over these meanings. Nothing here is imported from ingress.
"""

from enum import Enum
from typing import NamedTuple

POSTMASTER = "postmaster@example.org"


class To(Enum):
    """What a recipient is, in the world of front.py."""

    HOSTED = "a hosted domain, of a mailbox that exists"
    NOBODY = "a hosted domain with a recipient list the mailbox is not on"
    ROUTING = "a hosted domain with a local part that the next hop might route on"
    FOREIGN = "a domain that is not hosted"
    ROUTING_FOREIGN = "a domain that is not hosted, with such a local part"
    DENIED = "on the deny list"
    POSTMASTER = "the postmaster, or one of a hosted domain"
    MALFORMED = "no address"


class From(Enum):
    """What a sender is."""

    NULL = "null"
    OUTSIDE = "a domain that is not ours"
    OURS = "a hosted domain"
    USER = "the user's own address"
    DENIED = "on the deny list"
    MALFORMED = "no address"


class Address(NamedTuple):
    """A path as written, what it means and the one canonical form of it ("" if it has none)."""

    text: str
    kind: To | From
    canonical: str = ""


RECIPIENTS = [
    Address("<bob@example.org>", To.HOSTED, "bob@example.org"),
    Address("<Bob.Builder+tag@EXAMPLE.ORG.>", To.HOSTED, "Bob.Builder+tag@example.org"),
    Address('<"bob"@example.org>', To.HOSTED, "bob@example.org"),
    Address('<"two words"@Example.Org>', To.HOSTED, '"two words"@example.org'),
    Address("<x@a.sub.example.org>", To.HOSTED, "x@a.sub.example.org"),
    Address("<alice@listed.example>", To.HOSTED, "alice@listed.example"),
    Address("<ALICE@LISTED.example>", To.HOSTED, "ALICE@listed.example"),
    Address("<nobody@listed.example>", To.NOBODY, "nobody@listed.example"),
    Address("<alice.@listed.example>", To.MALFORMED),
    Address("<postmaster>", To.POSTMASTER, POSTMASTER),
    Address("<PostMaster>", To.POSTMASTER, POSTMASTER),
    Address("<postmaster@listed.example>", To.POSTMASTER, "postmaster@listed.example"),
    Address("<victim@foreign.example>", To.FOREIGN, "victim@foreign.example"),
    Address("<victim@sub.example.org>", To.FOREIGN, "victim@sub.example.org"),
    Address("<victim@notexample.org>", To.FOREIGN, "victim@notexample.org"),
    Address("<victim@example.org.foreign.example>", To.FOREIGN, "victim@example.org.foreign.example"),
    Address("<victim@x.example.org>", To.FOREIGN, "victim@x.example.org"),
    Address("<postmaster@foreign.example>", To.FOREIGN, "postmaster@foreign.example"),
    Address("<victim%foreign.example@example.org>", To.ROUTING, "victim%foreign.example@example.org"),
    Address('<"victim@foreign.example"@example.org>', To.ROUTING, '"victim@foreign.example"@example.org'),
    Address("<foreign.example!victim@a.sub.example.org>", To.ROUTING, "foreign.example!victim@a.sub.example.org"),
    Address("<a%b@foreign.example>", To.ROUTING_FOREIGN, "a%b@foreign.example"),
    Address("<x@denied.example>", To.DENIED),
    Address("<x@y.DENIED.example.>", To.DENIED),
    Address("<BAD@elsewhere.example>", To.DENIED),
    Address("<>", To.MALFORMED),
    Address("bob@example.org", To.MALFORMED),
    Address("<bob@example.org", To.MALFORMED),
    Address("<bob@example.org>x", To.MALFORMED),
    Address("<@example.org:victim@foreign.example>", To.MALFORMED),
    Address("<victim@foreign.example@example.org>", To.MALFORMED),
    Address("<victim@[127.0.0.1]>", To.MALFORMED),
    Address("<victim@[example.org]>", To.MALFORMED),
    Address("<victim@2130706433>", To.MALFORMED),
    Address("<victim@example..org>", To.MALFORMED),
    Address("<postmaster%foreign.example>", To.MALFORMED),
]

SENDERS = [
    Address("<>", From.NULL),
    Address("<alice@elsewhere.example>", From.OUTSIDE, "alice@elsewhere.example"),
    Address("<Alice@ELSEWHERE.example.>", From.OUTSIDE, "Alice@elsewhere.example"),
    Address('<"a b"@elsewhere.example>', From.OUTSIDE, '"a b"@elsewhere.example'),
    Address("<ceo@example.org>", From.OURS, "ceo@example.org"),
    Address("<ceo@A.Sub.Example.Org>", From.OURS, "ceo@a.sub.example.org"),
    Address("<carol@example.org>", From.USER, "carol@example.org"),
    Address("<x@spammer.example>", From.DENIED),
    Address("<x@SPAMMER.example.>", From.DENIED),
    Address("<postmaster>", From.MALFORMED),
    Address("<a..b@elsewhere.example>", From.MALFORMED),
    Address("<@x.example:a@elsewhere.example>", From.MALFORMED),
    Address("<a@elsewhere.example", From.MALFORMED),
    Address("a@elsewhere.example", From.MALFORMED),
]


class Who(NamedTuple):
    """The client, as the table distinguishes clients."""

    submission: bool = False
    """It came to a submission listener, where trusted networks do not count."""
    trusted: bool = False
    user: bool = False
    """Authenticated over TLS."""

    @property
    def stranger(self) -> bool:
        """Neither authenticated nor, where that counts, from a trusted network."""
        return not self.user and (self.submission or not self.trusted)

    @property
    def origin(self) -> str:
        """What the item must say of why it was taken."""
        if self.user:
            return "authenticated"
        return "inbound" if self.stranger else "trusted"


def mail_code(who: Who, sender: From) -> set[str]:
    """Return the codes that MAIL may be answered with, in an open session without a transaction."""
    if sender is From.MALFORMED:
        return {"501", "553"}
    if sender is From.DENIED:
        return {"550"}
    if who.submission and who.stranger:
        return {"530"}
    if who.user:
        # Other addresses of our domains: as the sender rules of the user say.
        return {From.NULL: {"250"}, From.USER: {"250"}, From.OURS: {"250", "550"}}.get(sender, {"550"})
    ours = sender in {From.OURS, From.USER}
    return {"550"} if who.stranger and ours else {"250"}


def rcpt_code(who: Who, recipient: To) -> set[str]:
    """Return the codes that RCPT may be answered with, in an open transaction with room."""
    if recipient is To.MALFORMED:
        return {"501", "553"}
    if recipient is To.DENIED:
        return {"550"}
    if recipient is To.POSTMASTER or not who.stranger:
        return {"250"}
    return {"250"} if recipient is To.HOSTED else {"550"}


def is_allowed(origin: str, address: str) -> bool:
    """Return whether an item taken for this reason may have this recipient, judged by nothing but its last `@`."""
    local, _, domain = address.rpartition("@")
    denied = domain == "denied.example" or domain.endswith(".denied.example") or address == "bad@elsewhere.example"
    ours = domain in {"example.org", "listed.example"} or domain.endswith(".sub.example.org")
    if denied or not local or not domain or domain != domain.strip().lower():
        return False
    if origin in {"authenticated", "trusted"}:
        return True
    if domain == "listed.example" and local.lower() not in {"alice", "bob", "postmaster"}:
        return False
    return origin == "inbound" and ours and not set(local) & set("%!@")
