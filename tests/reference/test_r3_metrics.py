"""R3, metrics of an agent's run: the same in the background, in the foreground and in the store. On each wire format."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, RunMetrics, RunOutput, RunStatus, Session
from nbagent.runtime import current
from tests.provider import chat_wire, messages_wire, responses_wire
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Silence, Wait, error
from tests.reference.wire_formats import Wire

pytestmark = pytest.mark.anyio

Polled = Callable[[Agent, RunOutput], Awaitable[RunOutput]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

QUESTION = "What is the price of AAPL?"
WORDS: dict[str, Any] = {"chat": chat_wire, "responses": responses_wire, "messages": messages_wire}
USED: dict[str, Any] = {
    "chat": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 8},
        "cost": 0.5,
    },
    "responses": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 8},
        "total_tokens": 120,
        "cost": 0.5,
    },
    "messages": {
        "input_tokens": 36,
        "cache_read_input_tokens": 64,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 8},
        "cost": 0.5,
    },
}
ONE_CALL = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "cache_read_tokens": 64,
    "reasoning_tokens": 8,
    "cost_usd": 0.5,
}


class StockTools:
    """A toolkit: its public methods are tools, and it has a state of its own."""

    def __init__(self, **prices: float) -> None:
        self._prices = prices
        self.looked_up: list[str] = []

    def get_current_stock_price(self, symbol: str) -> float:
        """Get the current price of a stock.

        Args:
            symbol: its ticker
        """
        self.looked_up.append(symbol)
        return self._prices[symbol]

    async def get_company_name(self, symbol: str) -> str:
        """Get a company's name."""
        return {"AAPL": "Apple"}[symbol]


def counted(metrics: RunMetrics) -> dict[str, Any]:
    """Tokens, cost and counts of metrics: what does not depend on how fast the machine is."""
    plain = metrics.model_dump(exclude={"duration_s", "queued_s", "paused_s", "ttft_s"})
    for entries in plain["details"].values():
        for entry in entries:
            entry.pop("duration_s")
    return plain


def answering(wire: Wire) -> Callable[[Request], Script]:
    """A provider that asks for both tools, and answers when it was told what they said."""
    words, usage = WORDS[wire.name], USED[wire.name]
    calls = [("get_current_stock_price", {"symbol": "AAPL"}), ("get_company_name", {"symbol": "AAPL"})]

    def reply(request: Request) -> Script:
        last = (request.body.get("messages") or request.body["input"])[-1]
        results = [one for one in last.get("content") or () if isinstance(one, dict) and "tool_use_id" in one]
        if results or last.get("role") == "tool" or last.get("type") == "function_call_output":
            return words.text_reply("It is ", "190.5.", usage=usage)
        return words.tool_reply(*calls, usage=usage)

    return reply


@pytest.fixture
def stocks(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> Agent:
    """An agent with a toolkit, at a provider that asks for its tools."""
    provider.otherwise(answering(wire))
    scripted.tools = [StockTools(AAPL=190.5)]
    return scripted


READ = """
import json, sys
from nbagent.store import load_run, open_store
out = load_run(open_store(sys.argv[1]), sys.argv[2])
print(out.metrics.model_dump_json())
"""


async def read_elsewhere(run_id: str) -> RunMetrics:
    """A run's metrics as a new process reads them from the store."""
    reading = [sys.executable, "-c", READ, current().store.name, run_id]
    done = await asyncio.to_thread(subprocess.run, reading, capture_output=True, text=True, check=True)
    return RunMetrics.model_validate(json.loads(done.stdout))


async def test_background_foreground_and_store_are_the_same(stocks: Agent, polled: Polled) -> None:
    """A run with a stock-price tool has the same metrics in all three, and a new process reads them to the last digit."""
    foreground = await stocks.arun(QUESTION)
    background = await polled(stocks, await stocks.arun(QUESTION, background=True))
    assert foreground.content == background.content == "It is 190.5."
    assert counted(foreground.metrics) == counted(background.metrics)
    assert counted(background.metrics) == {
        **{name: 2 * value for name, value in ONE_CALL.items()},
        "cache_write_tokens": None,
        "estimated_tokens": None,
        "estimated_cost_usd": None,
        "model_calls": 2,
        "tool_calls": 2,
        "details": counted(background.metrics)["details"],
    }
    assert await read_elsewhere(background.run_id) == background.metrics
    assert await read_elsewhere(foreground.run_id) == foreground.metrics


async def test_a_toolkit_object_is_a_tool_source(stocks: Agent, provider: ScriptedProvider) -> None:
    """Its public methods are offered like functions, are called on that very object, and its state is its own."""
    (toolkit,) = stocks.tools
    out = await stocks.arun(QUESTION)
    offered = [tool.get("function", tool)["name"] for tool in provider.bodies[0]["tools"]]
    assert offered == ["get_current_stock_price", "get_company_name"]
    assert toolkit.looked_up == ["AAPL"]
    assert [(call.name, call.result) for call in out.tool_calls] == [
        ("get_current_stock_price", "190.5"),
        ("get_company_name", "Apple"),
    ]


async def test_details_by_model_and_by_tool(stocks: Agent, wire: Wire) -> None:
    """`details` is a dict: "model" has one entry per (provider, model id) with its tokens, "tool_call" one per tool."""
    out = await stocks.arun(QUESTION)
    (model,) = out.metrics.details["model"]
    provider = {"chat": "openai-chat", "responses": "openai", "messages": "anthropic"}[wire.name]
    assert (model["provider"], model["id"], model["calls"]) == (provider, "scripted-1", 2)
    assert {name: model[name] for name in ONE_CALL} == {name: 2 * value for name, value in ONE_CALL.items()}
    assert [(one["name"], one["calls"], one["errors"]) for one in out.metrics.details["tool_call"]] == [
        ("get_current_stock_price", 1, 0),
        ("get_company_name", 1, 0),
    ]


async def test_the_reference_names_answer(stocks: Agent) -> None:
    """`duration` and `time_to_first_token`, in seconds; the first token comes before the end."""
    metrics = (await stocks.arun(QUESTION)).metrics
    assert (metrics.duration, metrics.time_to_first_token) == (metrics.duration_s, metrics.ttft_s)
    assert metrics.duration is not None
    assert metrics.time_to_first_token is not None
    assert 0 < metrics.time_to_first_token < metrics.duration


async def test_time_to_first_token_is_that_of_the_first_token(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """Not of the headers, not of the end: it lies between the two gates that the provider opens."""
    before, after = Gate(), Gate()
    head, *rest = wire.reply("Par", "is.")
    texts = [n for n, step in enumerate(rest) if b"is." in getattr(step, "data", b"")]
    provider.reply((head, Wait(before), *rest[: texts[0]], Wait(after), *rest[texts[0] :]))
    launched = time.monotonic()
    run = scripted.start("Capital of France?")
    (request,) = await asyncio.to_thread(provider.wait_for_requests, 1)
    assert await asyncio.to_thread(before.reached.wait, 5)
    opened = time.monotonic()
    before.open()
    await until(lambda: run.text == "Par")
    seen = time.monotonic()
    after.open()
    metrics = (await run).metrics
    assert metrics.ttft_s is not None
    assert opened - request.received_at <= metrics.ttft_s <= seen - launched
    assert (metrics.duration_s or 0) >= metrics.ttft_s


async def test_waiting_in_the_queue_is_no_duration(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """A run that waited for its session's turn counts that time apart."""
    gate = Gate()
    provider.reply((Wait(gate), *wire.reply("one")), wire.reply("two"))
    first, second = (scripted.start("Well?", session="s") for _ in range(2))
    await asyncio.to_thread(provider.wait_for_requests, 1)
    waiting = time.monotonic()
    await asyncio.sleep(0)
    gate.open()
    await first
    waited = time.monotonic() - waiting
    metrics = (await second).metrics
    assert metrics.queued_s is not None
    assert metrics.queued_s >= waited * 0.5
    out = second.output
    assert out.started_at is not None
    assert out.finished_at is not None
    assert metrics.duration_s == (out.finished_at - out.started_at).total_seconds()


async def test_missing_usage_is_none(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> None:
    """A provider that counts nothing leaves None, never 0: in the run, its details, the session and the store."""
    provider.reply(WORDS[wire.name].text_reply("Paris.", usage=None))
    out = await scripted.arun("Capital of France?")
    session = scripted.get_session_metrics()
    for metrics in (out.metrics, session, await read_elsewhere(out.run_id)):
        assert {getattr(metrics, name) for name in ONE_CALL} == {None}
        assert metrics.model_calls == 1
        assert metrics.details["model"][0]["total_tokens"] is None


async def test_a_failed_or_cancelled_run_keeps_what_it_finished(
    stocks: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """The usage of the first call stays, whatever became of the second."""
    calls = WORDS[wire.name].tool_reply(
        ("get_current_stock_price", {"symbol": "AAPL"}), usage=USED[wire.name]
    )
    provider.reply(calls, error(400, "no"), calls, (*wire.begun("It"), Silence()))
    failed = await stocks.arun(QUESTION)
    run = stocks.start(QUESTION)
    await until(lambda: run.text == "It")
    run.cancel()
    cancelled = await run.finished()
    for out, status in ((failed, RunStatus.error), (cancelled, RunStatus.cancelled)):
        assert out.status is status
        assert {name: getattr(out.metrics, name) for name in ONE_CALL} == ONE_CALL
        assert (out.metrics.model_calls, out.metrics.tool_calls) == (2, 1)
        assert await read_elsewhere(out.run_id) == out.metrics


async def test_a_session_is_the_sum_of_its_runs(
    stocks: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """Eight at once, then a cancel, an error and a resume: no call is lost and none counts twice."""
    session = Session(f"{wire.name}-desk")
    parallel = replace(stocks, on_busy="parallel")
    outputs = await asyncio.gather(*(parallel.start(QUESTION, session=session) for _ in range(8)))
    assert total(parallel, session) == (8 * 2, 8 * 2 * 120, 8 * 2)

    provider.reply((*wire.begun("It"), Silence()))
    cancelled = stocks.start(QUESTION, session=session)
    await until(lambda: cancelled.text == "It")
    cancelled.cancel()
    await cancelled.finished()
    assert total(stocks, session) == (8 * 2 + 1, 8 * 2 * 120, 8 * 2)

    provider.reply(
        WORDS[wire.name].tool_reply(("get_current_stock_price", {"symbol": "AAPL"}), usage=USED[wire.name]),
        error(400, "no"),
    )
    failed = stocks.start("And now?", session=session)
    assert (await failed.finished()).status is RunStatus.error
    assert total(stocks, session) == (8 * 2 + 3, (8 * 2 + 1) * 120, 8 * 2 + 1)
    resumed = await failed.resume()
    assert resumed.metrics.total_tokens == 2 * 120
    assert total(stocks, session) == (8 * 2 + 4, (8 * 2 + 2) * 120, 8 * 2 + 1)

    everything = [*outputs, await cancelled.finished(), resumed]
    metrics = stocks.get_session_metrics(session)
    for name in ONE_CALL:
        assert getattr(metrics, name) == sum(getattr(out.metrics, name) or 0 for out in everything)
    assert metrics.duration_s == pytest.approx(sum(out.metrics.duration_s or 0 for out in everything))
    (model,) = metrics.details["model"]
    assert (model["calls"], model["total_tokens"]) == (metrics.model_calls, metrics.total_tokens)
    assert {one["name"]: one["calls"] for one in metrics.details["tool_call"]} == {
        "get_current_stock_price": 9,
        "get_company_name": 8,
    }


def total(agent: Agent, session: Session) -> tuple[int, int | None, int]:
    """What a session has cost so far: model calls, tokens, tool calls."""
    metrics = agent.get_session_metrics(session)
    return metrics.model_calls, metrics.total_tokens, metrics.tool_calls


async def test_the_session_is_that_of_the_last_launch(stocks: Agent) -> None:
    """Without an id it is the session of this agent's last launch, one of its own where none was given."""
    await stocks.arun(QUESTION, session_id="s")
    await stocks.arun(QUESTION, session_id="s")
    assert stocks.get_session_metrics().total_tokens == 4 * 120
    await stocks.arun(QUESTION)
    assert stocks.get_session_metrics().total_tokens == 2 * 120
    assert stocks.get_session_metrics("s").total_tokens == 4 * 120
    assert stocks.get_session_metrics("nobody").model_calls == 0


def test_the_original_with_its_imports_changed(demo_url: str, wire: Wire) -> None:
    """The original's own script, against the demo model: the tool is called, and both records agree."""
    agent = Agent(model=wire.model(demo_url, "assistant"), tools=[StockTools(AAPL=190.5)])

    async def main() -> RunOutput:
        out = await agent.arun("What is the stock price of AAPL?", background=True)
        while not out.is_final:
            await asyncio.sleep(0.01)
            out = await agent.aget_run_output(run_id=out.run_id, session_id=out.session_id)
        return out

    out = asyncio.run(main())
    assert "190.5" in out.content
    assert out.metrics.details["model"][0]["input_tokens"] == out.metrics.input_tokens
    assert out.metrics.details["tool_call"][0]["name"] == "get_current_stock_price"
    assert agent.get_session_metrics().total_tokens == out.metrics.total_tokens
    assert nb.get(out.run_id).metrics == out.metrics
