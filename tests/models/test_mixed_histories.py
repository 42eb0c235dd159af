"""Sessions that go from one wire format to another: the history is one that each takes, whoever spoke before.

Each server here refuses what the real one would: calls without results or results without calls, turns that do not
alternate, empty text, another model's signatures, reasoning items of others. Orders are drawn at random, with tools,
parallel calls and thoughts.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbagent as nb
from nbagent import Agent
from nbagent.models import OpenAIChat, OpenAIResponses
from nbagent.models.anthropic import AnthropicMessages
from nbagent.spec import Limits
from tests.models.toy_wire import TalkModel
from tests.provider import chat_wire, messages_wire, responses_wire
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script, error

NAMES = ("chat", "deepseek", "mistral", "responses", "anthropic", "claude-2", "toy")
_numbers = itertools.count()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def models(base_url: str) -> dict[str, Any]:
    """Return a model of each wire format, and of rows whose servers want their histories otherwise."""
    row = nb.Provider(name="toy", wire=TalkModel, base_url=base_url, key_required=False)
    given = {"base_url": base_url, "api_key": "k-12345678"}
    return {
        "chat": OpenAIChat(id="chat", **given),
        "deepseek": OpenAIChat(id="deepseek", provider="deepseek", **given),
        "mistral": OpenAIChat(id="mistral", provider="mistral", **given),
        "responses": OpenAIResponses(id="responses", **given),
        "anthropic": AnthropicMessages(id="anthropic", **given),
        "claude-2": AnthropicMessages(id="claude-2", **given),
        "toy": TalkModel("toy", provider=row),
    }


# ------------------------------------------------------------------------------------ what a server would refuse


def fault_in(request: Request) -> str | None:
    """Return why the real server would refuse this request; None where it takes it."""
    body = request.body
    name = body.get("model") or body.get("who")
    if request.path.endswith("/messages"):
        return messages_fault(body["messages"], name)
    if request.path.endswith("/responses"):
        return responses_fault(body["input"])
    if request.path.endswith("/talk"):
        return None
    return chat_fault(body["messages"], name)


def chat_fault(messages: list[Any], name: str) -> str | None:
    """Chat Completions, and what DeepSeek and Mistral add to it."""
    open_ids: list[str] = []
    for one in messages:
        if one["role"] == "tool":
            if one["tool_call_id"] not in open_ids:
                return f"a result without its call: {one}"
            open_ids.remove(one["tool_call_id"])
            continue
        if open_ids:
            return f"calls without results: {open_ids}"
        calls = one.get("tool_calls") or []
        open_ids = [call["id"] for call in calls]
        if not calls and not one["content"]:
            return f"an empty message: {one}"
        if calls and one["content"] == "":
            return "empty text beside calls"
        if any(not isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls):
            return "arguments that are no object"
        if why := fault_of_a_row(one, open_ids, name):
            return why
    return f"calls without results: {open_ids}" if open_ids else None


def fault_of_a_row(one: Any, ids: list[str], name: str) -> str | None:
    """Return what DeepSeek or Mistral would not take in a message."""
    if name == "deepseek" and ids and not one.get("reasoning_content"):
        return "The reasoning_content in the thinking mode must be passed back"
    if name == "mistral" and any(len(one_id) != 9 or not one_id.isalnum() for one_id in ids):
        return f"tool call ids are nine letters and digits: {ids}"
    if name == "mistral" and one["role"] == "assistant" and set(one) - {"role", "content", "tool_calls"}:
        return f"extra_forbidden: {set(one)}"
    return None


def responses_fault(items: list[Any]) -> str | None:
    """The Responses API: each result after its call, reasoning items its own."""
    called: list[str] = []
    for one in items:
        kind = one.get("type", "message")
        if kind == "function_call":
            called.append(one["call_id"])
        elif kind == "function_call_output":
            if one["call_id"] not in called:
                return f"No tool call found for function call output: {one}"
            called.remove(one["call_id"])
        elif kind == "reasoning":
            if not str(one.get("id", "")).startswith("rs_"):
                return f"an item of somebody else's: {one}"
        elif kind == "message":
            if called:
                return f"No tool output found for function calls {called}"
            if not one.get("content"):
                return f"empty content: {one}"
        else:
            return f"an unknown item {kind}"
    return f"No tool output found for function calls {called}" if called else None


def messages_fault(turns: list[Any], name: str) -> str | None:
    """Anthropic's Messages: turns alternate, results come at once and first, signatures are the model's own."""
    if [turn["role"] for turn in turns] != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        return f"roles must alternate: {[turn['role'] for turn in turns]}"
    open_ids: set[str] = set()
    for turn in turns:
        blocks = turn["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        results = [block for block in blocks if block["type"] == "tool_result"]
        if {block["tool_use_id"] for block in results} != open_ids or blocks[: len(results)] != results:
            return f"tool_use without tool_result at once: {open_ids}, {results}"
        open_ids = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if not blocks or any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return f"empty text: {turn}"
        for block in blocks:
            if block["type"] == "thinking" and block["signature"] != f"signed-by-{name}":
                return f"Invalid signature in thinking block: {block}"
            if block["type"] == "tool_use" and not isinstance(block["input"], dict):
                return "tool_use.input: Input should be an object"
    return f"tool_use without tool_result: {open_ids}" if open_ids else None


# ----------------------------------------------------------------------------------------- what each server says


def reply_of(request: Request, calls: int, thinks: bool) -> Script:  # noqa: FBT001 - two facts of a turn
    """Return this model's answer: so many calls at once, or text, after a thought."""
    asked = [("add", {"a": number, "b": next(_numbers)}) for number in range(calls)]
    if request.path.endswith("/messages"):
        name = request.body["model"]
        thought = messages_wire.thinking_block("Hm.", signature=f"signed-by-{name}") if thinks else ()
        at = 1 if thinks else 0
        parts = [
            messages_wire.tool_block(*call, index=at + place, call_id=f"toolu_{next(_numbers)}")
            for place, call in enumerate(asked)
        ]
        said = itertools.chain.from_iterable(parts) if asked else messages_wire.text_block("Said.", index=at)
        stop = "tool_use" if asked else "end_turn"
        return (*messages_wire.begun(), *thought, *said, *messages_wire.end(stop))
    if request.path.endswith("/responses"):
        items: list[Any] = []
        if thinks:
            summary = [{"type": "summary_text", "text": "Hm."}]
            items.append({"type": "reasoning", "id": f"rs_{next(_numbers)}", "summary": summary})
        items += [responses_wire.call(*call, next(_numbers)) for call in asked]
        items += [] if asked else [responses_wire.message("Said.")]
        return (*responses_wire.begun(), responses_wire.end("completed", *items))
    if request.path.endswith("/talk"):
        thought = [{"thought": "Hm.", "seal": "s"}] if thinks else []
        made: list[Any] = [
            {"call": {"id": f"t{next(_numbers)}", "name": name, "with": given}} for name, given in asked
        ]
        last = {"over": {"why": "done", "counted": [1, 1]}}
        return tuple(map(chat_wire.data, [*thought, *(made or [{"word": "Said."}]), last]))
    thought = (chat_wire.chunk({"reasoning_content": "Hm."}),) if thinks else ()
    if not asked:
        return (*chat_wire.begun(), *thought, *chat_wire.text("Said."), *chat_wire.end())
    ids = [f"call_{next(_numbers)}" for _ in asked]
    return (*chat_wire.begun(), *thought, *chat_wire.tool_reply(*asked, ids=ids))


TURN = st.tuples(st.sampled_from(NAMES), st.integers(0, 2), st.booleans())


@pytest.fixture(scope="module")
def server():
    """One server for all examples."""
    made = ScriptedProvider()
    yield made
    made.close()


def go_through(server: ScriptedProvider, turns: list[tuple[str, int, bool]]) -> None:
    """Hold a session of these turns, each with a model, its number of calls at once and whether it thinks."""
    refused: list[str] = []
    now: list[tuple[int, bool]] = []

    def choose(request: Request) -> Script:
        why = fault_in(request)
        if why is not None:
            refused.append(f"{request.path} {request.body.get('model')}: {why}")
            return error(400, why)
        calls, thinks = now[-1]
        now[-1] = (0, thinks)
        return reply_of(request, calls, thinks)

    server.otherwise(choose)
    known, session = models(server.base_url), nb.Session()
    for name, calls, thinks in turns:
        now.append((calls, thinks))
        agent = Agent(
            model=known[name], tools=[add], instructions="Be brief.", limits=Limits(model_retries=0)
        )
        output = agent.run("Add.", session=session)
        assert (refused, output.error, output.content) == ([], None, "Said.")
        assert len(output.tool_calls) == calls


@pytest.mark.parametrize("first", NAMES)
def test_each_goes_on_where_any_left_off(server, first):
    """After a turn of one with two calls and a thought all others go on, each with a call, and the first again."""
    others = [(name, 1, True) for name in NAMES if name != first]
    go_through(server, [(first, 2, True), *others, (first, 0, False)])


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(turns=st.lists(TURN, min_size=2, max_size=6))
def test_any_order_of_models_is_a_history_that_each_takes(server, turns):
    """Whoever spoke, called tools or thought before: no server refuses what it is sent."""
    go_through(server, turns)
