"""The arguments of MAIL and RCPT, path and parameters, as values or as the reply to what is wrong with them."""

from typing import NamedTuple

from services.ingress import replies
from services.ingress.protocol.params import MailParams, Offers, RcptParams, parse_mail, parse_rcpt
from services.ingress.replies import Refuse
from shared.smtp.address import BadAddress, Mailbox, Path, parse_path


class MailArgument(NamedTuple):
    """What MAIL says. `sender` None is the null sender."""

    sender: Mailbox | None
    params: MailParams


class RcptArgument(NamedTuple):
    """What RCPT says. The domain of `<postmaster>` is ""."""

    recipient: Mailbox
    params: RcptParams


def read_mail(text: str, offers: Offers, *, extended: bool) -> MailArgument | Refuse:
    """Read what follows `MAIL `; parameters only in an extended session (after EHLO)."""
    path = _path(text, "FROM:")
    if path is None or (not isinstance(path, BadAddress) and path.rest and not extended):
        return replies.MAIL_SYNTAX
    if isinstance(path, BadAddress):
        return replies.bad_sender(path.reason)
    if path.mailbox is not None and not path.mailbox.domain:
        return replies.bad_sender("no domain after the local part")
    params = parse_mail(path.rest, offers)
    if isinstance(params, Refuse):
        return params
    return MailArgument(path.mailbox, params) if text.isascii() or params.smtputf8 else replies.NEEDS_SMTPUTF8


def read_rcpt(text: str, offers: Offers, *, extended: bool, smtputf8: bool) -> RcptArgument | Refuse:
    """Read what follows `RCPT `; `smtputf8` is what MAIL asked for."""
    path = _path(text, "TO:")
    if path is None or (not isinstance(path, BadAddress) and path.rest and not extended):
        return replies.RCPT_SYNTAX
    if isinstance(path, BadAddress):
        return replies.bad_recipient(path.reason)
    if path.mailbox is None:
        return replies.NULL_RECIPIENT
    params = parse_rcpt(path.rest, offers)
    if isinstance(params, Refuse):
        return params
    return RcptArgument(path.mailbox, params) if text.isascii() or smtputf8 else replies.NEEDS_SMTPUTF8


def _path(text: str, keyword: str) -> Path | BadAddress | None:
    """Return the path after `FROM:` or `TO:`, None if that is not there."""
    return parse_path(text[len(keyword) :]) if text[: len(keyword)].upper() == keyword else None
