"""Recovery: `resume` adds an attempt to a run that stopped before it was complete, `retry` starts its work anew.

Called for `run.resume()`, `agent.resume()`, `nbagent.resume()` and `%agent resume`, on any thread but the
background one. An attempt is claimed by the primary key of its row: of two kernels that resume one run at
the same moment one wins. A paused run whose kernel is gone goes on the same way (`adopt`, called by
`decisions.py`). `resume_state.py` says where the attempt begins, `find_dependencies.py` finds what the record cannot hold.

Limits count from the resumed attempt (its steps, tokens, cost and time); metrics count all attempts.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nbagent.core import by_place, call_when_done, show_runs, utc_now
from nbagent.errors import ConfigurationError, StoreBusyError, UnknownNameError
from nbagent.events import FilePart, PendingApproval
from nbagent.loop import Decision, LoopState, with_tools
from nbagent.models import Model
from nbagent.run import RunOutput, RunStatus
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.services import ResumeState
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, check_models
from nbagent.runtime.recovery.dependencies import (
    HasDependencies,
    HasModel,
    RunDependencies,
    equip_with,
    equipment_in,
    find_dependencies,
    notebook_names,
)
from nbagent.runtime.recovery.resume_state import next_launch, record_of, resume_state
from nbagent.schemas import OutputSchema
from nbagent.spec import AgentSpec, Limits
from nbagent.store import (
    Finish,
    InterruptOrphans,
    LaunchResult,
    NewAttempt,
    Progress,
    Store,
    StoredRun,
    load_stopped,
    process_name,
)

if TYPE_CHECKING:
    from nbagent.runtime.run_handle import Run
    from nbagent.runtime.runtime import Runtime

Decided = Mapping[str, tuple[PendingApproval, Decision]]

CLAIM_WAIT_S = 5.0
_RESUMABLE = frozenset({RunStatus.interrupted, RunStatus.error, RunStatus.timeout})
_ANEW = "start its work anew with run.retry()"


def resume(
    runtime: Runtime,
    key: str,
    *,
    agent: HasDependencies | None = None,
    output_schema: object = None,
    from_partial: bool = False,
    limits: Limits | None = None,
    timeout: float | None = None,
) -> Run:
    """Go on with the run of this id or label from its last finished step, as a new attempt; returns its handle.

    An `agent` goes on with the run as it is now: its instructions, tools, settings, and its model, limits and output
    schema where it has them. Without one the run's own tools and schema are found in the notebook and must be what
    they were. `limits` and `timeout` (seconds) replace the run's own. Raises UnknownNameError, ConfigurationError (nothing to resume, a
    tool is missing or changed, somebody else was first) and StoreError.
    """
    runtime.thread.forbid_blocking("resume()")
    stopped = _load(runtime, key)
    _check_resumable(stopped.output)
    crew = _equipped(runtime, stopped, agent, output_schema, as_it_was=True)
    settings = crew.spec.settings
    if limits is not None and limits.max_output_tokens is not None:
        settings = replace(settings, max_output_tokens=limits.max_output_tokens)
    limits = limits or crew.spec.limits
    spec = replace(
        crew.spec,
        settings=settings,
        limits=replace(limits, timeout_s=timeout) if timeout is not None else limits,
    )
    crew = replace(crew, spec=spec)
    begin = _stands(runtime, stopped, crew, from_partial=from_partial)
    return _go_on(runtime, stopped, crew, begin)


def adopt(runtime: Runtime, stopped: StoredRun, decided: Decided, agent: HasDependencies | None) -> Run:
    """Go on with a paused run whose kernel is gone, with what a person decided on calls that it waits for.

    The attempt that was paused ends as interrupted, and the next one begins where it stood. Raises as `resume`.
    """
    _check_texts(stopped.output)
    crew = _equipped(runtime, stopped, agent, None, as_it_was=True)
    begin = replace(_stands(runtime, stopped, crew, from_partial=False), decided=decided)
    return _go_on(runtime, stopped, crew, begin, ends=end_of(stopped))


def continue_run(runtime: Runtime, key: str, *, agent: HasDependencies) -> Run:
    """Go on with a run that was cut off, at work or while it waited for a person; it then waits again.

    For the members of a resumed team. Raises as `resume`.
    """
    stopped = load_stopped(runtime.store, key)
    if stopped is not None and stopped.output.status is RunStatus.paused and stopped.is_left:
        return adopt(runtime, stopped, {}, agent)
    return resume(runtime, key, agent=agent)


def _stands(runtime: Runtime, stopped: StoredRun, crew: ResolvedAgent, *, from_partial: bool) -> ResumeState:
    """Where the run stands, once its models and its servers are known to answer for it."""
    check_models(crew)
    return resume_state(stopped, _with_servers_tools(runtime, crew.spec), from_partial=from_partial)


def _go_on(
    runtime: Runtime,
    stopped: StoredRun,
    crew: ResolvedAgent,
    begin: ResumeState,
    *,
    ends: Mapping[str, Any] | None = None,
) -> Run:
    """Claim the next attempt and let it work; `ends` is how the last one ends, where it has not."""
    store = runtime.store
    spec = crew.spec
    resumed_at = utc_now()
    launch = next_launch(stopped, spec, resumed_at, ended=ends)
    progress = _carried_over(stopped, launch.attempt, begin.state)
    claim = NewAttempt(
        run_id=launch.run_id, attempt=launch.attempt, created_at=resumed_at, progress=progress, ends=ends
    )
    turn = stopped.row["turn"]
    launched: concurrent.futures.Future[LaunchResult] = concurrent.futures.Future()
    launched.set_result(LaunchResult(turn, cancelled=False))
    live = ActiveRun(
        record_of(stopped, launch), spec, crew.model, runtime.services(store),
        launching=launched, has_history=not stopped.own_session, resumed=begin, members=crew.members,
        cache="off" if launch.parent_run_id is None else None,
    )  # fmt: skip
    with runtime.taking_up:
        try:
            _claim(runtime, claim)
        except ConfigurationError:
            runtime.outdone(launch.run_id, launch.attempt)
            raise
        return runtime.adopt(live, takes_turn=not stopped.parallel)


def retry(
    runtime: Runtime, key: str, *, agent: HasDependencies | None = None, output_schema: object = None
) -> Run:
    """Launch the work of the run of this id or label anew, as a new run; returns its handle.

    Prompt, files and spec are the run's own; tools and schema are taken as they are now. Raises as `resume`.
    """
    stopped = _load(runtime, key)
    output = stopped.output
    if not output.is_final:
        raise _unfinished(output, stopped.row["owner"], runtime.store)
    _check_texts(stopped.output)
    crew = _equipped(runtime, stopped, agent, output_schema, as_it_was=False)
    launching = LaunchRequest(
        prompt=output.prompt or "",
        session_id=None if stopped.own_session else output.session_id,
        label=output.label,
        cell_id=stopped.row["cell_id"],
        files=_files(output),
        tags=stopped.tags,
        members=crew.members,
    )
    return runtime.launch(crew.spec, crew.model, launching)


def _load(runtime: Runtime, key: str) -> StoredRun:
    """Read the run; one that seems unfinished is looked at again after the dead were swept."""
    store = runtime.store
    stopped = load_stopped(store, key)
    if stopped is not None and not stopped.output.is_final and stopped.row["owner"] != store.owner:
        store.submit(InterruptOrphans()).result(CLAIM_WAIT_S)
        stopped = load_stopped(store, key)
    if stopped is None:
        raise UnknownNameError(f"no run {key!r} in {str(store.path)!r}", show_runs())
    runtime.outdone(stopped.output.run_id, stopped.output.attempt)
    if not stopped.output.is_final:
        raise _unfinished(stopped.output, stopped.row["owner"], store)
    return stopped


def _unfinished(output: RunOutput, owner: str, store: Store) -> ConfigurationError:
    if output.status is RunStatus.paused:
        calls = ", ".join(f"{call!s:.100}" for call in output.pending_approvals)
        return ConfigurationError(
            f"run {output.run_id!r} is paused: it waits for approval of {calls or 'a call'}",
            'run.approve() or run.deny("why") lets it go on; run.cancel() ends it',
        )
    where = "this kernel" if owner == store.owner else process_name(owner)
    return ConfigurationError(
        f"run {output.run_id!r} is {output.status.value} in {where}",
        by_place(
            python=f"wait for it, or stop it with nb.cancel_run({output.run_id!r})",
            magic=f"wait for it, or stop it with %agent cancel {output.run_id}",
        ),
    )


def _check_resumable(output: RunOutput) -> None:
    if output.status not in _RESUMABLE:
        done = (
            "complete" if output.status is RunStatus.completed else f"{output.status.value}, which is final"
        )
        raise ConfigurationError(f"run {output.run_id!r} is {done}: there is nothing to resume", _ANEW)
    _check_texts(output)


def _check_texts(output: RunOutput) -> None:
    if output.prompt is None:
        raise ConfigurationError(
            f"run {output.run_id!r} cannot go on: its team kept no texts (store_member_responses=False)",
            "resume or retry the team's own run",
        )


def agent_of_stored_spec(spec: Mapping[str, Any], agent: HasDependencies | None = None) -> ResolvedAgent:
    """Return the crew of a stored spec, from what is at hand here, tools and schema as they are now.

    `agent` comes first. Raises ConfigurationError, which names all that is missing.
    """
    sources = [agent.equipment()] if agent is not None else []
    return find_dependencies(
        spec, [*sources, *equipment_in(notebook_names(), spec["name"])], notebook_names(), as_it_was=False
    )


def given(crew: ResolvedAgent) -> HasDependencies:
    """Return what a resumed run is given of a member's spec and model."""
    return _Overrides(crew.spec.name, crew)


@dataclass(slots=True)
class _Overrides:
    name: str
    found: ResolvedAgent

    @property
    def model(self) -> Model:
        """Return its model."""
        return self.found.model

    @property
    def limits(self) -> Limits:
        """Return its limits."""
        return self.found.spec.limits

    def equipment(self) -> RunDependencies:
        """Return what was found, as parts."""
        return RunDependencies.of(self.found)

    def crew(self, *, leader: HasModel | None = None) -> ResolvedAgent:  # noqa: ARG002 - it has a model
        """Return what was found."""
        return self.found


def _equipped(
    runtime: Runtime,
    stopped: StoredRun,
    agent: HasDependencies | None,
    output_schema: object,
    *,
    as_it_was: bool,
) -> ResolvedAgent:
    """The run's spec and model, and its members' likewise: the agent given, else from all that is at hand."""
    names = notebook_names()
    schema = OutputSchema.of(output_schema) if output_schema is not None else None
    sources: list[RunDependencies] = []
    live = runtime.live(stopped.output.run_id)
    if live is not None and live.services.store is runtime.store:
        sources.append(
            RunDependencies.of(ResolvedAgent(spec=live.spec, model=live.model, members=live.members))
        )
    sources.extend(equipment_in(names, stopped.spec["name"]))
    if agent is not None:
        return equip_with(stopped.spec, agent, sources, names, schema)
    if schema is not None:
        sources.insert(0, RunDependencies(output_schema=schema))
    return find_dependencies(stopped.spec, sources, names, as_it_was=as_it_was)


def _with_servers_tools(runtime: Runtime, spec: AgentSpec) -> AgentSpec:
    """The spec with the tools of MCP servers by name: only they say which of their tools may be called again.

    Raises what a server that cannot be reached raises: nothing is claimed yet, so that it can be tried again.
    """
    if not any(tool.expands for tool in spec.tools):
        return spec
    return runtime.thread.submit(with_tools(spec)).result()


def _claim(runtime: Runtime, attempt: NewAttempt) -> None:
    """Make the next attempt ours. Raises ConfigurationError if another process was first."""
    store = runtime.store
    written: concurrent.futures.Future[bool] = store.submit(attempt)
    try:
        claimed = written.result(CLAIM_WAIT_S)
    except concurrent.futures.TimeoutError:
        call_when_done(written, runtime.thread.loop, partial(_give_back, store, attempt))
        raise StoreBusyError(
            f"run {attempt.run_id!r} was not resumed: {store.trouble or 'the store is busy'}",
            "try again when the store can be written",
        ) from None
    if not claimed:
        raise ConfigurationError(
            f"run {attempt.run_id!r} was resumed by another process at this moment",
            f"follow it with nbagent.get({attempt.run_id!r})",
        )


def _carried_over(stopped: StoredRun, attempt: int, state: LoopState) -> Progress | None:
    """What the new attempt begins with, written with its claim: a process that dies at once has lost none of it."""
    point = state.attached
    text = point.text if point is not None else state.partial
    held = tuple(call for call in stopped.held if call.tool_call_id in state.held)
    if point is None and not text and not held:
        return None
    return Progress(
        run_id=stopped.output.run_id,
        attempt=attempt,
        status="paused" if held else "pending",
        partial_text=text or None,
        response_id=point.response_id if point is not None else None,
        last_sequence_number=point.sequence_number if point is not None else None,
        mode_effective="provider" if point is not None else None,
        pending_approvals=held,
    )


def end_of(stopped: StoredRun) -> dict[str, Any]:
    """The end of a paused attempt that its process left: dated when that was last heard of."""
    row = stopped.row
    kept = ("started_at", "partial_text", "mode_effective", "response_id", "last_sequence_number", "paused_s")
    return {
        "status": "interrupted",
        "stop_reason": "kernel_died",
        "error_type": "KernelDied",
        "error": "the process that worked on this run is gone; a person's decision took it up again",
        "finished_at": row["heartbeat_at"] or row["created_at"],
        **{name: row[name] for name in kept},
    }


def _give_back(store: Store, attempt: NewAttempt, written: concurrent.futures.Future[bool]) -> None:
    """End an attempt whose claim came too late, on the background loop: nobody works on it."""
    if written.exception() is None and written.result():
        end = {
            "status": "interrupted",
            "stop_reason": "kernel_died",
            "error": "the store was busy for too long",
        }
        store.submit(Finish(run_id=attempt.run_id, attempt=attempt.attempt, end=end))


def _files(output: RunOutput) -> tuple[FilePart, ...]:
    """The files that went with the prompt."""
    return next((message.files for message in output.messages if message.role == "user"), ())
