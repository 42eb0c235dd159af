"""The yardstick of Anthropic's wire: a bare loop over its SDK's stream that stores nothing.

`python tests/benchmarks/bare_anthropic.py BASE_URL [messages|messages-raw] [runs] [at_a_time]` prints the process's
CPU milliseconds for a run: `messages` is the SDK's `messages.stream()`, which its documentation recommends and
which puts the message together as nbagent does; `messages-raw` its typed events alone (`create(stream=True)`). It
wants `pip install anthropic`, which nbagent does not.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from anthropic import AsyncAnthropic

PROMPT = "Say fifty words."


async def put_together(client: AsyncAnthropic) -> str:
    """Return the text of one reply, by the helper that also has the whole message and its usage at the end."""
    text = ""
    asked: Any = {"model": "bench-1", "max_tokens": 16_000, "messages": [{"role": "user", "content": PROMPT}]}
    async with client.messages.stream(**asked) as stream:
        async for piece in stream.text_stream:
            text += piece
        assert (await stream.get_final_message()).usage.output_tokens == 50
    return text


async def raw(client: AsyncAnthropic) -> str:
    """Return the text of one reply, from the events as they come."""
    text = ""
    asked: Any = {"model": "bench-1", "max_tokens": 16_000, "messages": [{"role": "user", "content": PROMPT}]}
    async for event in await client.messages.create(stream=True, **asked):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
    return text


LOOPS = {"messages": put_together, "messages-raw": raw}


async def stream_runs(base_url: str, wire: str, runs: int, at_a_time: int) -> int:
    """Stream `runs` replies, `at_a_time` of them at once; return the number of characters that came."""
    client = AsyncAnthropic(base_url=base_url.removesuffix("/v1"), api_key="not-needed")
    slots = asyncio.Semaphore(at_a_time)

    async def one() -> int:
        async with slots:
            return len(await LOOPS[wire](client))

    chars = sum(await asyncio.gather(*(one() for _ in range(runs))))
    await client.close()
    return chars


def main(base_url: str, wire: str = "messages", runs: int = 200, at_a_time: int = 50) -> float:
    """Return the CPU milliseconds of one run, after a warm-up."""
    asyncio.run(stream_runs(base_url, wire, at_a_time, at_a_time))
    began = time.process_time()
    chars = asyncio.run(stream_runs(base_url, wire, runs, at_a_time))
    spent = time.process_time() - began
    assert chars == runs * 50 * len(" words"), chars
    return spent / runs * 1000


if __name__ == "__main__":
    print(f"{main(*sys.argv[1:3], *map(int, sys.argv[3:5])):.3f}")
