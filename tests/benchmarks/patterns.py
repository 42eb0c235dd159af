"""What the patterns that people have cost in CPU, against a bare openai SDK loop that does the same and stores nothing.

`python tests/benchmarks/patterns.py [PATTERN ...]` prints for each the CPU milliseconds a run of both sides and their
ratio: tools1 and tools5 (rounds of one tool, 50 runs at a time), team (a leader whose five members answer; the bare side
asks six times), large (answers of 1 MB). The sides take turns, each round in processes of their own, and the least of
each side counts; metrics are read within the clock. Runs one at a time, and sessions: `sessions.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROUNDS = 3
AT_A_TIME = 50
PATTERNS = {  # runs, at a time, arguments of the server: seconds between chunks, chunks, words a chunk
    "tools1": (100, AT_A_TIME, ("0.005", "50")),
    "tools5": (50, AT_A_TIME, ("0.005", "50")),
    "team": (20, 10, ("0.005", "50")),
    "large": (30, 10, ("0.001", "500", "340")),
}
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}


def prompt_of(pattern: str) -> str:
    """Return what is asked; the server counts the rounds of tools."""
    return f"Say fifty words. rounds={pattern[-1]}" if pattern.startswith("tools") else "Say fifty words."


def look(place: str) -> str:
    """Look at a place."""
    return f"{len(place)} letters"


# ------------------------------------------------------------------ the bare SDK


async def _bare_run(client: Any, pattern: str) -> None:
    history: list[Any] = [{"role": "user", "content": prompt_of(pattern)}]
    more: dict[str, Any] = {"tools": [TOOL]} if pattern.startswith("tools") else {}
    while True:
        stream = await client.chat.completions.create(
            model="bench-1", messages=history, stream=True, stream_options={"include_usage": True}, **more
        )
        name, arguments = "", ""
        async for chunk in stream:
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or []:
                    name = name or call.function.name
                    arguments += call.function.arguments or ""
        if not name:
            return
        function = {"name": name, "arguments": arguments}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        history.append({"role": "assistant", "content": None, "tool_calls": calls})
        history.append({"role": "tool", "tool_call_id": "call_1", "content": look(**json.loads(arguments))})


async def bare(base_url: str, pattern: str, runs: int, at_a_time: int) -> float:
    """Return the seconds of CPU of all runs."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=base_url, api_key="not-needed")
    slots, began = asyncio.Semaphore(at_a_time), time.process_time()

    async def one() -> None:
        async with slots:
            for _ in range(6 if pattern == "team" else 1):
                await _bare_run(client, pattern)

    await asyncio.gather(*(one() for _ in range(runs)))
    await client.close()
    return time.process_time() - began


# ------------------------------------------------------------------------ nbagent


def ours(base_url: str, pattern: str, runs: int, at_a_time: int) -> float:
    """Return the seconds of CPU of all runs, their metrics read."""
    from nbagent import Agent, OpenAIChat, Team, gather, metrics, settings

    settings.configure("max_concurrency", AT_A_TIME if pattern == "team" else at_a_time)
    model = OpenAIChat(id="bench-1", base_url=base_url, api_key="not-needed")
    agent: Any = Agent(model=model, tools=[look] if pattern.startswith("tools") else [])
    if pattern == "team":
        members = [Agent(name=f"member {number}", model=model) for number in range(5)]
        agent = Team(model=model, members=members, mode="broadcast")
    gather([agent.start(prompt_of(pattern)) for _ in range(at_a_time)])
    began = time.process_time()
    for _ in range(0, runs, at_a_time):
        outputs = gather([agent.start(prompt_of(pattern)) for _ in range(at_a_time)])
        assert {output.status.value for output in outputs} == {"completed"}, outputs[0].error
    assert metrics.by_model()["model_calls"].sum() >= runs
    return time.process_time() - began


# -------------------------------------------------------------------------- sides


def one_side(side: str, base_url: str, pattern: str) -> None:
    """Print the CPU milliseconds of a run."""
    runs, at_a_time, _ = PATTERNS[pattern]
    if side == "bare":
        asyncio.run(bare(base_url, pattern, at_a_time, at_a_time))
        spent_s = asyncio.run(bare(base_url, pattern, runs, at_a_time))
    else:
        spent_s = ours(base_url, pattern, runs, at_a_time)
    print(spent_s / runs * 1000)


def _asked(side: str, base_url: str, pattern: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(
            [sys.executable, __file__, "--side", side, base_url, pattern],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb"},
        )
    return float(printed.stdout)


def compare(pattern: str) -> None:
    """Print both sides of a pattern and their ratio."""
    command = [sys.executable, str(HERE / "server.py"), *PATTERNS[pattern][2]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        sides: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(ROUNDS):
            for side, found in sides.items():
                found.append(_asked(side, base_url, pattern))
        server.stdin.close()
    one, other = (min(found) for found in sides.values())
    print(f"{pattern}: bare SDK {one:.2f} ms a run, nbagent {other:.2f} ms, ratio {other / one:.2f}")


def main() -> None:
    """Compare the patterns named, or all."""
    if sys.argv[1:2] == ["--side"]:
        one_side(*sys.argv[2:5])
        return
    for pattern in sys.argv[1:] or PATTERNS:
        compare(pattern)


if __name__ == "__main__":
    main()
