"""A run opened in the table: its card and details, over the table's own widget. On the background loop.

`open_run` is a command of the table. The card is the one that stands under a launching cell, with the same
messages; they carry the run's id here. The newest few are kept up to date; a finished one costs nothing.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from nbagent import runtime
from nbagent.core import run_in_daemon_thread
from nbagent.errors import NBAgentError
from nbagent.panel.card import display
from nbagent.panel.card.data import CardRow
from nbagent.panel.card.widget import CardListener
from nbagent.panel.commands import add_commands
from nbagent.panel.details.data import details_of, stage_of
from nbagent.panel.details.setup import NO_SETUP, setup_of
from nbagent.panel.table.widget import RunTable, tables
from nbagent.runtime import Run
from nbagent.spec import AgentSpec
from nbagent.store import RunFilter, load_stopped, metrics_sql

OPEN_MAX = 8


class OpenedCard(CardListener):
    """The card's side of the table's widget: the same messages, with the run's id on them."""

    def __init__(self, table: RunTable, run_id: str, row: CardRow, text: str) -> None:
        super().__init__(row, text)
        self._table = table
        self._run_id = run_id

    def send_change(self, message: Mapping[str, Any]) -> None:
        """Send a change."""
        self._table.send({"run": self._run_id, **self._table.stamped(message)})

    def send_whole(self) -> None:
        """Send everything."""
        self._table.send({"run": self._run_id, "card": self._table.stamped(self.channel.state)})


class OpenedRun(display.DisplayedRun):
    """One opened run. It has no output of its own: the table's static form stands for it."""

    in_cell = False

    def __init__(self, run: Run, table: RunTable) -> None:
        super().__init__(run)
        self.cell, self.in_notebook = None, True
        self.dropped = False
        self._table = table
        self._stage: tuple[Any, ...] | None = None
        self._setup: Mapping[str, Any] | None = None
        self.card = OpenedCard(table, run.run_id, *self._current[1:])
        self.widget = self.card

    def follow(self, run: Run) -> None:
        """Show this attempt of the run from now on."""
        super().follow(run)
        self.in_notebook = True

    async def flush(self) -> bool:
        """Tell what changed, the details only where a step, a message or the status came."""
        more = await super().flush()
        await self.send_details()
        return more and not self.dropped

    async def send_details(self, *, again: bool = False) -> None:
        """Send the details if they are others than last, or anyway."""
        if self._record is None:
            if self.final and self._stage is not None and not again:
                return
            output = await run_in_daemon_thread(lambda: self.run.output)
            stage = stage_of(output)
        else:
            stage = stage_of(self._record)
            if stage == self._stage and not again:
                return
            output = self._record.snapshot()
        if stage != self._stage or again:
            self._stage = stage
            if self._setup is None:
                self._setup = await run_in_daemon_thread(partial(_setup, self.run.run_id))
            scores = await run_in_daemon_thread(partial(_scores, self.run.run_id))
            details = details_of(output, dict(self._setup), scores)
            self._table.send({"run": self.run.run_id, "details": details})

    def write_snapshot(self) -> None:
        """Nothing to write."""

    def write_from_cell(self) -> None:
        """Nothing to write."""


def _setup(run_id: str) -> Mapping[str, Any]:
    """Return what a run was set up with, of its live spec or of the record. Not on the loop."""
    current = runtime.current()
    live = current.live(run_id)
    if live is not None and isinstance(live.agent.spec, AgentSpec):
        return setup_of(live.agent.spec)
    with contextlib.suppress(NBAgentError):  # the rest can be shown without it
        stored = load_stopped(current.store, run_id)
        return NO_SETUP if stored is None else setup_of(stored.spec)
    return NO_SETUP


def _scores(run_id: str) -> list[dict[str, Any]]:
    """Return the scores of a run that count. Not on the loop."""
    with contextlib.suppress(NBAgentError):
        return runtime.current().store.read(*metrics_sql.list_scores(RunFilter(run_ids=[run_id])))
    return []


_opened: OrderedDict[tuple[str, str], OpenedRun] = OrderedDict()  # by run and table


async def open_run(content: Mapping[str, Any]) -> None:
    """Send a run's card and details to the tables that list it, and follow it while it goes on."""
    run_id = content["run_id"]
    for table in tables():
        if not table.model.has(run_id):
            continue
        try:
            known = _opened.pop((run_id, table.widget.key), None)
            one = (
                known
                if known is not None
                else await run_in_daemon_thread(partial(_load, run_id, table.widget))
            )
        except NBAgentError as error:
            table.widget.send({"said": {"run_id": run_id, "error": [error.what, error.todo]}})
            continue
        _opened[run_id, table.widget.key] = one
        while len(_opened) > OPEN_MAX:
            _, oldest = _opened.popitem(last=False)
            oldest.dropped = True
            display.forget(oldest)
        one.card.send_all(*await run_in_daemon_thread(one.refresh))
        await one.send_details(again=True)
        display.follow_on_loop(one)


async def send_details_again(run_id: str) -> None:
    """Send a run's details to the tables that have it open: something was written beside the run."""
    for (opened, _), one in tuple(_opened.items()):
        if opened == run_id:
            await one.send_details(again=True)


def _load(run_id: str, table: RunTable) -> OpenedRun:
    return OpenedRun(runtime.current().get(run_id), table)


add_commands(open=open_run)
