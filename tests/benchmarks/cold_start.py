"""What the first run after `%load_ext` costs in a kernel that Jupyter has just started, and what the imports cost the user.

`python tests/benchmarks/cold_start.py [ROUNDS]` prints, as medians of kernels of their own: the time to the first token
of the first run and of the second (the server's own time is in both), after one idle second and without it; a cell of
0.5 s of Python right after `%load_ext` against the same cell once all is imported; and `import pandas` right after
`%load_ext` against the same in a kernel without nbagent. Budgets: 60 ms, 400 ms, 1.15x, 1.1x.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

HERE = Path(__file__).parent
FIRST = """
import time; began = time.perf_counter()
import nbagent as nb
agent = nb.Agent(model=nb.OpenAIChat(id="bench-1", base_url={base_url!r}, api_key="not-needed"))
run = agent.start("Say fifty words.")
while not run.text: time.sleep(0.0005)
print(time.perf_counter() - began); _ = run.result(timeout=30)
"""
CELL = """
import time; began = time.perf_counter()
for number in range({numbers}): number * number
print(time.perf_counter() - began)
"""
PANDAS = "import time; began = time.perf_counter()\nimport pandas\nprint(time.perf_counter() - began)"
LOAD = "%load_ext nbagent"


@contextmanager
def kernel() -> Iterator[Any]:
    """A kernel of its own with a record of its own, as a function that runs a cell and returns what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb", "PYTHONDONTWRITEBYTECODE": ""}
        manager, client = start_new_kernel(env=env, stderr=subprocess.DEVNULL)

        def cell(code: str) -> str:
            printed: list[str] = []
            reply = client.execute_interactive(
                code, output_hook=lambda message: printed.append(message["content"].get("text", ""))
            )
            assert reply["content"]["status"] == "ok", reply["content"]
            return "".join(printed)

        try:
            yield cell
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def first_runs(base_url: str, idle_s: float) -> tuple[float, float]:
    """Return the milliseconds to the first token of the first and of a later run."""
    code = FIRST.format(base_url=base_url)
    with kernel() as cell:
        cell(LOAD)
        time.sleep(idle_s)
        first = float(cell(code))
        cell(code)
        return first * 1000, float(cell(code)) * 1000


def first_cell() -> float:
    """Return how much longer the first cell of 0.5 s after `%load_ext` takes."""
    with kernel() as cell:
        numbers = int(10**6 * 0.5 / float(cell(CELL.format(numbers=10**6))))
        code = CELL.format(numbers=numbers)
        cell(LOAD)
        first = float(cell(code))
        time.sleep(2.0)
        return first / statistics.median(float(cell(code)) for _ in range(3))


def pandas_s(*cells: str) -> float:
    """Return the seconds of `import pandas` after these cells."""
    with kernel() as cell:
        for code in cells:
            cell(code)
        return float(cell(PANDAS))


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 5
    command = [sys.executable, str(HERE / "server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        first_runs(base_url, 1.0)  # compiles what was never imported before
        for idle_s in (1.0, 0.0):
            found = [first_runs(base_url, idle_s) for _ in range(rounds)]
            first, later = (statistics.median(times) for times in zip(*found, strict=True))
            print(
                f"first token, {idle_s:.0f} s idle: first run {first:.0f} ms, later {later:.0f} ms ({first - later:+.0f})"
            )
        server.stdin.close()
    print(
        f"a cell of 0.5 s right after %load_ext: {statistics.median(first_cell() for _ in range(rounds)):.2f}x"
    )
    sides = [(pandas_s(LOAD), pandas_s()) for _ in range(rounds)]
    beside, alone = (statistics.median(times) for times in zip(*sides, strict=True))
    print(
        f"import pandas right after %load_ext: {beside:.2f} s, without nbagent {alone:.2f} s, ratio {beside / alone:.2f}"
    )


if __name__ == "__main__":
    main()
