"""The account of a kill test: what was answered 250 against what arrived."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable

TOKEN = re.compile(rb"^X-Token: (\S+)\r?$", re.MULTILINE)


def token_of(content: bytes) -> str | None:
    """Return the token that a test message carries in its header block, or None."""
    found = TOKEN.search(content.partition(b"\r\n\r\n")[0] + b"\r\n")
    return found[1].decode("ascii") if found else None


class Ledger:
    """Tokens answered 250 by the relay, and tokens seen at the destination.

    At-least-once holds if `missing()` is empty; `duplicates()` is the price that was paid for it. A message
    whose reply was lost may arrive unanswered: that is no fault either, see `unanswered()`.
    """

    def __init__(self) -> None:
        self._answered: set[str] = set()
        self._arrived: Counter[str] = Counter()

    def answer(self, token: str) -> None:
        """Record that the relay answered 250 to the message with this token."""
        self._answered.add(token)

    def arrive(self, content: bytes) -> None:
        """Record one delivered message; content without a token (a DSN, say) is none of ours."""
        token = token_of(content)
        if token is not None:
            self._arrived[token] += 1

    @property
    def answered(self) -> int:
        """How many messages were answered 250."""
        return len(self._answered)

    @property
    def arrived(self) -> int:
        """How many different messages arrived."""
        return len(self._arrived)

    def missing(self) -> list[str]:
        """Return the tokens that were answered 250 and have not arrived: the loss, if no more will come."""
        return sorted(self._answered - self._arrived.keys())

    def duplicates(self) -> dict[str, int]:
        """Return the tokens that arrived more than once, with their counts."""
        return {token: count for token, count in sorted(self._arrived.items()) if count > 1}

    def unanswered(self) -> list[str]:
        """Return the tokens that arrived though the client never saw a 250 for them."""
        return sorted(self._arrived.keys() - self._answered)

    async def settle(self, timeout: float, quiet: float | None = None) -> list[str]:
        """Wait until nothing is missing, at most `timeout` seconds, and return what is still missing.

        With `quiet`, give up as soon as nothing new has arrived for that many seconds: for checks that expect a loss.
        """
        last, since = self.arrived, time.monotonic()
        deadline = since + timeout
        while self.missing() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            if self.arrived != last:
                last, since = self.arrived, time.monotonic()
            elif quiet is not None and time.monotonic() - since > quiet:
                break
        return self.missing()


async def until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait until `condition` holds; raise AssertionError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        await asyncio.sleep(0.02)
