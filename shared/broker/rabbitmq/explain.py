"""aiormq's exceptions in words: place, reason, remedy, and no secrets."""

import asyncio

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
    if "Connection.OpenOk" in text:  # all that aiormq tells of RabbitMQ's answer to the vhost
        return f"RabbitMQ refuses the vhost or the user in it: correct the vhost in the broker's URL, or {APPLY}"
    if isinstance(error, TimeoutError):
        return f"no answer in time{f': {text}' if text else ''}"
    nameless = error is None or isinstance(error, asyncio.CancelledError)
    return text or ("connection closed" if nameless else type(error).__name__)


def is_ours(error: BaseException) -> bool:
    """Return whether an error is for the adapter to handle: all but a cancellation of the present task from outside.

    aiormq fails what waits on a closing connection with CancelledError, though nobody has cancelled the task.
    """
    if not isinstance(error, asyncio.CancelledError):
        return isinstance(error, Exception)
    task = asyncio.current_task()
    return task is None or task.cancelling() == 0
