"""What the model layer alone costs: a wire format's `stream` against the bare SDK of its provider, in CPU.

`python tests/benchmarks/model_stream.py [--wire chat|responses|anthropic]` prints both sides and their ratio, Anthropic's
against both loops of its SDK (`bare_anthropic.py`, found as `cpu_per_run.py` finds it). Each side runs in a process of its own, as
does the server; the sides take turns, and the least of each side's rounds counts.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from nbagent.events import Message
from nbagent.models import ModelRequest, OpenAIChat, OpenAIResponses, ReplyFinished, close_connections
from nbagent.models.anthropic import AnthropicMessages

HERE = Path(__file__).parent
ROUNDS = 3
MODELS = {"chat": OpenAIChat, "responses": OpenAIResponses, "messages": AnthropicMessages}


async def stream_runs(base_url: str, wire: str, runs: int, at_a_time: int) -> int:
    """Stream `runs` replies, `at_a_time` of them at once; return the number of characters that came."""
    model = MODELS[wire](id="bench-1", base_url=base_url)
    request = ModelRequest(messages=(Message(role="user", content="Say fifty words."),), idle_timeout_s=120.0)
    slots = asyncio.Semaphore(at_a_time)

    async def one() -> int:
        async with slots:
            async for event in model.stream(request):
                if isinstance(event, ReplyFinished):
                    assert event.usage.total_tokens == 62
                    return len(event.text)
            raise AssertionError

    chars = sum(await asyncio.gather(*(one() for _ in range(runs))))
    await close_connections()
    return chars


def main(base_url: str, wire: str, runs: int = 200, at_a_time: int = 50) -> float:
    """Return the CPU milliseconds of one run, after a warm-up."""
    asyncio.run(stream_runs(base_url, wire, at_a_time, at_a_time))
    began = time.process_time()
    chars = asyncio.run(stream_runs(base_url, wire, runs, at_a_time))
    spent = time.process_time() - began
    assert chars == runs * 50 * len(" words"), chars
    return spent / runs * 1000


def compare(wire: str) -> None:
    """Print both sides and their ratio."""
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        base_url = server.stdout.readline().strip()
        yardstick = "bare_anthropic.py" if wire == "messages" else "bare_sdk.py"
        loops = ["messages", "messages-raw"] if wire == "messages" else [wire]
        sides = {(yardstick, loop): [] for loop in loops} | {("model_stream.py", wire): []}
        for _ in range(ROUNDS):
            for (script, loop), spent in sides.items():
                python = os.environ.get("NBAGENT_SDK_PYTHON") if script == "bare_anthropic.py" else None
                printed = subprocess.run(
                    [python or sys.executable, HERE / script, base_url, loop],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                spent.append(float(printed.stdout))
        server.stdin.close()
    *bare, ours = (min(spent) for spent in sides.values())
    for loop, least in zip(loops, bare, strict=True):
        name = MODELS[wire].__name__
        print(f"{loop}: bare SDK {least:.2f} ms a run, {name}.stream {ours:.2f} ms, ratio {ours / least:.2f}")


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].startswith("--"):
        print(f"{main(sys.argv[1], sys.argv[2]):.3f}")
    else:
        asked = sys.argv[2] if sys.argv[1:2] == ["--wire"] else "chat"
        compare("messages" if asked == "anthropic" else asked)
