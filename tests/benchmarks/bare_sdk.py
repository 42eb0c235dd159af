"""The yardstick: a bare openai SDK typed streaming loop that stores nothing, on either wire format.

`python tests/benchmarks/bare_sdk.py BASE_URL [chat|responses] [runs] [at_a_time]` prints the process's CPU
milliseconds for a run.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator

from openai import AsyncOpenAI

PROMPT = "Say fifty words."


async def chat(client: AsyncOpenAI) -> AsyncIterator[str]:
    """Yield the text of one reply, in Chat Completions."""
    stream = await client.chat.completions.create(
        model="bench-1",
        messages=[{"role": "user", "content": PROMPT}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


async def responses(client: AsyncOpenAI) -> AsyncIterator[str]:
    """Yield the text of one reply, in the Responses API."""
    stream = await client.responses.create(
        model="bench-1", input=[{"role": "user", "content": PROMPT}], stream=True
    )
    async for event in stream:
        if event.type == "response.output_text.delta":
            yield event.delta


WIRES = {"chat": chat, "responses": responses}


async def stream_runs(base_url: str, wire: str, runs: int, at_a_time: int) -> int:
    """Stream `runs` replies, `at_a_time` of them at once; return the number of characters that came."""
    client = AsyncOpenAI(base_url=base_url, api_key="not-needed")
    slots = asyncio.Semaphore(at_a_time)

    async def one() -> int:
        async with slots:
            text = ""
            async for piece in WIRES[wire](client):
                text += piece
            return len(text)

    chars = sum(await asyncio.gather(*(one() for _ in range(runs))))
    await client.close()
    return chars


def main(base_url: str, wire: str = "chat", runs: int = 200, at_a_time: int = 50) -> float:
    """Return the CPU milliseconds of one run, after a warm-up."""
    asyncio.run(stream_runs(base_url, wire, at_a_time, at_a_time))
    began = time.process_time()
    chars = asyncio.run(stream_runs(base_url, wire, runs, at_a_time))
    spent = time.process_time() - began
    assert chars == runs * 50 * len(" words"), chars
    return spent / runs * 1000


if __name__ == "__main__":
    print(f"{main(*sys.argv[1:3], *(int(argument) for argument in sys.argv[3:5])):.3f}")
