"""Approve or deny the calls that a paused run waits for, from any kernel. On any thread.

A run that is live here takes it at once; one that another kernel works on, within a second, through the
store. A paused run whose kernel is gone has no owner: who decides on it adopts it (`Resumer.adopt`), and it
goes on here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbagent.core import dump_json, show_runs
from nbagent.errors import ConfigurationError, UnknownNameError, did_you_mean
from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.run import RunStatus
from nbagent.runtime.ports import LiveRun
from nbagent.runtime.recovery.abandoned import write_decision
from nbagent.runtime.recovery.standing_approvals import is_kernel_bound
from nbagent.runtime.scheduling.background_loop import BackgroundThread
from nbagent.runtime.timeouts import DECISION_WAIT_S
from nbagent.store import DecisionRequest, RunStore, StoredRun, load_stopped
from nbagent.tools import Tool, ToolArgumentsError, parse_arguments

Decided = Mapping[str, tuple[PendingApproval, Decision]]


def decide_live(
    thread: BackgroundThread,
    live: LiveRun,
    decision: Decision,
    *,
    tool_call_id: str | None = None,
    step: int | None = None,
) -> tuple[PendingApproval, ...]:
    """Decide on the call of a live run with this id, or on all that wait; return the calls decided on.

    `step` is that of the call that was looked at, where the id alone might name a later one. Raises
    ConfigurationError (nothing waits) and UnknownNameError.
    """
    calls = chosen(live.run_id, live.record.status, live.record.pending_approvals, tool_call_id, step)
    _check_arguments(live.agent.spec.tools, calls, decision.arguments)
    if decision.always:
        _check_always(live, calls)
    heard = thread.submit(live.decide_all(calls, decision))
    return calls if thread.is_current() else tuple(heard.result(DECISION_WAIT_S))


def decide_stored(
    store: RunStore,
    run_id: str,
    decision: Decision,
    *,
    adopt: Callable[[StoredRun, Decided], object],
    tool_call_id: str | None = None,
    step: int | None = None,
) -> tuple[PendingApproval, ...]:
    """Decide on a run that is not live here: adopt it, or let its kernel know, or a worker where `adopt` gives None.

    Raises as `decide_live`, StoreError, and what `adopt` raises.
    """
    stopped = load_stopped(store, run_id)
    if stopped is None:
        raise UnknownNameError(f"no run {run_id!r} in {store.name!r}", show_runs())
    calls = chosen(run_id, stopped.output.status, stopped.output.pending_approvals, tool_call_id, step)
    if decision.always:
        raise _one_at_a_time([call.name for call in calls])
    if decision.approved:
        check_not_kernel_bound(stopped, [call.name for call in calls])
        _check_may_change(store, stopped, calls, decision)
    decided = {call.tool_call_id: (call, decision) for call in calls}
    if stopped.is_left and adopt(stopped, decided) is not None:
        return calls
    for call in calls:
        write_decision(store, _request(run_id, call, decision))
    return calls


def check_not_kernel_bound(stopped: StoredRun, names: Sequence[str] | None = None) -> None:
    """Refuse what only the kernel that launched a run may do: call its tools of these names, or any that are bound to it.

    Raises ConfigurationError.
    """
    bound = kernel_bound_names(stopped.spec)
    bound = bound if names is None else [name for name in bound if name in names]
    if bound:
        raise ConfigurationError(
            f"{', '.join(bound)} of run {stopped.output.run_id!r} can be used in the kernel that launched it alone",
            "approve it there (run.deny() and run.cancel() work from here too); run.retry() starts its work anew here",
        )


def kernel_bound_names(spec: Mapping[str, Any]) -> list[str]:
    """Return the names of the tools, in a spec as it is recorded, that are bound to a kernel; members' included."""
    own = [tool["name"] for tool in spec.get("tools", ()) if tool.get("kernel_bound")]
    return own + [name for member in spec.get("members", ()) for name in kernel_bound_names(member)]


def _check_may_change(
    store: RunStore, stopped: StoredRun, calls: Sequence[PendingApproval], decision: Decision
) -> None:
    """Refuse other users' changed arguments, where the tool does not let them; its kernel would not hear them either."""
    if decision.arguments is None:
        return
    tools = stopped.spec.get("tools", ())
    editable = {tool["name"] for tool in tools if tool.get("editable_by_others")}
    fixed = [call.name for call in calls if call.name not in editable]
    if fixed and store.launched_by_other(stopped.output.run_id):
        raise ConfigurationError(
            f"arguments of {', '.join(fixed)} may be changed by who launched run {stopped.output.run_id!r} alone",
            "approve or deny it as it stands; @tool(..., editable_by_others=True) lets others change them",
        )


def _check_always(live: LiveRun, calls: Sequence[PendingApproval]) -> None:
    others = [call.name for call in calls if not is_kernel_bound(live.agent, call.name)]
    if others:
        raise _one_at_a_time(others)


def _one_at_a_time(names: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(
        f"{', '.join(names)} can be approved one call at a time only",
        "always=True is for run_python of nb.notebook(run=True), in the kernel that launched the run",
    )


def chosen(
    run_id: str,
    status: RunStatus,
    waiting: Sequence[PendingApproval],
    tool_call_id: str | None,
    step: int | None = None,
) -> tuple[PendingApproval, ...]:
    """Return the calls that are meant. Raises ConfigurationError and UnknownNameError, naming what waits."""
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


def _request(run_id: str, call: PendingApproval, decision: Decision) -> DecisionRequest:
    return DecisionRequest(
        run_id=run_id,
        step=call.step,
        tool_call_id=call.tool_call_id,
        approved=decision.approved,
        reason=decision.reason,
        arguments=decision.arguments,
    )


def _check_arguments(
    tools: Sequence[Tool], calls: Sequence[PendingApproval], arguments: Mapping[str, Any] | None
) -> None:
    """Refuse changed arguments that do not fit: the person who typed them is told, not the model."""
    if arguments is None:
        return
    if len(calls) > 1:
        raise ConfigurationError(
            f"{len(calls)} calls wait, and arguments are for one",
            'say which: run.approve("TOOL_CALL_ID", arguments={...})',
        )
    try:
        for tool in (tool for tool in tools if tool.name == calls[0].name):
            parse_arguments(tool, dump_json(arguments).decode())
    except ToolArgumentsError as error:
        raise ConfigurationError(error.what, "give them as the function takes them, by name") from None
