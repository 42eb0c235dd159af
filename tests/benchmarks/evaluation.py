"""An evaluation against the plain map of the same cases: CPU of a case, in turns in one process (budget 1.1x).

`python tests/benchmarks/evaluation.py [CASES]`: 1,000 cases on the fast server of this folder, scored by two functions
and summed up, against `Agent.map` with its frame.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = 4
AT_A_TIME = 64


def main(cases: int) -> None:
    """Print the CPU of both, and their ratio."""
    import pandas as pd

    import nbagent as nb

    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        model = nb.OpenAIChat(id="bench-1", base_url=server.stdout.readline().strip(), api_key="not-needed")
        agent = nb.Agent(model=model)
        table = pd.DataFrame({"n": range(cases), "expected": "words"})
        spent: dict[str, list[float]] = {"map": [], "evaluate": []}
        for number in range(ROUNDS + 1):  # the first is a warm-up
            for side, times in spent.items():
                template, began = f"{side} {number}: say fifty words: {{{{ row.n }}}}.", time.process_time()
                if side == "map":
                    agent.map(table, template, max_concurrency=AT_A_TIME).result()
                else:
                    found = nb.evaluate(
                        agent, table, template, scorers=[nb.contains, nb.exact], max_concurrency=AT_A_TIME
                    ).wait()
                    assert list(found.summary()["mean"]) == [1.0, 0.0]
                    assert len(found.to_frame()) == cases
                if number:
                    times.append((time.process_time() - began) / cases * 1000)
        server.stdin.close()
    plain, scored = (min(times) for times in spent.values())
    print(f"map {plain:.2f} ms a case, evaluate {scored:.2f} ms a case, ratio {scored / plain:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NBAGENT_STORE"] = f"{folder}/runs.duckdb"
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
