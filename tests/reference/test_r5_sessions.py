"""R5, sessions as data, and what runs of one session do to each other. On each wire format."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import Agent, RunStatus, Session
from nbagent.errors import SessionBusyError
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait
from tests.reference.wire_formats import Wire

pytestmark = pytest.mark.anyio

Until = Callable[[Callable[[], bool]], Awaitable[None]]


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


ELSEWHERE = """
import json, sys
import nbagent as nb
from tests.reference.wire_formats import WIRES
session = nb.Session.from_dict(json.load(sys.stdin))
agent = nb.Agent(model=WIRES[sys.argv[1]].model(sys.argv[2]))
print(agent.run("What did I ask?", session=session).content)
print(json.dumps(session.to_dict()))
"""


async def test_a_session_is_carried_as_data(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, tmp_path: Path
) -> None:
    """`to_dict()` as JSON goes to a process with a store of its own, is gone on with there, and comes back."""
    provider.reply(wire.calls("price", symbol="AAPL"), wire.reply("190.5"), wire.reply("The price."))
    scripted.tools = [price]
    session = Session()
    await scripted.arun("Price of AAPL?", session=session)
    data = json.dumps(session.to_dict())
    before = provider.bodies[-1]
    child = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", ELSEWHERE, wire.name, provider.base_url],
        input=data,
        env={**os.environ, "NBAGENT_STORE": str(tmp_path / "elsewhere.duckdb")},
        capture_output=True,
        text=True,
        check=True,
    )
    answer, back = child.stdout.splitlines()
    assert answer == "The price."
    there = provider.bodies[-1]
    key = "input" if wire.name == "responses" else "messages"
    assert there[key][: len(before[key])] == before[key]
    assert [content for _, content in wire.said(there)][-2:] == ["190.5", "What did I ask?"]
    provider.reply(wire.reply("Goodbye."))
    await scripted.arun("Goodbye", session=Session.from_dict(json.loads(back)))
    assert [content for _, content in wire.said(provider.bodies[-1])][-3:] == [
        "What did I ask?",
        "The price.",
        "Goodbye",
    ]
    assert len(session.run_ids) == 2
    assert session.messages()[-1].content == "Goodbye."


async def test_a_cut_off_run_is_no_stumbling_block(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """After a timeout the next run of the session sees what had come; prompts and answers alternate."""
    provider.reply((*wire.begun("Once"), Silence()), wire.reply("upon a time."))
    assert (await scripted.arun("Tell", session_id="s", timeout=1.0)).status is RunStatus.timeout
    out = await scripted.arun("Go on", session_id="s")
    assert out.content == "upon a time."
    told = wire.said(provider.bodies[-1])
    assert [role for role, _ in told] == ["user", "assistant", "user"]
    assert [message.content for message in Session("s").messages()] == [
        "Tell",
        "Once",
        "Go on",
        "upon a time.",
    ]


@pytest.mark.parametrize("on_busy", ["queue", "reject", "parallel", "cancel"])
async def test_a_busy_session(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until, on_busy: str
) -> None:
    """Each way of launching into it: wait for the turn, be refused, go beside, or take over."""
    gate = Gate()
    provider.reply((*wire.begun("o"), Wait(gate), *wire.reply("one")), wire.reply("two"))
    first = scripted.start("One", session_id="s")
    await until(lambda: first.text == "o")
    scripted.on_busy = on_busy
    if on_busy == "reject":
        with pytest.raises(SessionBusyError):
            scripted.start("Two", session_id="s")
        gate.open()
        assert (await first.finished()).status is RunStatus.completed
        return
    second = scripted.start("Two", session_id="s")
    if on_busy == "parallel":
        assert (await second).content == "two"
        assert first.status is RunStatus.running
    gate.open()
    outputs = await asyncio.to_thread(nb.gather, first, second, timeout=60)
    ended = "cancelled" if on_busy == "cancel" else "completed"
    assert [out.status.value for out in outputs] == [ended, "completed"]
    history = [content for _, content in wire.said(provider.bodies[-1])]
    assert history[-1] == "Two"
    assert (len(history) == 1) == (on_busy == "parallel")
