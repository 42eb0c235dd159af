"""A session's messages as the turns of the Messages API: users and assistants, each a list of blocks.

Used when a request body is built; pure. What the API holds of a history
(https://platform.claude.com/docs/en/api/messages/create and .../build-with-claude/thinking, 2026-11-30): every
call is answered in the user's turn that follows, the results before all else there; ids are unique and of few
characters; no text is blank; thoughts go back as they came, to the model that made them alone, and end no
turn. Whatever other providers have left in a history is put so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from nbagent.events import FilePart, Message, ToolRequest
from nbagent.models.wire.request_content import (
    NO_RESULT,
    NO_TEXT,
    sent_arguments_data,
    sent_result,
    text_of,
)

THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")
_NOT_CALLED = "(this call was given no result)"

Turn = dict[str, Any]


class HistoryWriter:
    """Writes messages one by one into `turns`; `maker` is who is asked, as "provider:model"."""

    def __init__(self, maker: str, *, tool_files: bool = True) -> None:
        self.turns: list[Turn] = []
        self._maker = maker
        self._tool_files = tool_files
        self._open: dict[
            str, str
        ] = {}  # calls of the last turn without a result: their id, and as it is sent
        self._ids: set[str] = set()

    def add(self, message: Message) -> None:
        """Write the next message."""
        if message.role == "assistant":
            self._close_calls()
            self._append("assistant", self._assistant_blocks(message))
        elif message.role == "tool":
            self._append("user", [self._result(message)])
        else:
            self._close_calls()
            self._append("user", user_blocks(message))

    def finish(self) -> list[Turn]:
        """Return the turns: the first is the user's."""
        self._close_calls()
        if not self.turns or self.turns[0]["role"] == "assistant":
            self.turns.insert(0, {"role": "user", "content": [text_block(NO_TEXT)]})
        return self.turns

    def _append(self, role: str, blocks: list[dict[str, Any]]) -> None:
        """Add blocks to the last turn if it is that role's, else begin one: turns of one role are one turn."""
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": blocks})

    def _close_calls(self) -> None:
        """Give calls that nobody has answered a result: without one the whole request is refused."""
        if self._open:
            self._append("user", [_result_block(sent, _NOT_CALLED) for sent in self._open.values()])
            self._open = {}

    def _result(self, message: Message) -> dict[str, Any]:
        text = sent_result(message, shows_files=self._tool_files)
        sent = self._open.pop(message.tool_call_id or "", None)
        if sent is None:
            return text_block(f"[result of {message.name or 'a tool'}]\n{text}")
        if not message.files or not self._tool_files:
            return _result_block(sent, text)
        return _result_block(sent, [text_block(text), *map(file_block, message.files)])

    def _assistant_blocks(self, message: Message) -> list[dict[str, Any]]:
        own = self._own_blocks(message)
        if own:
            for block in own:
                if block.get("type") == "tool_use":
                    block["id"] = self._new_id(str(block["id"]))
            return own
        blocks = [text_block(message.content)] if message.content.strip() else []
        blocks += [
            tool_use_block(request, self._new_id(request.tool_call_id)) for request in message.tool_requests
        ]
        return blocks or [text_block(NO_TEXT)]

    def _own_blocks(self, message: Message) -> list[dict[str, Any]]:
        """Return the blocks that this model made itself; none where others did, or they say something else."""
        blocks = [
            dict(made["block"])
            for made in message.provider_items
            if made.get("maker") == self._maker and isinstance(made.get("block"), Mapping)
        ]
        blocks = [one for one in blocks if one.get("type") != "text" or str(one.get("text", "")).strip()]
        while blocks and blocks[-1].get("type") in THOUGHTS:
            blocks.pop()
        called = [str(one.get("id")) for one in blocks if one.get("type") == "tool_use"]
        asked = [request.tool_call_id for request in message.tool_requests]
        return blocks if called == asked else []

    def _new_id(self, call_id: str) -> str:
        """Return a call's id as it is sent: of the characters that ids have, and no other call's."""
        plain = _NOT_IN_IDS.sub("_", call_id) or "call"
        sent, number = plain, 1
        while sent in self._ids:
            number += 1
            sent = f"{plain}_{number}"
        self._ids.add(sent)
        self._open[call_id] = sent
        return sent


def text_block(text: str) -> dict[str, Any]:
    """Return a block of text."""
    return {"type": "text", "text": text}


def tool_use_block(request: ToolRequest, call_id: str) -> dict[str, Any]:
    """Return a call as a block."""
    return {
        "type": "tool_use",
        "id": call_id,
        "name": request.name,
        "input": sent_arguments_data(request.arguments),
    }


def user_blocks(message: Message) -> list[dict[str, Any]]:
    """Return a user's message as blocks, its files first: the API's documentation has pictures before text."""
    blocks = [file_block(part) for part in message.files]
    if message.content.strip():
        blocks.append(text_block(message.content))
    return blocks or [text_block(NO_TEXT)]


def file_block(part: FilePart) -> dict[str, Any]:
    """Return a picture or a document as a block; a text file is text under its name."""
    if (text := text_of(part)) is not None:
        return text_block(text)
    source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    if part.media_type.startswith("image/"):
        return {"type": "image", "source": source}
    named = {"title": part.name} if part.name else {}
    return {"type": "document", "source": source, **named}


def lacks_thoughts(messages: Iterable[Message], maker: str) -> bool:
    """True where the turn that goes on has calls without this model's thoughts before them.

    Another model made them: thinking cannot begin in the middle of a turn.
    """
    turn: list[Message] = []
    for message in messages:
        turn = [] if message.role == "user" else [*turn, message]
    return any(
        message.role == "assistant" and message.tool_requests and not _begins_with_thoughts(message, maker)
        for message in turn
    )


def _begins_with_thoughts(message: Message, maker: str) -> bool:
    first = message.provider_items[0] if message.provider_items else {}
    block = first.get("block")
    return first.get("maker") == maker and isinstance(block, Mapping) and block.get("type") in THOUGHTS


def _result_block(sent_id: str, content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": sent_id, "content": content or NO_RESULT}
