"""`Run`: what a user holds of one run. Live in the kernel that launched it, a reader of the store elsewhere.

Used from any thread. Waiting never hurts the run: waits are shielded, and Stop on a waiting cell ends the wait.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from nbagent.errors import RunError, RunIdInUseError, WaitTimeout
from nbagent.run import RunMetrics, RunOutput, RunRecord, RunStatus
from nbagent.threads import in_own_thread

if TYPE_CHECKING:
    import pandas as pd

    from nbagent.runtime.launch import Runtime
    from nbagent.runtime.live import LiveRun

POLL_S = 0.5
WAKE_S = 0.5
CANCEL_WAIT_S = 0.5


class Run:
    """A handle on one run: `status`, `content`, `result()`, `await run`, `cancel()`, `to_frame()`."""

    def __init__(
        self, run_id: str, session_id: str, *, runtime: Runtime, live: LiveRun | None = None
    ) -> None:
        self.run_id = run_id
        self.session_id = session_id
        self._runtime = runtime
        self._live = live
        self._final: RunOutput | None = None

    # ----------------------------------------------------------------- state

    @property
    def record(self) -> RunRecord | None:
        """The live record in the kernel that launched the run; None elsewhere, where the store is read."""
        return self._live.record if self._live is not None else None

    @property
    def output(self) -> RunOutput:
        """The run as it stands now, as a frozen `RunOutput`."""
        if self._final is not None:
            return self._final
        output = self._live.record.snapshot() if self._live is not None else self._runtime.stored(self.run_id)
        if output.is_final and (self._live is None or self._live.done.done()):
            self._final = output
        return output

    @property
    def status(self) -> RunStatus:
        """Where the run stands now."""
        return self._live.record.status if self._live is not None else self.output.status

    @property
    def content(self) -> Any:
        """The answer: text (so far), or the typed value where the run had an output schema."""
        return self._live.record.content if self._live is not None else self.output.content

    @property
    def text(self) -> str:
        """The answer's raw text so far."""
        return self._live.record.text if self._live is not None else str(self.output.content or "")

    @property
    def metrics(self) -> RunMetrics:
        """Tokens, cost and times so far."""
        return self._live.record.metrics if self._live is not None else self.output.metrics

    @property
    def error(self) -> str | None:
        """What the run failed with, in two lines, or None."""
        return self.output.error

    @property
    def error_type(self) -> str | None:
        """The failure's type by name, or None."""
        return self.output.error_type

    @property
    def stop_reason(self) -> str | None:
        """Why the run ended, or None while it goes on."""
        return self.output.stop_reason

    @property
    def label(self) -> str | None:
        """The name given at launch (`-o NAME`), by which `nbagent.get` finds the run."""
        return self.output.label

    @property
    def agent_name(self) -> str | None:
        """The agent that the run belongs to."""
        return self.output.agent_name

    @property
    def member_responses(self) -> tuple[RunOutput, ...]:
        """The runs of a team's members, in launch order; empty for an agent."""
        return self.output.member_responses

    @property
    def durable(self) -> bool:
        """True once the run's row is committed to the store's file."""
        return self._live is None or self._live.durable

    def done(self) -> bool:
        """True once the run has ended and its end is committed."""
        return self._live.done.done() if self._live is not None else self.output.is_final

    # --------------------------------------------------------------- waiting

    def result(self, timeout: float | None = None) -> RunOutput:
        """Wait for the end and return the `RunOutput`; `timeout` in seconds.

        Raises RunError if the run did not complete, WaitTimeout if the wait ran out, BlockingCallError on the
        background thread. Interrupting the wait leaves the run alone.
        """
        return _completed(self.wait(timeout))

    def wait(self, timeout: float | None = None) -> RunOutput:
        """Wait for the end and return the `RunOutput` whatever its status. Raises WaitTimeout and BlockingCallError."""
        self._runtime.thread.forbid_blocking("run.wait()")
        try:
            self.future().result(timeout)
        except concurrent.futures.TimeoutError:
            raise WaitTimeout(
                f"run {self.run_id!r} is still {self.status.value} after {timeout:g} s",
                "wait again, or stop it with run.cancel()",
            ) from None
        return self.output

    def future(self) -> concurrent.futures.Future[RunOutput]:
        """A future of the final `RunOutput`, whatever its status; cancelling it leaves the run alone."""
        future: concurrent.futures.Future[RunOutput] = concurrent.futures.Future()

        def settle(_: Any = None) -> None:
            if future.set_running_or_notify_cancel():
                future.set_result(self.output)

        if self._live is not None:
            self._live.done.add_done_callback(settle)
        else:
            self._runtime.thread.submit(self._poll()).add_done_callback(settle)
        return future

    async def _poll(self) -> None:
        # another process ends this run: there is no event to wait for
        while not await in_own_thread(lambda: self.output.is_final):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    def __await__(self) -> Generator[Any, None, RunOutput]:
        """Wait without blocking: the same as `result()`, shielded from the waiting task's cancellation."""
        return self._result().__await__()

    async def _result(self) -> RunOutput:
        return _completed(await self.finished())

    async def finished(self) -> RunOutput:
        """Wait without blocking and return the `RunOutput` whatever its status.

        The wait wakes now and then: a kernel's loop sees Stop only when it wakes.
        """
        future = asyncio.wrap_future(self.future())
        while not future.done():
            await asyncio.wait({future}, timeout=WAKE_S)  # cancels nothing when it is cancelled itself
        return future.result()

    async def launched(self) -> bool:
        """Wait until the launch is committed; True if it is. Raises RunIdInUseError for a used run id."""
        if self._live is None:
            return True
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._live.launching)), 2.0)
        except RunIdInUseError:
            raise
        except Exception:  # noqa: BLE001 - any trouble of the store's means: not durable yet
            return False
        return True

    # -------------------------------------------------------------- commands

    def cancel(self) -> bool:
        """Stop the run now; True if that ended it (or was heard), False if it had ended before.

        Waits up to half a second for the end, except on the background thread.
        """
        if self._live is None:
            return self._runtime.cancel(self.run_id)
        if self._live.record.end is not None:
            return False
        self._runtime.thread.soon(self._live.stop, "cancelled")
        if not self._runtime.thread.is_current():
            concurrent.futures.wait([self._live.ended], timeout=CANCEL_WAIT_S)
        return self.status in {RunStatus.cancelled, RunStatus.running, RunStatus.pending}

    def to_frame(self) -> pd.DataFrame:
        """The structured output as a DataFrame: a row for each record of the answer."""
        from nbagent.schemas import to_frame

        return to_frame(_completed(self.output).content)

    def __repr__(self) -> str:
        output = self.output
        name = f" {output.label}" if output.label else ""
        return f"<Run{name} {output.run_id} {output.status.value}>"


def _completed(output: RunOutput) -> RunOutput:
    if output.status is RunStatus.completed:
        return output
    if not output.is_final:
        raise RunError(
            f"run {output.run_id!r} is still {output.status.value}",
            "wait for it with run.result()",
            output=output,
        )
    what, _, todo = (output.error or f"run {output.run_id!r} was {output.status.value}").partition("\n")
    raise RunError(what, todo or "see run.output for what it did until then", output=output)


def gather(*runs: Run, timeout: float | None = None) -> list[RunOutput]:
    """Wait for many runs and return their `RunOutput`s in order; never raises for a run's failure.

    `timeout` in seconds is for all of them together; whoever has not ended by then is returned as it stands.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    for run in runs:
        try:
            run.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except WaitTimeout:
            continue
    return [run.output for run in runs]
