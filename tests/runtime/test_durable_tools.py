"""A tool that must not run twice starts only when the request for it is durable, also while kernels share a busy file."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable

from nbagent import Agent
from nbagent.runtime import current
from nbagent.store import CancelRequest
from tests.provider.chat_wire import text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait

Until = Callable[[Callable[[], bool]], None]


def test_a_file_that_others_have_for_long_is_waited_for(
    agent: Agent, provider: ScriptedProvider, until: Until
) -> None:
    """Another process's turn of more than a second lets no tool start early: a kill would then repeat its call."""
    began = threading.Event()

    def buy() -> str:
        """Buy it."""
        began.set()
        return "bought"

    gate = Gate()
    provider.reply((Wait(gate), *tool_reply(("buy", {}))), text_reply("done"))
    run = Agent(model=agent.model, tools=[buy]).start("Buy")
    assert gate.reached.wait(60)
    store = current().store
    with store.path.with_name("runs.duckdb.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process that has its turn
        store.submit(CancelRequest("somebody else"))
        until(lambda: store.is_busy)
        gate.open()
        until(lambda: len(run.output.messages) > 1)
        assert not began.wait(0.3)
    assert began.wait(60)
    assert run.result(timeout=60).content == "done"
