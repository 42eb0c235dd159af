"""A reply in the form of the Responses API: the object at each status, and its timed events.

Made and kept by `server.py`; pure but for the clock. What a background response has done so far follows from the clock,
so that it needs no task of its own.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, Literal

import orjson

from nbagent.demo.chat import Timed
from nbagent.demo.request import WIRE, BadRequestError, Reply, Request, failure, split_pieces, usage

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
Item = dict[str, Any]
Event = tuple[int, str, dict[str, Any]]  # the piece that it comes with, type, fields
_QUEUED_S: Final = 0.2  # a background response waits first
_AT_START: Final = -1  # comes when work begins, not with a piece
_ERROR: Final = {"code": "server_error", "message": str(failure())}


class ResponsesReply:
    """One response of the Responses API, at work or done."""

    def __init__(self, request: Request, reply: Reply, speed: float) -> None:
        body, (asked, said) = request.body, usage(request, reply)
        self._request, self._reply, self._speed = request, reply, speed
        self.background, self.stream = bool(body.get("background")), bool(body.get("stream"))
        self.response_id, self.begun, self.cancelled = f"resp_{uuid.uuid4().hex}", time.monotonic(), False
        outcome: Status = "incomplete" if reply.cut else "completed"
        self._outcome: Status = "failed" if request.persona == "failing" else outcome
        self._usage = {"input_tokens": asked, "output_tokens": said, "total_tokens": asked + said} | {
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        # repeats the request's settings, as the real API does, with its defaults
        self._head = WIRE["echoed"] | {key: body[key] for key in WIRE["echoed"] if body.get(key) is not None}
        self._head |= {"id": self.response_id, "object": "response", "created_at": int(time.time())}
        self._head |= {"background": self.background, "model": f"demo-{request.persona}"}
        self.ends_s = self._due_s(sum(len(split_pieces(text)) for _, text, _ in self._items()))

    @property
    def age_s(self) -> float:
        """Seconds since it was created."""
        return time.monotonic() - self.begun

    @property
    def status(self) -> Status:
        """The status now."""
        if self.cancelled or self.age_s >= self.ends_s:
            return "cancelled" if self.cancelled else self._outcome
        return "queued" if self.background and self.age_s < self._due_s(_AT_START) else "in_progress"

    def cancel(self) -> dict[str, Any]:
        """Cancel a background response unless it has ended, and give it as it is then."""
        if not self.background:
            raise BadRequestError("Only a response created with background=true can be cancelled.")
        self.cancelled = self.cancelled or self.status in ("queued", "in_progress")
        return self.whole()

    def whole(self) -> dict[str, Any]:
        """Give the response object as it is now."""
        return self._response(self.status)

    def events(self, after: int = -1) -> Iterator[Timed]:
        """Give the timed events of the stream after a sequence number."""
        for number, (piece, kind, fields) in islice(enumerate(self._events()), after + 1, None):
            event = {"type": f"response.{kind}", "sequence_number": number} | fields
            lines = b"event: response.%s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(event))
            yield self._due_s(piece), lines

    def _due_s(self, piece: int) -> float:
        if piece < _AT_START:
            return 0.0
        wait = _QUEUED_S / self._speed if self.background else 0.0
        return wait if piece == _AT_START else wait + self._request.due_s(piece) / self._speed

    def _response(self, status: Status) -> dict[str, Any]:
        """Give the response object at a status; output and usage are there once it has ended."""
        ended = status in ("completed", "incomplete")
        return {
            **self._head,
            "status": status,
            "error": _ERROR if status == "failed" else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "output": [item | {"status": status} | done for item, _, done in self._items()] if ended else [],
            "usage": self._usage if ended else None,
        }

    def _items(self) -> list[tuple[Item, str, Item]]:
        """Give the output items: each as it begins, the text that is streamed, and what it holds at the end."""
        own = self.response_id.removeprefix("resp_")
        items: list[tuple[Item, str, Item]] = []
        for number, call in enumerate(self._reply.tool_calls):
            item = {"id": f"fc_{own}{number:02x}", "type": "function_call", "call_id": call.call_id}
            item |= {"name": call.name, "arguments": ""}
            items.append((item, call.arguments, {"arguments": call.arguments}))
        message = {"id": f"msg_{own}00", "type": "message", "role": "assistant", "content": []}
        return items or [(message, self._reply.text, {"content": [_part(self._reply.text)]})]

    def _events(self) -> Iterator[Event]:
        first: Status = "queued" if self.background else "in_progress"
        yield _AT_START - 1, "created", {"response": self._response(first)}
        if self.background:
            yield _AT_START - 1, "queued", {"response": self._response(first)}
        yield _AT_START, "in_progress", {"response": self._response("in_progress")}
        sent = 0
        for index, (item, text, done) in enumerate(self._items()):
            pieces = split_pieces(text)
            pieces = pieces[: len(pieces) // 2] if self._outcome == "failed" else pieces
            yield sent, "output_item.added", {"output_index": index, "item": item | {"status": "in_progress"}}
            at = {"item_id": item["id"], "output_index": index}
            for piece, kind, fields in self._part_events(item, text, pieces):
                yield sent + piece, kind, at | fields
            sent += len(pieces)
            if self._outcome != "failed":
                whole = item | {"status": self._outcome} | done
                yield sent, "output_item.done", {"output_index": index, "item": whole}
        yield sent, self._outcome, {"response": self._response(self._outcome)}

    def _part_events(self, item: Item, text: str, pieces: list[str]) -> Iterator[Event]:
        last = len(pieces)
        if item["type"] == "function_call":
            for number, piece in enumerate(pieces):
                yield number, "function_call_arguments.delta", {"delta": piece}
            yield last, "function_call_arguments.done", {"arguments": text, "name": item["name"]}
            return
        yield 0, "content_part.added", {"content_index": 0, "part": _part("")}
        for number, piece in enumerate(pieces):
            yield number, "output_text.delta", {"content_index": 0, "delta": piece, "logprobs": []}
        if self._outcome != "failed":
            yield last, "output_text.done", {"content_index": 0, "text": text, "logprobs": []}
            yield last, "content_part.done", {"content_index": 0, "part": _part(text)}


def _part(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
