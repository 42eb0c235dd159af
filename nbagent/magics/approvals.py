# ruff: noqa: T201 - a magic talks to the person by printing under its cell
"""`%agent approve` and `%agent deny`: which run is meant, the decision, and what is said of it. Main thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbagent.core import printable
from nbagent.errors import UnknownOptionError

if TYPE_CHECKING:
    from nbagent.loop import Decision
    from nbagent.magics.parsers import Line
    from nbagent.runtime import Run, Runtime


def approve(arguments: Line) -> Run | None:
    """Approve the calls that the line means; return the run if this kernel has taken it up by that."""
    from nbagent.loop import Decision

    return _decide(arguments, Decision(approved=True), "approved")


def deny(arguments: Line) -> Run | None:
    """Deny the calls that the line means, with its `--why`; return the run if this kernel has taken it up by that."""
    from nbagent.loop import Decision

    return _decide(arguments, Decision(approved=False, reason=arguments.why), "denied")


def _decide(arguments: Line, decision: Decision, done: str) -> Run | None:
    from nbagent.runtime import current

    run = current().get(arguments.run or _only_paused(current()))
    elsewhere = run.record is None
    calls = run.decide(decision, tool_call_id=arguments.call)
    for call in calls:
        print(printable(f"{done} {call!s:.500} of run {run.label or run.run_id!r}"))
    return run if elsewhere and run.record is not None else None


def _only_paused(current: Runtime) -> str:
    """Return the one run that waits for a person. Raises UnknownOptionError if there is none, or more than one."""
    from nbagent.store import list_runs

    waiting = list_runs(current.store, status="paused")
    if not waiting:
        raise UnknownOptionError("no run waits for approval", "%agent list shows the runs")
    if len(waiting) > 1:
        names = ", ".join(row["label"] or row["run_id"] for row in waiting)
        raise UnknownOptionError(f"{len(waiting)} runs wait for approval: {names}", "name one of them")
    return str(waiting[0]["run_id"])
