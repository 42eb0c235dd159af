"""Recovery: `resume` adds an attempt to a run that stopped before it completed, `retry` starts anew.

Called for `run.resume()`, `agent.resume()`, `nbagent.resume()` and `%agent resume`, on any thread but the
background one. An attempt is claimed by the primary key of its row: of two kernels that resume one run at the
same moment one wins. A paused run whose kernel is gone goes on the same way (`adopt`). `resume_state.py` says
where the attempt begins, `dependencies.py` finds what the record cannot hold.

Limits count from the resumed attempt (its steps, tokens, cost and time); metrics count all attempts.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbagent.core import by_place, check_prompt, show_runs, utc_now, uuid7
from nbagent.errors import ConfigurationError, UnknownNameError
from nbagent.loop import LoopState, with_tools
from nbagent.models import Model, ModelGiven, resolve_model
from nbagent.run import RunOutput, RunStatus
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.execution.history import files_of_prompt
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, check_models
from nbagent.runtime.ports import HasModel, Runnable, RunServices
from nbagent.runtime.recovery.abandoned import abandoned_end, check_claimed, is_of_workers
from nbagent.runtime.recovery.decide_approvals import Decided
from nbagent.runtime.recovery.dependencies import (
    agents_in,
    find_dependencies,
    notebook_names,
    resolve_given,
)
from nbagent.runtime.recovery.fork import copy_history, fork_state
from nbagent.runtime.recovery.resume_state import ResumeState, next_launch, record_of, resume_state
from nbagent.runtime.recovery.standing_approvals import kernel_bound_tools
from nbagent.runtime.registry import RunRegistry
from nbagent.runtime.scheduling.background_loop import BackgroundThread
from nbagent.runtime.timeouts import CLAIM_WAIT_S
from nbagent.schemas import OutputSchema
from nbagent.spec import Limits
from nbagent.store import (
    PLACED,
    InterruptOrphans,
    LaunchResult,
    NewAttempt,
    Progress,
    RunStore,
    StoredRun,
    load_stopped,
    process_name,
)

_RESUMABLE = frozenset({RunStatus.interrupted, RunStatus.error, RunStatus.timeout})
_ANEW = "start its work anew with run.retry()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumer:
    """Goes on with stopped runs. `store()` is the store at the configured path, `services` what its runs use.

    `begin` lets a claimed attempt work; `takes_turn` says whether it takes one in its session.
    """

    registry: RunRegistry
    thread: BackgroundThread
    store: Callable[[], RunStore]
    services: Callable[[RunStore], RunServices]
    begin: Callable[[ActiveRun, bool], None]
    _taking_up: threading.Lock = field(default_factory=threading.Lock)  # from a claim until it is live here

    def resume(
        self,
        key: str,
        *,
        agent: Runnable | None = None,
        output_schema: object = None,
        from_partial: bool = False,
        limits: Limits | None = None,
        timeout: float | None = None,
    ) -> ActiveRun:
        """Go on with the run of this id or label from its last finished step, as a new attempt.

        An `agent` goes on with the run as it is now: its instructions, tools, settings, and its model, limits
        and output schema where it has them. Without one the run's own tools and schema are found in the
        notebook and must be what they were. `limits` and `timeout` (seconds) replace the run's own. Raises
        UnknownNameError, ConfigurationError (nothing to resume, a tool is missing or changed, another process
        was first) and StoreError.
        """
        self.thread.forbid_blocking("resume()")
        stopped = self._load(key)
        _check_resumable(stopped.output)
        _check_guest(stopped)
        found = self._resolve(stopped, agent, output_schema, as_it_was=True)
        self._check_kernel(stopped, found)
        settings = found.spec.settings
        if limits is not None and limits.max_output_tokens is not None:
            settings = replace(settings, max_output_tokens=limits.max_output_tokens)
        limits = limits or found.spec.limits
        limits = replace(limits, timeout_s=timeout) if timeout is not None else limits
        found = replace(found, spec=replace(found.spec, settings=settings, limits=limits))
        return self.go_on(stopped, found, self.state_of(stopped, found, from_partial=from_partial))

    def adopt(self, stopped: StoredRun, decided: Decided, *, agent: Runnable | None = None) -> ActiveRun:
        """Go on with a paused run whose kernel is gone, with a person's decisions on its waiting calls.

        The attempt that was paused ends as interrupted, and the next one begins where it stood. Raises as
        `resume`.
        """
        _check_texts(stopped.output)
        _check_guest(stopped)
        found = self._resolve(stopped, agent, None, as_it_was=True)
        self._check_kernel(
            stopped, found, here=False
        )  # what a paused run of this kernel's asks is in its memory
        state = replace(self.state_of(stopped, found, from_partial=False), decided=decided)
        return self.go_on(stopped, found, state, ends=abandoned_end(stopped))

    def adopt_or_leave(
        self, stopped: StoredRun, decided: Decided, *, agent: Runnable | None = None
    ) -> ActiveRun | None:
        """Do the same, but leave a run of workers to them, unless an agent is given for it here: None."""
        if agent is None and is_of_workers(self.store(), stopped):
            return None
        return self.adopt(stopped, decided, agent=agent)

    def continue_member(self, run_id: str, member: ResolvedAgent) -> ActiveRun:
        """Go on with a member of a resumed team, also one that waited for a person: it then waits again.

        Blocks; not on the loop. One that a person has taken up again by itself, as by approving a call, joins
        its team, at work or done. Raises as `resume`.
        """
        stopped = load_stopped(self.store(), run_id)
        agent = _ResolvedMember(member)
        try:
            if stopped is not None and stopped.output.status is RunStatus.paused and stopped.is_left:
                live = self.adopt(stopped, {}, agent=agent)
            else:
                live = self.resume(run_id, agent=agent)
        except ConfigurationError:
            taken_up = self.registry.live(run_id)
            if taken_up is None or taken_up.record.status is RunStatus.interrupted:
                raise
            live = taken_up
        if live.node.parent is None:
            self.registry.show_to_parent(live)
        return live

    def retry_request(
        self,
        key: str,
        *,
        agent: Runnable | None = None,
        output_schema: object = None,
        prompt: str | None = None,
    ) -> tuple[ResolvedAgent, LaunchRequest]:
        """Return what launches the work of the run of this id or label anew.

        Prompt (but for another `prompt`), files and spec are the run's own; tools and schema are taken as they are
        now. Raises as `resume`.
        """
        stopped = self._load(key)
        output = stopped.output
        _check_texts(output)
        request = LaunchRequest(
            prompt=str(output.prompt or "" if prompt is None else prompt),
            template=getattr(prompt, "template", stopped.template),
            again=output.run_id if prompt is None else None,
            session_id=None if stopped.own_session else output.session_id,
            label=output.label,
            cell_id=stopped.row["cell_id"],
            files=files_of_prompt(output.messages),
            tags=stopped.tags,
        )
        return self._resolve(stopped, agent, output_schema, as_it_was=False), request

    def fork_request(
        self,
        key: str,
        step: int = 0,
        *,
        prompt: str | None = None,
        agent: Runnable | None = None,
        model: ModelGiven | None = None,
    ) -> tuple[ResolvedAgent, LaunchRequest, ResumeState | None]:
        """Return what launches a fork of a run after `step`, and where it begins; None where that is its prompt.

        What came before the run in its session is copied into a new session. Raises as `resume`, and
        UnknownOptionError for a step that the run has not finished.
        """
        self.thread.forbid_blocking("fork()")
        if prompt is not None:
            check_prompt(prompt)
        stopped = self._load(key)
        output = stopped.output
        _check_texts(output)
        state = fork_state(stopped, step, prompt)
        resolved = self._resolve(stopped, agent, None, as_it_was=False)
        if model is not None:
            resolved = replace(resolved, model=resolve_model(model))
        session_id = str(uuid7())
        request = LaunchRequest(
            prompt=output.prompt or "" if prompt is None else prompt,
            session_id=session_id if copy_history(self.store(), stopped, session_id) else None,
            label=output.label,
            files=files_of_prompt(output.messages),
            tags=stopped.tags,
            template=getattr(prompt, "template", stopped.template if prompt is None else None),
            forked=(output.run_id, int(step)),
            again=output.run_id if prompt is None else None,
        )
        return resolved, request, state

    def _load(self, key: str) -> StoredRun:
        """Read the run; one that seems unfinished is looked at again after the dead were swept."""
        store = self.store()
        stopped = load_stopped(store, key)
        if stopped is not None and not stopped.output.is_final and stopped.row["owner"] != store.owner:
            store.submit(InterruptOrphans()).result(CLAIM_WAIT_S)
            stopped = load_stopped(store, key)
        if stopped is None:
            raise UnknownNameError(f"no run {key!r} in {store.name!r}", show_runs())
        self.registry.drop_before(stopped.output.run_id, stopped.output.attempt)
        if not stopped.output.is_final:
            raise _unfinished(stopped.output, stopped.row["owner"], store)
        return stopped

    def _resolve(
        self, stopped: StoredRun, agent: Runnable | None, output_schema: object, *, as_it_was: bool
    ) -> ResolvedAgent:
        """Return the run's agent and its members: the agent given, else from all that is at hand."""
        names = notebook_names()
        schema = OutputSchema.of(output_schema) if output_schema is not None else None
        past = self.registry.past(self.store(), stopped.output.run_id)
        sources = [past.agent] if past is not None else []
        sources += agents_in(names, stopped.spec["name"])
        if agent is not None:
            return resolve_given(stopped.spec, agent, sources, names, schema)
        return find_dependencies(stopped.spec, sources, names, as_it_was=as_it_was, schema=schema)

    def _check_kernel(self, stopped: StoredRun, agent: ResolvedAgent, *, here: bool = True) -> None:
        """Refuse to go on with tools that are bound to a kernel but `here`, where it launched the run. Raises ConfigurationError."""
        bound = [tool.name for tool in kernel_bound_tools(agent)]
        if bound and not (here and self.registry.past(self.store(), stopped.output.run_id) is not None):
            raise ConfigurationError(
                f"run {stopped.output.run_id!r} cannot go on here with {', '.join(dict.fromkeys(bound))}: "
                "they belong to the kernel that launched it",
                f"pass agent=Agent(...) without them, or {_ANEW}",
            )

    def state_of(self, stopped: StoredRun, agent: ResolvedAgent, *, from_partial: bool) -> ResumeState:
        """Return where the run stands, once its models and its servers are known to answer for it.

        MCP servers say by name which of their tools may be called again. Raises what a server that cannot be
        reached raises: nothing is claimed yet, so that it can be tried again.
        """
        check_models(agent)
        spec = agent.spec
        if any(tool.expands for tool in spec.tools):
            spec = self.thread.submit(with_tools(spec)).result()
        return resume_state(stopped, spec, from_partial=from_partial)

    def go_on(
        self,
        stopped: StoredRun,
        agent: ResolvedAgent,
        state: ResumeState,
        *,
        ends: Mapping[str, Any] | None = None,
    ) -> ActiveRun:
        """Claim the next attempt and let it work; `ends` is how the last one ends, where it has not."""
        store, resumed_at = self.store(), utc_now()
        launch = next_launch(stopped, agent.spec, resumed_at, ended=ends)
        progress = _carried_over(stopped, launch.attempt, state.state)
        claim = NewAttempt(
            run_id=launch.run_id, attempt=launch.attempt, created_at=resumed_at, progress=progress, ends=ends
        )
        launched: concurrent.futures.Future[LaunchResult] = concurrent.futures.Future()
        launched.set_result(LaunchResult(stopped.row["turn"], cancelled=False))
        live = ActiveRun(
            record_of(stopped, launch), agent, self.services(store),
            launched=launched, has_history=not stopped.own_session, resumed=state,
            cache="off" if launch.parent_run_id is None else None,
        )  # fmt: skip
        self.claim_and_begin(live, claim, takes_turn=not stopped.parallel)
        return live

    def claim_and_begin(self, live: ActiveRun, claim: NewAttempt, *, takes_turn: bool) -> None:
        """Make an attempt ours and let it work. Raises ConfigurationError if another process was first."""
        with self._taking_up:
            self._begin_claimed(live, claim, live.store.submit(claim), takes_turn=takes_turn)

    def claim_and_begin_all(
        self, attempts: Sequence[tuple[ActiveRun, NewAttempt, bool]]
    ) -> dict[str, ActiveRun | Exception]:
        """Do so for many that nobody has begun, with their claims in one commit: what came of each run.

        An attempt is live, its claim, and whether it takes its turn.
        """
        written = [live.store.submit(claim) for live, claim, _ in attempts]
        came_to: dict[str, ActiveRun | Exception] = {}
        for (live, claim, takes_turn), one in zip(attempts, written, strict=True):
            try:
                self._begin_claimed(live, claim, one, takes_turn=takes_turn)
                came_to[claim.run_id] = live
            except Exception as error:  # noqa: BLE001 - the others begin
                came_to[claim.run_id] = error
        return came_to

    def _begin_claimed(
        self,
        live: ActiveRun,
        claim: NewAttempt,
        written: concurrent.futures.Future[bool],
        *,
        takes_turn: bool,
    ) -> None:
        try:
            check_claimed(live.store, claim, written, self.thread.loop)
        except ConfigurationError:
            self.registry.drop_before(claim.run_id, claim.attempt)
            raise
        self.begin(live, takes_turn)


def _unfinished(output: RunOutput, owner: str, store: RunStore) -> ConfigurationError:
    if output.status is RunStatus.paused:
        calls = ", ".join(f"{call!s:.100}" for call in output.pending_approvals)
        return ConfigurationError(
            f"run {output.run_id!r} is paused: it waits for approval of {calls or 'a call'}",
            'run.approve() or run.deny("why") lets it go on; run.cancel() ends it',
        )
    where = "in this kernel" if owner == store.owner else f"in {process_name(owner)}"
    if owner == PLACED:
        where = "and waits for a worker"
    return ConfigurationError(
        f"run {output.run_id!r} is {output.status.value} {where}",
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


def _check_guest(stopped: StoredRun) -> None:
    """Refuse to go on with a guest's run: where it stood is known to its framework alone."""
    told = stopped.spec.get("guest")
    if told is not None:
        raise ConfigurationError(
            f"run {stopped.output.run_id!r} is one of a guest, {stopped.spec['name']!r} of {told['framework']}: "
            "it cannot go on from where it stood",
            _ANEW,
        )


def _check_texts(output: RunOutput) -> None:
    if output.prompt is None:
        raise ConfigurationError(
            f"run {output.run_id!r} cannot go on: its team kept no texts (store_member_responses=False)",
            "resume or retry the team's own run",
        )


def agent_of_stored_spec(spec: Mapping[str, Any], agent: Runnable | None = None) -> ResolvedAgent:
    """Return the agent of a stored spec, from what is at hand here, tools and schema as they are now.

    `agent` comes first. Raises ConfigurationError, which names all that is missing.
    """
    names = notebook_names()
    sources = [agent.resolved()] if agent is not None else []
    return find_dependencies(spec, [*sources, *agents_in(names, spec["name"])], names, as_it_was=False)


@dataclass(slots=True)
class _ResolvedMember:
    """A team's member as it was found for its team, as a `Runnable`."""

    found: ResolvedAgent
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.found.spec.name

    @property
    def model(self) -> Model:
        """Its model."""
        return self.found.model

    @property
    def limits(self) -> Limits:
        """Its limits."""
        return self.found.spec.limits

    def resolved(self, *, leader: HasModel | None = None) -> ResolvedAgent:  # noqa: ARG002 - it has a model
        """Return what was found."""
        return self.found


def _carried_over(stopped: StoredRun, attempt: int, state: LoopState) -> Progress | None:
    """Return what is written with the claim, so that a process that dies at once has lost none of it."""
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
