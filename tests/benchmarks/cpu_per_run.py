"""CPU of a whole run, everything persisted, against a bare SDK loop that stores nothing; budget 0.6x, Anthropic's 0.4x.

`python tests/benchmarks/cpu_per_run.py [--wire chat|responses|anthropic]` prints both and their ratio: 200 runs of 50
chunks, 50 at a time, through `agent.start`. The SDK is OpenAI's, for `anthropic` (or `messages`) Anthropic's own, which
has to be installed; where it is in another environment, NBAGENT_SDK_PYTHON names that environment's Python. Server, yardstick and nbagent each run in a process of their own; the sides take turns,
and the least of each side's rounds counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROUNDS = 4
AT_A_TIME = 50


def measure(base_url: str, wire: str, runs: int = 200) -> float:
    """Return the CPU milliseconds of one run: launch, stream, store, result; after a warm-up."""
    from nbagent import Agent, gather, settings, sql
    from nbagent.models import OpenAIChat, OpenAIResponses
    from nbagent.models.anthropic import AnthropicMessages

    settings.configure("max_concurrency", AT_A_TIME)
    kind: Any = {"chat": OpenAIChat, "responses": OpenAIResponses, "messages": AnthropicMessages}[wire]
    agent = Agent(model=kind(id="bench-1", base_url=base_url, api_key="not-needed"))
    gather(*(agent.start("Say fifty words.") for _ in range(AT_A_TIME)))
    began = time.process_time()
    outputs = gather(*[agent.start("Say fifty words.") for _ in range(runs)])
    spent = time.process_time() - began
    assert [len(output.content) for output in outputs] == [50 * len(" words")] * runs
    (stored,) = sql("select count(*) as runs from runs where status = 'completed'")["runs"]
    assert stored == runs + AT_A_TIME, stored
    return spent / runs * 1000


def compare(wire: str) -> None:
    """Print both sides and their ratio."""
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        yardstick = "bare_anthropic.py" if wire == "messages" else "bare_sdk.py"
        sides: dict[str, list[float]] = {yardstick: [], "cpu_per_run.py": []}
        for _ in range(ROUNDS):
            for script, spent in sides.items():
                spent.append(_one_side(script, base_url, wire))
        server.stdin.close()
    bare, ours = (min(spent) for spent in sides.values())
    print(f"{wire}: bare SDK {bare:.2f} ms a run, nbagent {ours:.2f} ms a run, ratio {ours / bare:.2f}")


def _one_side(script: str, base_url: str, wire: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb"}
        python = os.environ.get("NBAGENT_SDK_PYTHON") if script == "bare_anthropic.py" else None
        printed = subprocess.run(
            [python or sys.executable, HERE / script, base_url, wire],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
    return float(printed.stdout)


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].startswith("--"):
        print(f"{measure(sys.argv[1], sys.argv[2]):.3f}")
    else:
        asked = sys.argv[2] if sys.argv[1:2] == ["--wire"] else "chat"
        compare("messages" if asked == "anthropic" else asked)
