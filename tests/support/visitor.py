"""A client that does as a test's rules say, and holds every reply and every message to the model of its session."""

import asyncio
import base64

from shared.config.model import Mode
from tests.support.lobby import PASSWORD, STRANGER, TRUSTED, USER, Lobby
from tests.support.session_model import Model, Step, data, hello
from tests.support.wire import Caller


class Visitor:
    """One session after the other; `caller` is None between them."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self.model: Model
        self.caller: Caller | None = None

    async def connect(self, mode: Mode, progress: int, *, trusted: bool) -> None:
        peer = TRUSTED if trusted else STRANGER
        works = self.lobby.recorder.reason is None
        self.model = Model(mode, peer, trusted, tls=mode is Mode.SUBMISSIONS, broker_works=works)
        self.caller = await self.lobby.call(peer, mode)
        if progress > 1:
            await self.starttls([])
        if progress > 0:
            await self.pipeline([hello("first.example", extended=True)], [], 0, choked=False)
        if progress > 2:
            await self.authenticate(PASSWORD, prompted=False)

    async def give_up(self) -> None:
        if self.caller is not None:
            self.caller.wire.cut()
        await self.lobby.quiet()

    def would_take_data(self) -> bool:
        return bool(self.model.recipients) and self.model.chunks is None

    async def send(self, octets: bytes, cuts: list[int], turns: int) -> None:
        assert self.caller is not None
        places = sorted(cut % (len(octets) + 1) for cut in cuts)
        for start, end in zip([0, *places], [*places, len(octets)], strict=True):
            await self.caller.send(octets[start:end])
            for _ in range(turns):
                await asyncio.sleep(0)

    async def answered(self, codes: set[str], what: object) -> str | None:
        """Read a reply and return its code; None if the session has ended after it, for too many errors."""
        assert self.caller is not None
        reply = await self.caller.reply()
        code = reply[:3]
        assert code in codes, (what, reply, codes, self.model)
        if not self.model.count(code):
            return code
        assert (await self.caller.reply()).startswith("421 4.7.0"), what
        await self.ended()
        return None

    async def ended(self) -> None:
        assert self.caller is not None
        assert await self.caller.reply() == ""
        self.caller = None
        await self.lobby.quiet()

    async def pipeline(self, steps: list[Step], cuts: list[int], turns: int, *, choked: bool) -> None:
        assert self.caller is not None
        if choked:
            self.caller.wire.choke()
        await self.send(b"".join(step.octets for step in steps), cuts, turns)
        if choked:
            for _ in range(10):
                await asyncio.sleep(0)
            assert self.caller.unread() == b""
            self.caller.wire.take_again()
        for step in steps:
            code = await self.answered(step.codes(self.model), step.octets)
            if code is None:
                break
            step.then(self.model, code)
        self.find_messages()

    def find_messages(self) -> None:
        """Each 250 for a message has made one durable, and nothing else has."""
        messages = self.lobby.taken()
        assert len(messages) == len(self.model.finished)
        for expected, message in zip(self.model.finished, messages, strict=True):
            expected.check(message)
        self.model.finished.clear()

    async def open_data(self) -> bool:
        """Send DATA; True if content is wanted."""
        step = data()
        await self.send(step.octets, [], 0)
        return await self.answered(step.codes(self.model), "DATA") == "354"

    async def message(self, octets: bytes, cuts: list[int], turns: int, codes: set[str], stored: bytes) -> None:
        if not await self.open_data():
            return
        await self.send(octets, cuts, turns)
        code = await self.answered(codes, octets[:300])
        if code == "250":
            self.model.finish(stored)
        self.model.forget_transaction()
        self.find_messages()

    async def hang_up(self, share: float, *, after_dot: bool) -> None:
        assert await self.open_data()
        assert self.caller is not None
        octets = b"Subject: x\r\n\r\nhello\r\n.\r\n"
        if after_dot:
            self.model.finish(octets.removesuffix(b".\r\n"))
            calls = self.lobby.recorder.calls
            self.lobby.recorder.gate.clear()
            await self.caller.send(octets)
            await self.lobby.until(lambda: self.lobby.recorder.calls > calls)
            self.caller.wire.cut()
            self.lobby.recorder.gate.set()
        else:
            await self.caller.send(octets[: int(share * (len(octets) - 1))])
            self.caller.wire.cut()
        self.caller = None
        await self.lobby.quiet()
        self.find_messages()

    async def drain(self) -> None:
        assert await self.open_data()
        assert self.caller is not None
        calls = self.lobby.recorder.calls
        self.lobby.recorder.gate.clear()
        await self.caller.send(b"Subject: x\r\n\r\nhello\r\n.\r\nNOOP\r\n")
        await self.lobby.until(lambda: self.lobby.recorder.calls > calls)
        self.lobby.stop_sessions()
        self.lobby.recorder.gate.set()
        assert (await self.caller.reply()).startswith("250 2.0.0")
        assert (await self.caller.reply()).startswith("421 4.3.2")
        self.model.finish(b"Subject: x\r\n\r\nhello\r\n")
        self.find_messages()
        await self.ended()

    async def authenticate(self, password: str, *, prompted: bool) -> None:
        assert self.caller is not None
        model = self.model
        expected = {PASSWORD: "235", "guess": "535"}.get(password, "501")
        response = password.encode() if password in "*!" else base64.b64encode(f"\0{USER}\0{password}".encode())
        if not model.tls:
            expected, prompted = "538", False
        elif not model.extended or model.user or model.transaction is not None:
            expected, prompted = "503", False
        if prompted:
            assert await self.caller.ask(b"AUTH PLAIN") == "334 "
            await self.caller.send(response + b"\r\n")
        else:
            await self.caller.send(b"AUTH PLAIN " + response + b"\r\n")
        model.auth_failures += expected == "535"
        if await self.answered({expected}, f"AUTH {password}".encode()) == "235":
            model.user = USER

    async def starttls(self, injected: list[Step]) -> None:
        assert self.caller is not None
        if self.model.tls:
            await self.caller.send(b"STARTTLS\r\n")
            await self.answered({"503"}, "STARTTLS")
            return
        await self.caller.send(b"STARTTLS\r\n" + b"".join(step.octets for step in injected))
        assert await self.answered({"220"}, "STARTTLS") == "220"
        await self.caller.start_tls(self.lobby.trust)
        self.model.forget()
        self.model.tls = True

    async def leave(self, how: str) -> None:
        assert self.caller is not None
        if how == "quit":
            await self.caller.send(b"QUIT\r\nNOOP\r\n")
            assert (await self.caller.reply()).startswith("221 2.0.0")
        elif how == "other protocol":
            await self.caller.send(b"GET / HTTP/1.1\r\nNOOP\r\n")
            assert (await self.caller.reply()).startswith("421 4.7.0")
        elif how == "shutdown":
            self.lobby.stop_sessions()
            assert (await self.caller.reply()).startswith("421 4.3.2")
        elif how == "half-close":
            await self.caller.send(b"NOOP\r\nNOO")
            self.caller.wire.end()
            assert (await self.caller.reply()).startswith("250 2.0.0")
        else:
            self.caller.wire.cut()
        await self.ended()
