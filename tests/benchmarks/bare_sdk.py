"""The yardstick: a bare openai SDK typed streaming loop that stores nothing.

`python tests/benchmarks/bare_sdk.py BASE_URL [runs] [at_a_time]` prints the process's CPU milliseconds for a run.
"""

from __future__ import annotations

import asyncio
import sys
import time

from openai import AsyncOpenAI


async def stream_runs(base_url: str, runs: int, at_a_time: int) -> int:
    """Stream `runs` replies, `at_a_time` of them at once; return the number of characters that came."""
    client = AsyncOpenAI(base_url=base_url, api_key="not-needed")
    slots = asyncio.Semaphore(at_a_time)

    async def one() -> int:
        async with slots:
            stream = await client.chat.completions.create(
                model="bench-1",
                messages=[{"role": "user", "content": "Say fifty words."}],
                stream=True,
                stream_options={"include_usage": True},
            )
            text = ""
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    text += chunk.choices[0].delta.content
            return len(text)

    chars = sum(await asyncio.gather(*(one() for _ in range(runs))))
    await client.close()
    return chars


def main(base_url: str, runs: int = 200, at_a_time: int = 50) -> float:
    """Return the CPU milliseconds of one run, after a warm-up."""
    asyncio.run(stream_runs(base_url, at_a_time, at_a_time))
    began = time.process_time()
    chars = asyncio.run(stream_runs(base_url, runs, at_a_time))
    spent = time.process_time() - began
    assert chars == runs * 50 * len(" words"), chars
    return spent / runs * 1000


if __name__ == "__main__":
    print(f"{main(sys.argv[1], *(int(argument) for argument in sys.argv[2:4])):.3f}")
