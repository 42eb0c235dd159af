"""Time to first token through nbagent against the bare SDK, side by side; budget: 10 ms more.

`python tests/benchmarks/ttft.py [--wire chat|responses]` prints medians in milliseconds and their difference. Both
sides ask in turns, one question at a time, from one process; the server is a process of its own. nbagent's time is
from the call of `agent.start` until the first text is in the run's record.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = 60
WARM_UP = 10


def measure(base_url: str, wire: str) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds to the first token: of the bare SDK, of nbagent from its launch on, and of its model call."""
    from bare_sdk import WIRES
    from openai import AsyncOpenAI

    from nbagent import Agent
    from nbagent.models import OpenAIChat, OpenAIResponses

    kind = {"chat": OpenAIChat, "responses": OpenAIResponses}[wire]
    agent = Agent(model=kind(id="bench-1", base_url=base_url, api_key="not-needed"))
    bare: list[float] = []
    launched: list[float] = []
    called: list[float] = []

    async def ask_bare(client: AsyncOpenAI) -> float:
        began = time.perf_counter()
        first = None
        async for _ in WIRES[wire](client):
            first = first or time.perf_counter() - began
        assert first is not None
        return first

    def ask_nbagent() -> tuple[float, float]:
        began = time.perf_counter()
        run = agent.start("Say fifty words.")
        while not run.text:
            time.sleep(0.0002)
        first = time.perf_counter() - began
        metrics = run.result(timeout=30).metrics
        assert metrics.ttft_s is not None
        return first, metrics.ttft_s

    with asyncio.Runner() as runner:
        client = AsyncOpenAI(base_url=base_url, api_key="not-needed")
        for number in range(ROUNDS + WARM_UP):
            of_bare, of_ours = runner.run(ask_bare(client)), ask_nbagent()
            if number >= WARM_UP:
                bare.append(of_bare)
                launched.append(of_ours[0])
                called.append(of_ours[1])
        runner.run(client.close())
    return bare, launched, called


def main(wire: str) -> None:
    """Print the medians and their differences."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        sides = measure(server.stdout.readline().strip(), wire)
        server.stdin.close()
    bare, launched, called = (statistics.median(seconds) * 1000 for seconds in sides)
    print(
        f"{wire}: first token after {bare:.1f} ms with the bare SDK; with nbagent {launched:.1f} ms after the launch "
        f"({launched - bare:+.1f}), {called:.1f} ms after the model call began ({called - bare:+.1f})"
    )


if __name__ == "__main__":
    main(sys.argv[2] if sys.argv[1:2] == ["--wire"] else "chat")
