"""Verbs of `%agent` where only this process's runs matter; what a notebook shows of them is in `kernel/`."""

from __future__ import annotations

import pytest

from nbagent import Agent
from nbagent.runtime import current
from nbagent.store.duckdb.lock_file import LockFile
from tests.magics.shell import loaded_shell
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait
from tests.reference.wire_formats import WIRES


def test_cancel_all_leaves_out_what_has_ended(
    provider: ScriptedProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run whose end is on its way into a store that another has is not one to cancel."""
    for left in current().unfinished():
        left.cancel()
        left.wait(timeout=60)
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("Paris.")))
    lock = LockFile(current().store.path)
    with loaded_shell() as shell:
        run = Agent(model=WIRES["chat"].model(provider.base_url)).start("Capital of France?")
        assert lock.acquire()
        gate.open()
        while not run.done():
            assert not run.status.is_final or run.stop_reason == "end"
        shell.run_line_magic("agent", "cancel --all")
        lock.release()
        lock.forget()
    assert capsys.readouterr().out.strip() == "cancelled 0 of 0 runs"
    assert run.result(timeout=60).content == "Paris."
