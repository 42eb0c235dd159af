"""A wire format of nobody's, written as an exercise: all that a fourth one needs, in one file and a row.

A request is `{"who", "said": [{"by", "words", ...}], "can": [...], "like": schema}` to /talk. A reply is a stream of
objects with one field each: `word`, `thought` (with a `seal` that goes back), `call`, `trouble`, and at last `over`.
"""

from __future__ import annotations

import json
from typing import Any

from nbagent.events import Message, ToolRequest, Usage
from nbagent.models import (
    ModelEvent,
    ModelRequest,
    Provider,
    ReasoningDelta,
    ReplyFinished,
    ReplyStarted,
    TextDelta,
)
from nbagent.models.capabilities import RequestOptions
from nbagent.models.replies.finish_reasons import finish_reason_of
from nbagent.models.transport.errors import (
    Api,
    RequestTarget,
    error_from_error_object,
    error_from_reply,
)
from nbagent.models.wire.streamed_model import StreamedModel, WireFormat

TALK = Api("Talk")


def body(request: ModelRequest, model: str, row: Provider, _: RequestOptions) -> dict[str, Any]:
    """Return the request as JSON data."""
    made: dict[str, Any] = {
        "who": model,
        "said": [_said(one, f"{row.name}:{model}") for one in request.messages],
    }
    if request.tools:
        made["can"] = [
            {"name": one.name, "does": one.description, "takes": dict(one.parameters)}
            for one in request.tools
        ]
    if request.schema is not None:
        made["like"] = dict(request.schema.json_schema)
    return made | dict(request.settings.extra_body)


def _said(message: Message, maker: str) -> dict[str, Any]:
    made: dict[str, Any] = {"by": message.role, "words": message.content}
    if message.tool_call_id is not None:
        made["answers"] = message.tool_call_id
    if message.tool_requests:
        made["calls"] = [
            {"id": one.tool_call_id, "name": one.name, "with": one.arguments} for one in message.tool_requests
        ]
    seals = [item["seal"] for item in message.provider_items if item.get("maker") == maker and "seal" in item]
    return made | ({"seals": seals} if seals else {})


class TalkReply:
    """Folds the objects of a stream into events and the whole reply."""

    def __init__(self, target: RequestTarget) -> None:
        self.target = target
        self.done = False
        self._words: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[ToolRequest] = []
        self._seals: list[str] = []
        self._over: dict[str, Any] | None = None
        self._trouble: Any = None

    @property
    def ended(self) -> bool:
        """True once nothing more is to come."""
        return self.done

    @property
    def is_empty(self) -> bool:
        """True where nothing came."""
        return not (self._words or self._thoughts or self._calls or self.done)

    def take(self, payloads: list[bytes]) -> list[ModelEvent]:
        """Return what the payloads hold."""
        events: list[ModelEvent] = []
        for payload in payloads:
            came = json.loads(payload)
            if self.is_empty and not {"over", "trouble"} & came.keys():
                events.append(ReplyStarted())
            if "word" in came:
                self._words.append(came["word"])
                events.append(TextDelta(came["word"]))
            elif "thought" in came:
                self._thoughts.append(came["thought"])
                self._seals += [came["seal"]] if "seal" in came else []
                events.append(ReasoningDelta(came["thought"]))
            elif "call" in came:
                call = came["call"]
                self._calls.append(
                    ToolRequest(
                        tool_call_id=call["id"], name=call["name"], arguments=json.dumps(call["with"])
                    )
                )
            else:
                self._over, self._trouble, self.done = came.get("over"), came.get("trouble"), True
        return events

    def finished(self) -> ReplyFinished:
        """Return the whole reply. Raises ModelError."""
        if self._trouble is not None:
            raise error_from_error_object(self._trouble, self.target)
        if self._over is None:
            raise error_from_reply("its stream ended before the model did", self.target)
        given, made = self._over["counted"]
        maker = f"{self.target.provider}:{self.target.model}"
        return ReplyFinished(
            text="".join(self._words),
            reasoning="".join(self._thoughts) or None,
            tool_requests=tuple(self._calls),
            finish_reason="tool_calls" if self._calls else finish_reason_of(self._over["why"]),
            server_finish_reason=self._over["why"],
            usage=Usage(input_tokens=given, output_tokens=made, total_tokens=given + made),
            usage_source="reported",
            provider_items=tuple({"maker": maker, "seal": seal} for seal in self._seals),
        )


class TalkModel(StreamedModel):
    """A model behind a server that speaks Talk."""

    wire = WireFormat(name="talk", api=TALK, path="/talk", body=body, reply=TalkReply)

    def __init__(self, id: str, *, provider: str | Provider, base_url: str | None = None) -> None:  # noqa: A002
        super().__init__(id, provider, base_url, None)
