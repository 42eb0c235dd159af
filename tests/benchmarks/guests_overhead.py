"""What a run costs as a guest: CPU of one process, ratios to OpenAI's SDK alone, side by side in one run.

`python tests/benchmarks/guests_overhead.py` in an environment with the frameworks (`.ci/run guests`). For each framework
the CPU of a run of 50 streamed chunks in its own loop, as a guest with everything recorded, and what that is more.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

RUNS = 60
PIECES = [f"word{n} " for n in range(50)]


async def alone(client: Any) -> None:
    """Stream one answer with the SDK alone."""
    from tests.guests.objects import MODEL

    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "?"}], stream=True
    )
    async for _ in stream:
        pass


async def own_loop(framework: str, obj: Any) -> None:
    """Stream one answer as its framework does."""
    if framework == "openai_agents":
        from agents import Runner

        result = Runner.run_streamed(obj, "?")
        async for _ in result.stream_events():
            pass
    elif framework == "langgraph":
        async for _ in obj.astream({"messages": [("user", "?")]}, stream_mode="messages"):
            pass
    elif framework == "pydantic_ai":
        async with obj.run_stream_events("?") as events:
            async for _ in events:
                pass
    else:
        stream = (
            obj.arun("?", stream=True, stream_events=True)
            if framework == "agno"
            else obj.run("?", stream=True)
        )
        async for _ in stream:
            pass


def cpu_ms(work: Callable[[], Any]) -> float:
    """Return the CPU milliseconds of this process for one of RUNS."""
    work()
    began = time.process_time()
    for _ in range(RUNS):
        work()
    return (time.process_time() - began) / RUNS * 1000


def main() -> None:
    """Print a line for each framework."""
    os.environ.setdefault("NBAGENT_STORE", f"{tempfile.mkdtemp()}/runs.duckdb")
    from openai import AsyncOpenAI

    import nbagent as nb
    from tests.guests.objects import FRAMEWORKS, make
    from tests.provider.chat_wire import text_reply
    from tests.provider.server import ScriptedProvider

    provider = ScriptedProvider()
    provider.otherwise(text_reply(*PIECES))
    loop = asyncio.new_event_loop()

    def on_loop(made: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        return lambda: loop.run_until_complete(made())

    client = AsyncOpenAI(base_url=provider.base_url, api_key="k")
    sdk = cpu_ms(on_loop(lambda: alone(client)))
    print(f"the SDK alone: {sdk:.1f} ms of CPU a run, the server's included")
    for framework in FRAMEWORKS:
        obj = make(framework, provider.base_url)
        guest = nb.guest(obj)
        own = cpu_ms(on_loop(lambda name=framework, one=obj: own_loop(name, one)))
        as_guest = cpu_ms(lambda one=guest: one.run("?"))
        print(
            f"{framework}: own loop {own / sdk:.2f}x, as a guest {as_guest / sdk:.2f}x, more {(as_guest - own) / sdk:+.2f}x"
        )


if __name__ == "__main__":
    main()
