"""Verbs of `%agent` where only this process's runs matter; what a notebook shows of them is in `kernel/`."""

from __future__ import annotations

import pytest

from nbagent import Agent
from nbagent.errors import UnknownOptionError
from nbagent.runtime import current
from nbagent.store.duckdb.lock_file import LockFile
from tests.magics.shell import loaded_shell
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait
from tests.reference.wire_formats import WIRES


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("budget", "no budget is set: %agent budget 5/day"),
        ("budget 5/day", "$0.00 of $5.00 a day"),
        ("budget $2.50/month --unknown refuse", "$0.00 of $2.50 a month"),
        ("budget 7", "$0.00 of $7.00"),
        ("budget none/day", "no budget is set: %agent budget 5/day"),
    ],
)
def test_a_budget_is_set_and_told(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An amount, a period after a slash; without an amount it is told."""
    with loaded_shell() as shell:
        shell.run_line_magic("agent", line)
    assert capsys.readouterr().out.strip() == said


def test_what_is_no_amount_is_refused() -> None:
    """In two lines."""
    told = r"'five' is no number of dollars\nsay it as in %agent budget 5/day"
    with loaded_shell() as shell, pytest.raises(UnknownOptionError, match=told):
        shell.run_line_magic("agent", "budget five/day")


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
