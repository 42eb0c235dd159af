"""The table of all runs in a kernel: one widget over the model, however often it is displayed, and its ticker.

`show` runs on the main thread; the ticker is a task on the background loop. It ticks the model at most ten
times a second while a run of this kernel is unfinished, and once a second at the outside of the store's file
otherwise: nothing is sent when nothing changed, and the file is read only when another process has written.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import traitlets

from nbagent import kernel, runtime, settings
from nbagent.core import run_in_daemon_thread
from nbagent.errors import StoreError
from nbagent.frames import workers_line
from nbagent.panel.card.display import BUSY_SHARE, FASTEST_S, pause_after
from nbagent.panel.commands import handle_message
from nbagent.panel.table import batches, static_html
from nbagent.panel.table.model import TableModel
from nbagent.panel.widget import PanelWidget
from nbagent.store import RunStore, RunSummary, newest_runs, runs_since

if TYPE_CHECKING:
    from nbagent.runtime import ActiveRun

ROWS_MAX = 10_000  # the newest runs of a store are shown; the rest is nb.runs()'s
WHOLE_FROM = 300  # so many new lines at once go as the whole state: that is one text
READ_EVERY_S = 1.0
STATIC_EVERY_S = 10.0  # between two static forms while runs are at work
TRUST_S = 5.0  # unfinished runs of other kernels are asked for that often: a dead kernel writes nothing
_log = logging.getLogger("nbagent")


class RunTable(PanelWidget):
    """All runs as a table. `table` is the whole state; changes come as numbered messages in between."""

    table = traitlets.Dict().tag(sync=True)

    def __init__(self, model: TableModel) -> None:
        self._model = model
        super().__init__(
            command=handle_message, table={}, key=f"nbagent-runs-{uuid4().hex[:16]}", shows="table"
        )

    def full_state(self) -> Mapping[str, Any]:
        """Return what a front end has that heard every message."""
        return self._model.state()

    def send_update(self, message: Mapping[str, Any]) -> None:
        """Send a message; many new lines at once as the whole state."""
        if len(message.get("new", ())) > WHOLE_FROM:
            self.send_state("table")
        else:
            self.send(self.stamped(message))


class Table:
    """The model of one store with its widget, its displays and its ticker."""

    def __init__(self, store: RunStore, batch_id: str | None = None) -> None:
        self.store = store
        self.model = TableModel(batch_id)
        self.widget = RunTable(self.model)
        self._displays: list[tuple[str, contextvars.Context]] = []
        self.cells: set[str | None] = set()  # the requests that displayed it
        self._written_seq = self._written_moves = -1  # of the model, when the static forms were last written
        self._static_at = self._static_took_s = 0.0
        self._sending = threading.RLock()
        self._workers: str | None = None  # who works for the record, in a line
        self._others_version = 0
        self._latest: datetime | None = None
        self._total = 0
        self._read_at = 0.0
        self._read_whole = False  # of a batch that is asked elsewhere: read since its end
        self._problem: list[str] = []
        self._reading: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._names_at = 0.0  # when it was last looked whether names were rebound
        self._took_s = 0.0  # of the last tick, waits for the file apart
        self.ticks = 0

    # -------------------------------------------------------------- main thread

    def display(self) -> None:
        """Put a view of the table and its static form under the current cell, and keep both true."""
        display_id = uuid4().hex
        self.widget.display()
        kernel.publish(self._static(), display_id=display_id)
        self._displays.append((display_id, contextvars.copy_context()))
        self.cells.add(kernel.current_request())
        self._written_seq, self._written_moves = self.model.seq, self.model.moves
        self.begin()

    def begin(self) -> None:
        """Keep all views up to date from now on."""
        pause_s = max(FASTEST_S, settings.get("refresh_s"))
        runtime.current().thread.soon(self._start, pause_s)

    def load(self, timeout_s: float = 2.0) -> None:
        """Read the newest runs of the store; what goes wrong is shown, and tried again by the ticker.

        Nothing is read for a batch that this kernel works on: it knows its runs.
        """
        batch_id = self.model.batch_id
        if batch_id is not None and not batches.is_followed(batch_id):
            self._take(RunSummary(rows=(), total=0, latest=None))
            return
        self._others_version = self.store.others_wrote(0)[1]
        try:
            found = newest_runs(self.store, ROWS_MAX, batch_id=batch_id, timeout_s=timeout_s)
        except StoreError as error:
            self._problem = [error.what, error.todo]
            self._take(None)
            return
        self._look_for_workers()
        self._take(found)
        self._others_version = self.store.others_wrote(0)[1]

    def write_static(self) -> None:
        """Rewrite the static forms where the runs have changed since; called at the end of each cell."""
        if self._displays and self.model.seq != self._written_seq:
            self._written_seq, self._written_moves = self.model.seq, self.model.moves
            static = self._static()
            for display_id, _ in self._displays:
                kernel.publish(static, display_id=display_id, update=True)
            self._take_out_ended()

    def _static(self) -> dict[str, str]:
        rows, key = self.model.rows(), self.widget.key
        if self.model.batch_id is None:
            html = static_html.html_of(
                rows, self._total, key=key, budgets=self._budgets(), stale=self.model.stale
            )
        else:
            html = static_html.batch_html(rows, batches.static_state(self.model.batch_id), key=key)
        return {"text/plain": static_html.FIRST_LINE, "text/html": html}

    @property
    def closed(self) -> bool:
        """True once the front end or the person has closed the widget."""
        return self.widget.comm is None

    # ---------------------------------------------------------- background loop

    def watch(self, live: ActiveRun) -> None:
        """Follow a run of this kernel."""
        self.model.watch(live.record)
        if self._wake is not None:
            self._wake.set()

    def _start(self, pause_s: float) -> None:
        if self._task is None or self._task.done():
            self._wake = asyncio.Event()
            self._task = asyncio.get_running_loop().create_task(self._serve(pause_s), name="nbagent-table")

    async def _serve(self, pause_s: float) -> None:
        while not self.closed:
            self._took_s = 0.0
            try:
                await self.tick()
            except Exception:  # noqa: BLE001 - a table that cannot be shown must not end for ever, nor hurt a run
                _log.exception("the table of runs cannot be updated")
            if self.model.busy:
                await asyncio.sleep(pause_after(self._took_s, pause_s))
            else:
                await self._wait_for_launch()

    async def _wait_for_launch(self) -> None:
        """Wait for a launch here, at most until the file is looked at again."""
        assert self._wake is not None
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), READ_EVERY_S)

    async def tick(self) -> None:
        """Tell what changed here, and in the store if somebody else wrote."""
        self.ticks += 1
        if self._read_due():
            # a file that is held is waited for in seconds, and what runs here goes on being shown meanwhile
            self._reading = asyncio.get_running_loop().create_task(self._read_changes(), name="nbagent-look")
        self._take(None)
        if self._static_due():
            await self._write_static_in_cells()

    def _take(self, found: RunSummary | None) -> None:
        """Give the model what was read, if anything was, and the front ends what that changed."""
        began = time.perf_counter()
        extras: dict[str, Any] = {
            "problem": self._problem or self._store_problem(),
            "budgets": self._budgets(),
            "batches": batches.batch_states(),
            "stale": self._stale(),
        }
        if self.model.batch_id is not None and self.model.items is not None:
            extras["ended"] = batches.ended_since(self.model.batch_id, self.model.items.seen)
        with self._sending:
            if found is None:
                message = self.model.tick(time.monotonic(), **extras)
            else:
                self._latest = found.latest
                self._total = found.total if self.model.batch_id is None else 0
                message = self.model.tick(time.monotonic(), found.rows, total=self._total, **extras)
            if message is not None:
                self.widget.send_update(message)
        self._took_s = time.perf_counter() - began

    def _read_due(self) -> bool:
        if self._reading is not None and not self._reading.done():
            return False
        batch_id = self.model.batch_id
        if batch_id is not None:
            if self._read_whole or not batches.is_followed(batch_id):
                return False
            if batches.has_ended(batch_id) and not self._problem:
                return True
        now = time.monotonic()
        since_s = now - self._read_at
        if since_s < READ_EVERY_S:
            return False
        if not self.model.loaded or self._problem:
            return True
        if self.store.others_wrote(self._others_version)[0]:
            return True
        return since_s >= TRUST_S and bool(self.model.unfinished(elsewhere=True))

    async def _read_changes(self) -> None:
        """Read in a thread of its own what others wrote, and tell it."""
        batch_id = self.model.batch_id
        has_ended = batch_id is not None and batches.has_ended(batch_id)
        try:
            if self._latest is None or has_ended:
                found = await run_in_daemon_thread(
                    lambda: newest_runs(self.store, ROWS_MAX, batch_id=batch_id)
                )
            else:
                since, elsewhere = self._latest, self.model.unfinished(elsewhere=True)
                found = await run_in_daemon_thread(lambda: runs_since(self.store, since, elsewhere))
            await run_in_daemon_thread(self._look_for_workers)
        except StoreError as error:
            self._problem = [error.what, error.todo]
            self._take(None)
        except Exception:  # noqa: BLE001 - the same as above: the next look may do better
            _log.exception("the table of runs cannot be read")
        else:
            self._others_version = self.store.others_wrote(0)[1]
            self._problem = []
            self._read_whole = has_ended
            self._take(found)
        self._read_at = time.monotonic()

    def _store_problem(self) -> list[str]:
        trouble = self.store.trouble
        return trouble.split("\n", 1) if trouble else []

    def _budgets(self) -> list[str]:
        """How the record's budgets stand, as far as this process knows, and who works for it."""
        budgets = [f"budget {runtime.budget_text(one)}" for one in self.store.budgets(may_read=False)]
        return budgets if self._workers is None else [*budgets, self._workers]

    def _look_for_workers(self) -> None:
        """Read who works for a record on a server; what cannot be read is as it was."""
        if self.store.mirror is not None and self.model.batch_id is None:
            with contextlib.suppress(StoreError):
                self._workers = workers_line(self.store)

    def _stale(self) -> dict[str, str] | None:
        """Why runs of this kernel are stale, as far as it shows without filling a template; None between two looks."""
        now = time.monotonic()
        if self.model.batch_id is not None or now - self._names_at < READ_EVERY_S / 2:
            return None
        self._names_at = now
        rebound = runtime.current().registry.prompt_names.rebound(self.store, runtime.notebook_names())
        return {
            run_id: f"{', '.join(names)} {'was' if len(names) == 1 else 'were'} rebound since"
            for run_id, names in rebound.items()
        }

    def _static_due(self) -> bool:
        """Say whether the static forms are old: at once where nothing is at work but what waits for a person."""
        if not self._displays or self.model.moves == self._written_moves:
            return False
        least_s = self._static_took_s * BUSY_SHARE
        pause_s = max(least_s, STATIC_EVERY_S) if self.model.working else least_s
        return time.monotonic() - self._static_at >= pause_s

    async def _write_static_in_cells(self) -> None:
        """Write the static forms; each lands in its own cell. They are made in a thread: ten thousand runs take a while."""
        began, seq, moves = time.monotonic(), self.model.seq, self.model.moves
        static = await run_in_daemon_thread(self._static)
        self._static_at = time.monotonic()
        self._static_took_s = self._static_at - began
        if seq < self._written_seq:
            return  # a cell has ended meanwhile and wrote a later one
        self._written_seq, self._written_moves = seq, moves
        for display_id, context in self._displays:
            context.copy().run(kernel.publish, static, display_id=display_id, update=True)
            context.copy().run(self._take_out_ended)

    def _take_out_ended(self) -> None:
        """Leave a batch that has ended to its static form; the table of all runs never ends."""
        batch_id = self.model.batch_id
        if (
            batch_id is not None
            and not self.model.busy
            and (self._read_whole or not batches.is_followed(batch_id))
        ):
            self.widget.take_out()


_tables: dict[tuple[RunStore, str | None], Table] = {}


def show(batch_id: str | None = None) -> None:
    """Display the table of the present store's runs under the current cell; a second call is a second view.

    With `batch_id` it is the table of that batch, which this kernel has started.
    """
    table_here(batch_id).display()


def table_here(batch_id: str | None = None) -> Table:
    """Return the table of the present store's runs, or of one batch; made and filled at the first call."""
    current = runtime.current()
    # their commands act on tables: they are known once there is one
    for commands in ("table.row_commands", "details.view", "details.experiments"):
        import_module(f"nbagent.panel.{commands}")
    if not _tables:
        current.registry.follow(_on_launch)
        kernel.on_cell_end(_write_static)
    kernel.on_command(handle_message)
    store = current.store
    table = _tables.get((store, batch_id))
    if table is None or table.closed:
        table = _tables[store, batch_id] = Table(store, batch_id)
        for live in current.runs():
            if live.record.end is None:
                table.model.watch(live.record)
        table.load()
    return table


def is_shown(batch_id: str) -> bool:
    """Say whether the cell that runs now shows that batch already."""
    here = kernel.current_request()
    return here is not None and any(
        here in table.cells for table in tables() if table.model.batch_id == batch_id
    )


def tables() -> list[Table]:
    """Return the tables that are on screen: one a store, and one for each batch that is shown by itself."""
    return [table for table in _tables.values() if not table.closed]


def _on_launch(live: ActiveRun) -> None:
    for table in tables():
        if table.store is live.store:
            table.watch(live)


def _write_static() -> None:
    for table in tables():
        table.write_static()
