"""What the model layer alone costs: `OpenAIChat.stream` against the bare SDK, in CPU, side by side.

`python tests/benchmarks/chat_stream.py` prints both and their ratio. Each side runs in a process of its own, as
does the server; the sides take turns, and the least of each side's rounds counts.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from nbagent.events import Message
from nbagent.models import ModelRequest, OpenAIChat, ReplyFinished, close_connections

HERE = Path(__file__).parent
ROUNDS = 3


async def stream_runs(base_url: str, runs: int, at_a_time: int) -> int:
    """Stream `runs` replies, `at_a_time` of them at once; return the number of characters that came."""
    model = OpenAIChat(id="bench-1", base_url=base_url)
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


def main(base_url: str, runs: int = 200, at_a_time: int = 50) -> float:
    """Return the CPU milliseconds of one run, after a warm-up."""
    asyncio.run(stream_runs(base_url, at_a_time, at_a_time))
    began = time.process_time()
    chars = asyncio.run(stream_runs(base_url, runs, at_a_time))
    spent = time.process_time() - began
    assert chars == runs * 50 * len(" words"), chars
    return spent / runs * 1000


def compare() -> None:
    """Print both sides and their ratio."""
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        base_url = server.stdout.readline().strip()
        sides = {"bare_sdk.py": [], "chat_stream.py": []}
        for _ in range(ROUNDS):
            for script, spent in sides.items():
                printed = subprocess.run(
                    [sys.executable, HERE / script, base_url], check=True, capture_output=True, text=True
                )
                spent.append(float(printed.stdout))
        server.stdin.close()
    bare, ours = (min(spent) for spent in sides.values())
    print(f"bare SDK {bare:.2f} ms a run, OpenAIChat.stream {ours:.2f} ms a run, ratio {ours / bare:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(f"{main(sys.argv[1]):.3f}")
    else:
        compare()
