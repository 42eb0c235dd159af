"""The runs that this kernel works on and those that it remembers, by id, session and store. Any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial

from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.history import turn_of
from nbagent.store import Store, StoredTurn

REMEMBERED = 2_000  # finished runs whose live record is kept, so that looking at them reads no file


class RunRegistry:
    """Unfinished runs, all of them, and finished ones, the latest `REMEMBERED`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unfinished: dict[str, ActiveRun] = {}
        self._finished: OrderedDict[str, ActiveRun] = OrderedDict()
        self.followers: tuple[Callable[[ActiveRun], None], ...] = ()

    # ------------------------------------------------------------------ keep

    def add(self, live: ActiveRun) -> None:
        """Add a run that begins; a later attempt replaces an earlier one, a used id replaces none."""
        with self._lock:
            if live.record.launch.attempt > 1:
                self._unfinished[live.run_id] = live
                self._finished.pop(live.run_id, None)
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
                    self._finished[run_id] = live
                    self._finished.move_to_end(run_id)  # another store may have had a run of this id
            while len(self._finished) > REMEMBERED:
                self._finished.popitem(last=False)

    def forget(self, run_ids: Iterable[str]) -> None:
        """Let go of finished runs that were deleted, and of those that they started."""
        gone = set(run_ids)
        with self._lock:
            for run_id, live in sorted(self._finished.items()):  # a run comes after the one that started it
                if live.record.launch.parent_run_id in gone:
                    gone.add(run_id)
            for run_id in gone:
                self._finished.pop(run_id, None)

    def drop_before(self, run_id: str, attempt: int) -> None:
        """Drop our copy of a run that another process has since resumed: the store knows `attempt`."""
        with self._lock:
            live = self._finished.get(run_id)
            if live is not None and live.record.launch.attempt < attempt:
                live.lost = True
                del self._finished[run_id]

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

    def runs(self, store: Store) -> list[ActiveRun]:
        """Return the runs of a store, oldest first: the unfinished ones and those still remembered."""
        with self._lock:
            listed = [*self._finished.values(), *self._unfinished.values()]
        return sorted((live for live in listed if live.store is store), key=lambda live: live.run_id)

    def turns(self, store: Store, session_id: str) -> list[StoredTurn]:
        """Return what the ended runs that are remembered left in a session, oldest first."""
        launches = [(live.record, live.record.launch) for live in self.runs(store)]
        records = [
            record
            for record, one in launches
            if one.session_id == session_id and one.parent_run_id is None and record.end is not None
        ]
        return [turn_of(record) for record in sorted(records, key=lambda record: record.launch.created_at)]
