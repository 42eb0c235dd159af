"""A tool or a graph's node that finds its client or another agent in a global has a copy of it here."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest

import nbagent as nb
from nbagent.guests.own_connections import OwnConnections
from tests.guests.objects import MODEL, CellLoop
from tests.guests.test_frameworks import cell  # noqa: F401 - a fixture
from tests.provider.chat_wire import USAGE, begun, end, text, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Gate, Script, Wait, answer

pytestmark = [pytest.mark.guests, pytest.mark.filterwarnings("default")]  # what others warn of is theirs
T = 60
inner: Any = None  # as a notebook has it: another agent, a model or a client
written = 0


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Leave no client behind."""
    yield
    globals()["inner"] = None
    gc.collect()


async def ask_inner(question: str) -> str:
    """Ask the other one.

    Args:
        question: What to ask.
    """
    return await _asked(question)


async def _asked(question: str) -> str:
    if hasattr(inner, "chat"):  # a client of OpenAI's
        messages: Any = [{"role": "user", "content": question}]
        reply = await inner.chat.completions.create(model=MODEL, messages=messages)
        return str(reply.choices[0].message.content)
    if hasattr(inner, "arun"):
        return str((await inner.arun(question)).content)
    return str(
        (await inner.run(question)).output if hasattr(inner, "iter") else (await inner.ainvoke(question)).text
    )


def plays(request: Request) -> Script:
    """Have the other one asked, once; else answer."""
    body = request.body
    asked = bool(body.get("tools")) and body["messages"][-1]["role"] != "tool"
    if body.get("stream"):
        return tool_reply(("ask_inner", {"question": "Sure?"})) if asked else text_reply("yes")
    call = {"id": "c", "type": "function"} | {
        "function": {"name": "ask_inner", "arguments": json.dumps({"question": "Sure?"})}
    }
    message = {"role": "assistant", "content": None if asked else "yes"} | (
        {"tool_calls": [call]} if asked else {}
    )
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if asked else "stop"}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "usage": USAGE}
    return answer(200, {**whole, "choices": [choice]})


def function(url: str) -> Any:
    """A plain function that asks a client that is a global."""
    from openai import AsyncOpenAI

    globals()["inner"] = AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
    return ask_inner


def test_a_copy_reads_globals_as_they_are_and_writes_the_users(provider: ScriptedProvider) -> None:
    """A name that is set later is found; a function that counts in a global counts in the notebook."""

    async def counts(prompt: str) -> str:
        global written  # noqa: PLW0603 - as a notebook does
        written += 1
        return f"{prompt} {later()}"  # type: ignore[name-defined] # noqa: F821 - set below

    async def reads(prompt: str) -> str:
        class Here:
            asked = inner is not None

        return f"{await ask_inner(prompt)} {later()} {Here.asked}"  # type: ignore[name-defined] # noqa: F821

    provider.otherwise(plays)
    function(provider.base_url)
    reader, counter, before = nb.guest(reads), nb.guest(counts), written
    for number in range(2):
        globals()["later"] = lambda number=number: f"#{number}"
        assert reader.run("?").content == f"yes #{number} True"
        assert counter.run("?").content == f"? #{number}"
    assert written == before + 2


def test_a_copy_that_is_made_closes_nothing_of_the_users(
    provider: ScriptedProvider,
    cell: CellLoop,  # noqa: F811 - the fixture
) -> None:
    """A client's stream in a cell goes on while its copy is made, on another loop that closes what is left over."""
    from openai import AsyncOpenAI

    gate = Gate()
    provider.reply((*begun(), *text("It ", "is"), Wait(gate), *text(" so"), *end()))
    client = AsyncOpenAI(base_url=provider.base_url, api_key="k", max_retries=0)

    async def copies() -> Any:
        made = OwnConnections().copy_of([client])
        for _ in range(5):
            await asyncio.sleep(0)
        return made

    async def streams() -> str:
        messages: Any = [{"role": "user", "content": "?"}]
        stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        said = []
        async for piece in stream:
            said += [one.delta.content or "" for one in piece.choices]
            if "".join(said) == "It is" and not gate.opened.is_set():
                assert (await asyncio.to_thread(asyncio.run, copies()))[0] is not client
                gate.open()
        return "".join(said)

    assert cell.run(streams()) == "It is so"
    cell.run(client.close())
