import asyncio
import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai import OpenAIChat
from agno.run.base import RunStatus

model = OpenAIChat(id="assistant", base_url=os.environ["DEMO_URL"], api_key=os.environ["DEMO_KEY"])


def get_stock_price(ticker: str) -> str:
    """Get the current price of a stock.

    Args:
        ticker: The stock's ticker.
    """
    return "180.5"


async def main():
    agent = Agent(
        name="StockAgent",
        model=model,
        tools=[get_stock_price],
        instructions=["Use the tool."],
        db=InMemoryDb(),
    )
    run = await agent.arun("What is the stock price of NVDA?", background=True)
    for _ in range(400):
        await asyncio.sleep(0.05)
        result = await agent.aget_run_output(run_id=run.run_id, session_id=run.session_id)
        if result is not None and result.status == RunStatus.completed:
            break
    print(result.content)
    metrics = result.metrics
    print(
        metrics.input_tokens > 0,
        metrics.output_tokens > 0,
        metrics.total_tokens == metrics.input_tokens + metrics.output_tokens,
    )
    print(metrics.duration > 0)
    for kind, entries in metrics.details.items():
        for entry in entries:
            print(kind, entry.id, entry.total_tokens == metrics.total_tokens)
    again = await agent.arun("What is the capital of Peru?")
    session = agent.get_session_metrics(session_id=run.session_id)
    print(session.total_tokens == metrics.total_tokens + again.metrics.total_tokens)


asyncio.run(main())
