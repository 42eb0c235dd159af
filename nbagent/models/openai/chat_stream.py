"""The chunks of one Chat Completions reply, folded into pieces as they come and into the whole at the end.

Used by `chat.py`, one `ChatStreamParser` for one response, on the background thread; it does no I/O. The path
of a plain text chunk is kept short: it runs for every token of every run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from nbagent.errors import ModelError
from nbagent.events import ToolRequest
from nbagent.models.protocol import (
    ModelEvent,
    ReasoningDelta,
    ReplyFinished,
    ReplyStarted,
)
from nbagent.models.replies.end_errors import whole_reply
from nbagent.models.replies.finish_reasons import finish_reason_of, finish_word
from nbagent.models.replies.lenient import (
    MISREADINGS,
    SHORTEST_SNAPSHOT,
    error_from_shape,
    name_in,
    objects_in,
    take_extra,
    take_text,
    text_in,
    whole_number,
)
from nbagent.models.replies.think_tags import ThinkTags, apart
from nbagent.models.replies.usage import merged, usage_of
from nbagent.models.transport.errors import RequestTarget, error_from_error_object, error_from_reply
from nbagent.models.transport.stream_errors import error_in
from nbagent.models.transport.wire_json import SurrogateJoiner, loads, whole_text

_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_SHORTEST_REPEAT = 16  # characters; fewer may well be said twice
_STARTED = ReplyStarted()


@dataclass(slots=True)
class _OpenCall:
    """A tool call that is still coming; `arguments` are its parts in order."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)  # fields of the provider's own, which it wants back

    def is_whole(self) -> bool:
        """True once the arguments are one JSON object."""
        text = "".join(self.arguments).strip()
        if not text.endswith("}"):
            return False
        try:
            return isinstance(orjson.loads(text), dict)
        except ValueError:
            return False


class ChatStreamParser:
    """Takes payloads in order; sets `finish_reason` at the model's end, `done` at the mark or an error."""

    def __init__(self, target: RequestTarget) -> None:
        self.done = False
        self.finish_reason: str | None = None
        self._target = target
        self._started = False
        self._marked = False  # the server said itself that nothing more comes
        self._in_one_piece = False  # the answer came as one message, not as a stream
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._thought_characters = 0
        self._refusal: list[str] = []
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._usage: Mapping[str, Any] | None = None
        self._id = ""
        self._model = ""
        self._chunks = False  # one has come
        self._fault: ModelError | None = None
        self._pairing = SurrogateJoiner()
        self._reasoning_field: str | None = None
        self._extra: dict[str, Any] = {}
        self._tags = ThinkTags(target.reasoning_tag)

    @property
    def ended(self) -> bool:
        """True once the model has ended; its usage may still come."""
        return self.finish_reason is not None

    @property
    def is_empty(self) -> bool:
        """True where not one chunk and no error has come."""
        return not self._chunks and self._fault is None

    def take(self, payloads: list[bytes]) -> list[ModelEvent]:
        """Return the events of the payloads of one read, its text as one piece; nothing once `done`."""
        if self.done:
            return []
        texts: list[str] = []
        thoughts: list[str] = []
        calls_before = len(self._calls)
        try:
            for payload in payloads:
                if self._model and (text := _plain_text(payload)):
                    texts.append(text)
                elif payload.strip() == b"[DONE]":
                    self.done = self._marked = True
                    break
                elif payload:
                    self._take_payload(payload, texts, thoughts)
        except ModelError as fault:  # raised by `finished`: the text that came with it in one read is kept
            self._fault = fault
            self.done = True
        over = bool(self.finish_reason) or self.done
        if not texts and not thoughts and len(self._calls) == calls_before and not self._refusal:
            return self._rest() if over else []
        events = self._events(texts, thoughts)
        return [*events, *self._rest()] if over else events

    def finished(self) -> ReplyFinished:
        """Return the whole reply.

        Raises:
            ModelError: an error object came, something that is no JSON, or a finish reason that is no good
            end. EarlyEndError: the stream ended before the model did. ProviderProtocolError: there was
            nothing in it at all.
        """
        if self._fault is not None:
            raise self._fault
        finished = self._finished(self.finish_reason)
        is_cut = self.finish_reason is None and not (self._marked and self._ends_without_a_word(finished))
        cut = "its stream ended before the model did (no finish_reason)" if is_cut else None
        return whole_reply(finished, self._target, cut=cut, has_begun=self._chunks or self._marked)

    def _ends_without_a_word(self, finished: ReplyFinished) -> bool:
        """True where the server never says why it ends, and what has come may be all of it."""
        known = self._in_one_piece or not self._target.sends_finish_reason
        return known and bool(finished.text or finished.tool_requests)

    def _finished(self, word: str | None) -> ReplyFinished:
        requests = self._tool_requests()
        finish = finish_reason_of(word)
        refusal = "".join(self._refusal) or None
        if requests and finish == "stop":
            finish = "tool_calls"  # the calls are what the model wants, whatever the server calls it
        if refusal is not None and finish == "stop":
            finish = "refusal"
        raw = "".join(self._text) + ("\ufffd" if self._pairing.half else "")
        thought, text = apart(raw, whole=finish == "stop", own=self._target.reasoning_tag)
        usage = usage_of(self._usage)
        return ReplyFinished(
            text=text,
            finish_reason=finish,
            server_finish_reason=word,
            reasoning="".join(self._reasoning) + thought or None,
            refusal=refusal,
            tool_requests=requests,
            usage=usage,
            usage_source="missing"
            if usage.input_tokens is None and usage.output_tokens is None
            else "reported",
            response_model=self._model or None,
            response_id=self._id or None,
            provider_items=self._kept(requests),
        )

    def _take_payload(self, payload: bytes, texts: list[str], thoughts: list[str]) -> None:
        try:
            for chunk in loads(payload, self._target):
                self._take_chunk(chunk, texts, thoughts)
        except MISREADINGS as error:
            raise error_from_shape(error, payload, self._target) from error

    def _take_chunk(self, chunk: dict[str, Any], texts: list[str], thoughts: list[str]) -> None:
        choices = chunk.get("choices")
        if (not choices or chunk.get("error")) and (error := error_in(chunk)) is not None:
            raise error_from_error_object(error, self._target)
        if not (self._id and self._model) and "choices" in chunk:
            self._chunks = True
            # the first chunk of some servers (Azure) has neither
            self._id = self._id or name_in(chunk.get("id")) or ""
            self._model = self._model or name_in(chunk.get("model")) or ""
        usage = chunk.get("usage") or chunk.get("x_groq")
        if choices:
            for choice in objects_in(choices, "choices", self._target):
                if choice.get("index") and whole_number(choice["index"]) != 0:
                    continue  # nobody asked for a second choice
                self._take_choice(choice, texts, thoughts)
                usage = usage or choice.get("usage")
        if isinstance(usage, Mapping):
            usage = usage.get("usage", usage)
            # x_groq opens with the request's id alone; one that comes with every chunk is cumulative
            if isinstance(usage, Mapping) and usage.keys() - {"id"}:
                self._usage = merged(self._usage, usage)

    def _take_choice(self, choice: Mapping[str, Any], texts: list[str], thoughts: list[str]) -> None:
        delta = choice.get("delta")
        if (said := choice.get("finish_reason")) and (word := finish_word(said)) is not None:
            self.finish_reason = word
            if type(delta) is dict and self._is_repeated(delta.get("content"), texts):
                delta = {**delta, "content": None}
        if type(delta) is dict:
            self._take_delta(delta, texts, thoughts)
        elif delta:
            take_text(delta, texts, thoughts, self._target)
        elif (whole := choice.get("text")) is not None:  # the API from before there were messages
            take_text(whole, texts, thoughts, self._target)
        if error := choice.get("error"):
            raise error_from_error_object(error, self._target)
        if (message := choice.get("message")) is not None:
            if not delta:
                self._marked = self._in_one_piece = True
            self._take_message(message, texts, thoughts)

    def _is_repeated(self, content: Any, texts: list[str]) -> bool:
        """True where the last piece repeats all that came before it, and is too long for that to be text."""
        return (
            type(content) is str
            and len(content) >= _SHORTEST_REPEAT
            and len(self._text) + len(texts) > 1
            and content == "".join(self._text) + "".join(texts)
        )

    def _take_message(self, message: Any, texts: list[str], thoughts: list[str]) -> None:
        """Take a whole message: all there is, or in a stream what its pieces said already, once more."""
        whole = message if isinstance(message, Mapping) else {"content": message}
        text: list[str] = []
        thought: list[str] = []
        calls, self._calls, self._by_index = self._calls, [], {}
        refusal, self._refusal = self._refusal, []
        self._take_delta(whole, text, thought)
        self._calls = self._calls or calls
        self._refusal = self._refusal or refusal
        here = "".join(self._text) + self._pairing.half + "".join(texts)
        said, reasoned = "".join(text), "".join(thought)
        if said.startswith(here):
            texts.append(said[len(here) :])
        if not self._reasoning and not thoughts and reasoned:
            thoughts.append(reasoned)
        texts[:] = [piece for piece in texts if piece]

    def _take_delta(self, delta: Mapping[str, Any], texts: list[str], thoughts: list[str]) -> None:
        content = delta.get("content")
        if content:
            if type(content) is str:
                texts.append(content)
            else:
                take_text(content, texts, thoughts, self._target)
        if len(delta) > 1 or not content:
            for name in _REASONING_FIELDS:
                if thought := delta.get(name):
                    self._take_thought(thought, thoughts)
                    if name != "reasoning_details":
                        self._reasoning_field = name
                    break
            take_extra(delta, self._extra)
            if calls := delta.get("tool_calls"):
                for call in objects_in(calls, "tool_calls", self._target):
                    self._take_call(call)
            elif function := delta.get("function_call"):  # the word from before there were several
                self._take_call({"index": 0, "function": function})
            if delta.get("refusal"):
                self._refusal.append(text_in(delta["refusal"], self._target))

    def _take_thought(self, thought: Any, thoughts: list[str]) -> None:
        """Take a piece of reasoning; of all that there is so far, sent once more, only what it adds."""
        known = len(thoughts)
        take_text(thought, thoughts, thoughts, self._target)
        if len(thoughts) != known + 1 or len(thoughts[-1]) <= self._thought_characters:
            self._thought_characters += sum(map(len, thoughts[known:]))
            return
        whole = "".join((*self._reasoning, *thoughts[:known]))
        if len(whole) >= SHORTEST_SNAPSHOT and thoughts[-1].startswith(whole):
            thoughts[-1] = thoughts[-1][len(whole) :]
        self._thought_characters = len(whole) + len(thoughts[-1])

    def _take_call(self, part: Mapping[str, Any]) -> None:
        function = part.get("function") or {}
        if not isinstance(function, Mapping):
            raise error_from_reply(
                f"the function of a tool call is {function!r:.60}, no object", self._target
            )
        name, arguments = name_in(function.get("name")), function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):  # an object instead of its text
            arguments = json.dumps(arguments, ensure_ascii=False)
        call = self._call_of(whole_number(part.get("index")), name_in(part.get("id")), name)
        if name and name != call.name:
            call.name += name
        take_extra(part, call.extra)
        if arguments and not (name and call.is_whole() and arguments == "".join(call.arguments)):
            call.arguments.append(arguments)

    def _call_of(self, index: int | None, call_id: str, name: str) -> _OpenCall:
        """Return the call of a part: by index, else by id, else the last open one, else a new one."""
        found: _OpenCall | None = None
        if index is not None:
            found = self._by_index.get(index)
        elif call_id:
            found = next((call for call in self._calls if call.id == call_id), None)
        elif self._calls:
            found = self._calls[-1]
        if found is not None and _is_another(found, call_id, name, counted=index is not None):
            found = None
        if found is None:
            found = _OpenCall(id=call_id)
            self._calls.append(found)
        if index is not None:
            self._by_index[index] = found
        found.id = found.id or call_id
        return found

    def _tool_requests(self) -> tuple[ToolRequest, ...]:
        """Return the calls; one without an id, or with that of another, gets one of its own."""
        made: dict[str, ToolRequest] = {}
        for call in self._calls:
            if call.name:
                known = call.id if call.id not in made else ""
                made_id = known or f"call_{uuid4().hex[:24]}"
                made[made_id] = ToolRequest(
                    tool_call_id=made_id, name=call.name, arguments="".join(call.arguments)
                )
        return tuple(made.values())

    def _kept(self, requests: tuple[ToolRequest, ...]) -> tuple[Mapping[str, Any], ...]:
        """Return the fields that must go back with this turn, where any came."""
        called = [call for call in self._calls if call.name]
        return _kept_fields(
            self._target.provider,
            self._target.model,
            reasoning=self._reasoning_field if requests else None,
            extra=self._extra,
            calls={
                asked.tool_call_id: call.extra
                for asked, call in zip(requests, called, strict=True)
                if call.extra
            },
        )

    def _events(self, texts: list[str], thoughts: list[str]) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        if not self._started:
            self._started = True
            events.append(_STARTED)
        if thoughts:
            thought = whole_text("".join(thoughts))
            self._reasoning.append(thought)
            events.append(ReasoningDelta(thought))
        if texts:
            text = self._pairing.join(texts[0] if len(texts) == 1 else "".join(texts))
            if text:
                self._text.append(text)
                events += self._tags.feed(text)
        return events

    def _rest(self) -> list[ModelEvent]:
        finish = finish_reason_of(self.finish_reason)
        return self._tags.rest(whole=finish == "stop" and not self._calls)


def _plain_text(payload: bytes) -> str | None:
    """Return the text of a chunk that is of the usual form and brings nothing else; most are."""
    try:
        chunk = orjson.loads(payload)
    except ValueError:
        return None
    if type(chunk) is not dict:
        return None
    choices = chunk.get("choices")
    if type(choices) is not list or len(choices) != 1 or type(choice := choices[0]) is not dict:
        return None
    delta = choice.get("delta")
    if type(delta) is not dict or len(delta) != 1 + ("role" in delta):
        return None
    text = delta.get("content")
    if (
        type(text) is not str
        or choice.get("finish_reason")
        or choice.get("index")
        or "message" in choice
        or "usage" in choice
        or chunk.get("usage")
        or "x_groq" in chunk
        or "error" in chunk
    ):
        return None
    return text


def _is_another(found: _OpenCall, call_id: str, name: str, *, counted: bool) -> bool:
    """True where a named part begins a call of its own, though its index says that it is `found`.

    Some servers count every call as the first, and some give no ids: a call whose arguments are whole is
    over.
    """
    if not name or not found.name:
        return False
    if call_id and found.id:
        return call_id != found.id
    if found.is_whole():
        return True
    return not counted and not (name == found.name and found.arguments)


def _kept_fields(
    provider: str, model: str, *, reasoning: str | None, extra: Mapping[str, Any], calls: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Return a reply's provider-specific fields as a message keeps them: with who made them.

    `reasoning` is the field in which reasoning text came; `extra` are fields of the message, such as the
    thought signature of Gemini in `extra_content`, `calls` those of single tool calls by their ids.
    """
    fields = {"reasoning_field": reasoning, "extra": dict(extra), "calls": dict(calls)}
    kept = {name: value for name, value in fields.items() if value}
    return ({"maker": f"{provider}:{model}", "chat": kept},) if kept else ()
