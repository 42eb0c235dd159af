import asyncio
import os

from agno.agent import Agent
from agno.models.openai import OpenAIChat
from agno.team import Team, TeamRunEvent


def model(name):
    return OpenAIChat(id=name, base_url=os.environ["PROVIDER_URL"], api_key="k")


english = Agent(name="English", role="Answers in English", model=model("english"))
german = Agent(name="German", role="Answers in German", model=model("german"))
router = Team(
    name="Languages",
    model=model("router"),
    members=[english, german],
    respond_directly=True,
    instructions=["Route to the member of the language."],
    markdown=True,
    show_members_responses=True,
)
router.print_response("Wie geht es dir?")
panel = Team(name="Panel", model=model("panel"), members=[english, german], delegate_to_all_members=True)


async def main():
    text = ""
    async for event in panel.arun("Say hello", stream=True, stream_events=True):
        if event.event == TeamRunEvent.run_content:
            text += event.content
        if event.event == TeamRunEvent.run_completed:
            print("done", event.content == text)
    result = await panel.arun("Say hello")
    print(result.content, [one.content for one in result.member_responses])


asyncio.run(main())
