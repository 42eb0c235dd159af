"""Agents of other frameworks, all made alike: a name, a model on a scripted server, plain functions as tools.

Each framework is imported by its own maker alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

from tests.provider.chat_wire import USAGE, text_reply
from tests.provider.server import Request
from tests.provider.steps import Script, answer

os.environ.setdefault("OPENAI_AGENTS_DISABLE_TRACING", "1")  # it uploads traces to OpenAI by default
os.environ.setdefault("AGNO_TELEMETRY", "false")
os.environ.setdefault("LANGSMITH_TRACING", "false")

FRAMEWORKS = ("pydantic_ai", "openai_agents", "agno", "agent_framework", "langgraph")
MODEL = "gpt-5-mini"


def price(ticker: str) -> str:
    """Return a stock's price.

    Args:
        ticker: The stock's ticker.
    """
    return f"{ticker} costs 180.5"


def pydantic_ai(url: str, tools: Sequence[Callable[..., Any]], **options: Any) -> Any:
    """Return an agent of pydantic-ai."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=url, api_key="k"))
    return Agent(model, tools=list(tools), name="pricer", **options)


def openai_agents(url: str, tools: Sequence[Callable[..., Any]], **options: Any) -> Any:
    """Return an agent of openai-agents."""
    from agents import Agent, OpenAIChatCompletionsModel, function_tool
    from openai import AsyncOpenAI

    model = OpenAIChatCompletionsModel(
        model=MODEL, openai_client=AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
    )
    return Agent(name="pricer", model=model, tools=[function_tool(one) for one in tools], **options)


def agno(url: str, tools: Sequence[Callable[..., Any]], **options: Any) -> Any:
    """Return an agent of agno."""
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    model = OpenAIChat(id=MODEL, base_url=url, api_key="k", max_retries=0)
    return Agent(name="pricer", model=model, tools=list(tools), telemetry=False, **options)


def agent_framework(url: str, tools: Sequence[Callable[..., Any]], **options: Any) -> Any:
    """Return an agent of agent-framework."""
    from agent_framework import Agent
    from agent_framework.openai import OpenAIChatCompletionClient

    client = OpenAIChatCompletionClient(model=MODEL, base_url=url, api_key="k")
    return Agent(client=client, name="pricer", tools=list(tools), **options)


def langgraph(url: str, tools: Sequence[Callable[..., Any]], **options: Any) -> Any:
    """Return a compiled graph of langgraph, an agent of langchain's."""
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=url, api_key="k", stream_usage=True, max_retries=0)  # type: ignore[arg-type]
    return create_agent(model, list(tools), name="pricer", **options)


def make(framework: str, url: str, *tools: Callable[..., Any], **options: Any) -> Any:
    """Return an agent of that framework which asks the server at `url`."""
    return globals()[framework](url, tools, **options)


def says(said: str) -> Callable[[Request], Script]:
    """Return what answers each request with a text, as the request wants it: not every one of them streams."""

    def reply(request: Request) -> Script:
        if request.body.get("stream"):
            return text_reply(said)
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "usage": USAGE}
        return answer(200, {**whole, "choices": [choice]})

    return reply


async def ask_it_yourself(framework: str, obj: Any, prompt: str) -> str:
    """Return its answer as its framework gives it in a cell."""
    if framework == "openai_agents":
        from agents import Runner

        return str((await Runner.run(obj, prompt)).final_output)
    if framework == "langgraph":
        return str((await obj.ainvoke({"messages": [("user", prompt)]}))["messages"][-1].text)
    reply = await (obj.arun(prompt) if framework == "agno" else obj.run(prompt))
    return str(
        getattr(reply, {"pydantic_ai": "output", "agno": "content", "agent_framework": "text"}[framework])
    )


class CellLoop:
    """An event loop that is not ours, as a notebook's cells have one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def run(self, awaitable: Any) -> Any:
        """Run it as a cell with `await` does."""
        return self.loop.run_until_complete(awaitable)
