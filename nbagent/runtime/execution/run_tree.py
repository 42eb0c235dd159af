"""A live run's place among those it was started by and those it has started: what stops with it, what its limits bound.

Each `ActiveRun` has one `RunNode`. All of it runs on the background loop, `adopt` excepted, which any thread may call: a
run's order to stop is given before it looks for children, and a child asks for that order after it was adopted, so
that none slips through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nbagent.loop import Finish
from nbagent.runtime.execution.budget import Budget

if TYPE_CHECKING:
    from nbagent.events import ModelCall
    from nbagent.run import RunRecord, StopReason
    from nbagent.runtime.execution.active_run import ActiveRun


class RunNode:
    """`parent` started the run, `children` were started by it and have no end yet, in this kernel and this attempt.

    A detached run has no parent here: it only shows under the run that started it.
    """

    def __init__(self, run: ActiveRun) -> None:
        self.parent: ActiveRun | None = None
        self.children: list[ActiveRun] = []
        self.budget = Budget(run.spec)
        self._run = run
        self._shown_under: RunRecord | None = None

    def adopt(self, child: ActiveRun, *, detached: bool = False) -> None:
        """Take in a run that this one has started: it shows under this one, and stops with it unless `detached`."""
        child.kin._shown_under = self._run.record  # noqa: SLF001 - a Kin of another run
        self._run.record.join(child.record)
        if not detached:
            child.kin.parent = self._run
            self.children.append(child)

    def disown(self) -> None:
        """Be no run under another one: its id was taken, it never was."""
        if self._shown_under is not None:
            self._shown_under.leave(self._run.record)

    def ended(self) -> None:
        """Let the run that started this one know that it has its end, or that it never was."""
        if self.parent is not None and self._run in self.parent.kin.children:
            self.parent.kin.children.remove(self._run)
            self.parent.child_ended()

    @property
    def orphaned(self) -> StopReason | None:
        """Why a run that is about to begin must not: what has started it was stopped meanwhile."""
        stopped = self.parent.stop_reason if self.parent is not None else None
        return _with_its_parent(stopped) if stopped is not None else None

    @property
    def are_ending(self) -> bool:
        """True while runs under this one were told to stop and have no end yet."""
        return any(child.is_ending for child in tuple(self.children))

    def stop(self, reason: StopReason) -> None:
        """Stop the runs under this one, which stops with `reason`."""
        for child in tuple(self.children):
            child.stop(_with_its_parent(reason))

    def charge(self, call: ModelCall) -> None:
        """Count a call of this run for it and those above it; where that passes a limit, stop what else is under it.

        The runs between the limit and the call end by themselves, with what they have paid for (`bound`).
        """
        path = list(self._upwards())
        for run in path:
            run.kin.budget.charge(call)
            if (passed := run.kin.budget.passed()) is not None:
                run.kin.stop_beside(path, passed)

    def stop_beside(self, path: Sequence[ActiveRun], passed: Finish) -> None:
        """Stop all runs under this one that are not on `path`."""
        for child in tuple(self.children):
            if child in path:
                child.kin.stop_beside(path, passed)
            else:
                child.stop(passed.stop_reason, passed.error)

    def bound(self) -> Finish | None:
        """Return the end that a limit of this run's team, or of one above, means; None while none has passed."""
        ends = (run.kin.budget.passed() for run in self._upwards())
        return next((end for end in ends if end is not None), None)

    def pause_clocks(self) -> None:
        """Let the time limits of this run and of those above it stand still: a person is waited for. Pauses nest."""
        for run in self._upwards():
            run.pause_clock()

    def resume_clocks(self) -> None:
        """Take one pause back, for this run and those above it."""
        for run in self._upwards():
            run.resume_clock()

    def _upwards(self) -> Iterator[ActiveRun]:
        """Yield the run and those above it."""
        run: ActiveRun | None = self._run
        while run is not None:
            yield run
            run = run.kin.parent


def _with_its_parent(reason: StopReason) -> StopReason:
    """Why a child stops when its parent does: only a kernel's end leaves it to be resumed."""
    return "kernel_died" if reason == "kernel_died" else "cancelled"
