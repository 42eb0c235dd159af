"""Many runs at once, all of them really under way together; the figures are `tests/benchmarks/many_runs.py`."""

from __future__ import annotations

import asyncio
import json

from nbagent import Agent, OpenAIChat, gather, settings
from nbagent.demo.process import DemoProcess
from nbagent.runtime import current

RUNS = 200


def test_two_hundred_runs_with_a_tool_call_each() -> None:
    """All complete with their own texts against the demo server, and every row of theirs is in the store, once."""
    here: list[str] = []
    all_here = asyncio.Event()

    async def price(symbol: str) -> str:
        """Price of a stock by its ticker symbol."""
        here.append(symbol)
        if len(here) == RUNS:
            all_here.set()
        await all_here.wait()
        return f"{symbol} costs {len(here)}"

    server = DemoProcess(speed=1000)
    settings.configure("max_concurrency", RUNS)
    try:
        model = OpenAIChat(id="assistant", base_url=server.start(), api_key="not-needed")
        agent = Agent(model=model, tools=[price])
        symbols = [f"{'ABCDEFGHIJKLMNOPQRST'[n // 10]}{'QRSTUVWXYZ'[n % 10]}X" for n in range(RUNS)]
        runs = [agent.start(f"What is the price of {symbol}?", label=symbol) for symbol in symbols]
        outputs = gather(*runs, timeout=60)
    finally:
        settings.configure("max_concurrency", None)
        server.stop()
    for symbol, output in zip(symbols, outputs, strict=True):
        assert output.status.value == "completed", output.error
        assert [json.loads(call.arguments) for call in output.tool_calls] == [{"symbol": symbol}]
        assert output.tool_calls[0].result == f"{symbol} costs {RUNS}"
        assert symbol in output.content
    store = current().store
    assert store.read("select status, count(*) n from runs group by 1") == [
        {"status": "completed", "n": RUNS}
    ]
    for table, each in (("model_calls", 2), ("tool_calls", 1), ("messages", 4)):
        rows = store.read(f"select run_id, count(*) n from {table} group by 1")  # noqa: S608 - names above
        assert [row["n"] for row in rows] == [each] * RUNS, table
