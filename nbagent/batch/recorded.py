"""A batch as the record has it: its rows folded from their runs and entries, and followed while another kernel works.

`rows_of` is pure. `Follower` is to a batch of another kernel what `BatchRunner` is to one of this kernel, on the
background loop: what it finds in the record are the outcomes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from nbagent.batch.definition import labels_of, plain_schema_of, schema_of
from nbagent.batch.plan import BatchLimits
from nbagent.batch.row_outcome import (
    NOT_ASKED,
    NOTHING_SPENT,
    WAITING,
    RowOutcome,
    RowSpend,
    outcome_of_data,
    outcome_of_row,
    parts_of,
    share_of,
    spent_on,
)
from nbagent.batch.running.budget import BatchBudget
from nbagent.batch.running.packing import MISSING, prompts_in, unpack_answers
from nbagent.batch.running.results import Results
from nbagent.core import load_json, run_in_daemon_thread, utc_now
from nbagent.errors import StoreError
from nbagent.frames import ROWS, key_of
from nbagent.run import UNFINISHED, RunStatus
from nbagent.schemas import InvalidOutputError, Stored, read_stored
from nbagent.store import (
    PLACED,
    BatchRecord,
    CancelRequest,
    RunStore,
    StoredBatch,
    answer_json,
    content_of,
    load_batch,
)

POLL_S = 0.5
BUSY_SHARE = 5  # a look that took t is followed by a pause of 5 t
LOOK_ANYWAY = 10  # polls: whether its process lives is in no file
_DIED = "the kernel ended before this row was asked"
_NEVER = "the batch ended before this row was asked"
_CANCELLED = "cancelled before a worker had begun"


@dataclass(slots=True, kw_only=True)
class Rows:
    """A batch's rows by position: keys, and outcomes as far as there are any."""

    keys: list[Any] = field(default_factory=list)
    outcomes: list[RowOutcome | None] = field(default_factory=list)
    budget: BatchBudget


def rows_of(stored: StoredBatch, answers: Answers) -> Rows:
    """Fold what the record holds of a batch: the latest entry of each row counts, its cost is that of all its tries.

    It may validate answers, which runs the user's code: not on the background loop.
    """
    fold = _Fold(stored, answers)
    events = [(row["created_at"], fold.run, row) for row in stored.runs]
    events += [(row["created_at"], fold.entry, row) for row in stored.rows]
    for _, take, row in sorted(events, key=lambda event: event[0]):
        take(row)
    return fold.rows()


class Answers:
    """Answers as the record has them, in their type: the class where it is at hand, else plain data. Each is read once."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self._schema = schema_of(definition)
        self.schema = self._schema or plain_schema_of(definition)
        self._read: dict[tuple[str, str, tuple[int, int] | None], Any] = {}

    def read(self, row: Mapping[str, Any], part: tuple[int, int] | None) -> Any:
        """Return what a run has answered, or one part of it where it is a group's; as it is where it does not fit."""
        content = content_of(row)
        if not row["output_valid"] or (part is None and self._schema is None):
            return content
        key = row["run_id"], row["content"], part
        if key not in self._read:
            self._read[key] = content
            if part is not None:
                found = unpack_answers(content, part[1], self.schema)[part[0]]
                self._read[key] = None if found is MISSING else found
            elif self._schema is not None:
                with contextlib.suppress(InvalidOutputError):  # its class has changed since
                    stored = Stored(json=answer_json(row), data=content)
                    self._read[key] = read_stored(self._schema, stored).value
        return self._read[key]


class _Fold:
    def __init__(self, stored: StoredBatch, answers: Answers) -> None:
        self._stored = stored
        self._answers = answers
        self._has_ended = stored.row["finished_at"] is not None or stored.is_left
        # what a dead worker has left is no end: the next one goes on with it
        self._goes_on = stored.is_placed and not self._has_ended
        self._waiting: dict[int, str | None] = {}  # prompts of rows that are to be asked on workers
        self._keys: dict[int, Any] = {}
        self._outcomes: dict[int, RowOutcome | None] = {}
        self._spent: dict[int, RowSpend] = {}
        self._budget = BatchBudget(_limits(stored.definition))
        self._next = 0  # the place of a run that says none: of an earlier release

    def run(self, row: Mapping[str, Any]) -> None:
        """Take in a run: of one row, or of a group."""
        position: Any = self._next if row["position"] is None else load_json(row["position"])
        self._next += 1
        key = None if row["row_key"] is None else load_json(row["row_key"])
        group = isinstance(position, list)
        outcome = outcome_of_row(row, content_of(row) if group else self._answers.read(row, None))
        if outcome.status in UNFINISHED:
            outcome = replace(outcome, status=RunStatus.interrupted.value) if self._has_ended else outcome
        if self._goes_on and outcome.status == RunStatus.interrupted.value:
            outcome = replace(outcome, status=RunStatus.pending.value)
        if outcome.status not in UNFINISHED:
            self._budget.add(outcome)
        if group:
            keys = key[ROWS] if isinstance(key, dict) else [None] * len(position)
            self._group(position, keys, outcome)
        else:
            self._keys[position] = key
            self._put(position, outcome)

    def _group(self, positions: list[int], keys: list[Any], outcome: RowOutcome) -> None:
        self._keys.update(zip(positions, keys, strict=True))
        count = len(positions)
        own = (outcome.key or "").split("+")
        prompts = prompts_in(outcome.prompt, count) if outcome.prompt else [None] * count
        for position, part, prompt, row_key in zip(
            positions, parts_of(outcome, count, self._answers.schema), prompts, own, strict=True
        ):
            if part is not None:
                self._put(position, replace(part, prompt=prompt, key=row_key))
            else:
                self._spent[position] = spent_on(
                    share_of(outcome, count).after(self._spent.get(position, NOTHING_SPENT))
                )
                self._outcomes[position] = None

    def _put(self, position: int, outcome: RowOutcome) -> None:
        if outcome.status in UNFINISHED:
            self._outcomes[position] = None
            return
        outcome = outcome.after(self._spent.get(position, NOTHING_SPENT))
        self._spent[position] = spent_on(outcome)
        self._outcomes[position] = outcome

    def entry(self, row: Mapping[str, Any]) -> None:
        """Take in what became of a row that has no run of its own."""
        data = row["outcome"]
        answer = self._stored.answers.get(data.get("run_id", ""))
        position = row["position"]
        self._keys[position] = row["row_key"]
        if data["status"] == WAITING:
            self._waiting[position] = data.get("prompt")
            return
        self._put(position, outcome_of_data(data, answer, row["answer_key"], self._answers.read))

    def rows(self) -> Rows:
        """Return all rows; those of a batch that has ended have an outcome."""
        labels = labels_of(self._stored.definition)
        known = max((*self._keys, -1)) + 1
        count = max(self._stored.row["total"] or 0, known, len(labels) if self._has_ended else 0)
        left = RowOutcome(status=NOT_ASKED, error=_DIED if self._stored.is_left else _NEVER)
        rows = Rows(budget=self._budget)
        for position in range(count):
            data = self._keys.get(position, labels[position] if position < len(labels) else None)
            rows.keys.append(key_of(data))
            outcome = self._outcomes.get(position)
            if outcome is None and self._has_ended:
                outcome = left.after(self._spent.get(position, NOTHING_SPENT))
                outcome = replace(outcome, prompt=self._waiting.get(position))
            rows.outcomes.append(outcome)
        return rows


def cancelled_record(row: Mapping[str, Any], definition: Mapping[str, Any]) -> BatchRecord:
    """Return the end of a batch that no worker has begun; it counts where none has meanwhile."""
    details = load_json(row["details"] or "{}")
    kept = ("batch_id", "batch_key", "created_at", "owner", "label", "agent_name", "total", "reused")
    return BatchRecord(
        **{name: row[name] for name in kept},
        details={**details, "notices": [*details.get("notices", ()), _CANCELLED]},
        finished_at=utc_now(),
        definition=definition,
    )


def _limits(definition: Mapping[str, Any]) -> BatchLimits:
    known = definition.get("limits", {})
    return BatchLimits(**{name: known[name] for name in BatchLimits.__slots__ if name in known})


class Follower:
    """Looks at the batch of another kernel until it ends; see the module."""

    def __init__(self, store: RunStore, stored: StoredBatch, results: Results, answers: Answers) -> None:
        self._store, self._batch_id, self._results = store, stored.row["batch_id"], results
        self.budget = BatchBudget(_limits(stored.definition))
        self.in_flight = 0
        self._answers = answers
        self._others_version = 0
        self.has_ended = self._is_cancelling = False
        self._take(stored, rows_of(stored, self._answers))

    def _take(self, stored: StoredBatch, rows: Rows) -> None:
        self.budget = rows.budget
        self.in_flight = sum(row["status"] in UNFINISHED for row in stored.runs)
        self.has_ended = stored.row["finished_at"] is not None or stored.is_left
        self._stored_row, self._definition = stored.row, stored.definition
        if self.has_ended:
            self.in_flight = 0
        elif self._is_cancelling and stored.row["owner"] != PLACED:
            self.cancel()  # a worker was first
        self._results.take(rows.outcomes, rows.keys, stored.row["total"])
        for notice in load_json(stored.row["details"] or "{}").get("notices", ()):
            self._results.note(notice)

    async def run(self) -> None:
        """Return when the batch has ended, here or with its kernel."""
        polls = 0
        took_s = 0.0
        while not self.has_ended:
            await asyncio.sleep(max(POLL_S, took_s * BUSY_SHARE))
            polls += 1
            changed, self._others_version = await run_in_daemon_thread(
                partial(self._store.others_wrote, self._others_version)
            )
            if not changed and polls % LOOK_ANYWAY:
                continue
            began_s = time.perf_counter()
            try:
                found = await run_in_daemon_thread(self._read_batch)
            except StoreError:
                continue  # busy: the next look will tell
            finally:
                took_s = time.perf_counter() - began_s
            if found is None:
                return  # it was deleted
            self._take(*found)

    def _read_batch(self) -> tuple[StoredBatch, Rows] | None:
        stored = load_batch(self._store, self._batch_id)
        return None if stored is None else (stored, rows_of(stored, self._answers))

    def cancel(self) -> None:
        """Ask its kernel to stop it: what is in flight is cancelled, nothing more is asked. One that waits for a worker ends."""
        if self._stored_row["owner"] != PLACED:
            self._is_cancelling = False
            self._store.submit(CancelRequest(run_id=self._batch_id))
        elif not self.has_ended and not self._is_cancelling:
            self._is_cancelling = True
            self._store.submit(cancelled_record(self._stored_row, self._definition))

    def set_limits(self, limits: BatchLimits) -> None:
        """Do nothing: only the kernel that works on it can bound it."""
