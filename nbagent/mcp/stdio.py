"""An MCP server as a child process: its messages are lines on its standard streams. On the background loop only.

The process has a session of its own, so that Stop in a notebook (SIGINT to the kernel's process group) does
not reach it. It ends when its standard input does, which the operating system sees to even if the kernel is
killed; one that stays on is terminated, then killed, with all processes that it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from nbagent.core import (
    MessageTooLargeError,
    check_message,
    dump_json,
    load_json,
    message_limit,
    too_many_bytes,
)

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

_CHUNK = 65_536
_KEPT = 200  # bytes at each end of a message that is too large: where its id stands
_TOO_LARGE = b"the server sent a message of "
_ID = re.compile(rb'"id"\s*:\s*(\d+|"[^"\\]{1,80}")\s*[,}]')
_WORDS_LINES = 4
_WORDS_CHARACTERS = 500
_POLL_S = 0.01
_TERMINATE_S = 0.3


class StdioTransport:
    """One child process. `close_grace_s` is what it gets to end by itself once its input has ended."""

    def __init__(
        self,
        command: str,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | os.PathLike[str] | None,
        hide: Callable[[str], str],
    ) -> None:
        self.close_grace_s = 2.0
        self._command = command
        self._args = args
        self._env = env
        self._cwd = cwd
        self._hide = hide
        self._words: deque[str] = deque(maxlen=_WORDS_LINES)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id, once it was started."""
        return self._process.pid if self._process is not None else None

    def last_words(self) -> str:
        """Return the last lines of the process's standard error, and how it exited, on one line."""
        code = self._process.returncode if self._process is not None else None
        exited = [] if code is None else [f"exit code {code}" if code >= 0 else signal.Signals(-code).name]
        words = " | ".join(line for line in self._words if line.strip())
        return ": ".join([*exited, *filter(None, [self._hide(words)[-_WORDS_CHARACTERS:]])])

    @asynccontextmanager
    async def streams(self, on_end: Callable[[], None]) -> AsyncIterator[TransportStreams]:
        """Start the process; `on_end()` is called when its output has ended. Raises OSError if it cannot start."""
        import anyio
        from mcp.client.stdio import get_default_environment

        process = self._process = await asyncio.create_subprocess_exec(
            self._command,
            *self._args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=get_default_environment() | dict(self._env),
            cwd=self._cwd,
            start_new_session=True,
        )
        to_session, read = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
        write, from_session = anyio.create_memory_object_stream["SessionMessage"](0)
        workers = [
            asyncio.create_task(self._read_output(process, to_session, on_end)),
            asyncio.create_task(_write_input(process, from_session)),
            asyncio.create_task(self._read_errors(process)),
        ]
        try:
            yield read, write
        finally:
            try:
                await _end(process, self.close_grace_s)
            finally:
                for worker in workers:
                    worker.cancel()
                for stream in (to_session, read, write, from_session):
                    stream.close()

    async def _read_output(
        self,
        process: asyncio.subprocess.Process,
        session: MemoryObjectSendStream[SessionMessage | Exception],
        on_end: Callable[[], None],
    ) -> None:
        from anyio import BrokenResourceError, ClosedResourceError
        from mcp.shared.message import SessionMessage
        from mcp_types import jsonrpc_message_adapter

        assert process.stdout is not None
        try:
            async for line in _lines(process.stdout):
                reply = line
                if line.startswith(_TOO_LARGE):
                    self._words.append(line.decode("utf-8", "replace"))
                    reply = _answer_cut(line)
                    if not reply:
                        return  # nobody knows which call it was for
                try:
                    # read as one value first: a listing of megabytes stops the loop for a third of the time then
                    data = load_json(reply)
                    message = SessionMessage(jsonrpc_message_adapter.validate_python(data, by_name=False))
                except (
                    ValueError
                ):  # a server that prints breaks the protocol, and is better heard than refused
                    self._words.append(line.decode("utf-8", "replace"))
                    continue
                # once the session has gone the output is still read, so that the process is not held up
                with contextlib.suppress(BrokenResourceError, ClosedResourceError):
                    await session.send(message)
        finally:
            on_end()
            session.close()

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in _lines(process.stderr):
            self._words.append(line.decode("utf-8", "replace"))


async def _write_input(
    process: asyncio.subprocess.Process, session: MemoryObjectReceiveStream[SessionMessage]
) -> None:
    assert process.stdin is not None
    async with session:
        async for sent in session:
            line = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                process.stdin.write(line.encode("utf-8", "replace") + b"\n")
                await process.stdin.drain()
            except ConnectionError:
                return  # the end of its output tells everybody


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of a stream, longer ones too than `readline` takes.

    Of a line that is larger than a message may be, its beginning and end come, after `_TOO_LARGE`.
    """
    limit = message_limit()
    begun, size = (
        bytearray(),
        0,
    )  # the line that is open, and how long it is: what is over the limit is not kept
    while chunk := await stream.read(_CHUNK):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            begun, size = _longer(begun, part, limit), size + len(part)
            if begun.strip():
                yield _checked(begun, size, limit)
            begun, size = bytearray(), 0
            await asyncio.sleep(0)  # a flood of lines is not all that there is
        begun, size = _longer(begun, rest, limit), size + len(rest)
    if begun.strip():
        yield _checked(begun, size, limit)


def _longer(begun: bytearray, part: bytes, limit: int) -> bytearray:
    begun += part
    if len(begun) > limit + _CHUNK:
        del begun[_KEPT:-_KEPT]
    return begun


def _checked(line: bytearray, size: int, limit: int) -> bytes:
    try:
        if size > limit:
            raise too_many_bytes(limit)
        return check_message(bytes(line), limit)
    except MessageTooLargeError as error:
        return _TOO_LARGE + f"{error} (max_message_bytes): ".encode() + bytes(line[:_KEPT] + line[-_KEPT:])


def _answer_cut(line: bytes) -> bytes:
    """Return the error that stands for an answer which is too large, nothing where its request cannot be found."""
    words, _, parts = line.partition(b": ")
    found = _ID.search(parts[:_KEPT]) or _ID.search(parts[-_KEPT:])
    if found is None:
        return b""
    error = {"code": -32000, "message": words.decode("utf-8", "replace")}
    return dump_json({"jsonrpc": "2.0", "id": load_json(found[1]), "error": error})


async def _end(process: asyncio.subprocess.Process, grace_s: float) -> None:
    """End the input, then wait, terminate, kill; a cancelled wait kills at once."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        if not await _exited(process, grace_s):
            _signal(process, signal.SIGTERM)
            if not await _exited(process, _TERMINATE_S):
                _signal(process, signal.SIGKILL)
                await _exited(process, _TERMINATE_S)
    except asyncio.CancelledError:
        _signal(process, signal.SIGKILL)
        raise


async def _exited(process: asyncio.subprocess.Process, within_s: float) -> bool:
    """Say whether the process ends in time. Not `process.wait()`, which waits for its grandchildren's pipes too."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while process.returncode is None:
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to the process and all that it started: it leads its session, so its id is the group's."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
