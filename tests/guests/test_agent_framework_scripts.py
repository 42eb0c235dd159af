"""Code in agent-framework's idiom, as it stands; its agent is launched as a guest where the script awaited it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Annotated, Any

import pydantic
import pytest

import nbagent as nb
from nbagent import RunStatus
from tests.guests.objects import MODEL, CellLoop, says
from tests.guests.test_frameworks import cell  # noqa: F401 - a fixture
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]
T = 60


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Let the scripts' clients end with their test."""
    yield
    gc.collect()


def get_weather(location: Annotated[str, pydantic.Field(description="The location.")]) -> str:
    """Get the weather for a given location."""
    return f"The weather in {location} is sunny with a high of 20°C."


class OutputStruct(pydantic.BaseModel):
    """A structured output for a city."""

    city: str
    description: str


def client(provider: ScriptedProvider) -> Any:
    """Return the script's chat client."""
    from agent_framework.openai import OpenAIChatCompletionClient

    return OpenAIChatCompletionClient(model=MODEL, base_url=provider.base_url, api_key="k")


def test_basic_agent_with_a_tool(provider: ScriptedProvider) -> None:
    """`agent.run(query)` of the script is `nb.guest(agent).start(query)`: not awaited, and in the background."""
    from agent_framework import Agent

    provider.reply(tool_reply(("get_weather", {"location": "Seattle"})), text_reply("Sunny, 20°C."))
    agent = Agent(
        client=client(provider), name="WeatherAgent", instructions="You are helpful.", tools=get_weather
    )
    run = nb.guest(agent).start("What's the weather like in Seattle?")
    output = run.result(timeout=T)
    assert (output.text, output.agent_name, output.tool_calls[0].name) == (
        "Sunny, 20°C.",
        "WeatherAgent",
        "get_weather",
    )
    assert output.tool_calls[0].result == "The weather in Seattle is sunny with a high of 20°C."


def test_structured_output_and_polling(provider: ScriptedProvider) -> None:
    """The `response_format` in the agent's own options types the answer; the run is polled as a background one is."""
    from agent_framework import Agent

    provider.otherwise(says('{"city": "Paris", "description": "Capital"}'))
    agent = Agent(
        client=client(provider), name="CityAgent", default_options={"response_format": OutputStruct}
    )
    guest = nb.guest(agent)

    async def main() -> nb.RunOutput:
        output = await guest.arun("Tell me about Paris, France", background=True)
        assert output.status is RunStatus.pending
        while not output.is_final:
            output = await guest.aget_run_output(run_id=output.run_id)
            await asyncio.sleep(0)
        return output

    output = asyncio.run(main())
    assert output.content == OutputStruct(city="Paris", description="Capital")


def test_streaming_and_a_conversation(provider: ScriptedProvider) -> None:
    """Text as it comes, and a session instead of an AgentSession; instructions stay the agent's."""
    from agent_framework import Agent

    provider.reply(text_reply("Hello", ", Ada"), text_reply("You are Ada."))
    agent = Agent(client=client(provider), name="Chat", instructions="You remember.")
    guest = nb.guest(agent)

    async def main() -> str:
        pieces = [
            one.text
            async for one in guest.arun("I am Ada.", stream=True, session="chat")
            if hasattr(one, "text")
        ]
        return "".join(pieces)

    assert "Ada" in asyncio.run(main())
    assert guest.run("Who am I?", session="chat").text == "You are Ada."
    told = provider.bodies[1]["messages"]
    assert [one["role"] for one in told] == ["system", "user", "assistant", "user"]


def middleware_and_types(provider: ScriptedProvider, log: list[str]) -> Any:
    """An agent with middleware around its run and its function calls, a tool object and a typed answer."""
    from agent_framework import Agent, AgentContext, FunctionInvocationContext, tool

    @tool(name="lookup_order", description="Look an order up.")
    async def lookup(
        order_id: Annotated[str, pydantic.Field(description="The order's number.")],
    ) -> dict[str, Any]:
        return {"order": order_id, "city": "Paris"}

    async def timing(context: AgentContext, call_next: Any) -> None:
        log.append(f"run of {context.agent.name}")
        await call_next()
        log.append("run over")

    async def audit(context: FunctionInvocationContext, call_next: Any) -> None:
        log.append(f"{context.function.name}{dict(context.arguments)}")  # type: ignore[arg-type]
        await call_next()
        log.append(str([one.text for one in context.result]))

    return Agent(
        client=client(provider), name="OrderAgent", instructions="Look orders up.", tools=[lookup],
        middleware=[timing, audit], default_options={"response_format": OutputStruct},
    )  # fmt: skip


def checked_workflow(provider: ScriptedProvider, log: list[str]) -> Any:
    """A chain of a writer, a reviewer and a plain executor that gives the workflow's output, as an agent."""
    from agent_framework import (
        Agent,
        AgentExecutorResponse,
        Executor,
        WorkflowBuilder,
        WorkflowContext,
        handler,
    )

    async def publish(self: Any, said: Any, ctx: Any) -> None:
        del self
        log.append(f"published {said.agent_response.text}")
        await ctx.yield_output(f"PUBLISHED: {said.agent_response.text}")

    publish.__annotations__ |= {"said": AgentExecutorResponse, "ctx": WorkflowContext[Any, str]}
    kind: Any = type("Publish", (Executor,), {"publish": handler(publish)})
    writer = Agent(client=client(provider), name="writer", instructions="You write slogans.")
    reviewer = Agent(client=client(provider), name="reviewer", instructions="You review slogans.")
    made = WorkflowBuilder(start_executor=writer).add_chain([writer, reviewer, kind(id="publish")])
    return made.build().as_agent(name="Desk")


def context_and_tools_at_once(provider: ScriptedProvider, log: list[str]) -> Any:
    """An agent whose context provider adds instructions, and that calls two tools in one reply."""
    from agent_framework import Agent, ContextProvider

    class Preferences(ContextProvider):
        async def before_run(self, *, context: Any, **_: Any) -> None:
            context.extend_instructions(self.source_id, "The user likes short answers.")
            log.append("preferences")

    return Agent(
        client=client(provider), name="Weather", instructions="You know the weather.",
        tools=[get_weather], context_providers=[Preferences(source_id="preferences")],
    )  # fmt: skip


def answers(request: Request) -> Script:
    """Play the three scripts' model: a tool first where there is one, then the answer of whoever asks."""
    body = request.body
    told = str(body["messages"])
    names = [one["function"]["name"] for one in body.get("tools") or ()]
    if names and body["messages"][-1]["role"] != "tool":
        given = {"order_id": "A-1"} if names == ["lookup_order"] else {"location": "Oslo"}
        more = [] if names == ["lookup_order"] else [(names[0], {"location": "Rome"})]
        return tool_reply((names[0], given), *more)
    if "lookup_order" in names:
        return text_reply('{"city": "Paris", ', '"description": "order A-1"}')
    if "review" in told.partition("slogans")[0]:
        return text_reply("Good: ", "Fly!")
    return text_reply("Sunny in both.") if names else text_reply("Fly!")


SCRIPTS = [middleware_and_types, checked_workflow, context_and_tools_at_once]


@pytest.mark.parametrize("build", SCRIPTS, ids=lambda one: one.__name__)
def test_a_script_does_the_same_as_in_agent_framework_itself(
    build: Any,
    provider: ScriptedProvider,
    cell: CellLoop,  # noqa: F811 - the fixture
) -> None:
    """Answer, value, what its own parts saw and what the server was told are the framework's, streamed both times."""
    provider.otherwise(answers)
    own: list[str] = []
    as_guest: list[str] = []

    async def itself() -> Any:
        stream = build(provider, own).run("Go", stream=True)
        async for _ in stream:
            pass
        reply = await stream.get_final_response()
        return reply.value if reply.value is not None else reply.text

    said = cell.run(itself())
    asked = [body["messages"] for body in provider.bodies]
    output = nb.guest(build(provider, as_guest)).run("Go", timeout=T)
    assert output.error is None
    assert (output.content, as_guest) == (said, own)
    assert [body["messages"] for body in provider.bodies][len(asked) :] == asked
    assert output.metrics.total_tokens in {None, len(asked) * 18}  # None: all of it is its members'
    runs = nb.runs(columns="all")
    assert runs.model_calls.sum() == len(asked)
    assert runs.total_tokens.sum() == len(asked) * 18
