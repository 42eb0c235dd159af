"""The chunks of one Chat Completions reply, folded into pieces as they come and into the whole at the end.

Used by `chat.py`, one `ChatReply` for one response, on the background thread; it does no I/O. The path of a
plain text chunk is kept short: it runs for every token of every run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from nbagent.errors import ModelError, ProviderOverloadedError
from nbagent.events import ToolRequest
from nbagent.models.encoding import Pairing, loads, whole_text
from nbagent.models.faults import Target, fault_of_error_object, fault_of_reply
from nbagent.models.protocol import (
    FinishReason,
    ModelEvent,
    ReasoningPiece,
    ReplyFinished,
    ReplyStarted,
    TextPiece,
)
from nbagent.models.usage import usage_of

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
    "error": "error",
}
_STARTED = ReplyStarted()


@dataclass(slots=True)
class _OpenCall:
    """A tool call that is still coming; `arguments` are its parts in order."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ChatReply:
    """Takes payloads in order; `finish_reason` is set once the model has ended, `done` with the mark or an error."""

    def __init__(self, target: Target) -> None:
        self.done = False
        self.finish_reason: str | None = None
        self._target = target
        self._started = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._usage: Mapping[str, Any] | None = None
        self._id: str | None = None
        self._model: str | None = None
        self._fault: ModelError | None = None
        self._pairing = Pairing()

    @property
    def ended(self) -> bool:
        """True once the model has ended; its usage may still come."""
        return self.finish_reason is not None

    def take(self, payloads: list[bytes]) -> list[ModelEvent]:
        """Return what the payloads of one read hold, all of its text as one piece; nothing once it is `done`."""
        if self.done:
            return []
        texts: list[str] = []
        thoughts: list[str] = []
        calls_before = len(self._calls)
        try:
            for payload in payloads:
                if payload == b"[DONE]":
                    self.done = True
                    break
                if payload:
                    for chunk in loads(payload, self._target):
                        self._take_chunk(chunk, texts, thoughts)
        except ModelError as fault:  # raised by `finished`: the text that came with it in one read is kept
            self._fault = fault
            self.done = True
        if not texts and not thoughts and len(self._calls) == calls_before and not self._refusal:
            return []
        return self._events(texts, thoughts)

    def finished(self) -> ReplyFinished:
        """Return the whole reply.

        Raises:
            ModelError: an error object came, or something that is no JSON.
            ProviderOverloadedError: the provider says that it gave up.
            ProviderProtocolError: the stream ended before the model did.
        """
        if self._fault is not None:
            raise self._fault
        reason = self.finish_reason
        if reason is None:
            raise fault_of_reply("its stream ended before the model did (no finish_reason)", self._target)
        if reason == "insufficient_system_resource":
            raise ProviderOverloadedError(
                f"provider {self._target.provider!r} gave up in mid-answer for lack of resources",
                "try again later",
            )
        requests = tuple(self._tool_request(call) for call in self._calls if call.name)
        finish = _FINISH_REASONS.get(reason, "stop")
        refusal = "".join(self._refusal) or None
        text = "".join(self._text) + ("\ufffd" if self._pairing.half else "")
        if requests and finish == "stop":
            finish = "tool_calls"  # the calls are what the model wants, whatever the server calls it
        elif not requests and finish == "tool_calls":
            finish = "stop"
        if refusal is not None and finish == "stop":
            finish = "refusal"
        usage = usage_of(self._usage)
        return ReplyFinished(
            text=text,
            finish_reason=finish,
            reasoning="".join(self._reasoning) or None,
            refusal=refusal,
            tool_requests=requests,
            usage=usage,
            usage_source="missing"
            if usage.input_tokens is None and usage.output_tokens is None
            else "reported",
            response_model=self._model or None,
            response_id=self._id or None,
        )

    def _take_chunk(self, chunk: dict[str, Any], texts: list[str], thoughts: list[str]) -> None:
        choices = chunk.get("choices")
        if chunk.get("error") or (not choices and _is_error(chunk)):
            raise fault_of_error_object(chunk.get("error") or chunk, self._target)
        if self._id is None and "choices" in chunk:
            self._id, self._model = chunk.get("id") or "", chunk.get("model")
        usage = chunk.get("usage") or chunk.get("x_groq")
        if choices:
            choice = choices[0]
            if choice.get("index"):  # nobody asked for a second choice
                return
            delta = choice.get("delta") or choice.get("message")
            if delta:
                self._take_delta(delta, texts, thoughts)
            if choice.get("finish_reason") is not None:
                self.finish_reason = str(choice["finish_reason"])
            usage = usage or choice.get("usage")
        if usage is not None:
            usage = usage.get("usage", usage)
            if usage.keys() - {"id"}:  # x_groq opens with the request's id alone
                self._usage = usage  # cumulative where it comes with every chunk: the last one counts

    def _take_delta(self, delta: Mapping[str, Any], texts: list[str], thoughts: list[str]) -> None:
        content = delta.get("content")
        if content:
            if type(content) is str:
                texts.append(content)
            else:
                _take_parts(content, texts, thoughts)
        if len(delta) > 1 or not content:
            thought = delta.get("reasoning_content") or delta.get("reasoning")
            if thought and type(thought) is str:
                thoughts.append(thought)
            calls = delta.get("tool_calls")
            if calls:
                for call in calls:
                    self._take_call(call)
            if delta.get("refusal"):
                self._refusal.append(delta["refusal"])

    def _take_call(self, part: Mapping[str, Any]) -> None:
        function = part.get("function") or {}
        name = function.get("name") or ""
        call = self._call_of(part.get("index"), part.get("id") or "", name)
        if name and name != call.name:
            call.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.arguments.append(arguments)
        elif arguments is not None:  # an object instead of its text
            call.arguments.append(json.dumps(arguments, ensure_ascii=False))

    def _call_of(self, index: Any, call_id: str, name: str) -> _OpenCall:
        """Find the call that a part belongs to: by index, else by id, else the last open one."""
        found: _OpenCall | None = None
        if isinstance(index, int):
            found = self._by_index.get(index)
            if found and name and found.name and call_id and found.id and call_id != found.id:
                found = None  # servers that count every call as the first
        elif call_id:
            found = next((call for call in self._calls if call.id == call_id), None)
        elif self._calls and not (name and self._calls[-1].name):
            found = self._calls[-1]
        if found is None:
            found = _OpenCall(id=call_id)
            self._calls.append(found)
        if isinstance(index, int):
            self._by_index[index] = found
        found.id = found.id or call_id
        return found

    def _tool_request(self, call: _OpenCall) -> ToolRequest:
        return ToolRequest(
            tool_call_id=call.id or f"call_{uuid4().hex[:24]}",
            name=call.name,
            arguments="".join(call.arguments),
        )

    def _events(self, texts: list[str], thoughts: list[str]) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if not self._started:
            self._started = True
            events.append(_STARTED)
        if thoughts:
            thought = whole_text("".join(thoughts))
            self._reasoning.append(thought)
            events.append(ReasoningPiece(thought))
        if texts:
            text = self._pairing.join(texts[0] if len(texts) == 1 else "".join(texts))
            if text:
                self._text.append(text)
                events.append(TextPiece(text))
        return events


def _is_error(chunk: Mapping[str, Any]) -> bool:
    return chunk.get("object") == "error" or ("message" in chunk and ("code" in chunk or "type" in chunk))


def _take_parts(content: Any, texts: list[str], thoughts: list[str]) -> None:
    """Take content that comes as a list of parts instead of a string."""
    for part in content if isinstance(content, list) else [content]:
        if not isinstance(part, Mapping):
            texts.append(str(part))
        elif isinstance(part.get("text"), str):
            (thoughts if part.get("type") in {"thinking", "reasoning"} else texts).append(part["text"])
        elif part.get("type") == "thinking":
            _take_parts(part.get("thinking") or [], thoughts, thoughts)
