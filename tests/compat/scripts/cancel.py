import asyncio
import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat
from agno.run.base import RunStatus

model = OpenAIChat(id="slow", base_url=os.environ["DEMO_URL"], api_key=os.environ["DEMO_KEY"])


async def main():
    agent = Agent(name="Writer", model=model, description="You write essays.", db=InMemoryDb(), markdown=True)
    run_output = await agent.arun("Write 5000 words about tea.", background=True)
    print(f"Status: {run_output.status}")
    for _ in range(100):
        await asyncio.sleep(0.05)
        result = await agent.aget_run_output(run_id=run_output.run_id, session_id=run_output.session_id)
        if result is not None and result.status == RunStatus.running:
            break
    cancelled = await agent.acancel_run(run_id=run_output.run_id)
    print("Cancelled:", cancelled)
    for _ in range(200):
        await asyncio.sleep(0.05)
        result = await agent.aget_run_output(run_id=run_output.run_id, session_id=run_output.session_id)
        if result is not None and result.status == RunStatus.cancelled:
            break
    print("Final:", result.status)


asyncio.run(main())
