"""A provider that does what a test says: a real HTTP/1.1 server on loopback, in a thread of its own.

Scripts answer requests in the order in which they were given; `otherwise` answers when none is left. Nothing
sleeps: scripts wait at gates, tests wait for requests and disconnections. All public methods are for the test's
thread. Paths do not matter to it, so that it serves either wire format.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.provider.steps import Drop, DropAt, Head, Raw, Script, Silence, Step, Wait, error

Chooser = Callable[["Request"], Sequence[Step]]


@dataclass(slots=True, eq=False)
class Request:
    """One request as it came. `disconnected` is set if the client goes first, `answered` when the script is through."""

    method: str
    path: str
    headers: dict[str, str]
    raw_body: bytes
    received_at: float = field(default_factory=time.monotonic)
    disconnected_at: float | None = None
    disconnected: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def body(self) -> Any:
        """The body as JSON data."""
        return json.loads(self.raw_body)


class ScriptedProvider:
    """See the module. `disconnected` is set as soon as any client has gone before its reply was through."""

    def __init__(self) -> None:
        self.disconnected = threading.Event()
        self.connections_opened = 0
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._scripts: deque[Sequence[Step]] = deque()
        self._otherwise: Chooser = lambda request: error(500, f"no script is left for {request.path}")
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="scripted provider", daemon=True)
        started = threading.Event()
        self._loop.call_soon(lambda: self._keep(self._start(started)))
        self._thread.start()
        started.wait()

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in order."""
        with self._changed:
            return list(self._requests)

    @property
    def bodies(self) -> list[Any]:
        """All requests' bodies as JSON data."""
        return [request.body for request in self.requests]

    def reply(self, *scripts: Sequence[Step]) -> None:
        """Answer the next requests with these scripts, one each, after those given before."""
        with self._changed:
            self._scripts.extend(scripts)

    def otherwise(self, script: Sequence[Step] | Chooser) -> None:
        """Answer every request that no script is left for with `script`, or with what it returns for the request."""
        self._otherwise = script if callable(script) else lambda _: script

    def wait_for_requests(self, count: int, timeout: float = 60.0) -> list[Request]:
        """Return the requests once there are `count`; fail after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout):
                raise AssertionError(f"{len(self._requests)} of {count} requests came within {timeout} s")
            return list(self._requests)

    def close(self) -> None:
        """Cut all connections and end the thread."""
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(60)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _stop(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        self._keep(self._end(list(self._connections)))

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop.call_soon(self._loop.stop)  # after the transports have closed their sockets

    def _keep(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _start(self, started: threading.Event) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        started.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_opened += 1
        task = asyncio.current_task()
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            early: bytes | None = b""
            while early is not None:
                early = await self._serve_one(reader, writer, early)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went, or the test is over: either is how a connection ends here
        finally:
            writer.transport.abort()

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes
    ) -> bytes | None:
        """Serve a request that begins with `early`; return what has come of the next one, None where none can."""
        request = await _read_request(reader, early)
        with self._changed:
            self._requests.append(request)
            script = self._scripts.popleft() if self._scripts else None
            self._changed.notify_all()
        if script is None:
            script = self._otherwise(request)
        playing = asyncio.ensure_future(_play(tuple(script), writer))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and gone.exception() is None and gone.result():
                await asyncio.wait({playing})  # it has the whole answer before we know, and asks again
            if playing.done() and playing.exception() is None:  # a write to a client that has gone raises
                request.answered.set()
                early = gone.result() if gone.done() else b""
                return early if playing.result() and (early or not gone.done()) else None
            request.disconnected_at = time.monotonic()
            request.disconnected.set()
            self.disconnected.set()
            return None
        finally:
            for task in (playing, gone):
                task.cancel()
            await asyncio.gather(playing, gone, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader, early: bytes) -> Request:
    head = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method=method, path=path, headers=headers, raw_body=body)


async def _play(script: Script, writer: asyncio.StreamWriter) -> bool:
    """Perform the steps; True where the connection can serve another request."""
    left: int | None = None
    began = False
    for step in script:
        if isinstance(step, DropAt):
            left = step.body_bytes
            continue
        if isinstance(step, Head):
            began = True
            _write_head(writer, step)
        elif isinstance(step, Raw):
            if not began:
                began = True
                _write_head(writer, Head())
            data = step.data if left is None else step.data[:left]
            _write_chunk(writer, data)
            left = None if left is None else left - len(data)
            await writer.drain()
            if left == 0:
                await _flushed(writer)
                return False
            await asyncio.sleep(0)
        elif isinstance(step, Wait):
            opened = asyncio.Event()
            step.gate.join(asyncio.get_running_loop(), opened)
            await opened.wait()
        elif isinstance(step, Silence):
            await asyncio.Event().wait()
        elif isinstance(step, Drop):
            await _flushed(writer)
            if step.reset:  # closing a socket that does not linger sends a reset
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            return False
    if not began:
        _write_head(writer, Head())
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _flushed(writer: asyncio.StreamWriter) -> None:
    """Wait until the socket has taken everything: an abort throws away what is still buffered here."""
    while writer.transport.get_write_buffer_size():  # noqa: ASYNC110 - the transport has no event for this
        await asyncio.sleep(0)


def _write_head(writer: asyncio.StreamWriter, head: Head) -> None:
    lines = [
        f"HTTP/1.1 {head.status} Scripted",
        *(f"{name}: {value}" for name, value in head.headers.items()),
    ]
    writer.write(("\r\n".join([*lines, "transfer-encoding: chunked"]) + "\r\n\r\n").encode())


def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
