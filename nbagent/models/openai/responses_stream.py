"""The events of one response, folded into pieces as they come and into the whole at the end.

Used by `responses.py` and `background.py`, one `ResponsesStreamParser` for one response, on the background
thread; it does no I/O. A response that is streamed again or polled goes into the same reply: what came before
is not repeated. The path of a text delta is kept short: it runs for every token of every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from nbagent.errors import ModelError, ProviderRefusedError
from nbagent.models.openai.response_items import (
    ToolCallBuffer,
    output_text,
    refusal_in,
    same_item,
    tagged,
    tool_requests_in,
)
from nbagent.models.protocol import (
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    ReplyFinished,
    ReplyStarted,
)
from nbagent.models.replies.call_ids import distinct_items
from nbagent.models.replies.end_errors import whole_reply
from nbagent.models.replies.finish_reasons import finish_reason_of, finish_word
from nbagent.models.replies.lenient import (
    MISREADINGS,
    error_from_shape,
    name_in,
    objects_in,
    take_text,
    text_in,
    whole_number,
)
from nbagent.models.replies.think_tags import ThinkTags, apart
from nbagent.models.replies.usage import merged, usage_of
from nbagent.models.transport.errors import RequestTarget, error_from_error_object
from nbagent.models.transport.stream_errors import error_in
from nbagent.models.transport.wire_json import SurrogateJoiner, loads, whole_text

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
_FINAL = frozenset({"completed", "incomplete", "failed", "cancelled"})
_THOUGHTS = frozenset({"response.reasoning_text.delta", "response.reasoning_summary_text.delta"})
_STARTED = ReplyStarted()


class ResponsesStreamParser:
    """Takes payloads in order; `done` once the response has ended, or something came that ends it.

    `response_id`, `status` and `background` are as the provider last said, None until it did;
    `sequence_number` is the last event's. `known` is text of this response that was shown before.
    """

    def __init__(self, target: RequestTarget, known: str = "") -> None:
        self.done = False
        self.response_id: str | None = None
        self.status: str | None = None
        self.background: bool | None = None
        self.sequence_number: int | None = None
        self._target = target
        self._model: str | None = None
        self._started = False
        self._text = [known] if known else []
        self._whole = ""  # what the provider says the text is, where what came says otherwise
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._items: dict[int, Mapping[str, Any]] = {}
        self._calls = ToolCallBuffer()
        self._usage: Mapping[str, Any] | None = None
        self._incomplete: str | None = None
        self._fault: ModelError | None = None
        self._pairing = SurrogateJoiner()
        self._in_part = False  # a delta of the text part that is open has come
        self._after: int | None = None  # events up to this one have been taken; set where they may come again
        self._tags = ThinkTags()
        self._skip = 0  # characters that will come again and are known

    @property
    def ended(self) -> bool:
        """True once the response has ended; nothing comes after its terminal event."""
        return self.done

    @property
    def is_final(self) -> bool:
        """True once the provider said that the response is over."""
        return self.status in _FINAL

    @property
    def is_empty(self) -> bool:
        """True where not one event of a response and no error has come."""
        return self.status is None and not self._started and self._fault is None

    def again(self) -> None:
        """Prepare for a resumed stream, whose events may repeat what was taken."""
        self.done, self._fault = False, None
        self._after = self.sequence_number
        if self.sequence_number is None:
            self._skip = sum(map(len, self._text))

    def take(self, payloads: list[bytes]) -> list[ModelEvent]:
        """Return the events of the payloads of one read, its text as one piece; nothing once `done`."""
        if self.done:
            return []
        texts: list[str] = []
        thoughts: list[str] = []
        begins = False
        try:
            for payload in payloads:
                if payload == b"[DONE]" or not payload:
                    continue
                begins |= self._take_payload(payload, texts, thoughts)
                if self.ended:  # what comes after the terminal event is no part of the response
                    break
        except ModelError as fault:  # raised by `finished`: the text that came with it in one read is kept
            self._fault = fault
            self.done = True
        events = self._events(texts, thoughts) if texts or thoughts or begins else []
        if self.done:
            events += self._tags.rest(whole=self.status == "completed")
        return events

    def finished(self) -> ReplyFinished:
        """Return the whole reply.

        Raises:
            ModelError: the response failed, was cancelled at the provider, or something came that is no
            event. EarlyEndError: the stream ended before the response did. ProviderProtocolError: there was
            no event of a response in it.
        """
        if self._fault is not None:
            raise self._fault
        cut = None if self.is_final else "its stream ended before the response did (no response.completed)"
        has_begun = self.status is not None or self._started
        return whole_reply(self._finished(), self._target, cut=cut, has_begun=has_begun)

    def _finished(self) -> ReplyFinished:
        items = distinct_items([self._items[index] for index in sorted(self._items)])
        requests = tool_requests_in(items) or self._calls.requests()
        refusal = refusal_in(items) or "".join(self._refusal) or None
        usage = usage_of(self._usage)
        counted = usage.input_tokens is not None or usage.output_tokens is not None
        text = self._whole or "".join(self._text) + ("\ufffd" if self._pairing.half else "")
        # a call that names no tool is one that nobody can read, where there is nothing else
        unread = not text and any(item.get("type") == "function_call" for item in items)
        finish = self._finish_reason(refusal, called=bool(requests) or unread)
        thought, text = apart(text, whole=finish == "stop")
        return ReplyFinished(
            text=text,
            finish_reason=finish,
            server_finish_reason=self._incomplete or (self.status if self.is_final else None),
            reasoning="".join(self._reasoning) + thought or None,
            refusal=refusal,
            tool_requests=requests,
            usage=usage,
            usage_source="reported" if counted else "missing",
            response_model=self._model or None,
            response_id=self.response_id or None,
            provider_items=tagged(items, self._target.provider, self._target.model),
        )

    def _finish_reason(self, refusal: str | None, *, called: bool) -> FinishReason:
        if refusal is not None:
            return "refusal"
        if not self.is_final:
            return "missing"
        if self.status == "incomplete":
            reason = finish_reason_of(self._incomplete) if self._incomplete else "length"
            return "unknown" if reason in {"stop", "tool_calls"} else reason
        return "tool_calls" if called else "stop"

    def _take_payload(self, payload: bytes, texts: list[str], thoughts: list[str]) -> bool:
        """Take the events of a payload; True where one of them begins the reply without text."""
        begins = False
        try:
            for event in loads(payload, self._target):
                if (number := event.get("sequence_number")) is not None:
                    number = whole_number(number)
                    if number is not None:
                        if self._after is not None and number <= self._after:
                            continue
                        self.sequence_number = number
                if event.get("type") == "response.output_text.delta":
                    self._in_part = True
                    delta = event.get("delta")
                    if type(delta) is str:
                        texts.append(delta)
                    elif delta:
                        take_text(delta, texts, thoughts, self._target)
                else:
                    begins |= self._take_other(event, texts, thoughts)
        except MISREADINGS as error:
            raise error_from_shape(error, payload, self._target) from error
        return begins

    def _take_other(self, event: dict[str, Any], texts: list[str], thoughts: list[str]) -> bool:
        """Take an event that is no text delta; True where it begins the reply without text."""
        kind = event.get("type")
        response = event if event.get("object") == "response" else event.get("response")
        if kind in _THOUGHTS:
            thoughts.append(text_in(event.get("delta"), self._target))
        elif kind == "response.reasoning_summary_part.added":
            thoughts.extend(["\n\n"] if self._reasoning or thoughts else [])
        elif kind == "response.output_text.done":
            if not self._in_part:  # some servers send no deltas
                take_text(event.get("text"), texts, thoughts, self._target)
            self._in_part = False
        elif isinstance(response, Mapping):
            return self._take_response(response, texts, str(kind))
        elif (error := error_in(event)) is not None:
            raise error_from_error_object(error, self._target)
        else:
            return self._take_item(str(kind), event)
        return False

    def _take_item(self, kind: str, event: Mapping[str, Any]) -> bool:
        """Take an event about an output item, or one that nobody here knows; True as in `_take_other`."""
        item, index = event.get("item"), event.get("output_index")
        if kind == "response.function_call_arguments.delta":
            self._calls.add(event)
        elif kind == "response.function_call_arguments.done":
            self._calls.settle(event)
        elif kind == "response.refusal.delta":
            self._refusal.append(text_in(event.get("delta"), self._target))
            return True
        elif kind == "response.output_item.added":
            return self._calls.begin(event)
        elif kind == "response.output_item.done" and isinstance(item, Mapping):
            self._items[self._place_of(item, whole_number(index))] = item
            return item.get("type") == "function_call"
        return False

    def _place_of(self, item: Mapping[str, Any], index: int | None) -> int:
        """Return an item's index; one that differs from what stands there goes to the end."""
        there = self._items.get(index) if index is not None else None
        if index is None or (there is not None and not same_item(there, item)):
            return max(self._items, default=-1) + 1
        return index

    def _take_response(self, response: Mapping[str, Any], texts: list[str], kind: str) -> bool:
        """Take a whole response object, of an event or retrieved; append text not seen so far."""
        self.response_id = name_in(response.get("id")) or self.response_id
        self._model = name_in(response.get("model")) or self._model
        if response.get("background") is not None:
            self.background = bool(response["background"])
        named, status = kind.removeprefix("response."), name_in(response.get("status"))
        # some call the last event completed whatever the response's status, some leave the status out
        self.status = named if named in _FINAL and status not in _FINAL else status or self.status
        if isinstance(usage := response.get("usage"), Mapping) and usage:
            self._usage = merged(self._usage, usage)
        if not self.is_final:
            return False
        self.done = True
        output = objects_in(response.get("output"), "output", self._target)
        if output:
            self._items = dict(enumerate(output))
        self._incomplete = finish_word(response.get("incomplete_details"))
        self._add_missing(output_text(output), texts)
        if self.status == "failed":
            raise error_from_error_object(response.get("error") or {}, self._target)
        if self.status == "cancelled":
            raise ProviderRefusedError(
                f"response {self.response_id!r} was cancelled at provider {self._target.provider!r}",
                "launch the run again",
            )
        return bool(tool_requests_in(output))

    def _add_missing(self, whole: str, texts: list[str]) -> None:
        """Append the part of the whole text that has not come as deltas."""
        whole = whole_text(whole)
        here = "".join(self._text) + self._pairing.join("".join(texts))
        if whole.startswith(here) and not self._pairing.half:
            self._skip = 0
            texts[:] = [whole[sum(map(len, self._text)) :]]
        elif len(whole) >= len(here):
            self._whole = whole

    def _events(self, texts: list[str], thoughts: list[str]) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if thoughts and (thought := whole_text("".join(thoughts))):
            self._reasoning.append(thought)
            events.append(ReasoningDelta(thought))
        if texts:
            text = self._pairing.join(texts[0] if len(texts) == 1 else "".join(texts))
            if self._skip:
                text, self._skip = text[self._skip :], max(0, self._skip - len(text))
            if text:
                self._text.append(text)
                events += self._tags.feed(text)
        if not self._started and (events or not (texts or thoughts)):
            self._started = True
            events.insert(0, _STARTED)
        return events
