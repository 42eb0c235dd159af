import asyncio
import os

from agno.agent import Agent, RunEvent
from agno.models.openai import OpenAIChat


def get_weather(city: str) -> str:
    """Get the weather of a city.

    Args:
        city: The city to look up.
    """
    return f"{city} is sunny"


agent = Agent(
    model=OpenAIChat(id="weather", base_url=os.environ["PROVIDER_URL"], api_key="k"), tools=[get_weather]
)


async def main():
    content = ""
    async for event in agent.arun("Is it nice in Rome?", stream=True, stream_events=True):
        if event.event in [RunEvent.run_started, RunEvent.run_completed]:
            print(f"EVENT: {event.event}")
        if event.event == RunEvent.tool_call_started:
            print(f"TOOL: {event.tool.tool_name} {event.tool.tool_args}")
        if event.event == RunEvent.tool_call_completed:
            print(f"RESULT: {event.tool.result}")
        if event.event == RunEvent.run_content:
            content += event.content
    print(content)


asyncio.run(main())
