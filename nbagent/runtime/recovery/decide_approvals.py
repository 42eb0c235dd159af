"""What a person decides on a paused run: approve, deny, cancel; from any kernel. On any thread.

A run that is live here hears it at once; one that another kernel works on, within a second, through the store.
A paused run whose kernel is gone has no owner: who decides on it adopts it (`recover.adopt`), and it goes on here.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.core import dump_json, show_runs, utc_now
from nbagent.errors import ConfigurationError, StoreBusyError, UnknownNameError, did_you_mean
from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.run import RunStatus
from nbagent.runtime.recovery import resume
from nbagent.runtime.recovery.dependencies import HasDependencies
from nbagent.store import DecisionRequest, Finish, Store, StoredRun, load_stopped
from nbagent.tools import ToolArgumentsError, parse_arguments

if TYPE_CHECKING:
    from nbagent.runtime.execution.active_run import ActiveRun
    from nbagent.runtime.run_handle import Run
    from nbagent.runtime.runtime import Runtime

WRITE_WAIT_S = 5.0
_CANCELLED = {"status": "cancelled", "stop_reason": "cancelled", "error_type": None, "error": None}


def decide(
    runtime: Runtime,
    run: Run,
    decision: Decision,
    *,
    tool_call_id: str | None = None,
    step: int | None = None,
    agent: HasDependencies | None = None,
) -> tuple[PendingApproval, ...]:
    """Decide on the call with this id, or on all that wait, and return the calls that this decided.

    `step` is that of the call that was looked at, where the id alone might name a later one. Raises
    ConfigurationError (nothing waits, tools are missing for a run that must be adopted), UnknownNameError and
    StoreError.
    """
    live = run.live_attempt()
    if live is None:
        return _decide_stored(runtime, run, decision, (tool_call_id, step), agent)
    calls = chosen(run.run_id, live.record.status, live.record.pending_approvals, tool_call_id, step)
    _check_arguments(live, calls, decision.arguments)
    heard = runtime.thread.submit(live.approvals.decide_all(calls, decision))
    if runtime.thread.is_current():
        return calls
    return tuple(heard.result(WRITE_WAIT_S))


def chosen(
    run_id: str,
    status: RunStatus,
    waiting: Sequence[PendingApproval],
    tool_call_id: str | None,
    step: int | None = None,
) -> tuple[PendingApproval, ...]:
    """Return the calls that are meant. Raises ConfigurationError and UnknownNameError, which say what waits."""
    if status is not RunStatus.paused or not waiting:
        raise ConfigurationError(
            f"run {run_id!r} waits for no approval: it is {status.value}",
            "run.pending_approvals shows the calls that wait for a person",
        )
    calls = tuple(
        call for call in waiting if tool_call_id in (None, call.tool_call_id) and step in (None, call.step)
    )
    if not calls:
        ids = [call.tool_call_id for call in waiting]
        raise UnknownNameError(
            f"no call {tool_call_id!r} of run {run_id!r} waits for approval{did_you_mean(tool_call_id or '', ids)}",
            "these wait: " + ", ".join(f"{call.tool_call_id}: {call!s:.200}" for call in waiting),
        )
    return calls


def cancel_abandoned(store: Store, stopped: StoredRun) -> bool:
    """End a paused run whose kernel is gone as `cancelled`; False if it is no such run, or somebody was first."""
    if stopped.output.status is not RunStatus.paused or not stopped.is_left:
        return False
    end = resume.end_of(stopped) | _CANCELLED | {"finished_at": utc_now()}
    write = Finish(run_id=stopped.output.run_id, attempt=stopped.output.attempt, end=end)
    return bool(_written(store, write, stopped.output.run_id))


def _decide_stored(
    runtime: Runtime,
    run: Run,
    decision: Decision,
    which: tuple[str | None, int | None],
    agent: HasDependencies | None,
) -> tuple[PendingApproval, ...]:
    """Decide on a run that is not live here: adopt it, or let its kernel know."""
    runtime.thread.forbid_blocking("run.approve() and run.deny() of another kernel's run")
    store = runtime.store
    stopped = load_stopped(store, run.run_id)
    if stopped is None:
        raise UnknownNameError(f"no run {run.run_id!r} in {str(store.path)!r}", show_runs())
    calls = chosen(run.run_id, stopped.output.status, stopped.output.pending_approvals, *which)
    if stopped.is_left:
        resume.adopt(runtime, stopped, {call.tool_call_id: (call, decision) for call in calls}, agent)
        return calls
    for call in calls:
        _written(store, _request(stopped, call, decision), run.run_id)
    return calls


def _request(stopped: StoredRun, call: PendingApproval, decision: Decision) -> DecisionRequest:
    return DecisionRequest(
        run_id=stopped.output.run_id,
        step=call.step,
        tool_call_id=call.tool_call_id,
        approved=decision.approved,
        reason=decision.reason,
        arguments=decision.arguments,
    )


def _written(store: Store, write: DecisionRequest | Finish, run_id: str) -> Any:
    try:
        return store.submit(write).result(WRITE_WAIT_S)
    except concurrent.futures.TimeoutError:
        raise StoreBusyError(
            f"the decision on run {run_id!r} is not recorded yet: {store.trouble or 'the store is busy'}",
            "it waits in memory and is written when the store can be",
        ) from None


def _check_arguments(
    live: ActiveRun, calls: Sequence[PendingApproval], arguments: Mapping[str, Any] | None
) -> None:
    """Refuse changed arguments that do not fit: the person who typed them is told, not the model."""
    if arguments is None:
        return
    if len(calls) > 1:
        raise ConfigurationError(
            f"{len(calls)} calls wait, and arguments are for one",
            'say which: run.approve("TOOL_CALL_ID", arguments={...})',
        )
    tools = [tool for tool in live.spec.tools if tool.name == calls[0].name]
    try:
        for tool in tools:
            parse_arguments(tool, dump_json(arguments).decode())
    except ToolArgumentsError as error:
        raise ConfigurationError(error.what, "give them as the function takes them, by name") from None
