"""`Run`: what a user holds of one run. Live in the kernel that launched it, a reader of the store elsewhere.

Used from any thread. Waiting never hurts the run: waits are shielded, and Stop on a waiting cell ends the
wait.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
import weakref
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, cast

from nbagent.core import check_seconds, printable, run_in_daemon_thread, say
from nbagent.errors import RunIdInUseError, WaitTimeout, replace_traceback
from nbagent.events import PendingApproval
from nbagent.loop import Decision
from nbagent.run import RunOutput
from nbagent.runtime.execution.done_callbacks import DoneCallbacks
from nbagent.runtime.execution.event_stream import EventBuffer, EventSource, RunEvents
from nbagent.runtime.placement.following import follow
from nbagent.runtime.ports import Runnable
from nbagent.runtime.recovery.load import schema_of
from nbagent.runtime.run_errors import OTHERS_WAIT, approval_hint, raise_unless_completed, what_to_do
from nbagent.runtime.run_view import RunView
from nbagent.runtime.scheduling.code_at_work import forbid_inside
from nbagent.runtime.scores import Score, score_run
from nbagent.runtime.steering.send import send_message
from nbagent.runtime.timeouts import COMMIT_WAIT_S, STOP_WAIT_S, WAKE_S
from nbagent.schemas import OutputSchema, to_frame
from nbagent.spec import Limits

if TYPE_CHECKING:
    import pandas as pd

_GOES_ON = ("stopped waiting; the run goes on", "run.cancel() stops it")


class Run(DoneCallbacks, RunView):
    """A handle on one run: `status`, `content`, `result()`, `await run`, `cancel()`, `to_frame()`.

    >>> run = Agent(model="demo:assistant").start("What is the capital of Japan?")
    >>> run.result(timeout=30).content
    'The capital of Japan is Tokyo.'
    >>> run.status, run.done(), run.metrics.total_tokens
    (<RunStatus.completed: 'completed'>, True, 20)
    """

    # --------------------------------------------------------------- waiting

    def result(self, timeout: float | None = None) -> RunOutput:
        """Wait for the end and return the `RunOutput`; `timeout` in seconds.

        Raises RunError if the run did not complete, WaitTimeout if the wait ran out, BlockingCallError on the
        background thread. Interrupting the wait leaves the run alone. A wait without a timeout says in one
        line that the run waits for a person.
        """
        return raise_unless_completed(self.wait(timeout))

    def wait(self, timeout: float | None = None) -> RunOutput:
        """Wait for the end and return the `RunOutput`, whatever its status. Raises as `result` but for RunError."""
        check_seconds("timeout", timeout)
        self._runtime.thread.forbid_blocking("run.wait()")
        try:
            self._block(self._over(), timeout)
        except KeyboardInterrupt as stop:
            replace_traceback(stop, *_GOES_ON)
            raise
        except concurrent.futures.TimeoutError:
            raise WaitTimeout(
                f"run {self.run_id!r} is still {self.status.value} after {timeout:g} s",
                what_to_do(self._seen, "wait again, or stop it with run.cancel()"),
            ) from None
        return self.output

    def _block(self, future: concurrent.futures.Future[None], timeout: float | None) -> None:
        """Wait for the end; whoever waits for as long as it takes is told that it takes a person."""
        while True:
            try:
                wait_s = WAKE_S if timeout is None else timeout
                self._runtime.main.wait(future, wait_s, awaited=self._awaited)
            except concurrent.futures.TimeoutError:
                if timeout is not None:
                    raise
                self.report_pause()
            else:
                return

    def _awaited(self) -> frozenset[str]:
        """Return this run's id, and its session's: a run before it in that may be waited for with it."""
        return frozenset((self.run_id, self.session_id))

    def report_pause(self) -> None:
        """Say in one line, once, that the run waits for a person; called by waits, on the waiting thread."""
        waiting = self.record or self._polled
        text = approval_hint(waiting, self.label or self.run_id) if waiting is not None else ""
        told = text.replace(OTHERS_WAIT, "")  # that others wait too is no news of this run
        if told and told != self._reported:
            say(printable(text))
        self._reported = told

    def score(  # a score's own values come without a name
        self,
        name: str,
        value: bool | float | str,  # noqa: FBT001
        comment: str | None = None,
        *,
        author: str | None = None,
    ) -> None:
        """Record what somebody thinks of this run: True or False, a number, or a word, with a comment.

        It is durable when this returns. Earlier scores stay in the record; of a run, a name and an `author` (by
        default who is logged in) the latest counts in `nb.metrics.by_score()` and `nb.metrics.scores()`.
        Raises UnknownOptionError and StoreError.

        >>> run = Agent(model="demo:assistant", name="scored").start("What is the capital of Japan?")
        >>> run.score("right", True, "short, too")
        >>> nb.metrics.by_score(agent="scored")[["score", "runs", "mean"]]
           score  runs  mean
        0  right     1   1.0
        """
        score_run(self._runtime, self._store, self.run_id, Score(name, value, comment, author))

    def future(self) -> concurrent.futures.Future[RunOutput]:
        """A future of the final `RunOutput`, whatever its status; cancelling it leaves the run alone.

        Its callbacks run on a thread of their own, in order: one that takes its time delays nobody else.
        """
        future: concurrent.futures.Future[RunOutput] = concurrent.futures.Future()
        context = contextvars.copy_context()

        def settle() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                output = self.output
            except Exception as error:  # noqa: BLE001 - whoever waits must hear that there is no output
                future.set_exception(error)
            else:
                future.set_result(output)

        def start(_: object) -> None:
            threading.Thread(
                target=context.run, args=(settle,), name=f"nbagent-future-{self.run_id}", daemon=True
            ).start()

        self._over().add_done_callback(start)
        return future

    def _end_future(self) -> concurrent.futures.Future[RunOutput]:
        return self.future()

    def _over(self) -> concurrent.futures.Future[None]:
        """Done once the run has ended, here or in another process.

        Settled on the background loop: no code of a user may hang on it.
        """
        over: concurrent.futures.Future[None] = concurrent.futures.Future()

        def settle(_: object = None) -> None:
            # lost to another process, which ends it
            if self._live is None and self._final is None and self._ended is None:
                poll()
            elif over.set_running_or_notify_cancel():
                over.set_result(None)

        def poll() -> None:
            self._runtime.thread.submit(self._poll()).add_done_callback(settle)

        live = self._live
        if live is not None:
            live.done.add_done_callback(settle)
        else:
            settle()
        return over

    async def _poll(self) -> None:
        # another process ends this run: there is no event to wait for
        while not (output := await run_in_daemon_thread(lambda: self.output)).is_final:
            self._polled = output
            if (live := self._live) is not None:  # adopted by this kernel
                await live.until_done()
            else:
                await self._runtime.statuses.changed(self._store, self.run_id, output.status)
        if self._live is None:
            self._ended = output.status

    def __await__(self) -> Generator[Any, None, RunOutput]:
        """Wait without blocking: the same as `result()`, shielded from the waiting task's cancellation."""
        return self._result().__await__()

    async def _result(self) -> RunOutput:
        return raise_unless_completed(await self.finished())

    async def finished(self) -> RunOutput:
        """Wait without blocking and return the `RunOutput` whatever its status.

        The wait wakes now and then: a kernel's loop sees Stop only when it wakes.
        """
        future = asyncio.wrap_future(self._over())
        try:
            with self._runtime.main.serving(self._awaited):
                while not future.done():
                    await asyncio.wait({future}, timeout=WAKE_S)  # cancels nothing if it is cancelled
                    if not future.done():
                        self.report_pause()
        except asyncio.CancelledError as stop:
            replace_traceback(stop, *_GOES_ON)
            raise
        future.result()
        return self.output

    async def launched(self) -> bool:
        """Wait until the launch is committed; True if it is. Raises RunIdInUseError for a used run id."""
        live = self._live
        if live is None:
            return True
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(live.launched)), COMMIT_WAIT_S)
        except RunIdInUseError:
            raise
        except Exception:  # noqa: BLE001 - any trouble of the store's means: not durable yet
            return False
        return True

    def events(self) -> RunEvents:
        """The run's events, for `async for` and `for`: what was, in short, then what comes, to the end.

        >>> run = Agent(model="demo:assistant").start("What is the capital of Japan?")
        >>> [type(event).__name__ for event in run.events()][-1]
        'RunFinished'
        """
        return RunEvents(self._source())

    def owned_events(self) -> RunEvents:
        """The same, where cancelling the task that iterates cancels the run (`arun(stream=True)`)."""
        return RunEvents(self._source(), owner=True)

    def _source(self) -> EventSource:
        return EventSource(
            listen=self._listen,
            cancel=self.cancel,
            forbid_blocking=self._runtime.thread.forbid_blocking,
            main=self._runtime.main,
            awaited=self._awaited,
        )

    def _listen(self, box: EventBuffer) -> None:
        """Have the run put its events into `box`: this kernel's by itself, another process's by looks at the record."""
        live = self._live
        if live is not None:
            self._runtime.thread.soon(live.listen, box)
        else:
            self._runtime.thread.submit(follow(self, weakref.ref(box)))

    # -------------------------------------------------------------- commands

    def cancel(self) -> bool:
        """Stop the run now; True if that ended it (or was heard), False if it had ended before.

        Except on the background thread it waits for the end, so that `done()` is true afterwards: a few
        milliseconds for a run of this kernel, a second or two for one that another kernel works on.

        >>> run = Agent(model="demo:assistant").start("Write 5000 words about tea.")
        >>> run.cancel(), run.wait(timeout=30).status
        (True, <RunStatus.cancelled: 'cancelled'>)
        """
        live = self._live
        if live is not None:
            return self._runtime.stop(live)
        heard = self._runtime.cancel(self.run_id)
        if heard and not self._runtime.thread.is_current():
            concurrent.futures.wait([self._over()], timeout=STOP_WAIT_S)
        return heard

    def send(self, text: str) -> None:
        """Tell the model something on the way: its next call has `text` as a further message of the user.

        A run that has its answer when it hears of it has one more step. A run that waits (for its turn, for a person)
        has it once it goes on; of a team the leader is told. From any kernel: another one hears it within a second. It
        is in the record from now on, also where the run is cut off and resumed. Raises PromptError for an empty text,
        ConfigurationError for a run that has ended, a guest's, or a row of a batch, and StoreError.

        >>> run = Agent(model="demo:assistant").start("Write 5000 words about tea.")
        >>> run.send("in 20 words, please")
        >>> run.cancel()
        True
        """
        send_message(self._runtime, self._store, self.run_id, self._live, text)

    def approve(
        self,
        tool_call_id: str | None = None,
        *,
        arguments: Mapping[str, Any] | None = None,
        agent: Runnable | None = None,
        always: bool = False,
    ) -> tuple[PendingApproval, ...]:
        """Let a tool call that waits for a person run, or all that wait; return those that this approved.

        `arguments` take the place of all of the model's, for one call. From any kernel: a run that another
        kernel works on hears it within a second; a paused run whose kernel is gone is adopted and goes on
        here, with `agent` for the tools and model that the notebook does not define. `always` approves what else
        agents of this name will run by `run_python` (see `nb.notebook`) in this kernel. Raises
        ConfigurationError (nothing waits, a tool is missing or has changed), UnknownNameError and StoreError.

        >>> @tool(requires_approval=True)
        ... def pay(amount: int) -> str:
        ...     "Pay an amount in dollars."
        ...     return f"paid {amount} dollars"
        >>> run = Agent(model="demo:assistant", tools=[pay]).start("Pay 30 dollars.")
        >>> for event in run.events():
        ...     if run.pending_approvals:
        ...         print(*run.approve())
        pay(amount=30)
        >>> run.result(timeout=30).tool_calls[0].result
        'paid 30 dollars'
        """
        decision = Decision(approved=True, arguments=arguments, always=always)
        return self.decide(decision, tool_call_id=tool_call_id, agent=agent)

    def deny(
        self, why: str = "", tool_call_id: str | None = None, *, agent: Runnable | None = None
    ) -> tuple[PendingApproval, ...]:
        """Refuse a tool call that waits for a person, or all: the model is told `why`, and the run goes on.

        Returns the calls that this denied. From any kernel, and raises, as `approve`.
        """
        decision = Decision(approved=False, reason=why)
        return self.decide(decision, tool_call_id=tool_call_id, agent=agent)

    def decide(
        self,
        decision: Decision,
        *,
        tool_call_id: str | None = None,
        step: int | None = None,
        agent: Runnable | None = None,
    ) -> tuple[PendingApproval, ...]:
        """Say a `Decision`; what `approve` and `deny` do. `step` is that of the call that was looked at."""
        if decision.approved:
            forbid_inside("approving")
        return self._runtime.decide(
            self.run_id, self._live, decision, tool_call_id=tool_call_id, step=step, agent=agent
        )

    def resume(
        self,
        *,
        agent: Runnable | None = None,
        output_schema: object = None,
        from_partial: bool = False,
        limits: Limits | None = None,
        timeout: float | None = None,
    ) -> Run:
        """Go on from the last finished step, as a new attempt of this run, and return this handle.

        For a run that was interrupted, failed, timed out or was stopped by a limit. Finished tool calls are
        not repeated; one that was cut off is called again only if it is `@tool(idempotent=True)`, else the
        model is told. With `from_partial` the unfinished answer goes on from the text that had come. An
        `agent` goes on with the run as it is now, with its tools, instructions and model; without one the
        run's own tools and schema are found in the notebook, and refused where they have changed. `limits`
        and `timeout` (seconds) replace the run's own, and count from now. Raises ConfigurationError and
        StoreError.
        """
        self._runtime.resume_run(
            self.run_id,
            agent=agent,
            output_schema=output_schema,
            from_partial=from_partial,
            limits=limits,
            timeout=timeout,
        )
        return self

    def retry(self, *, agent: Runnable | None = None) -> Run:
        """Start the same work anew as a new run, and return that. Raises ConfigurationError and StoreError.

        >>> first = Agent(model="demo:assistant").start("What is the capital of Peru?")
        >>> _ = first.wait(timeout=30)
        >>> first.retry().result(timeout=30).content
        'The capital of Peru is Lima.'
        """
        return cast("Run", self._runtime.retry(self.run_id, agent=agent))

    def fork(
        self, step: int = 0, *, prompt: str | None = None, agent: Runnable | None = None, model: Any = None
    ) -> Run:
        """Start a new run that begins after a finished step of this one, and return it.

        What came before is shared: it is not asked again, its tools are not called again, and it is not paid again;
        the new run has its messages, in a session of its own with this one's history copied. `prompt` is at step 0
        in place of this run's, later a further message of the user. `agent` or `model` (an object, or
        "provider:name") goes on in another way. Limits count from the fork. `nb.runs()` shows `forked_from` and
        `forked_step`; of a team's run the leader's steps are meant. Raises ConfigurationError and StoreError.

        >>> first = Agent(model="demo:assistant").start("What is the capital of Peru?")
        >>> _ = first.wait(timeout=30)
        >>> first.fork(1, prompt="And Chile?").result(timeout=30).content
        'The capital of Chile is Santiago.'
        """
        live = self._runtime.fork_run(self.run_id, step, prompt=prompt, agent=agent, model=model)
        return Run(live.run_id, live.record.launch.session_id, runtime=self._runtime, live=live)

    def to_frame(self, *, explode: bool | str | None = None) -> pd.DataFrame:
        """The structured output as a DataFrame: a row for each record of the answer.

        Columns and their types are those of the output schema, whatever was answered: `Int64`, `Float64`,
        `boolean`, `string`, datetimes in UTC, objects for the rest; fields of an object inside are
        `city.name`. `explode` says which list's elements are rows: None the one list of objects, True the one
        list there is, a field's name that one, False none, so that lists are whole in their cells.

        >>> import pydantic
        >>> class City(pydantic.BaseModel):
        ...     name: str
        ...     country: str
        >>> run = Agent(model="demo:assistant").start("Facts about Tokyo and Paris.", output_schema=list[City])
        >>> _ = run.result(timeout=30)
        >>> run.to_frame()
            name country
        0  Tokyo   Japan
        1  Paris  France
        """
        output, live = raise_unless_completed(self.output), self._live
        schema = live.record.output_schema if live is not None else None
        if not isinstance(schema, OutputSchema) or not output.output_valid:
            schema = schema_of(self._store, output, self._runtime.schema_known(self.run_id))
        return to_frame(output.content, schema, explode=explode)
