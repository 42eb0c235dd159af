"""The events of one message, folded into pieces as they come and into the whole at the end.

Used by `messages.py`, one `MessageStreamParser` for one message, on the background thread; it does no I/O. The
path of a text delta is kept short: it runs for every token of every run. Events of unknown types are passed
over, as the documentation of the format asks (https://platform.claude.com/docs/en/build-with-claude/streaming,
2026-11-30).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nbagent.errors import ModelError
from nbagent.events import Usage
from nbagent.models.anthropic.message_blocks import BlockBuffer
from nbagent.models.protocol import ModelEvent, ReasoningDelta, ReplyFinished, ReplyStarted, TextDelta
from nbagent.models.replies.end_errors import whole_reply
from nbagent.models.replies.finish_reasons import finish_reason_of, finish_word
from nbagent.models.replies.lenient import (
    MISREADINGS,
    error_from_shape,
    name_in,
    objects_in,
    whole_number,
)
from nbagent.models.replies.usage import dollars_in, merged
from nbagent.models.transport.errors import RequestTarget, error_from_error_object
from nbagent.models.transport.stream_errors import error_in
from nbagent.models.transport.wire_json import SurrogateJoiner, loads, whole_text

_STARTED = ReplyStarted()
_NO_REASON = "the model declined to answer"


class MessageStreamParser:
    """Takes payloads in order; `ended` once there is a stop reason, `done` at the last event or an error."""

    def __init__(self, target: RequestTarget) -> None:
        self.done = False
        self.stop_reason: str | None = None
        self._target = target
        self._started = False
        self._begun = False  # an event of a message has come
        self._blocks = BlockBuffer()
        self._usage: Mapping[str, Any] | None = None
        self._id = ""
        self._model = ""
        self._stop_details: Mapping[str, Any] = {}
        self._reasoning: list[str] = []
        self._fault: ModelError | None = None
        self._pairing = SurrogateJoiner()

    @property
    def ended(self) -> bool:
        """True once the model has ended; nothing but the mark of it comes after its stop reason."""
        return self.stop_reason is not None

    @property
    def is_empty(self) -> bool:
        """True where not one event of a message and no error has come."""
        return not self._begun and self._fault is None

    def take(self, payloads: list[bytes]) -> list[ModelEvent]:
        """Return the events of the payloads of one read, its text as one piece; nothing once `done`."""
        if self.done:
            return []
        texts: list[str] = []
        thoughts: list[str] = []
        begins = False
        try:
            for payload in payloads:
                if (text := self._plain_text(payload)) is not None:
                    texts.append(text)
                elif payload and payload != b"[DONE]":
                    begins |= self._take_payload(payload, texts, thoughts)
        except ModelError as fault:  # raised by `finished`: the text that came with it in one read is kept
            self._fault = fault
            self.done = True
        return self._events(texts, thoughts) if texts or thoughts or begins else []

    def finished(self) -> ReplyFinished:
        """Return the whole reply.

        Raises:
            ModelError: an error came, or something that is no event. EarlyEndError: the stream ended before
            the model did. ProviderProtocolError: there was no message in it at all.
        """
        if self._fault is not None:
            raise self._fault
        cut = "its stream ended before the model did (no stop_reason)" if self.stop_reason is None else None
        return whole_reply(self._finished(), self._target, cut=cut, has_begun=self._begun)

    def _finished(self) -> ReplyFinished:
        target, word = self._target, self.stop_reason
        requests = self._blocks.requests()
        finish = finish_reason_of(word)
        if requests and finish == "stop":
            finish = "tool_calls"  # the calls are what the model wants, whatever the server calls it
        text = whole_text(self._blocks.text())
        usage = usage_of_message(self._usage)
        return ReplyFinished(
            text=text,
            finish_reason=finish,
            server_finish_reason=word,
            reasoning="".join(self._reasoning) or None,
            refusal=self._refusal(text) if finish == "refusal" else None,
            tool_requests=requests,
            usage=usage,
            usage_source="missing" if usage == Usage() else "reported",
            response_model=self._model or None,
            response_id=self._id or None,
            provider_items=self._blocks.kept(requests, f"{target.provider}:{target.model}"),
        )

    def _refusal(self, text: str) -> str:
        category = name_in(self._stop_details.get("category"))
        why = name_in(self._stop_details.get("explanation")) or text or _NO_REASON
        return f"{why} ({category})" if category else why

    def _plain_text(self, payload: bytes) -> str | None:
        """Return the text of a delta that goes on with the text block that is open; most events are one."""
        last = self._blocks.last
        if last is None:
            return None
        try:
            event = orjson.loads(payload)
        except ValueError:
            return None
        if type(event) is not dict or event.get("type") != "content_block_delta":
            return None
        delta = event.get("delta")
        if type(delta) is not dict or delta.get("type") != "text_delta" or last.kind != "text":
            return None
        text = delta.get("text")
        if type(text) is not str or event.get("index") != self._blocks.last_index or "error" in event:
            return None
        last.pieces.setdefault("text", []).append(text)
        return text

    def _take_payload(self, payload: bytes, texts: list[str], thoughts: list[str]) -> bool:
        """Take the events of a payload; True where one of them begins the reply without text."""
        begins = False
        try:
            for event in loads(payload, self._target):
                begins |= self._take_event(event, texts, thoughts)
        except MISREADINGS as error:
            raise error_from_shape(error, payload, self._target) from error
        return begins

    def _take_event(self, event: Mapping[str, Any], texts: list[str], thoughts: list[str]) -> bool:
        if self.done:  # what comes after the last event is no part of the message
            return False
        kind = name_in(event.get("type"))
        if kind == "error" or event.get("error") or not kind:
            if (error := error_in(event)) is not None:
                raise error_from_error_object(error, self._target)
        elif kind == "content_block_delta":
            self._begun = True
            if isinstance(delta := event.get("delta"), Mapping):
                of, piece = self._blocks.add(event.get("index"), delta)
                if piece:
                    (texts if of == "text" else thoughts).append(piece)
        elif kind == "content_block_start":
            self._begun = True
            return self._begin_block(event.get("index"), event.get("content_block"), texts, thoughts)
        elif kind == "message_start":
            return self._take_message(event.get("message"), texts, thoughts)
        elif kind == "message":  # the whole answer in one piece
            begins = self._take_message(event, texts, thoughts)
            self.done = True
            return begins
        elif kind == "message_delta":
            self._take_end(event.get("delta"), event.get("usage"))
        elif kind == "message_stop":
            self.done = self._begun = True
            self._blocks.last = None
        return False

    def _take_message(self, message: Any, texts: list[str], thoughts: list[str]) -> bool:
        self._begun = True
        if not isinstance(message, Mapping):
            return False
        self._id = name_in(message.get("id")) or self._id
        self._model = name_in(message.get("model")) or self._model
        begins = False
        for index, block in enumerate(objects_in(message.get("content"), "content", self._target)):
            begins |= self._begin_block(index, block, texts, thoughts)
        self._take_end(message, message.get("usage"))
        return begins

    def _begin_block(self, index: Any, start: Any, texts: list[str], thoughts: list[str]) -> bool:
        if not isinstance(start, Mapping):
            return False
        if start.get("type") == "thinking" and self._reasoning:
            thoughts.append("\n\n")
        block = self._blocks.begin(index, start)
        if text := block.joined("text") if block.kind == "text" else "":
            texts.append(text)
        if thought := block.joined("thinking") if block.kind == "thinking" else "":
            thoughts.append(thought)
        return block.kind == "tool_use"

    def _take_end(self, delta: Any, usage: Any) -> None:
        """Take the stop reason and the usage, which counts up from event to event."""
        if isinstance(usage, Mapping) and usage:
            self._usage = merged(self._usage, usage)
        if isinstance(delta, Mapping):
            self._begun = True
            self.stop_reason = finish_word(delta.get("stop_reason")) or self.stop_reason
            if isinstance(details := delta.get("stop_details"), Mapping):
                self._stop_details = details

    def _events(self, texts: list[str], thoughts: list[str]) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if not self._started:
            self._started = True
            events.append(_STARTED)
        if thoughts and (thought := whole_text("".join(thoughts))):
            self._reasoning.append(thought)
            events.append(ReasoningDelta(thought))
        if texts and (text := self._pairing.join(texts[0] if len(texts) == 1 else "".join(texts))):
            events.append(TextDelta(text))
        return events


def usage_of_message(usage: Mapping[str, Any] | None) -> Usage:
    """Return a message's counts, inclusive: its `input_tokens` leaves out what the cache gave and took."""
    if not usage:
        return Usage()
    plain, made = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    given = None if plain is None else plain + (read or 0) + (written or 0)
    if not given and not made:
        return Usage()  # zeros are how some servers say that they did not count
    details, thought = usage.get("cache_creation"), usage.get("output_tokens_details")
    return Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=None if given is None or made is None else given + made,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=_count(details, "ephemeral_1h_input_tokens"),
        reasoning_tokens=_count(thought, "thinking_tokens"),
        cost_usd=dollars_in(usage.get("cost")),  # of gateways
    )


def _count(usage: Any, name: str) -> int | None:
    number = whole_number(usage.get(name)) if isinstance(usage, Mapping) else None
    return number if number is not None and number >= 0 else None
