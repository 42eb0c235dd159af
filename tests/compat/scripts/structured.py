import asyncio
import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat
from agno.run.base import RunStatus
from pydantic import BaseModel, Field

model = OpenAIChat(id="assistant", base_url=os.environ["DEMO_URL"], api_key=os.environ["DEMO_KEY"])


class CityFact(BaseModel):
    name: str = Field(..., description="Name of the city")
    country: str = Field(..., description="Country of the city")


class CityFactsResponse(BaseModel):
    cities: list[CityFact]


async def wait_for(agent, run):
    for _ in range(400):
        await asyncio.sleep(0.05)
        result = await agent.aget_run_output(run_id=run.run_id, session_id=run.session_id)
        if result is not None and result.status in (RunStatus.completed, RunStatus.error):
            return result
    raise SystemExit("it does not end")


async def main():
    agent = Agent(
        name="CityFactsAgent", model=model, description="You give facts about cities.", db=InMemoryDb()
    )
    run = await agent.arun("Facts about Tokyo and Paris.", output_schema=CityFactsResponse, background=True)
    result = await wait_for(agent, run)
    print(type(result.content).__name__)
    for city in result.content.cities:
        print(city.name, city.country)
    questions = [
        "What is the capital of Spain?",
        "What is the capital of Egypt?",
        "What is the capital of Peru?",
    ]
    runs = [await agent.arun(question, background=True) for question in questions]
    results = await asyncio.gather(*(wait_for(agent, run) for run in runs))
    for result in results:
        print(result.status, result.content)


asyncio.run(main())
