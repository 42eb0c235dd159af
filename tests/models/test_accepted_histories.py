"""One session that changes between models of four kinds, with tools and thinking, in any order: each accepts its history."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nbagent import Agent, ModelSettings, OpenAIChat, OpenAIResponses, RunStatus, Session
from nbagent.models.anthropic import AnthropicMessages
from tests.models.accepted_requests import chat_faults, messages_faults, responses_faults
from tests.provider import chat_wire, messages_wire, responses_wire
from tests.provider.server import Request, ScriptedProvider

MODELS = {
    "chat": (OpenAIChat, "chat-1"),
    "foreign": (OpenAIChat, "kimi-1"),  # its ids have points and colons, each reply's the same
    "responses": (OpenAIResponses, "responses-1"),
    "claude": (AnthropicMessages, "claude-1"),
    "other claude": (AnthropicMessages, "claude-2"),
}
REPLIES = st.sampled_from(
    ["text", "blank", "one call", "three calls", "odd call", "thought and call", "thoughts"]
)
RUN = st.tuples(st.sampled_from(sorted(MODELS)), st.lists(REPLIES, max_size=3))


class Provider:
    """Answers by what it is asked for, and keeps what an API would not have accepted."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.faults: list[str] = []
        self.requests = 0
        self._made: dict[str, list[dict[str, Any]]] = {}
        self._reasoned: set[str] = set()
        self._number = itertools.count(1)

    def answer(self, request: Request) -> Any:
        """Check a request, then answer it with the next kind of reply; with text when none is left."""
        self.requests += 1
        body, model = request.body, request.body["model"]
        kind = self.left.pop(0) if self.left else "text"
        if request.path.endswith("/messages"):
            self.faults += messages_faults(body, self._made.get(model, ()))
            return self._message(model, kind)
        if request.path.endswith("/responses"):
            self.faults += responses_faults(body, self._reasoned)
            return self._response(kind)
        self.faults += chat_faults(body)
        return self._completion(model, kind)

    def _calls(self, kind: str, ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
        return [("price", {"symbol": f"S{n}"}) for n in range({"three calls": 3}.get(kind, 1))][: len(ids)]

    def _completion(self, model: str, kind: str) -> Any:
        thought = (chat_wire.chunk({"reasoning_content": "hm"}),) if "thought" in kind else ()
        if kind == "odd call":
            return chat_wire.tool_arguments('{"symbol": ')
        if "call" in kind:
            head = "functions.price:" if model == "kimi-1" else "call_"
            ids = [f"{head}{n}" for n in range(3)]
            return chat_wire.tool_reply(*self._calls(kind, ids), before=thought, ids=ids)
        return (*thought, *chat_wire.text_reply(" " if kind == "blank" else "well"))

    def _response(self, kind: str) -> Any:
        if kind == "odd call":
            return responses_wire.tool_arguments('{"symbol": ')
        items: list[dict[str, Any]] = []
        if "thought" in kind:
            item_id = f"rs_{next(self._number)}"
            self._reasoned.add(item_id)
            items.append({"type": "reasoning", "id": item_id, "summary": [], "encrypted_content": "x"})
        if "call" in kind:
            calls = enumerate(self._calls(kind, ["a", "b", "c"]))
            items += [responses_wire.call(*called, number) for number, called in calls]
        else:
            items.append(responses_wire.message(" " if kind == "blank" else "well"))
        done = (
            responses_wire.event("response.output_item.done", output_index=number, item=item)
            for number, item in enumerate(items)
        )
        return responses_wire.numbered(
            (responses_wire.created(), *done, responses_wire.end("completed", *items))
        )

    def _message(self, model: str, kind: str) -> Any:
        thoughts: list[Any] = []
        at = 0
        if "thought" in kind:
            signature = f"signed-{model}-{next(self._number)}"
            shown = {"type": "thinking", "thinking": "" if at else "Let me see.", "signature": signature}
            hidden = {"type": "redacted_thinking", "data": f"hidden-{signature}"}
            self._made.setdefault(model, []).extend([shown, hidden])
            thoughts = [
                *messages_wire.thinking_block("Let me ", "see.", signature=signature, index=0),
                *messages_wire.redacted_block(f"hidden-{signature}", index=1),
            ]
            at = 2
        if kind == "odd call":
            call_id = f"toolu_{next(self._number)}"
            block = messages_wire.tool_block("price", ['{"symbol": '], call_id=call_id, index=at)
            return (*messages_wire.begun(), *block, *messages_wire.end("tool_use"))
        if "call" in kind:
            ids = [f"toolu_{next(self._number)}" for _ in range(3)]
            return messages_wire.tool_reply(*self._calls(kind, ids), before=thoughts, thoughts=at, ids=ids)
        text = messages_wire.text_block(" " if kind == "blank" else "well", index=at)
        return (*messages_wire.begun(), *thoughts, *text, *messages_wire.end())


def price(symbol: str = "none") -> str:
    """Return the price of a share."""
    return "" if symbol == "S1" else f"{symbol}: 12"


@pytest.mark.parametrize("thinking", [None, "adaptive", 2048], ids=["default", "adaptive", "enabled"])
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(runs=st.lists(RUN, min_size=2, max_size=5))
@example(
    runs=[
        ("claude", ["thought and call"]),
        ("chat", ["three calls"]),
        ("claude", ["thoughts"]),
        ("claude", []),
    ]
)
@example(
    runs=[("foreign", ["one call", "one call"]), ("claude", ["one call"]), ("responses", []), ("foreign", [])]
)
@example(
    runs=[
        ("claude", ["thought and call"]),
        ("other claude", ["thought and call"]),
        ("claude", []),
        ("chat", []),
    ]
)
def test_each_model_accepts_the_history(
    provider: ScriptedProvider, thinking: Any, runs: list[tuple[str, list[str]]]
) -> None:
    """No request of any run would have been refused, and every thought goes back as it came, to its own model alone."""
    server, session = Provider(), Session()
    provider.otherwise(server.answer)
    for which, replies in runs:
        kind, name = MODELS[which]
        model = kind(id=name, base_url=provider.base_url, api_key="not-needed")
        tuned = ModelSettings(thinking=thinking if kind is AnthropicMessages else None)
        server.left = list(replies)
        output = Agent(model=model, tools=[price], settings=tuned).run("And now?", session=session)
        assert output.status is RunStatus.completed, output.error
    assert server.requests >= len(runs)
    assert not server.faults, json.dumps(server.faults, indent=1)
