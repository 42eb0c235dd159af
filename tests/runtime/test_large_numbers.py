"""Numbers of any size, from the wire to the record and back."""

from __future__ import annotations

import json
import math
import warnings

import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import Agent, tool
from nbagent.runtime import current
from nbagent.store import load_run
from tests.provider import chat_wire
from tests.provider.server import ScriptedProvider

FACTORIAL = 15511210043330985984000000


class Fact(BaseModel):
    n: int


class Wide(BaseModel):
    values: list[float]
    label: str | None = None


def stored(run_id):
    """The run as another process reads it."""
    found = load_run(current().store, run_id)
    assert found is not None
    return found


@pytest.mark.parametrize("n", [2**63, -(2**70), FACTORIAL, 10**300])
@pytest.mark.parametrize("schema", [Fact, {"type": "object", "properties": {"n": {"type": "integer"}}}])
def test_a_large_integer_of_an_answer_is_kept(
    agent: Agent, provider: ScriptedProvider, n: int, schema
) -> None:
    """An integer beyond 64 bits is exact in the answer, in the record, and in its text there."""
    provider.reply(chat_wire.json_reply({"n": n}))
    run = agent.start("n!", output_schema=schema)
    content = run.result(timeout=60).content
    assert (content.n if isinstance(content, Fact) else content["n"]) == n
    assert stored(run.run_id).content == {"n": n}
    (text,) = nb.runs().query("run_id == @run.run_id").content
    assert json.loads(text) == {"n": n}


def test_huge_floats_of_an_answer_are_kept(agent: Agent, provider: ScriptedProvider) -> None:
    """A float at the end of its range is itself, and one beyond is infinite in the record too, not nothing."""
    provider.reply(chat_wire.text_reply('{"values": [1.7e308, -1e308, 1e400, 5e-324], "label": null}'))
    run = agent.start("floats", output_schema=Wide)
    assert run.result(timeout=60).content.values == [1.7e308, -1e308, math.inf, 5e-324]
    assert stored(run.run_id).content == {"values": [1.7e308, -1e308, math.inf, 5e-324], "label": None}


@pytest.mark.parametrize("sent", ["text", "object"])
def test_a_large_integer_of_a_tool_call_is_kept(agent: Agent, provider: ScriptedProvider, sent: str) -> None:
    """The function gets the integer that the model wrote, also from servers that send arguments as an object."""
    got = []

    @tool
    def note(n: int) -> str:
        """Note a number."""
        got.append(n)
        return str(n)

    arguments = {"n": FACTORIAL}
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "note", "arguments": json.dumps(arguments) if sent == "text" else arguments},
    }
    provider.reply((chat_wire.chunk({"tool_calls": [call]}), *chat_wire.end("tool_calls")))
    provider.reply(chat_wire.text_reply("noted"))
    own = Agent(model=agent.model, tools=[note])
    run = own.start("note it")
    assert run.result(timeout=60).content == "noted"
    assert got == [FACTORIAL]
    assert json.loads(stored(run.run_id).tool_calls[0].arguments) == arguments


@pytest.mark.parametrize("count", [2**63, 10**30, 10**400], ids=["beyond bigint", "10^30", "10^400"])
def test_a_count_that_no_bigint_holds_is_kept_and_said(
    agent: Agent, provider: ScriptedProvider, count: int
) -> None:
    """The row is there with all else; the count is text beside it, exact when read again, and a warning says so."""
    usage = {"prompt_tokens": count, "completion_tokens": 3, "total_tokens": count + 3}
    provider.reply(chat_wire.text_reply("hi", usage=usage))
    run = agent.start("hi")
    assert run.result(timeout=60).content == "hi"
    (call,) = stored(run.run_id).model_calls
    assert (call.usage.input_tokens, call.usage.output_tokens) == (count, 3)
    row = nb.sql(
        "select input_tokens, output_tokens, large_counts from model_calls where run_id = ?", [run.run_id]
    ).iloc[0]
    assert row.isna().input_tokens
    assert row.output_tokens == 3
    assert json.loads(row.large_counts) == {"input_tokens": str(count), "total_tokens": str(count + 3)}
    provider.reply(chat_wire.text_reply("again"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        agent.start("again").result(timeout=60)
    assert [run.run_id in str(one.message) for one in said].count(True) == 1
