"""The wire formats side by side: the same replies and the same model in each, for scenarios that must hold on all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import nbagent as nb
from nbagent.models import Model
from nbagent.models.anthropic import AnthropicMessages
from tests.provider import chat_wire, messages_wire, responses_wire
from tests.provider.steps import Script


class Wire(Protocol):
    """One wire format: a model that speaks it, replies in it, and how to read a request."""

    name: str

    def model(self, base_url: str, id: str = "scripted-1", **options: Any) -> Model:  # noqa: A002 - as the models
        """Return a model at this address."""
        ...

    def begun(self, *pieces: str) -> Script:
        """Return the beginning of a reply, cut after these pieces of text."""
        ...

    def reply(self, *pieces: str, finish: str = "stop", reasoning: str = "") -> Script:
        """Return a whole reply of text; `finish` is "stop", "length" or "content_filter"; 11 tokens in, 7 out."""
        ...

    def refusal(self, text: str) -> Script:
        """Return a reply in which the model refuses."""
        ...

    def calls(self, name: str, **arguments: Any) -> Script:
        """Return a reply that asks for one tool call."""
        ...

    def said(self, body: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Return the messages of a request as (role, content)."""
        ...

    def tuned(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request's model settings by nbagent's names."""
        ...


class Chat:
    """Chat Completions."""

    name = "chat"

    def model(self, base_url: str, id: str = "scripted-1", **options: Any) -> Model:  # noqa: A002
        return nb.OpenAIChat(id=id, base_url=base_url, api_key="not-needed", **options)

    def begun(self, *pieces: str) -> Script:
        return chat_wire.text(*pieces)

    def reply(self, *pieces: str, finish: str = "stop", reasoning: str = "") -> Script:
        thoughts = (chat_wire.chunk({"reasoning_content": reasoning}),) if reasoning else ()
        return (*thoughts, *chat_wire.text_reply(*pieces, finish=finish))

    def refusal(self, text: str) -> Script:
        return (chat_wire.chunk({"refusal": text}), *chat_wire.end())

    def calls(self, name: str, **arguments: Any) -> Script:
        return chat_wire.tool_reply((name, arguments))

    def said(self, body: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return [(message["role"], message.get("content")) for message in body["messages"]]

    def tuned(self, body: Mapping[str, Any]) -> dict[str, Any]:
        names = {"max_completion_tokens": "max_output_tokens", "max_tokens": "max_output_tokens"}
        return {names.get(name, name): value for name, value in body.items()}


class Responses:
    """The Responses API."""

    name = "responses"

    def model(self, base_url: str, id: str = "scripted-1", **options: Any) -> Model:  # noqa: A002
        return nb.OpenAIResponses(id=id, base_url=base_url, api_key="not-needed", **options)

    def begun(self, *pieces: str) -> Script:
        return responses_wire.numbered((*responses_wire.begun(), *responses_wire.text(*pieces)))

    def reply(self, *pieces: str, finish: str = "stop", reasoning: str = "") -> Script:
        if finish != "stop":
            why = "max_output_tokens" if finish == "length" else finish
            return responses_wire.stopped_reply(why, *pieces)
        return _reasoned(reasoning, *pieces) if reasoning else responses_wire.text_reply(*pieces)

    def refusal(self, text: str) -> Script:
        return responses_wire.refusal_reply(text)

    def calls(self, name: str, **arguments: Any) -> Script:
        return responses_wire.tool_reply((name, arguments))

    def said(self, body: Mapping[str, Any]) -> list[tuple[str, Any]]:
        told = [("system", body["instructions"])] if body.get("instructions") else []
        items = [item for item in body["input"] if item.get("type", "message") == "message"]
        return [*told, *((item["role"], _plain(item["content"])) for item in items)]

    def tuned(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {**body, "reasoning_effort": (body.get("reasoning") or {}).get("effort")}


class Messages:
    """Anthropic's Messages API."""

    name = "messages"

    def model(self, base_url: str, id: str = "scripted-1", **options: Any) -> Model:  # noqa: A002
        return AnthropicMessages(id=id, base_url=base_url, api_key="not-needed", **options)

    def begun(self, *pieces: str) -> Script:
        return (*messages_wire.begun(), *messages_wire.text(*pieces))

    def reply(self, *pieces: str, finish: str = "stop", reasoning: str = "") -> Script:
        thoughts = messages_wire.thinking_block(reasoning) if reasoning else ()
        said = messages_wire.text_block(*pieces, index=1 if reasoning else 0)
        stop = {"stop": "end_turn", "length": "max_tokens"}.get(finish, finish)
        return (*messages_wire.begun(), *thoughts, *said, *messages_wire.end(stop))

    def refusal(self, text: str) -> Script:
        return messages_wire.refusal_reply(text)

    def calls(self, name: str, **arguments: Any) -> Script:
        return messages_wire.tool_reply((name, arguments))

    def said(self, body: Mapping[str, Any]) -> list[tuple[str, Any]]:
        told = [("system", _plain(body["system"]))] if body.get("system") else []
        return [*told, *((turn["role"], _plain(turn["content"])) for turn in body["messages"])]

    def tuned(self, body: Mapping[str, Any]) -> dict[str, Any]:
        effort = (body.get("output_config") or {}).get("effort")
        return {**body, "max_output_tokens": body["max_tokens"], "reasoning_effort": effort}


def _plain(content: Any) -> Any:
    """Return a content of nothing but one text as that text, so that all wires read alike."""
    if isinstance(content, list) and len(content) == 1 and "text" in content[0]:
        return content[0]["text"]
    return content


def _reasoned(reasoning: str, *pieces: str) -> Script:
    """Return a reply whose first item is a summary of the model's reasoning."""
    event = responses_wire.event
    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": reasoning}]}
    message = responses_wire.message("".join(pieces))
    at = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    return responses_wire.numbered(
        (
            responses_wire.created(),
            event("response.reasoning_summary_text.delta", **at, delta=reasoning),
            event("response.output_item.done", output_index=0, item=thought),
            *responses_wire.text(*pieces),
            event("response.output_item.done", output_index=1, item=message),
            responses_wire.end("completed", thought, message),
        )
    )


WIRES: Mapping[str, Wire] = {wire.name: wire for wire in (Chat(), Responses(), Messages())}
