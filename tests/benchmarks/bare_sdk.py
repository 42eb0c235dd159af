"""The yardstick: a bare openai SDK typed streaming loop that stores nothing, on either wire format.

`python tests/benchmarks/bare_sdk.py BASE_URL [chat|responses] [runs] [at_a_time] [tool]` prints the process's CPU
milliseconds for a run. With `tool` the first reply is a call, whose result goes into a second request.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from openai import AsyncOpenAI

PROMPT = "Say fifty words."


LOOK: dict[str, Any] = {
    "name": "look",
    "description": "Look at a place.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


def look(place: str) -> str:
    """Look at a place."""
    return f"it rains in {place}"


async def chat(client: AsyncOpenAI, *, tool: bool) -> AsyncIterator[str]:
    """Yield the text of one reply, in Chat Completions."""
    given: dict[str, Any] = {"tools": [{"type": "function", "function": LOOK}]} if tool else {}
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    while True:
        stream = await client.chat.completions.create(
            model="bench-1", messages=messages, stream=True, stream_options={"include_usage": True}, **given
        )
        name, call_id, arguments = "", "", ""
        async for chunk in stream:
            delta = chunk.choices[0].delta if chunk.choices else None
            if delta is not None and delta.content:
                yield delta.content
            for part in (delta.tool_calls or ()) if delta else ():
                name, call_id = part.function.name or name, part.id or call_id
                arguments += part.function.arguments or ""
        if not name:
            return
        call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        result = look(**json.loads(arguments))
        messages.append({"role": "tool", "tool_call_id": call_id, "content": result})


async def responses(client: AsyncOpenAI, *, tool: bool) -> AsyncIterator[str]:
    """Yield the text of one reply, in the Responses API."""
    given: dict[str, Any] = {"tools": [{"type": "function", **LOOK}]} if tool else {}
    messages: list[Any] = [{"role": "user", "content": PROMPT}]
    while True:
        stream = await client.responses.create(model="bench-1", input=messages, stream=True, **given)
        called = None
        async for event in stream:
            if event.type == "response.output_text.delta":
                yield event.delta
            elif event.type == "response.output_item.done" and event.item.type == "function_call":
                called = event.item
        if called is None:
            return
        messages.append(called.model_dump(exclude_none=True))
        result = look(**json.loads(called.arguments))
        messages.append({"type": "function_call_output", "call_id": called.call_id, "output": result})


WIRES = {"chat": chat, "responses": responses}


async def stream_runs(base_url: str, wire: str, runs: int, at_a_time: int, *, tool: bool) -> int:
    """Stream `runs` replies, `at_a_time` of them at once; return the number of characters that came."""
    client = AsyncOpenAI(base_url=base_url, api_key="not-needed")
    slots = asyncio.Semaphore(at_a_time)

    async def one() -> int:
        async with slots:
            text = ""
            async for piece in WIRES[wire](client, tool=tool):
                text += piece
            return len(text)

    chars = sum(await asyncio.gather(*(one() for _ in range(runs))))
    await client.close()
    return chars


def main(
    base_url: str, wire: str = "chat", runs: int = 200, at_a_time: int = 50, *, tool: bool = False
) -> float:
    """Return the CPU milliseconds of one run, after a warm-up."""
    asyncio.run(stream_runs(base_url, wire, at_a_time, at_a_time, tool=tool))
    began = time.process_time()
    chars = asyncio.run(stream_runs(base_url, wire, runs, at_a_time, tool=tool))
    spent = time.process_time() - began
    assert chars == runs * 50 * len(" words"), chars
    return spent / runs * 1000


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[3:5]]
    print(f"{main(*sys.argv[1:3], *counts, tool='tool' in sys.argv):.3f}")
