"""The content blocks of one message: put together from their pieces, kept as they must go back.

Used by `message_stream.py`; pure. A block is known by its index; its text, thoughts, signature and arguments
come in deltas (https://platform.claude.com/docs/en/build-with-claude/streaming, 2026-11-30). What a block holds
beside these is kept as it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbagent.core import dump_json
from nbagent.events import ToolRequest
from nbagent.models.replies.call_ids import distinct_requests
from nbagent.models.replies.lenient import name_in, whole_number
from nbagent.models.wire.request_content import sent_arguments_data

# delta type -> the field of its piece, and the block that it belongs to
_PIECES = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "thinking"),
    "input_json_delta": ("partial_json", "tool_use"),
}
_SAID_BY_THE_MESSAGE = {
    "text": frozenset({"type", "text", "citations"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
}


@dataclass(slots=True)
class Block:
    """One block: what it began with, and its pieces by field."""

    start: dict[str, Any]
    pieces: dict[str, list[str]] = field(default_factory=dict)
    citations: list[Any] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The block's type."""
        return name_in(self.start.get("type"))

    def joined(self, name: str) -> str:
        """Return a text field: what it began with and its pieces."""
        return name_in(self.start.get(name)) + "".join(self.pieces.get(name, ()))

    @property
    def arguments(self) -> str:
        """A call's arguments as JSON text: its pieces, else the input that it began with."""
        pieces = "".join(self.pieces.get("partial_json", ()))
        given = self.start.get("input")
        if pieces or not given:
            return pieces
        return given if isinstance(given, str) else dump_json(given).decode()

    def whole(self) -> dict[str, Any]:
        """Return the block as it goes back."""
        block = dict(self.start)
        for name in ("text", "thinking", "signature"):
            if name in self.pieces or name in block:
                block[name] = self.joined(name)
        if self.citations:
            block["citations"] = [*(block.get("citations") or ()), *self.citations]
        if self.kind.endswith("tool_use"):
            block["input"] = sent_arguments_data(self.arguments)
        return block


class BlockBuffer:
    """The blocks of one message in order; a piece without an index belongs to the last one."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}
        self.last: Block | None = None
        self.last_index: int | None = None

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter([self._blocks[index] for index in sorted(self._blocks)])

    def begin(self, index: Any, start: Mapping[str, Any]) -> Block:
        """Take a block's beginning."""
        place = whole_number(index)
        if place is None or place in self._blocks:
            place = max(self._blocks, default=-1) + 1
        self.last = self._blocks[place] = Block(dict(start))
        self.last_index = place
        return self.last

    def add(self, index: Any, delta: Mapping[str, Any]) -> tuple[str, str]:
        """Take a delta; return its block's type and the piece of text in it, empty for an unknown one."""
        name, kind = _PIECES.get(name_in(delta.get("type")), ("", ""))
        block = self._blocks.get(place) if (place := whole_number(index)) is not None else self.last
        if delta.get("type") == "citations_delta":
            if block is not None and delta.get("citation") is not None:
                block.citations.append(delta["citation"])
            return "", ""
        piece = delta.get(name) if name else None
        if not isinstance(piece, str):
            return "", ""
        if block is None:  # a server that leaves out how a block begins
            block = self.begin(index, {"type": kind})
        block.pieces.setdefault(name, []).append(piece)
        return block.kind, piece if name in ("text", "thinking") else ""

    def text(self) -> str:
        """Return the text of all text blocks."""
        return "".join(block.joined("text") for block in self if block.kind == "text")

    def requests(self) -> tuple[ToolRequest, ...]:
        """Return the calls of our own tools, with distinct ids."""
        return distinct_requests(
            tuple(
                ToolRequest(
                    tool_call_id=name_in(block.start.get("id")),
                    name=name_in(block.start["name"]),
                    arguments=block.arguments,
                )
                for block in self._calls()
            )
        )

    def kept(self, requests: Iterable[ToolRequest], maker: str) -> tuple[Mapping[str, Any], ...]:
        """Return the blocks as a message keeps them, with who made them; none where it says all of it itself."""
        ids = iter([request.tool_call_id for request in requests])
        called = set(map(id, self._calls()))
        blocks = [
            {**block.whole(), "id": next(ids)} if id(block) in called else block.whole() for block in self
        ]
        if all(_is_plain(block) for block in blocks):
            return ()
        return tuple({"maker": maker, "block": block} for block in blocks)

    def _calls(self) -> list[Block]:
        return [block for block in self if block.kind == "tool_use" and block.start.get("name")]


def _is_plain(block: Mapping[str, Any]) -> bool:
    """True for a block that holds nothing but what the message says in its own words."""
    known = _SAID_BY_THE_MESSAGE.get(name_in(block.get("type")))
    return known is not None and not block.keys() - known and not block.get("citations")
