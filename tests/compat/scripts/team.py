import asyncio
import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat
from agno.run.base import RunStatus
from agno.team import Team


def model(name):
    return OpenAIChat(id=name, base_url=os.environ["PROVIDER_URL"], api_key="k")


async def main():
    capitals = Agent(name="Capitals", role="Knows capitals", model=model("capitals"))
    prices = Agent(name="Prices", role="Knows prices", model=model("prices"))
    team = Team(
        name="Desk",
        model=model("leader"),
        members=[capitals, prices],
        instructions=["Delegate."],
        db=InMemoryDb(),
        store_member_responses=True,
        show_members_responses=True,
    )
    run = await team.arun("What is the capital of France, and the price of NVDA?", background=True)
    for _ in range(400):
        await asyncio.sleep(0.05)
        result = await team.aget_run_output(run_id=run.run_id, session_id=run.session_id)
        if result is not None and result.status in (RunStatus.completed, RunStatus.error):
            break
    print(result.status, result.content)
    for member in sorted(result.member_responses, key=lambda one: one.agent_name):
        print(member.agent_name, member.content, member.metrics.total_tokens)
    print(sorted(entry.id for entry in result.metrics.details["model"]))
    print(team.get_session_metrics(session_id=run.session_id).total_tokens)


asyncio.run(main())
