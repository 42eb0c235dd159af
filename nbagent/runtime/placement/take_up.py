"""A worker takes up a run that waits for one: its first attempt, or the next one after another worker is gone.

Called on a worker's thread, not on the loop. What the record holds of the run decides where it begins, as for `resume`; an
attempt is claimed by the primary key of its row, so that of two workers one has it. The agent is the one at the address that
the launch names, with what the launch changed of it, and its tools and schema must be what they were.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbagent.core import utc_now
from nbagent.errors import ConfigurationError
from nbagent.events import FilePart
from nbagent.run import RunLaunch, RunRecord
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.launch.request import ResolvedAgent
from nbagent.runtime.recovery.abandoned import abandoned_end
from nbagent.runtime.recovery.dependencies import find_dependencies
from nbagent.runtime.recovery.resume import Resumer
from nbagent.runtime.recovery.resume_state import next_launch
from nbagent.store import (
    PLACED,
    Finish,
    LaunchResult,
    NewAttempt,
    RunStore,
    StoredRun,
    load_new,
    load_stopped,
)

MOST_DEATHS = 5  # of workers over one run: then it is the run that kills them
DIED, GIVEN_BACK = "WorkerDied", "GivenBack"  # `error_type` of an attempt that another worker went on with
POISONED = (
    f"its workers died {MOST_DEATHS} times: it was not begun again\n"
    "look what its tools do to their process, and start its work anew with run.retry()"
)
GUEST_LEFT = (
    "its worker is gone, and a run of another framework's agent cannot go on from where it stood\n"
    "start its work anew with run.retry()"
)
_DEATHS = "select count(*) as n from attempt_ends where run_id = ? and error_type = ?"


class ChangedAgentError(ConfigurationError):
    """The agent at the address is not the one that the run was launched with."""


def take_up(
    resumer: Resumer,
    run_id: str,
    agents: Sequence[ResolvedAgent],
    left_by: Callable[[str], str | None],
) -> ActiveRun | None:
    """Make a run's next attempt ours and let it work; None where it has ended, or somebody works on it.

    `agents` are the one at its address and whatever else this worker serves. `left_by` says of an owner why it works on it
    no longer, `DIED` or `GIVEN_BACK`; None while it does. Raises ChangedAgentError, and what `resume` raises.
    """
    store = resumer.store()
    stopped = load_stopped(store, run_id)
    if stopped is None or stopped.output.is_final:
        return None
    owner = stopped.row["owner"]
    if (live := resumer.registry.live(run_id)) is not None and live.record.end is None and not live.lost:
        return live
    why = None if owner == PLACED else DIED if owner == store.owner else left_by(owner)
    if owner != PLACED and why is None:
        return None
    try:
        if why is None:
            return _first(resumer, stopped, agents)
        return _next(resumer, stopped, agents, why)
    except ChangedAgentError:
        raise
    except ConfigurationError:  # another worker was first
        if _is_settled(store, stopped):
            return None
        raise


def take_up_new(
    resumer: Resumer, agents: Mapping[str, Sequence[ResolvedAgent]]
) -> dict[str, ActiveRun | Exception | None]:
    """Begin those of these runs that nobody has begun, together: what came of each of them.

    `agents` are those of `take_up`, by run id. None where another worker was first; an exception as `take_up` raises it. Runs
    that are left out are not new.
    """
    came_to: dict[str, ActiveRun | Exception | None] = {}
    attempts = []
    for stopped in load_new(resumer.store(), list(agents)):
        run_id = stopped.output.run_id
        try:
            attempts.append(_first_attempt(resumer, stopped, agents[run_id]))
        except Exception as error:  # noqa: BLE001 - the others begin
            came_to[run_id] = error
    for run_id, one in resumer.claim_and_begin_all(attempts).items():
        came_to[run_id] = None if isinstance(one, ConfigurationError) else one
    return came_to


def _is_settled(store: RunStore, before: StoredRun) -> bool:
    """Whether the run has gone on, or ended, since it was read."""
    now = load_stopped(store, before.output.run_id)
    return now is None or now.output.is_final or now.row["owner"] != before.row["owner"]


def agent_as_launched(spec: Mapping[str, Any], agents: Sequence[ResolvedAgent]) -> ResolvedAgent:
    """The agent as the launch had it. Raises ChangedAgentError, which names what is missing or changed."""
    try:
        return find_dependencies(spec, agents, {}, as_it_was=True)
    except ConfigurationError as error:
        raise ChangedAgentError(error.what, error.todo) from None


def _first(resumer: Resumer, stopped: StoredRun, agents: Sequence[ResolvedAgent]) -> ActiveRun:
    """Begin with the prompt."""
    live, claim, takes_turn = _first_attempt(resumer, stopped, agents)
    resumer.claim_and_begin(live, claim, takes_turn=takes_turn)
    return live


def _first_attempt(
    resumer: Resumer, stopped: StoredRun, agents: Sequence[ResolvedAgent]
) -> tuple[ActiveRun, NewAttempt, bool]:
    """What begins with the prompt, its claim, and whether it takes its turn."""
    found, store = agent_as_launched(stopped.spec, agents), resumer.store()
    placed, row = stopped.placed, stopped.row
    launched: concurrent.futures.Future[LaunchResult] = concurrent.futures.Future()
    launched.set_result(LaunchResult(row["turn"], cancelled=False))
    live = ActiveRun(
        RunRecord(_first_launch(stopped, found)), found, resumer.services(store),
        launched=launched, has_history=not stopped.own_session, files=_files(placed),
        cache=placed.get("cache", "off") if row["parent_run_id"] is None else None,
    )  # fmt: skip
    claim = NewAttempt(run_id=live.run_id, attempt=1, created_at=row["created_at"])
    return live, claim, not stopped.parallel


def _first_launch(stopped: StoredRun, found: ResolvedAgent) -> RunLaunch:
    row = stopped.row
    launch = next_launch(stopped, found.spec, row["created_at"])
    forked = (row["forked_from"], row["forked_step"]) if row["forked_from"] is not None else None
    return replace(launch, attempt=1, resumed_at=None, earlier=(), batch_id=row["batch_id"], forked=forked)


def _files(placed: Mapping[str, Any]) -> tuple[FilePart, ...]:
    return tuple(
        FilePart(media_type=one["media_type"], data=one["data"], name=one.get("name", ""))
        for one in placed.get("files", ())
    )


def _next(
    resumer: Resumer, stopped: StoredRun, agents: Sequence[ResolvedAgent], why: str
) -> ActiveRun | None:
    """Go on where an earlier worker was; end the run where too many have died over it."""
    store, run_id = resumer.store(), stopped.output.run_id
    ends = _end_of_earlier(stopped, why)
    (counted,) = store.read(_DEATHS, [run_id, DIED], flush=False)
    if why == DIED and counted["n"] + 1 >= MOST_DEATHS:
        end_as_error(store, stopped, ends, "WorkersDiedError", POISONED)
        return None
    if "guest" in stopped.spec:
        end_as_error(store, stopped, ends, "ConfigurationError", GUEST_LEFT)
        return None
    found = agent_as_launched(stopped.spec, agents)
    state = resumer.state_of(stopped, found, from_partial=False)
    return resumer.go_on(stopped, found, state, ends=ends)


def _end_of_earlier(stopped: StoredRun, why: str) -> dict[str, Any]:
    said = (
        "its worker died, and another one went on with the run"
        if why == DIED
        else "its worker ended in order, and another one went on with the run"
    )
    return {**abandoned_end(stopped), "error_type": why, "error": said}


def end_as_error(
    store: RunStore, stopped: StoredRun, ends: Mapping[str, Any] | None, kind: str, said: str
) -> None:
    """End a run that cannot go on, as an attempt of its own."""
    run_id, attempt, now = stopped.output.run_id, stopped.output.attempt + 1, utc_now()
    claim = NewAttempt(run_id=run_id, attempt=attempt, created_at=now, ends=ends)
    if not store.submit(claim).result():
        return
    end: dict[str, Any] = {"status": "error", "stop_reason": "error", "error_type": kind, "error": said}
    end |= {"content_type": "text", "started_at": now, "finished_at": now}
    store.submit(Finish(run_id=run_id, attempt=attempt, end=end)).result()
