"""Code in agent-framework's idiom, as it stands; its agent is launched as a guest where the script awaited it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pydantic
import pytest

import nbagent as nb
from nbagent import RunStatus
from tests.guests.objects import MODEL, says
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]
T = 60


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
