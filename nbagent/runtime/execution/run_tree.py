"""Parent and child links between live runs. Cancellation propagates down, cost and token usage propagate up.

Each live run has one `RunNode`. All of it runs on the background loop, `add_child` excepted, which any thread
may call: a run's order to stop is given before it looks for children, and a child asks for that order after
it was added, so that none slips through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nbagent.core import utc_now
from nbagent.events import ModelCall
from nbagent.loop import Finish
from nbagent.run import RunRecord, StopReason
from nbagent.runtime.execution.budget import Budget
from nbagent.runtime.execution.pausable_timeout import PausableTimeout


class RunNode:
    """`parent` started the run, `children` were started by it in this attempt and have no end yet.

    `stop` ends the run, `child_ended` is called when a child has; `stop_reason` is set once the run was told
    to stop, `is_over` once it has its end. A detached run has no parent here: it only shows under the run
    that started it.
    """

    def __init__(
        self,
        record: RunRecord,
        *,
        budget: Budget | None,
        clock: PausableTimeout,
        stop: Callable[[StopReason, str | None], None],
        child_ended: Callable[[], None],
    ) -> None:
        self.parent: RunNode | None = None
        self.children: list[RunNode] = []
        self.stop_reason: StopReason | None = None
        self.is_over = False
        self.record = record
        self.budget = budget
        self.clock = clock
        self.stop = stop
        self.child_ended = child_ended
        self.shown_under: RunRecord | None = None

    def add_child(self, child: RunNode, *, detached: bool = False) -> None:
        """Add a run that this one has started: it shows under it, and stops with it unless `detached`."""
        child.shown_under = self.record
        self.record.join(child.record)
        if not detached:
            child.parent = self
            self.children.append(child)

    def detach(self) -> None:
        """Unlink from the parent's record: the launch was rejected because the run id is in use."""
        if self.shown_under is not None:
            self.shown_under.leave(self.record)

    def leave_parent(self) -> None:
        """Let the parent know that this run has its end, or was rejected."""
        if self.parent is not None and self in self.parent.children:
            self.parent.children.remove(self)
            self.parent.child_ended()

    @property
    def parent_stop_reason(self) -> StopReason | None:
        """Why a run that is about to begin must not: its parent was told to stop meanwhile."""
        stopped = self.parent.stop_reason if self.parent is not None else None
        return _with_its_parent(stopped) if stopped is not None else None

    @property
    def is_ending(self) -> bool:
        """True between the order to stop and the end."""
        return self.stop_reason is not None and not self.is_over

    @property
    def children_are_ending(self) -> bool:
        """True while runs under this one were told to stop and have no end yet."""
        return any(child.is_ending for child in tuple(self.children))

    def stop_children(self, reason: StopReason) -> None:
        """Stop the runs under this one, which stops with `reason`."""
        for child in tuple(self.children):
            child.stop(_with_its_parent(reason), None)

    def charge(self, call: ModelCall) -> None:
        """Count a call for this run and those above; where that exceeds a limit, stop what else is under it.

        The runs between the limit and the call end by themselves, with what they have paid for
        (`limit_reached`).
        """
        path = list(self._upwards())
        for node in path:
            if node.budget is None:
                continue
            node.budget.charge(call)
            if (exceeded := node.budget.exceeded()) is not None:
                node.stop_all_but(path, exceeded)

    def stop_all_but(self, path: Sequence[RunNode], exceeded: Finish) -> None:
        """Stop all runs under this one that are not on `path`."""
        for child in tuple(self.children):
            if child in path:
                child.stop_all_but(path, exceeded)
            else:
                child.stop(exceeded.stop_reason, exceeded.error)

    def limit_reached(self) -> Finish | None:
        """Return the end that an exceeded limit of this run's team, or of one above, means, or None."""
        for node in self._upwards():
            if node.budget is not None and (exceeded := node.budget.exceeded()) is not None:
                return exceeded
        return None

    def pause_clocks(self) -> None:
        """Pause the time limits of this run and those above it: a person is waited for. Pauses nest."""
        for node in self._upwards():
            node.clock.pause()
            node.record.pause(utc_now())

    def resume_clocks(self) -> None:
        """Take one pause back, for this run and those above it; the clock of an ended one stays still."""
        for node in self._upwards():
            node.record.unpause(utc_now())
            if not node.is_over:
                node.clock.resume()

    def _upwards(self) -> Iterator[RunNode]:
        """Yield the run and those above it."""
        node: RunNode | None = self
        while node is not None:
            yield node
            node = node.parent


def _with_its_parent(reason: StopReason) -> StopReason:
    """Return why a child stops when its parent does: only a kernel's end leaves it to be resumed."""
    return "kernel_died" if reason == "kernel_died" else "cancelled"
