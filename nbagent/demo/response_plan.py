"""One reply in the form of the Responses API: the object at each status, and its timed events.

Made by `responses.py`, kept by `jobs.py`; pure. A plan knows everything that will be sent and when,
so a background response needs no task of its own: what it has done so far follows from the clock.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from nbagent.demo.personas import Persona
from nbagent.demo.request import Reply
from nbagent.demo.tokens import split_pieces

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
Item = dict[str, Any]
Event = tuple[int, str, dict[str, Any]]  # when, type, fields
# when an event is sent: at once, when work begins, or with the piece of this number
_AT_ONCE: Final = -2
_AT_START: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A reply and how it is sent.

    `echo` holds the fields of the request that the response repeats, `outcome` is the final status,
    `queued_s` how long a background response waits first, `reasons` adds a reasoning item.
    """

    response_id: str
    created_at: int
    echo: dict[str, Any]
    persona: Persona
    reply: Reply
    usage: dict[str, Any]
    outcome: Literal["completed", "incomplete", "failed"]
    background: bool
    reasons: bool
    queued_s: float
    speed: float

    @property
    def ends_s(self) -> float:
        """Say when the response ends, in seconds after it was created."""
        return self._due_s(sum(1 for _ in self._pieces()))

    def response(self, status: Status) -> dict[str, Any]:
        """Give the response object at a status; output and usage are there once it has ended."""
        ended = status in ("completed", "incomplete")
        failed, cut = status == "failed", status == "incomplete"
        error = {"code": "server_error", "message": "the demo model failed, as this one always does"}
        return self.echo | {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": self.background,
            "error": error if failed else None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "model": self.persona.label,
            "output": self.items() if ended else [],
            "usage": self.usage if ended else None,
        }

    def items(self) -> list[Item]:
        """Give the output items as they are at the end."""
        reasoning = [self._reasoning()] if self.reasons else []
        if self.reply.tool_calls:
            calls = enumerate(self.reply.tool_calls)
            return [*reasoning, *(self._call(i, c.arguments, "completed") for i, c in calls)]
        return [*reasoning, self._message(self.reply.text, self._item_status())]

    def events(self) -> Iterator[tuple[float, bytes]]:
        """Give every event of the stream with the seconds after creation at which it is due."""
        for number, (when, kind, fields) in enumerate(self._events()):
            event = {"type": kind, "sequence_number": number} | fields
            due_s = 0.0 if when == _AT_ONCE else self._due_s(when)
            yield due_s, b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"

    def _due_s(self, piece: int) -> float:
        wait = self.queued_s / self.speed if self.background else 0.0
        return wait if piece == _AT_START else wait + self.persona.due_s(piece, self.speed)

    def _pieces(self) -> Iterator[str]:
        yield from split_pieces(self.reply.text)
        for call in self.reply.tool_calls:
            yield from split_pieces(call.arguments)

    def _events(self) -> Iterator[Event]:
        first: Status = "queued" if self.background else "in_progress"
        yield _AT_ONCE, "response.created", {"response": self.response(first)}
        if self.background:
            yield _AT_ONCE, "response.queued", {"response": self.response("queued")}
        yield _AT_START, "response.in_progress", {"response": self.response("in_progress")}
        index = 0
        if self.reasons:
            item = {"output_index": 0, "item": self._reasoning()}
            yield 0, "response.output_item.added", item
            yield 0, "response.output_item.done", item
            index = 1
        last = yield from self._call_events(index) if self.reply.tool_calls else self._text_events(index)
        yield last, f"response.{self.outcome}", {"response": self.response(self.outcome)}

    def _text_events(self, index: int) -> Generator[Event, None, int]:
        """Give the events of a message; the generator's value is the number of pieces sent."""
        text = self.reply.text
        pieces = split_pieces(text)
        if self.outcome == "failed":
            pieces = pieces[: len(pieces) // 2]
        at = {"item_id": self._message("", "in_progress")["id"], "output_index": index, "content_index": 0}
        yield 0, "response.output_item.added", _item(index, self._message(None, "in_progress"))
        yield 0, "response.content_part.added", at | {"part": _text_part("")}
        for number, piece in enumerate(pieces):
            yield number, "response.output_text.delta", at | {"delta": piece, "logprobs": []}
        last = len(pieces)
        if self.outcome != "failed":
            yield last, "response.output_text.done", at | {"text": text, "logprobs": []}
            yield last, "response.content_part.done", at | {"part": _text_part(text)}
            yield last, "response.output_item.done", _item(index, self._message(text, self._item_status()))
        return last

    def _call_events(self, index: int) -> Generator[Event, None, int]:
        """Give the events of the tool calls; the generator's value is the number of pieces sent."""
        sent = 0
        for number, call in enumerate(self.reply.tool_calls):
            item = self._call(number, "", "in_progress")
            at = {"item_id": item["id"], "output_index": index + number}
            yield sent, "response.output_item.added", _item(index + number, item)
            for piece in split_pieces(call.arguments):
                yield sent, "response.function_call_arguments.delta", at | {"delta": piece}
                sent += 1
            whole = at | {"arguments": call.arguments, "name": call.name}
            yield sent, "response.function_call_arguments.done", whole
            done = self._call(number, call.arguments, "completed")
            yield sent, "response.output_item.done", _item(index + number, done)
        return sent

    def _item_status(self) -> str:
        return "incomplete" if self.outcome == "incomplete" else "completed"

    def _item_id(self, prefix: str, number: int = 0) -> str:
        return f"{prefix}_{self.response_id.removeprefix('resp_')}{number:02x}"

    def _message(self, text: str | None, status: str) -> Item:
        content = [] if text is None else [_text_part(text)]
        return {
            "id": self._item_id("msg"),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _call(self, number: int, arguments: str, status: str) -> Item:
        call = self.reply.tool_calls[number]
        return {
            "id": self._item_id("fc", number),
            "type": "function_call",
            "status": status,
            "call_id": call.call_id,
            "name": call.name,
            "arguments": arguments,
        }

    def _reasoning(self) -> Item:
        return {"id": self._item_id("rs"), "type": "reasoning", "summary": []}


def _item(index: int, item: Item) -> dict[str, Any]:
    return {"output_index": index, "item": item}


def _text_part(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
