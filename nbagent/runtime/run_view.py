"""The state of one run: live in the kernel that works on it, read from the store elsewhere. Any thread."""

from __future__ import annotations

import weakref
from typing import Any

from nbagent.events import PendingApproval
from nbagent.run import RunMetrics, RunOutput, RunRecord, RunStatus, size_bytes, text_of
from nbagent.runtime.ports import LiveRun, RuntimePort
from nbagent.store import RunStore

_FEW_HANDLES = 8  # of one run, before it is looked which of them are still there


class RunView:
    """The state of one run as it stands now; `Run` adds waiting for it and commands."""

    def __init__(
        self,
        run_id: str,
        session_id: str,
        *,
        runtime: RuntimePort,
        live: LiveRun | None = None,
        read: RunOutput | None = None,
    ) -> None:
        self.run_id = run_id
        self.session_id = session_id
        self._runtime = runtime
        self._held = live
        self._store = live.store if live is not None else runtime.store
        self._final: RunOutput | None = None
        self._read: RunOutput | None = None  # a stored run as it was read, its answer plain data
        self._ended: RunStatus | None = None  # how a run ended that is remembered no longer
        self._polled: RunOutput | None = None  # what a wait for another kernel's run has read last
        self._reported = ""  # what waiting for it has said last
        if live is not None:
            self._hold(live)
        if read is not None and read.is_final:
            self.take_read(read)

    @property
    def _live(self) -> LiveRun | None:
        """The latest attempt that this kernel works or worked on; None where the store must be asked."""
        held, latest = self._held, self._runtime.live(self.run_id)
        if latest is not None and latest is not held and latest.store is self._store:
            later = held is None or latest.record.launch.attempt > held.record.launch.attempt
            if later:
                self._held, self._final, self._read, self._ended, held = latest, None, None, None, latest
                self._hold(latest)
        if held is not None and held.lost:
            self._held, self._final, held = None, None, None  # what it ended with is not the run's end
            self._read = None
        return held

    def _hold(self, live: LiveRun) -> None:
        """Hear when the run is no longer remembered."""
        if len(live.holders) > _FEW_HANDLES:
            live.holders = [kept for kept in live.holders if kept() is not None]
        live.holders.append(weakref.ref(self))

    def let_go(self, live: LiveRun) -> None:
        """Hold a finished run no longer, now that its kernel does not: it is read from the store again."""
        if self._held is live:
            self._ended = live.record.status
            self._held = self._final = None

    def drop_read(self) -> None:
        """Keep no longer what was read of a stored run: it is read again."""
        if self._held is None:
            self._final = self._read = None

    # ----------------------------------------------------------------- state

    @property
    def record(self) -> RunRecord | None:
        """The live record in the kernel that launched the run; None elsewhere, where the store is read."""
        live = self._live
        return live.record if live is not None else None

    @property
    def output(self) -> RunOutput:
        """The run as it stands now, as a frozen `RunOutput`."""
        live, final = self._live, self._final
        if final is not None:
            return final
        if live is None:
            return self._output_read()
        output = live.record.snapshot()
        if output.is_final:
            live.asked = True
            if live.done.done() and self._held is live:
                self._final = output
        return output

    def _output_read(self) -> RunOutput:
        output = self._runtime.typed(self._seen)
        if output.is_final:
            self._final = output
        return output

    @property
    def _seen(self) -> RunOutput:
        """The same with a stored run's answer as plain data, not validated."""
        if self._live is not None:
            return self.output
        read = self._final or self._read
        if read is None or not read.is_final:
            read = self._runtime.stored(self.run_id)
            self.take_read(read)
        return read

    def take_read(self, read: RunOutput) -> None:
        """Take the run as it was read from the store, its answer plain data."""
        self._read = read
        self._runtime.registry.keep_read(self, size_bytes(read))

    @property
    def store(self) -> RunStore:
        """Where the run is recorded."""
        return self._store

    @property
    def must_read(self) -> bool:
        """True where the run's output is to be read from the store, and was not yet."""
        return self._live is None and self._final is None and self._read is None

    @property
    def status(self) -> RunStatus:
        """Where the run stands now."""
        live = self._live
        return live.record.status if live is not None else self._ended or self._seen.status

    @property
    def content(self) -> Any:
        """The answer: text (so far), or the typed value where the run had an output schema."""
        live = self._live
        if live is None or live.record.status.is_final:
            return self.output.content
        return live.record.content

    @property
    def text(self) -> str:
        """The answer's raw text so far."""
        live = self._live
        return live.record.text if live is not None else text_of(self._looked_at)

    @property
    def _looked_at(self) -> RunOutput:
        """The same as `_seen`; the process that works on it hears that somebody looks at its text."""
        seen = self._seen
        if self._live is None and not seen.is_final:
            self._store.watch(self.run_id)
        return seen

    @property
    def metrics(self) -> RunMetrics:
        """Tokens, cost and times so far."""
        live = self._live
        return live.record.metrics if live is not None else self._seen.metrics

    @property
    def error(self) -> str | None:
        """What the run failed with, in two lines, or None."""
        return self._seen.error

    @property
    def error_type(self) -> str | None:
        """The failure's type by name, or None."""
        return self._seen.error_type

    @property
    def stop_reason(self) -> str | None:
        """Why the run ended, or None while it goes on."""
        return self._seen.stop_reason

    @property
    def label(self) -> str | None:
        """The name given at launch (`-o NAME`), by which `nbagent.get` finds the run."""
        return self._seen.label

    @property
    def agent_name(self) -> str | None:
        """The agent that the run belongs to."""
        return self._seen.agent_name

    @property
    def member_responses(self) -> tuple[RunOutput, ...]:
        """The runs of a team's members, in launch order; empty for an agent."""
        return self.output.member_responses

    @property
    def pending_approvals(self) -> tuple[PendingApproval, ...]:
        """The tool calls that a paused run waits for, each with `tool_call_id`, `name` and `arguments`."""
        live = self._live
        return live.record.pending_approvals if live is not None else self._seen.pending_approvals

    @property
    def queue_position(self) -> int | None:
        """The place among the model calls that wait for a slot, from 1; None if it waits for none."""
        live = self._live
        return live.record.queue_position if live is not None and live.record.end is None else None

    @property
    def cached_from(self) -> str | None:
        """The run whose answer this one was given instead of asking a model; None for a run that asked."""
        live = self._live
        return live.record.cached_from if live is not None else self._seen.cached_from

    @property
    def durable(self) -> bool:
        """True once the run's row is committed to the store's file."""
        live = self._live
        return live is None or live.durable

    def done(self) -> bool:
        """True once the run has ended; its end is committed when a wait for it returns."""
        live = self._live
        return live.ended.done() if live is not None else self._ended is not None or self._seen.is_final

    def __repr__(self) -> str:
        output = self._seen
        name = f" {output.label}" if output.label else ""
        cached = f" cached from {output.cached_from}" if output.cached_from else ""
        return f"<Run{name} {output.run_id} {output.status.value}{cached}>"
