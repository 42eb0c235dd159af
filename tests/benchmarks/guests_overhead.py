"""What a run costs as a guest: CPU of one process, beside its framework's own loop and OpenAI's SDK, in turns.

`python tests/benchmarks/guests_overhead.py [FRAMEWORK ...]` in an environment with the frameworks (`.ci/run guests`).
Runs of 50 chunks, each chunk on its own, from the server of this folder in a process of its own; a guest's run is
recorded whole. For each framework two lines: 50 runs at a time (budget: the framework's own loop plus 0.25x of the SDK),
and one after the other, where each run's end is a commit of the store of its own. `Agent` is nbagent's own loop. The
sides take turns in one process, and the least of each side's rounds counts.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ROUNDS = 4
AT_A_TIME = 50
ALONE = 30  # runs of a round, one after the other


async def ask_sdk(client: Any) -> None:
    """Stream one answer with the SDK alone."""
    from tests.guests.objects import MODEL

    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for _ in stream:
        pass


async def ask_itself(framework: str, obj: Any) -> None:
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


class Sides:
    """The sides of one comparison: each does its runs at once, or one after the other."""

    def __init__(self, framework: str, base_url: str) -> None:
        from openai import AsyncOpenAI

        import nbagent as nb
        from tests.guests.objects import MODEL, make

        self._loop = asyncio.new_event_loop()
        client = AsyncOpenAI(base_url=base_url, api_key="k")
        obj = make(framework, base_url)
        guest = nb.guest(make(framework, base_url))
        agent = nb.Agent(model=nb.OpenAIChat(id=MODEL, base_url=base_url, api_key="k"))
        self.sides: dict[str, Callable[[int], None]] = {
            "sdk": self._on_loop(lambda: ask_sdk(client)),
            "own": self._on_loop(lambda: ask_itself(framework, obj)),
            "guest": lambda count: self._launch(guest, count),
            "Agent": lambda count: self._launch(agent, count),
        }

    def _on_loop(self, ask: Callable[[], Awaitable[None]]) -> Callable[[int], None]:
        async def at_once(count: int) -> None:
            await asyncio.gather(*(ask() for _ in range(count)))

        return lambda count: self._loop.run_until_complete(at_once(count))

    @staticmethod
    def _launch(agent: Any, count: int) -> None:
        import nbagent as nb

        outputs = nb.gather(*[agent.start("?") for _ in range(count)])
        assert [output.content for output in outputs] == [" words" * 50] * count

    def measure(self, at_a_time: int, times: int) -> dict[str, float]:
        """Return each side's CPU milliseconds a run: the least of its rounds, in turns."""
        spent: dict[str, list[float]] = {name: [] for name in self.sides}
        for number in range(ROUNDS + 1):  # the first is a warm-up
            for name, work in self.sides.items():
                began = time.process_time()
                for _ in range(times):
                    work(at_a_time)
                if number:
                    spent[name].append((time.process_time() - began) / times / at_a_time * 1000)
        return {name: min(found) for name, found in spent.items()}


def main(frameworks: list[str]) -> None:
    """Print two lines for each framework."""
    from nbagent import settings

    settings.configure("max_concurrency", AT_A_TIME)
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("server.py"), "0.002"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        for framework in frameworks:
            sides = Sides(framework, base_url)
            for at_a_time, times in ((AT_A_TIME, 2), (1, ALONE)):
                found = sides.measure(at_a_time, times)
                sdk, more = found["sdk"], found["guest"] - found["own"]
                print(
                    f"{framework}, {at_a_time} at a time: SDK {sdk:.2f} ms, Agent {found['Agent']:.2f} ms, "
                    f"own loop {found['own']:.2f} ms, as a guest {found['guest']:.2f} ms, "
                    f"more {more:+.2f} ms = {more / sdk:+.2f}x",
                    flush=True,
                )
        server.stdin.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from tests.guests.objects import FRAMEWORKS

    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        main(sys.argv[1:] or list(FRAMEWORKS))
