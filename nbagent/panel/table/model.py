"""The table's model: the row of every run in the store's view, and what changed since the last tick.

Owned by `table/widget.py`, which ticks it on the background loop. This kernel's unfinished runs are looked at
by the version of their record, which costs a comparison a run; all others come from the store and change when
another process has written. `state` may be asked on any thread: it is exactly what a front end has that heard
every message.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nbagent.core import dump_json
from nbagent.panel.table.batch_items import FAILED_LISTED, LISTED, BatchItems
from nbagent.panel.table.row import COLUMNS, TableRow, batch_of, is_final, is_older, row_of, row_of_stored
from nbagent.run import RunRecord

ECHO_S = 1.0
FAILED = frozenset({"error", "timeout", "interrupted"})
WORKING = frozenset({"pending", "running"})  # one that is paused is a person's turn
_STATUS = COLUMNS.index("status")


class TableModel:
    """All rows by run id. Invariant: a run in `_watched` is this kernel's, and its row is of that version.

    With `batch_id` it holds that batch's runs only.
    """

    def __init__(self, batch_id: str | None = None) -> None:
        self.batch_id = batch_id
        self.items = BatchItems() if batch_id is not None else None
        self._lock = threading.RLock()
        self._rows: dict[str, TableRow] = {}
        self._watched: dict[str, tuple[RunRecord, int]] = {}
        self._loaded = False
        self._total = 0
        self._problem: list[str] = []
        self._budgets: list[str] = []  # how the record's budgets stand, as text
        self._batches: dict[str, Mapping[str, Any]] = {}
        self._stale: dict[str, str] = {}  # why a run is, by its id
        self._seq = 0
        self._echo_at: float | None = None
        self.moves = 0  # how often a run or batch began, paused, went on or ended
        self.working = 0  # rows that do not wait for a person and have not ended

    # ------------------------------------------------------------ what comes in

    def watch(self, record: RunRecord) -> None:
        """Follow a run of this kernel from now on, until it ends; a resumed one anew."""
        if self.batch_id is not None and getattr(record.launch, "batch_id", None) != self.batch_id:
            return
        with self._lock:
            known = self._watched.get(record.launch.run_id)
            if known is None or known[0] is not record:
                self._watched[record.launch.run_id] = (record, -1)

    def changes(self, stored: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Return what changed since the last call: whole lines of new runs, single cells of known ones.

        `stored` are rows of the store's `RunSummary` that may hold news; this kernel's runs are taken from
        itself.
        """
        new: list[TableRow] = []
        cells: list[list[Any]] = []
        with self._lock:
            for stored_row in stored:
                row = row_of_stored(stored_row)
                if self.batch_id is not None and self._is_beyond(row, stored_row["batch_id"]):
                    continue
                # an end that this kernel has seen may not have been written yet when the rows were read
                if row[0] not in self._watched and not is_older(row, self._rows.get(row[0])):
                    self._put(row, new, cells)
            ended = []
            for run_id, (record, version) in self._watched.items():
                if record.version == version:
                    continue
                self._watched[run_id] = (record, record.version)
                row = row_of(record)
                self._put(row, new, cells)
                if is_final(row):
                    ended.append(run_id)
            for run_id in ended:
                del self._watched[run_id]
            gone = set(self._unlisted(ended)) if self.batch_id is not None else set()
        new = [row for row in new if row[0] not in gone]
        cells = [changed for changed in cells if changed[0] not in gone]
        parts = (("new", new), ("cells", cells), ("gone", sorted(gone)))
        return {name: value for name, value in parts if value}

    def _is_beyond(self, row: TableRow, batch_id: str | None) -> bool:
        """Say whether a stored run is not the batch's, or more than a card lists."""
        return batch_id != self.batch_id or (row[0] not in self._rows and len(self._rows) >= LISTED)

    def _unlisted(self, ended: Iterable[str]) -> Iterator[str]:
        """Let go of ended runs of a batch that are more than a card lists, and yield their ids."""
        for run_id in ended:
            row = self._rows[run_id]
            if len(self._rows) > LISTED + (FAILED_LISTED if row[_STATUS] in FAILED else 0):
                del self._rows[run_id]
                yield run_id

    def _put(self, row: TableRow, new: list[TableRow], cells: list[list[Any]]) -> None:
        """Store a row and note what of it changed. A cell's change is its column's number and its value."""
        old = self._rows.get(row[0])
        if old == row:
            return
        self._rows[row[0]] = row
        was = None if old is None else old[_STATUS]
        if row[_STATUS] != was:
            self.moves += 1
            self.working += (row[_STATUS] in WORKING) - (was in WORKING)
        if old is None:
            new.append(row)
            return
        changed: list[Any] = [row[0]]
        for at, value in enumerate(row):
            if value != old[at]:
                changed += [at, value]
        cells.append(changed)

    # -------------------------------------------------------------- what goes out

    def tick(
        self,
        now_s: float,
        stored: Iterable[Mapping[str, Any]] = (),
        *,
        total: int | None = None,
        problem: list[str] | None = None,
        budgets: list[str] | None = None,
        batches: Mapping[str, Mapping[str, Any]] | None = None,
        stale: Mapping[str, str] | None = None,
        ended: tuple[int, Sequence[tuple[int, Any, Any]]] | None = None,
    ) -> dict[str, Any] | None:
        """Return the message for all that changed, or None; a second after the last one its number once more.

        `batches` is where those of this kernel stand (`batch_states`), `stale` why runs are (None: as before),
        `ended` the rows of its own batch that have ended since. The number lets a front end that
        missed the last message know; it costs 20 bytes.
        """
        with self._lock:
            message = self.changes(stored)
            if not self._loaded and total is not None:
                self._loaded = message["loaded"] = True
            if total is not None and max(total, len(self._rows)) != self._total:
                self._total = message["total"] = max(total, len(self._rows))
            if problem is not None and problem != self._problem:
                self._problem = message["trouble"] = problem
            if budgets is not None and budgets != self._budgets:
                self._budgets = message["budgets"] = budgets
            if changed := self._batch_changes(batches or {}):
                message["batches"] = changed
            if stale is not None and stale != self._stale:
                gone = dict.fromkeys(self._stale.keys() - stale.keys(), "")
                message["stale"] = gone | {
                    one: why for one, why in stale.items() if self._stale.get(one) != why
                }
                self._stale = dict(stale)
            if self.items is not None and ended is not None:
                message |= self.items.take(*ended)
            if message:
                self._seq += 1
                self._echo_at = now_s + ECHO_S
                return {"seq": self._seq, **message}
            if self._echo_at is not None and now_s >= self._echo_at:
                self._echo_at = None
                return {"seq": self._seq}
        return None

    def _batch_changes(self, batches: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Take up where batches stand, and return those that stand elsewhere than before."""
        mine = {one: at for one, at in batches.items() if self.batch_id in (None, one)}
        # one that ended and was let go between two ticks says nothing any more
        gone = {one: {**at, "finished": True} for one, at in self._batches.items() if one not in mine}
        changed = {one: at for one, at in (gone | mine).items() if self._batches.get(one) != at}
        self.moves += sum(at["finished"] for at in changed.values())
        self._batches |= changed
        return changed

    def state(self) -> dict[str, Any]:
        """Return everything, for a page that loads now; the lines as one text, which costs a tenth of a list."""
        with self._lock:
            return {
                "seq": self._seq,
                "columns": COLUMNS,
                "lines": dump_json(list(self._rows.values())).decode(),
                "loaded": self._loaded,
                "total": self._total,
                "trouble": self._problem,
                "budgets": self._budgets,
                "batches": dict(self._batches),
                "stale": dict(self._stale),
                "only": self.batch_id,
                "listed": None if self.items is None else self.items.state(),
            }

    # ---------------------------------------------------------------------- asked

    @property
    def stale(self) -> Mapping[str, str]:
        """Why runs are stale, by their ids."""
        return self._stale

    @property
    def seq(self) -> int:
        """The number of the last message."""
        return self._seq

    @property
    def loaded(self) -> bool:
        """True once the store has been read."""
        return self._loaded

    @property
    def busy(self) -> bool:
        """True while a run or batch of this kernel is unfinished, or the last message was not said again."""
        if self._watched or self._echo_at is not None:
            return True
        return any(not batch["finished"] for batch in self._batches.values())

    @property
    def running_count(self) -> int:
        """How many runs of this kernel are unfinished."""
        return len(self._watched)

    def unfinished(self, *, batch_id: str | None = None, elsewhere: bool = False) -> list[str]:
        """Return the ids of unfinished runs: all, those of a batch, or only those of other kernels."""
        with self._lock:
            return [
                run_id
                for run_id, row in self._rows.items()
                if not is_final(row)
                and (batch_id is None or batch_of(row) == batch_id)
                and not (elsewhere and run_id in self._watched)
            ]

    def has(self, run_id: str) -> bool:
        """Return True if the table has the run."""
        return run_id in self._rows

    def rows(self) -> list[TableRow]:
        """Return all rows, in no order."""
        with self._lock:
            return list(self._rows.values())
