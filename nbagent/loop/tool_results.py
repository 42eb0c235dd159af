"""What a tool returned, as the model is told of it: text, and the pictures and documents in it as files.

Called by `tool_execution.py` where the result was made, most often in the tool's own thread: reading an
iterator and drawing a figure run the user's code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, MappingView
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO, IOBase, StringIO
from itertools import islice
from typing import Any

from nbagent.core import format_bytes
from nbagent.events import FilePart
from nbagent.prompts import file_of
from nbagent.tools import render_result

MOST_VALUES = 1_000  # that are read of an iterator
MOST_FILES = 20
MOST_BYTES = 20_000_000  # of all files of a result, as base64
_DEPTH = 3
_MORE = f"[... more than {MOST_VALUES:,} values: the rest was not read ...]"
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a model is told of a result; `notices` are for the person: what of it no model can be given."""

    text: str
    files: tuple[FilePart, ...] = ()
    notices: tuple[str, ...] = ()


def tool_result_of(result: Any, tool_name: str) -> ToolResult:
    """Return what the model is told of a result. Raises what reading an iterator raises."""
    if isinstance(result, ToolResult):
        return result
    if isinstance(result, _PLAIN):
        return ToolResult(text=render_result(result))
    found = _Found(tool_name)
    text = render_result(found.without_files(result))
    return ToolResult(text=text, files=tuple(found.files), notices=tuple(found.notices))


async def read_all(values: AsyncIterator[Any]) -> list[Any]:
    """Return the values of an async iterator, no more than can be told, and close it."""
    read: list[Any] = []
    try:
        async for value in values:
            if len(read) == MOST_VALUES:
                read.append(_MORE)
                break
            read.append(value)
    finally:
        close = getattr(values, "aclose", None)
        if close is not None:
            with suppress(RuntimeError):  # it is running still, in a task that it was given to
                await close()
    return read


@dataclass(slots=True)
class _Found:
    """The files found in a result, each named by the tool and its number."""

    tool_name: str
    files: list[FilePart] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    size: int = 0

    def without_files(self, value: Any, depth: int = 0) -> Any:
        """Return a value with its iterators read and each file in it replaced by its name."""
        if isinstance(value, BytesIO | StringIO):
            value = value.getvalue() if not value.closed else None
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, MappingView | deque | range | Iterator) and not isinstance(value, IOBase):
            value = _read(value)
        elif (shown := self._shown(value)) is not None:
            return shown
        if depth < _DEPTH and type(value) in (list, tuple) and len(value) <= MOST_VALUES + 1:
            return [self.without_files(item, depth + 1) for item in value]
        if depth < _DEPTH and type(value) is dict and len(value) <= MOST_VALUES:
            return {key: self.without_files(item, depth + 1) for key, item in value.items()}
        return value

    def _shown(self, value: Any) -> str | None:
        """Take a file, and return what stands for it in the text; None for what is none."""
        try:
            part = file_of(value, f"{self.tool_name}-{len(self.files) + 1}")
        except Exception as error:  # noqa: BLE001 - drawing runs the user's objects, which may fail at anything
            kind = type(value).__name__
            self._tell(f"a {kind} that cannot be drawn ({type(error).__name__}: {error!s:.200})")
            return f"<{kind} that cannot be drawn: {type(error).__name__}>"
        if part is None:
            return self._bytes_text(value) if isinstance(value, bytes | bytearray | memoryview) else None
        size = len(part.data) * 3 // 4
        what = f"{part.name}, {part.media_type}, {format_bytes(size)}"
        if len(self.files) == MOST_FILES or self.size + len(part.data) > MOST_BYTES:
            self._tell(f"{what}: more than goes with a request")
            return f"[file {what}: too large to be shown]"
        self.size += len(part.data)
        self.files.append(part)
        return f"[file {what}]"

    def _bytes_text(self, value: bytes | bytearray | memoryview) -> str:
        data = bytes(value)
        with suppress(UnicodeDecodeError):
            text = data.decode()
            if all(letter.isprintable() or letter in "\r\n\t" for letter in text):
                return text
        self._tell(f"{len(data):,} bytes of no kind that a model takes")
        return f"<{len(data):,} bytes>"

    def _tell(self, what: str) -> None:
        self.notices.append(f"tool {self.tool_name!r} returned {what}: the model was not shown it")


def _read(values: Any) -> list[Any]:
    read = list(islice(values, MOST_VALUES + 1))
    return [*read[:MOST_VALUES], _MORE] if len(read) > MOST_VALUES else read
