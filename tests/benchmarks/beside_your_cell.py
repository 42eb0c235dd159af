"""How much slower your own cell gets beside 100 runs that stream 20 chunks a second each; budget 1.25x.

`python tests/benchmarks/beside_your_cell.py [RUNS]` times a loop of plain Python on the main thread, as in a cell, with
and without the runs, in turns, and prints the ratio of the medians and of the least of each. The server is a process of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = 8
RATE_PER_S = 20
CELL_S = 2.0  # as short as this, the launches of a moment ago still show in it


def cell(numbers: int) -> float:
    """Return the seconds that a cell of the user's takes: a sum in a loop, which never waits for anything."""
    began = time.perf_counter()
    total = 0
    for number in range(numbers):
        total += number
    assert total == numbers * (numbers - 1) // 2
    return time.perf_counter() - began


def measure(base_url: str, runs: int) -> None:
    """Time the cell alone and beside the runs, in turns."""
    from nbagent import Agent, OpenAIChat, gather, settings

    settings.configure("max_concurrency", runs)
    agent = Agent(model=OpenAIChat(id="bench-1", base_url=base_url, api_key="not-needed"))
    agent.run("Warm up.")
    numbers = int(10**6 / cell(10**6) * CELL_S)
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(ROUNDS):
        alone.append(cell(numbers))
        streaming = [agent.start("Say fifty words.") for _ in range(runs)]
        while not all(run.text for run in streaming):
            time.sleep(0.005)
        beside.append(cell(numbers))
        assert not any(run.done() for run in streaming), "the runs ended before the cell did"
        for run in streaming:
            run.cancel()
        gather(*streaming)
    one, other = statistics.median(alone), statistics.median(beside)
    print(f"a cell alone {one:.3f} s, beside {runs} streams {other:.3f} s, ratio {other / one:.2f}")
    print(
        f"the least of each: ratio {min(beside) / min(alone):.2f}; rounds:",
        " ".join(f"{b / a:.2f}" for a, b in zip(alone, beside, strict=True)),
    )


def main() -> None:
    """Start the server at the pace, measure, stop it."""
    runs = int(sys.argv[1]) if sys.argv[1:] else 100
    command = [sys.executable, HERE / "server.py", str(1 / RATE_PER_S), "400"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        measure(server.stdout.readline().strip(), runs)
        server.stdin.close()


if __name__ == "__main__":
    main()
