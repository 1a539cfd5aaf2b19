"""One of the operator's screening rules, as it stands in the configuration."""

import msgspec

from shared.config.kinds import NameGlob, Party, RuleName, ScreenAction, TypeGlob, WhichDirection, Words
from shared.config.units import Size


class ScreenRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of the screener: the first one of which every given condition holds decides, before the built-in lists.

    Of a list, one entry is enough. Rules with `names`, `types` or `attachment_over` speak of single attachments, the
    others of the message as a whole.
    """

    name: RuleName
    """In verdicts, logs and metrics as `rule:NAME`."""
    action: ScreenAction
    shadow: bool = False
    """Only report what it would have decided, and go on."""
    reason: str = ""
    """For notices, after "because": in plain words."""
    direction: WhichDirection | None = None
    senders: tuple[Party, ...] = ()
    """Envelope senders: addresses, domains, "group:NAME"."""
    recipients: tuple[Party, ...] = ()
    sender_verified: bool = False
    """Only senders that are one of ours, or that SPF passes."""
    message_over: Size | None = None
    subject: tuple[Words, ...] = ()
    """Whole words, in any case."""
    body: tuple[Words, ...] = ()
    names: tuple[NameGlob, ...] = ()
    """File names, also inside archives: "*.docm"; "*" is every attachment."""
    types: tuple[TypeGlob, ...] = ()
    """Declared or recognised types: "image/*"."""
    attachment_over: Size | None = None
