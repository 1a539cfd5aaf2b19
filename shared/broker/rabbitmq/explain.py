"""aiormq's exceptions in words: place, reason, remedy, and no secrets."""

import re

from aiormq import ChannelAccessRefused, ChannelNotFoundEntity, ProbableAuthenticationError

APPLY = "run `sluice broker apply`"


def explain(error: BaseException | None) -> str:
    """Return the reason, and the remedy where it is known, in one line."""
    text = " ".join(str(error or "").split())
    if isinstance(error, ProbableAuthenticationError) or "ACCESS_REFUSED - Login" in text:
        return f"RabbitMQ refuses user or password: correct the broker's URL or password, or {APPLY}"
    if isinstance(error, ChannelAccessRefused):
        return f"{text}: the broker's user lacks the permission: {APPLY}"
    if isinstance(error, ChannelNotFoundEntity):
        return f"{text}: {APPLY}"
    if "NOT_ALLOWED" in text:
        found = re.search(r"NOT_ALLOWED - [^']*'[^']*'[^'\"]*|NOT_ALLOWED - .*", text)
        return f"{found[0] if found else text}: correct the vhost in the broker's URL, or {APPLY}"
    if isinstance(error, TimeoutError):
        return f"no answer in time{f': {text}' if text else ''}"
    return text or (type(error).__name__ if error is not None else "connection closed")
