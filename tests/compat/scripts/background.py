import asyncio
import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat
from agno.run.base import RunStatus

model = OpenAIChat(id="assistant", base_url=os.environ["DEMO_URL"], api_key=os.environ["DEMO_KEY"])


async def main():
    agent = Agent(name="BackgroundAgent", model=model, description="You answer questions.", db=InMemoryDb())
    run_output = await agent.arun("What is the capital of France? Answer in one sentence.", background=True)
    print(f"Status: {run_output.status}")
    assert run_output.status == RunStatus.pending
    for _ in range(300):
        await asyncio.sleep(0.05)
        result = await agent.aget_run_output(run_id=run_output.run_id, session_id=run_output.session_id)
        if result is None:
            continue
        if result.status == RunStatus.completed:
            print("Completed:", result.content)
            break
        if result.status == RunStatus.error:
            print("Failed:", result.content)
            break
    print(await agent.aget_run_output(run_id="unknown", session_id=run_output.session_id))


asyncio.run(main())
