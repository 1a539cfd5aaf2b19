"""A TCP proxy with a long wire: every octet takes `seconds` each way, and the round trips are counted.

A round trip begins when the client sends something after it has heard something: what it sends meanwhile, it sends for
free. The delay makes each side's burst arrive as one, as it would from far away.
"""

import asyncio
from contextlib import suppress
from typing import Self


class Delayed:
    """Listens on `host:port` for connections to `to`."""

    def __init__(self, to: tuple[str, int], host: str, seconds: float) -> None:
        self._to = to
        self._seconds = seconds
        self._heard = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.host = host
        self.port = 0
        self.round_trips = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._to)
        self._writers += (writer, far_writer)
        for source, sink, from_client in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._carry(source, sink, from_client=from_client))
            self._tasks.add(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, from_client: bool) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while octets := await source.read(65536):
                if from_client:
                    self.round_trips += self._heard
                    self._heard = False
                loop.call_later(self._seconds, self._arrive, sink, octets, not from_client)
            loop.call_later(self._seconds, sink.close)

    def _arrive(self, sink: asyncio.StreamWriter, octets: bytes, to_client: bool) -> None:
        self._heard = self._heard or to_client
        sink.write(octets)
