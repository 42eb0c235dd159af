"""Tools of other frameworks given to an Agent: each works, or is refused in two true lines that name what it wants."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

from nbagent import Agent, RunStatus
from nbagent.errors import ToolDefinitionError
from nbagent.tools import Tool, tools_of
from tests.guests.objects import FRAMEWORKS, make
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.runtime.scripted_team import model

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]
T = 30


def plain(ticker: str, amount: int = 1) -> str:
    """Order a stock.

    Args:
        ticker: The stock's ticker.
        amount: How many.
    """
    return f"{amount} of {ticker}"


async def waiting(ticker: str, amount: int = 1) -> str:
    """Order a stock, and wait."""
    return f"{amount} of {ticker}"


def typed(tickers: list[str], side: Literal["buy", "sell"], limits: list[float] | None = None) -> str:
    """Order a stock, or several."""
    return f"{side} {'+'.join(tickers)} {limits}"


def failing(ticker: str) -> str:
    """Fail."""
    raise LookupError(f"no {ticker}")


def agno(function: Callable[..., Any], **options: Any) -> Any:
    """Make a tool of agno."""
    from agno.tools import tool

    return tool(**{"requires_confirmation": True} if options else {})(function)


def langgraph(function: Callable[..., Any], **_options: Any) -> Any:
    """Make a tool of langchain."""
    from langchain_core.tools import tool

    return tool(function)


def pydantic_ai(function: Callable[..., Any], **options: Any) -> Any:
    """Make a tool of pydantic-ai."""
    from pydantic_ai import Tool

    return Tool(function, **{"requires_approval": True} if options else {})


def openai_agents(function: Callable[..., Any], **options: Any) -> Any:
    """Make a tool of openai-agents."""
    from agents import function_tool

    return function_tool(**{"needs_approval": True} if options else {})(function)


def agent_framework(function: Callable[..., Any], **options: Any) -> Any:
    """Make a tool of agent-framework."""
    from agent_framework import tool

    return tool(**{"approval_mode": "always_require"} if options else {})(function)


def tool_of(framework: str, function: Callable[..., Any], **options: Any) -> Any:
    """Make a tool of that framework."""
    return globals()[framework](function, **options)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("function", "arguments", "result"),
    [
        (plain, {"ticker": "NVDA", "amount": 3}, "3 of NVDA"),
        (plain, {"ticker": "é\U0001f600"}, "1 of é\U0001f600"),
        (waiting, {"ticker": "NVDA"}, "1 of NVDA"),
        (typed, {"tickers": ["A", "B"], "side": "buy", "limits": [1.5, 2]}, "buy A+B [1.5, 2.0]"),
        (typed, {"tickers": [], "side": "sell"}, "sell  None"),
    ],
)
def test_it_works(
    framework: str, function: Callable[..., Any], arguments: Any, result: str, provider: ScriptedProvider
) -> None:
    """The model is told its name, description and parameters, its call is a row, its result reaches the model."""
    provider.reply(tool_reply((function.__name__, arguments)), text_reply("done"))
    agent = Agent(model=model(provider.base_url, "m"), tools=[tool_of(framework, function)])
    output = agent.run("Go")
    assert output.content == "done"
    (told,) = provider.bodies[0]["tools"]
    assert told["function"]["name"] == function.__name__
    assert "Order a stock" in told["function"]["description"]
    assert set(arguments) <= set(told["function"]["parameters"]["properties"])
    (call,) = output.tool_calls
    assert (call.status, call.result) == ("completed", result)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_its_failure_is_the_models_to_read(framework: str, provider: ScriptedProvider) -> None:
    """Whatever its framework makes of an exception, the run goes on."""
    provider.reply(tool_reply(("failing", {"ticker": "X"})), text_reply("done"))
    output = Agent(model=model(provider.base_url, "m"), tools=[tool_of(framework, failing)]).run("Go")
    assert output.content == "done"
    assert "no X" in (output.tool_calls[0].result or "") or "rror" in (output.tool_calls[0].result or "")


@pytest.mark.parametrize("framework", [one for one in FRAMEWORKS if one != "langgraph"])
def test_its_approval_is_kept(framework: str, provider: ScriptedProvider) -> None:
    """A tool that its framework would ask a person for waits for one here too."""
    provider.reply(tool_reply(("plain", {"ticker": "A"})), text_reply("done"))
    run = Agent(model=model(provider.base_url, "m"), tools=[tool_of(framework, plain, approval=True)]).start(
        "Go"
    )
    for _ in run.events():
        if run.pending_approvals:
            assert run.status is RunStatus.paused
            run.approve()
    assert run.result(timeout=T).tool_calls[0].result == "1 of A"


def test_what_wants_its_frameworks_context_is_refused() -> None:
    """Two lines, when the agent is built, that name the parameter."""
    from tests.guests.context_tools import WANTING

    for source, name in WANTING:
        with pytest.raises(ToolDefinitionError) as caught:
            tools_of([source])
        assert f"wants the parameter {name}" in str(caught.value)
        assert len(str(caught.value).splitlines()) == 2


def test_a_toolkits_plumbing_is_not_offered() -> None:
    """Of a toolkit the functions that it registered are tools, with their schemas and flags, and nothing else."""
    from agno.tools import Toolkit
    from langchain_core.tools import BaseToolkit
    from pydantic_ai.toolsets import FunctionToolset

    class Desk(Toolkit):
        def __init__(self) -> None:
            super().__init__(name="desk", tools=[self.order, waiting], requires_confirmation_tools=["order"])

        def order(self, ticker: str, amount: int = 1) -> str:
            """Order a stock.

            Args:
                ticker: The stock's ticker.
                amount: How many.
            """
            return plain(ticker, amount)

        def secret(self) -> str:
            """Not for models."""
            return "secret"

    class Kit(BaseToolkit):
        def get_tools(self) -> list[Any]:
            return [tool_of("langgraph", plain)]

    order, second = tools_of(Desk())
    assert (order.name, second.name) == ("order", "waiting")
    assert list(order.parameters["properties"]) == ["ticker", "amount"]
    assert order.options.requires_approval is True
    assert second.options.requires_approval is False
    assert [one.name for one in tools_of(Kit())] == ["plain"]
    assert [one.name for one in tools_of(FunctionToolset([plain, typed]))] == ["plain", "typed"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_same_tool_twice_is_one(framework: str) -> None:
    """As with functions; and its fingerprint is the same each time."""
    source = tool_of(framework, plain)
    (one,) = tools_of([source, source])
    assert isinstance(one, Tool)
    assert one.fingerprint == tools_of(source)[0].fingerprint
    json.dumps(one.parameters)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_agent_is_no_tool(framework: str) -> None:
    """Its methods are not offered to a model."""
    with pytest.raises(ToolDefinitionError, match=r"is no tool.*\n.*Team\(members="):
        tools_of(make(framework, "http://127.0.0.1:1/v1"))


def test_a_providers_own_tool_is_refused() -> None:
    """What runs on OpenAI's servers cannot be called from here."""
    from agents import WebSearchTool

    with pytest.raises(ToolDefinitionError, match="WebSearchTool of agents is no tool that nbagent can call"):
        tools_of(WebSearchTool())
