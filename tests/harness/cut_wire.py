"""A TCP way to a server's socket that a test can cut: by silence, as a broken line, or by reset, as a machine that restarts.

`CutWire(URL)` listens on a port of its own. Its thread ends with `close`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from typing import Any

_RESET = struct.pack("ii", 1, 0)  # a closed socket says RST


class CutWire:
    """Whole at first. Any thread."""

    def __init__(self, url: str) -> None:
        """To the server whose socket this address names (`PostgresForTests.url`)."""
        self._url = url
        _, _, folder = url.partition("host=")
        self._server_path = f"{folder}/.s.PGSQL.5432"
        self._loop = asyncio.new_event_loop()
        self._passes = asyncio.Event()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[Any] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="cut-wire", daemon=True)
        self._thread.start()
        started.wait()

    @property
    def url(self) -> str:
        """The address of that database, by this way."""
        return re.sub(r"@/(.*)\?host=.*", rf"@127.0.0.1:{self.port}/\1", self._url)

    def silence(self) -> None:
        """Take what is sent and give nothing on, in both directions; who connects gets no answer."""
        self._call(self._passes.clear)

    def strand(self) -> None:
        """Say nothing more on the connections that there are, as a pooler that has lost them; others pass."""
        self._call(self._strand)

    def reset(self) -> None:
        """End all connections with RST, and whoever connects from now on."""
        self._call(self._reset)

    def mend(self, *, lost: bool = False) -> None:
        """Be whole again. What was silent goes on, or is reset where it is `lost`."""
        self._call(lambda: self._mend(lost))

    def close(self) -> None:
        """End it and its thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _call(self, what: Any) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (what(), done.set()))
        done.wait(10)

    def _run(self, started: threading.Event) -> None:
        self._loop.run_until_complete(self._start())
        started.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._reset()
        self._server.close()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _start(self) -> None:
        self._passes.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def _strand(self) -> None:
        self._passes.clear()
        self._passes = asyncio.Event()
        self._passes.set()

    def _mend(self, lost: bool) -> None:  # noqa: FBT001 - the caller names it
        if lost:
            self._reset()
        self._refuses = False
        self._passes.set()

    def _reset(self) -> None:
        self._refuses = True
        for writer in list(self._writers):
            if (raw := writer.get_extra_info("socket")) is not None and raw.family == socket.AF_INET:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._refuses:
                self._reset_one(writer)
                return
            passes = self._passes
            await passes.wait()
            there, server = await asyncio.open_unix_connection(self._server_path)
            self._writers.add(server)
            try:
                await asyncio.gather(
                    self._pass_on(reader, server, passes), self._pass_on(there, writer, passes)
                )
            finally:
                self._writers.discard(server)
                server.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    def _reset_one(self, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event
    ) -> None:
        while data := await reader.read(1 << 16):
            await passes.wait()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
        raise ConnectionResetError  # the other direction ends with it
