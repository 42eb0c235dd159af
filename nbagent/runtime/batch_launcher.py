"""Launch many runs of one agent: what they have in common is made once, their rows go to the store in bulk.

Used by a batch, on the background loop only. Nobody waits for a row's launch to be durable: it is committed
with the next rows of other runs, at the latest with the run's own end, so that a row is either asked again or
known.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nbagent.core import utc_now, uuid7
from nbagent.errors import ConfigurationError
from nbagent.events import FilePart, Message, ModelCall
from nbagent.run import RunRecord
from nbagent.runtime.execution import run_context
from nbagent.runtime.execution.active_run import ActiveRun
from nbagent.runtime.launch.request import LaunchRequest, ResolvedAgent, run_launch
from nbagent.runtime.limits.budgets import BatchSlots
from nbagent.runtime.limits.limiter import call_limits
from nbagent.runtime.placement.take_up_row import take_up_row
from nbagent.runtime.recovery.write_builders import launch_write
from nbagent.runtime.runtime import Runtime
from nbagent.store import Finish, Launch, LaunchResult, RunStore


class BatchLauncher:
    """Launches runs of `agent` for a batch. `slots` bounds them and their model calls."""

    def __init__(
        self,
        runtime: Runtime,
        store: RunStore,
        agent: ResolvedAgent,
        request: LaunchRequest,
        *,
        slots: BatchSlots,
    ) -> None:
        self._runtime = runtime
        self._agent = agent
        self.slots = slots
        self._services = replace(runtime.services(store), batch=slots)
        self._request = request = run_context.as_child(request)
        self._launch = run_launch(agent, request, "")
        row = launch_write(self._launch, agent, request).row
        self._row: Mapping[str, Any] = {name: value for name, value in row.items() if value is not None}

    @property
    def batch_id(self) -> str:
        """The batch whose rows it launches."""
        assert self._request.batch_id is not None
        return self._request.batch_id

    @property
    def store(self) -> RunStore:
        """Where its runs are recorded."""
        return self._services.store

    def refresh_limits(self) -> None:
        """Bound model calls as the settings have it now; one that does not fit is whoever's who set it."""
        with contextlib.suppress(ConfigurationError):
            self._runtime.slots.limit(call_limits())

    def bound_by(
        self, at_a_time: int, requests_per_minute: int | None, tokens_per_minute: int | None
    ) -> None:
        """Bound rows and their model calls by these from now on; who may go now goes."""
        self.slots.at_a_time = at_a_time
        self.slots.requests_per_minute, self.slots.tokens_per_minute = requests_per_minute, tokens_per_minute
        self._runtime.slots.hand_on()

    def ended(self, run_id: str) -> None:
        """Count a run as under way no longer."""
        self._runtime.slots.ended(self.slots, run_id)

    @property
    def must_stop(self) -> bool:
        """True once nothing may be launched: the kernel ends, or the run whose tool made this batch does."""
        parent_id = self._request.parent_run_id
        parent = self._runtime.live(parent_id) if parent_id is not None else None
        stopped = parent is not None and (parent.stop_reason is not None or parent.record.end is not None)
        return stopped or self._runtime.is_closing

    def launch(self, prompt: str, row: Mapping[str, Any], files: tuple[FilePart, ...] = ()) -> ActiveRun:
        """Launch one run and let it begin; `row` is what its launch says of the batch's row, its `run_id` where it has one."""
        own = self._own(prompt, utc_now())
        own["run_id"] = row.get("run_id", own["run_id"])
        record = RunRecord(replace(self._launch, **own))
        record.turn = 1
        written = self._submit({**own, **row})
        live = ActiveRun(record, self._agent, self._services, launched=written, files=files)
        self._runtime.begin_row(live)
        return live

    def take_up(self, run_id: str) -> ActiveRun | str:
        """Go on with a run of the batch that another worker has left; or say why it has ended. On a thread that may wait.

        Raises what `resume` raises.
        """
        resumer = replace(self._runtime.resumer, services=lambda _: self._services)
        return take_up_row(resumer, run_id, self._agent)

    def keep(
        self, prompt: str, row: Mapping[str, Any], *, call: ModelCall, end: Mapping[str, Any]
    ) -> tuple[str, concurrent.futures.Future[bool]]:
        """Write a run that somebody else has worked on, a provider's batch, as one that began with `call`."""
        own = self._own(prompt, call.started_at)
        self._submit({**own, **row, "mode_requested": "provider"})
        finished_at = call.started_at + timedelta(seconds=call.duration_s)
        messages = [Message(role="user", content=prompt)]
        typed = end.get("typed")
        text = end.get("content") if typed is None else typed.json
        if text is not None:
            messages.append(Message(role="assistant", content=text))
        finish = Finish(
            run_id=own["run_id"],
            session_id=own["session_id"],
            turn=1,
            end={**end, "started_at": call.started_at, "finished_at": finished_at},
            model_calls=(call,),
            messages=tuple(enumerate(messages)),
        )
        written: concurrent.futures.Future[bool] = self._services.store.submit(finish)
        return own["run_id"], written

    def _own(self, prompt: str, created_at: datetime) -> dict[str, Any]:
        """What is a run's own in a batch: its ids, its prompt, its time."""
        return {
            "run_id": str(uuid7()),
            "session_id": str(uuid7()),
            "created_at": created_at,
            "prompt": prompt,
        }

    def _submit(self, own: Mapping[str, Any]) -> concurrent.futures.Future[LaunchResult]:
        row = {**self._row, **own}
        written: concurrent.futures.Future[LaunchResult] = self._services.store.submit(
            Launch(row=row, minted=True, waited=False)
        )
        return written
