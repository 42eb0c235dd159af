"""The runs that this kernel works on and those that it remembers, by id, session and store. Any thread."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from nbagent.run import TypedOutput, size_bytes
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.history import turn_of
from nbagent.runtime.launch.prompt_names import PromptNames
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent
from nbagent.runtime.ports import ReadHolder
from nbagent.runtime.recovery.dependencies import notebook_names
from nbagent.store import RunStore, StoredTurn

REMEMBERED = 2_000  # finished runs whose live record is kept, so that looking at them reads no file
LET_GO = 2_000  # and of those before them, whose agent and type are


@dataclass(frozen=True, slots=True)
class PastRun:
    """What the store does not hold of a run: the agent itself, and the class of its answer."""

    store: RunStore
    agent: ResolvedAgent
    schema: TypedOutput | None


class RunRegistry:
    """Unfinished runs, all of them, and finished ones, the latest `REMEMBERED` that fit into `budget_bytes`.

    What is remembered no longer is read from the store again: nothing is let go whose end is not there.
    """

    def __init__(self) -> None:
        self.budget_bytes = 64_000_000
        self._lock = threading.Lock()
        self._unfinished: dict[str, ActiveRun] = {}
        self._finished: OrderedDict[str, ActiveRun] = OrderedDict()
        self._sizes: dict[str, int] = {}  # of the finished ones, in bytes
        self._bytes = 0
        self._past: OrderedDict[str, PastRun] = OrderedDict()
        self._read: OrderedDict[weakref.ref[ReadHolder], int] = OrderedDict()  # with their sizes in bytes
        self._read_bytes = 0
        self.prompt_names = PromptNames()
        self.followers: tuple[Callable[[ActiveRun], None], ...] = ()

    # ------------------------------------------------------------------ keep

    def add(self, live: ActiveRun, request: LaunchRequest | None = None) -> None:
        """Add a run that begins; a later attempt replaces an earlier one, a used id replaces none.

        A launch brings its `request`: what its template's names stand for is noted.
        """
        if request is not None:
            self.prompt_names.note(live.store, live.record.launch, request, notebook_names())
        with self._lock:
            if live.record.launch.attempt > 1:
                self._unfinished[live.run_id] = live
                self._drop(live.run_id)
            else:
                self._unfinished.setdefault(live.run_id, live)
        live.done.add_done_callback(partial(self.remember, live))

    def remember(self, live: ActiveRun, _done: object = None) -> None:
        """Move a run from the unfinished to the finished ones."""
        run_id = live.run_id
        with self._lock:
            if self._unfinished.get(run_id) is live:
                del self._unfinished[run_id]
                # a batch holds what it needs of its own runs; ten thousand of them are not kept whole
                if not live.rejected and not live.lost and live.record.launch.batch_id is None:
                    self._drop(run_id)  # another store may have had a run of this id
                    self._finished[run_id] = live
                    self._sizes[run_id] = size_bytes(live.record)
                    self._bytes += self._sizes[run_id]
            gone = self._let_go_beyond_budget()
        for one in gone:
            for kept in tuple(one.holders):
                if (holder := kept()) is not None:
                    holder.let_go(one)

    def _let_go_beyond_budget(self) -> list[ActiveRun]:
        gone: list[ActiveRun] = []
        count, size = len(self._finished), self._bytes
        for run_id, live in self._finished.items():
            within = count <= REMEMBERED and size <= self.budget_bytes
            if within or count == 1:  # whoever waits for the last one looks at it now
                break
            if live.end_is_stored:
                gone.append(live)
                count -= 1
                size -= self._sizes[run_id]
        for live in gone:
            self._drop(live.run_id)
            self._past[live.run_id] = PastRun(live.store, live.agent, live.record.output_schema)
        while len(self._past) > LET_GO:
            self._past.popitem(last=False)
        return gone

    def _drop(self, run_id: str) -> None:
        self._past.pop(run_id, None)
        if self._finished.pop(run_id, None) is not None:
            self._bytes -= self._sizes.pop(run_id)

    def keep_read(self, holder: ReadHolder, size: int) -> None:
        """Let `holder` keep what it has read of a stored run, `size` bytes, until others have read more than fits."""
        with self._lock:
            kept = weakref.ref(holder, self._unread)
            self._read_bytes += size - self._read.pop(kept, 0)
            self._read[kept] = size
            gone: list[ReadHolder | None] = []
            while self._read_bytes > self.budget_bytes and len(self._read) > 1:
                oldest, its_size = self._read.popitem(last=False)
                self._read_bytes -= its_size
                gone.append(oldest())
        for one in gone:
            if one is not None:
                one.drop_read()

    def _unread(self, kept: weakref.ref[ReadHolder]) -> None:
        # called wherever a collection happens to run: perhaps on a thread that holds the lock
        if self._lock.acquire(blocking=False):
            self._read_bytes -= self._read.pop(kept, 0)
            self._lock.release()

    def forget(self, run_ids: Iterable[str]) -> None:
        """Let go of finished runs that were deleted, and of those that they started."""
        gone = set(run_ids)
        with self._lock:
            for run_id, live in sorted(self._finished.items()):  # a run comes after the one that started it
                if live.record.launch.parent_run_id in gone:
                    gone.add(run_id)
            for run_id in gone:
                self._drop(run_id)

    def drop_before(self, run_id: str, attempt: int) -> None:
        """Drop our copy of a run that another process has since resumed: the store knows `attempt`."""
        with self._lock:
            live = self._finished.get(run_id)
            if live is not None and live.record.launch.attempt < attempt:
                live.lost = True
                self._drop(run_id)

    def show_to_parent(self, live: ActiveRun, *, detached: bool = False) -> None:
        """Link a run to the one that started it, if this kernel has that; it stops with it unless `detached`."""
        parent = self.live(live.record.launch.parent_run_id or "")
        if parent is not None and parent.store is live.store:
            parent.node.add_child(live.node, detached=detached)

    # ---------------------------------------------------------------- follow

    def follow(self, listener: Callable[[ActiveRun], None]) -> None:
        """Call `listener(live)` for each run launched or resumed here from now on, members included.

        Called on the background loop before the run begins to work, perhaps twice; it must return at once and
        raise nothing.
        """
        self.followers = (*self.followers, listener)

    # ---------------------------------------------------------------- lookup

    def live(self, run_id: str) -> ActiveRun | None:
        """Return the latest attempt of a run that this kernel worked on, in any store; None for others."""
        with self._lock:  # a run that ends or is resumed goes from one to the other
            return self._unfinished.get(run_id) or self._finished.get(run_id)

    def past(self, store: RunStore, run_id: str) -> PastRun | None:
        """Return what the store does not hold of a run of this kernel, remembered or not any more."""
        live = self.live(run_id)
        if live is not None:
            return PastRun(store, live.agent, live.record.output_schema) if live.store is store else None
        with self._lock:
            past = self._past.get(run_id)
        return past if past is not None and past.store is store else None

    def is_unfinished(self, run_id: str | None) -> bool:
        """True for a run of this kernel that has not ended."""
        with self._lock:
            return run_id in self._unfinished

    def unfinished(self) -> list[ActiveRun]:
        """Return this kernel's unfinished runs, in launch order."""
        with self._lock:
            return list(self._unfinished.values())

    def unfinished_in(self, session_id: str) -> list[ActiveRun]:
        """Return the unfinished runs of a session, without those that runs started."""
        launches = [(live, live.record.launch) for live in self.unfinished() if not live.ended.done()]
        return [live for live, one in launches if one.session_id == session_id and one.parent_run_id is None]

    def runs(self, store: RunStore) -> list[ActiveRun]:
        """Return the runs of a store, oldest first: the unfinished ones and those still remembered."""
        with self._lock:
            listed = [*self._finished.values(), *self._unfinished.values()]
        return sorted((live for live in listed if live.store is store), key=lambda live: live.run_id)

    def turns(self, store: RunStore, session_id: str) -> list[StoredTurn]:
        """Return what the ended runs that are remembered left in a session, oldest first."""
        launches = [(live.record, live.record.launch) for live in self.runs(store)]
        records = [
            record
            for record, one in launches
            if one.session_id == session_id and one.parent_run_id is None and record.end is not None
        ]
        return [turn_of(record) for record in sorted(records, key=lambda record: record.launch.created_at)]
