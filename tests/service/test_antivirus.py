"""Virus scanning with a real clamd: both sockets, limits, encryption, sessions that break, and its absence."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.probes import antivirus
from services.screener.antivirus.answer import Answer, State, Unavailable
from services.screener.antivirus.clamd import Clamd
from services.screener.app import build
from services.screener.handler import Screener
from services.screener.isolated import isolated
from services.screener.settings import Settings
from shared import wire
from shared.broker.sqlite import open_broker
from shared.config.findings import Severity
from shared.config.model import Config
from shared.config.model import Screener as ScreenerConfig
from shared.config.units import Size
from shared.model import Action, Place
from tests.contract.harness import take, until
from tests.support import archive_samples as archives
from tests.support import mail_samples as samples
from tests.support.clamd import EICAR, STREAM_MAX, RealClamd
from tests.support.mail_samples import TEXT, attachment, multipart
from tests.support.messages import make_item, make_message, to

INFECTED = multipart([TEXT, attachment("a.bin", EICAR)])


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealClamd]:
    running = RealClamd(tmp_path_factory.mktemp("clamd"))
    running.start()
    yield running
    running.stop()


def client(url: str) -> Clamd:
    return Clamd(url, 60.0, 2)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
async def test_one_session_scans_piece_after_piece(clamd: RealClamd, transport: str) -> None:
    scanner = client(getattr(clamd, transport))
    assert await scanner.scan([b"hello", b"", b"x" * 500_000]) == Answer(State.CLEAN)
    assert await scanner.scan([b"hello", EICAR, b"never sent"]) == Answer(State.INFECTED, "Own.Eicar.UNOFFICIAL")
    assert await scanner.scan([archives.zip_of({"a": EICAR})]) == Answer(State.INFECTED, "Own.Eicar.UNOFFICIAL")
    await scanner.close()


@pytest.mark.parametrize(
    ("piece", "state"),
    [
        pytest.param(os.urandom(STREAM_MAX + 1), State.UNSCANNABLE, id="a little over the stream limit"),
        pytest.param(os.urandom(16 * STREAM_MAX), State.UNSCANNABLE, id="far over the stream limit"),
        pytest.param(os.urandom(1_300_000), State.UNSCANNABLE, id="over the file limit"),
        pytest.param(archives.zip_of({str(n): os.urandom(300_000) for n in range(6)}), State.UNSCANNABLE, id="in all"),
    ],
)
async def test_what_is_over_a_limit_is_unscannable_and_the_next_is_scanned(
    clamd: RealClamd, piece: bytes, state: State
) -> None:
    for url in (clamd.tcp, clamd.unix):
        scanner = client(url)
        assert (await scanner.scan([piece])).state is state
        assert (await scanner.scan([piece, EICAR])).state is State.INFECTED
        assert (await scanner.scan([b"fine"])).state is State.CLEAN
        await scanner.close()


async def test_what_needs_a_password_is_said_to_be_encrypted(clamd: RealClamd, tmp_path: Path) -> None:
    packed = archives.made_by("zip", tmp_path, {"zip": [["zip", "-q", "-r", "-P", "secret", "OUT.zip", "."]]})
    scanner = client(clamd.tcp)
    assert (await scanner.scan([packed])).state is State.ENCRYPTED
    await scanner.close()


async def test_a_session_that_clamd_has_closed_is_opened_again(tmp_path: Path) -> None:
    running = RealClamd(tmp_path)
    running.start()
    scanner = client(running.tcp)
    assert (await scanner.scan([b"one"])).state is State.CLEAN
    running.stop()
    with pytest.raises(Unavailable):
        await scanner.scan([b"two"])
    running.start()
    assert (await scanner.scan([EICAR])).state is State.INFECTED
    await scanner.close()
    running.stop()


async def test_many_messages_share_the_sessions(clamd: RealClamd) -> None:
    scanner = client(clamd.tcp)
    answers = await asyncio.gather(*(scanner.scan([EICAR if n % 3 == 0 else b"x" * n]) for n in range(30)))
    assert [answer.state is State.INFECTED for answer in answers] == [n % 3 == 0 for n in range(30)]
    await scanner.close()


@pytest.mark.parametrize(
    ("size", "pings", "refused"), [(10, True, False), (500_000, False, False), (500_000, True, True)]
)
async def test_who_hangs_up_on_much_and_is_there_has_refused_it(size: int, pings: bool, refused: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = (await reader.readuntil(b"\0")) + (await reader.readuntil(b"\0"))
            if pings and b"PING" in said:
                writer.write(b"1: PONG\0")
                await reader.read()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        scanner = Clamd(f"clamd://127.0.0.1:{port}", 5, 1)
        if refused:
            assert (await scanner.scan([bytes(size)])).state is State.UNSCANNABLE
        else:
            with pytest.raises(Unavailable):
                await scanner.scan([bytes(size)])
        await scanner.close()


@pytest.mark.parametrize("reply", [b"", b"1: nonsense ERROR\0"], ids=["says nothing", "an error"])
async def test_a_server_that_is_no_use_is_unavailable(reply: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        scanner = Clamd(f"clamd://127.0.0.1:{port}", 0.5, 1)
        with pytest.raises(Unavailable):
            await scanner.scan([b"hello"])


def config(url: str, **more: Any) -> Config:
    return Config(hostname="relay.example.net", screener=ScreenerConfig(antivirus=url, **more))


async def test_mail_with_a_virus_is_kept_and_other_mail_goes_on(clamd: RealClamd) -> None:
    screener = Screener(Settings.of(config(clamd.unix)))
    (kept,) = await screener(make_message(make_item(), INFECTED))
    assert kept.place is Place.QUARANTINE
    assert kept.message.item.reason == "quarantine: virus:Own.Eicar.UNOFFICIAL"
    (sent,) = await screener(make_message(make_item(), samples.OUTLOOK))
    assert sent.place is Place.DELIVER
    await screener.close()


async def test_mail_that_is_kept_is_scanned_too_but_does_not_wait(clamd: RealClamd, tmp_path: Path) -> None:
    raw = multipart([TEXT, attachment("a.bin", EICAR), "Content-Type: message/partial; id=a; number=1; total=2\n\nx\n"])
    ambiguous = raw.replace(b"\r\n boundary=", b"\r\n boundary=x; boundary=")
    for url, reason in ((clamd.unix, "virus:Own.Eicar.UNOFFICIAL"), (f"clamd://{tmp_path}/none", None)):
        screener = Screener(Settings.of(config(url)))
        (kept,) = await screener(make_message(make_item(), ambiguous))
        assert kept.place is Place.QUARANTINE
        assert kept.message.item.verdict is not None
        assert (reason in kept.message.item.verdict.reasons) is (reason is not None)
        await screener.close()


@pytest.mark.parametrize(
    ("octets", "verdict"),
    [
        (bytes(900_000), Action.PASS),
        (bytes(1_100_000), Action.QUARANTINE),
        (bytes(1_100_000) + EICAR, Action.QUARANTINE),
    ],
    ids=["a small file", "a large one", "a large one with a virus at its end"],
)
@pytest.mark.parametrize("nested", [False, True])
async def test_a_file_in_an_archive_that_clamd_only_begins_is_not_clean(
    clamd: RealClamd, octets: bytes, verdict: Action, nested: bool
) -> None:
    """Of a zip's members over MaxFileSize it scans the beginning, and says OK; of two such messages one is sent on."""
    packed = archives.zip_of({"a.bin": octets})
    packed = archives.zip_of({"b.zip": packed}) if nested else packed
    assert (await client(clamd.unix).scan([packed])).state is State.CLEAN
    settings = Settings.of(config(clamd.unix, antivirus_max_file=Size(1024 * 1024)))
    screener = Screener(settings)
    (send,) = await screener(make_message(make_item(), multipart([TEXT, attachment("a.zip", packed)])))
    assert send.message.item.verdict is not None
    assert send.message.item.verdict.action is verdict
    assert send.message.item.verdict.reasons == (() if verdict is Action.PASS else ("antivirus:unscannable",))
    await screener.close()


async def test_a_reload_leaves_no_session_open(tmp_path: Path) -> None:
    """Neither an idle one nor one that is in use at that moment."""
    connected: set[asyncio.StreamWriter] = set()
    answering = asyncio.Event()
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        connected.add(writer)
        with contextlib.suppress(EOFError):
            while True:
                await reader.readuntil(b"zINSTREAM\0")
                while length := int.from_bytes(await reader.readexactly(4)):
                    await reader.readexactly(length)
                asked += 1
                await answering.wait()
                writer.write(b"1: stream: OK\0")
        connected.discard(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"clamd://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        broker = await open_broker(tmp_path / "queue.db")
        app = build(config(url), broker)
        await app.start()
        answering.set()
        await broker.publish([to(Place.SCREEN, make_message())])
        await take(broker, Place.DELIVER, 1)
        assert len(connected) == 1
        answering.clear()
        before = asked
        await broker.publish([to(Place.SCREEN, make_message())])
        await until(lambda: asked > before, "the second message is with clamd, in the session of the first")
        held = app._worker._handler  # else it is the garbage collector that closes them, some time
        app.prepare(config(url))()
        answering.set()
        await until(lambda: not connected, "the session is closed")
        assert held is not app._worker._handler
        await app.drain(5)
        await broker.close()


async def test_the_child_process_scans_as_well(clamd: RealClamd) -> None:
    (kept,) = await isolated(Settings.of(config(clamd.unix)))(make_message(make_item(), INFECTED))
    assert kept.place is Place.QUARANTINE


async def test_a_message_waits_for_clamd_longer_than_any_failure_would(tmp_path: Path) -> None:
    """Forty tries are more than park a failing item; each is a wait, and then the mail goes on."""
    running = RealClamd(tmp_path)
    now = [make_item().accepted_at]
    screener = Screener(Settings.of(config(running.tcp)), clock=lambda: now[0])
    message = make_message(make_item(), samples.OUTLOOK)
    for _ in range(40):
        (send,) = await screener(message)
        assert send.place is Place.SCREEN
        message = wire.decode(wire.encode(send.message))
        assert message.item.failures == 0
        assert message.item.not_before is not None
        assert 5 <= message.item.not_before - now[0] <= 300
        now[0] = message.item.not_before
    assert (
        message.item.history[-1].text == f"antivirus: {running.tcp}: Connect call failed ('127.0.0.1', {running.port})"
    )
    assert now[0] - message.item.accepted_at > 3600
    running.start()
    (sent,) = await screener(message)
    assert sent.place is Place.DELIVER
    assert sent.message.content == samples.OUTLOOK
    await screener.close()
    running.stop()


async def test_the_stage_defers_while_clamd_is_away_and_goes_on_by_itself(tmp_path: Path) -> None:
    running = RealClamd(tmp_path)
    broker = await open_broker(tmp_path / "queue.db")
    app = build(config(running.tcp), broker)
    await app.start()
    await broker.publish([to(Place.SCREEN, make_message(make_item(recipients=("a@one.example",)), samples.OUTLOOK))])
    await asyncio.sleep(0)
    running.start()
    (received,) = await take(broker, Place.DELIVER, 1)
    item = wire.decode(received.body).item
    assert item.verdict is not None
    assert item.verdict.action is Action.PASS
    assert item.failures == 0
    assert app.trouble() is None
    await app.drain(5)
    await broker.close()
    running.stop()


async def test_check_tries_clamd(clamd: RealClamd) -> None:
    (works,) = await antivirus(config(clamd.tcp, antivirus_max_file=Size(1024 * 1024)))
    assert (works.severity, works.reason) == (Severity.OK, f"{clamd.tcp} scans")
    (small,) = await antivirus(config(clamd.tcp, antivirus_max_file=Size(1024 * 1024 + 1)))
    assert (small.severity, small.key) == (Severity.WARNING, "screener.antivirus_max_file")
    assert "does not scan a file of 1048577 octets" in small.reason
    (away,) = await antivirus(config(f"clamd:///{clamd.folder}/none"))
    assert away.severity is Severity.ERROR
    assert "mail would wait" in away.reason
    assert await antivirus(Config()) == []
