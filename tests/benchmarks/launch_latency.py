"""How long a launch keeps the prompt, its durable row included; budget 60 ms at p95. And cancel; budget 100 ms.

`python tests/benchmarks/launch_latency.py` prints percentiles of 200 launches at a person's pace (each opens the
file anew) and of 200 in a row, while replies stream, and of cancelling 40 streaming runs, from the call to the
moment at which the status is final.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent


def percentiles(name: str, seconds: list[float]) -> None:
    """Print p50, p95 and the most, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20)
    print(
        f"{name}: p50 {cuts[9] * 1000:.1f} ms, p95 {cuts[18] * 1000:.1f} ms, max {max(seconds) * 1000:.1f} ms"
    )


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds it takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(base_url: str) -> None:
    """Launch at a pace, in a row, and cancel."""
    from nbagent import Agent, OpenAIChat, gather

    agent = Agent(model=OpenAIChat(id="bench-1", base_url=base_url, api_key="not-needed"))
    agent.run("Warm up.")
    runs = []

    def launch() -> None:
        runs.append(agent.start("Say fifty words."))

    paced = []
    for _ in range(200):
        paced.append(timed(launch))
        time.sleep(0.05)
    percentiles("launch, one each 50 ms", paced)
    gather(*runs)
    percentiles("launch, in a row", [timed(launch) for _ in range(200)])
    assert all(run.durable for run in runs)
    gather(*runs)
    cancels = []
    for _ in range(40):
        run = agent.start("Say fifty words.")
        while not run.text:
            time.sleep(0.001)
        cancels.append(timed(run.cancel))
        assert run.status.value == "cancelled", run.status
    percentiles("cancel of a streaming run", cancels)


def main() -> None:
    """Start the server, measure, stop it."""
    with (
        subprocess.Popen(
            [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        measure(server.stdout.readline().strip())
        server.stdin.close()


if __name__ == "__main__":
    main()
