"""Random interleavings of everything that can happen to runs, over several sessions, against a real provider and file.

After each step: an attempt's end never changes. At the end of each example: one end for each attempt, histories that
any provider takes, tokens that add up to what the provider sent, and nothing left over.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nbagent import Agent, ConfigurationError, Limits, OpenAIChat, Run, RunStatus, cancel_run
from nbagent.errors import SessionBusyError
from nbagent.events import ToolCall
from nbagent.loop import model_call
from nbagent.run import RunMetrics, RunOutput
from nbagent.runtime import current
from tests.harness.waiting import PATIENCE_S, until
from tests.provider.server import ScriptedProvider
from tests.runtime.scripted_jobs import CAN_APPROVE, FAILING, KINDS, Desk, Job

SESSIONS = ("a", "b", "c", None)
KNOWN_THREADS = (
    "MainThread",
    "nbagent-background",
    "nbagent-store",
    "scripted provider",
    "asyncio_",
    "pytest",
)


class Interleavings(RuleBasedStateMachine):
    """What a person and the world may do to runs. Which run it meets in which state is left to chance."""

    jobs = Bundle("jobs")
    checked = 0  # runs whose end, history and usage were compared, in all machines of this process

    def __init__(self, provider: ScriptedProvider, folder: Path) -> None:
        super().__init__()
        self.provider = provider
        self.desk = Desk()
        self.ends: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.ordered = set(SESSIONS)  # sessions whose runs all take turns
        provider.otherwise(self.desk.answer)
        os.environ["NBAGENT_STORE"] = str(folder / str(time.monotonic_ns()) / "runs.duckdb")
        self.store = current().store
        model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
        self.agent = Agent(model=model, tools=self.desk.tools(), limits=Limits(model_retries=2))

    # -------------------------------------------------------------------- rules

    @rule(
        target=jobs,
        plan=st.lists(st.sampled_from(KINDS), max_size=4),
        session_id=st.sampled_from(SESSIONS),
        on_busy=st.sampled_from(("queue", "queue", "queue", "cancel", "parallel", "reject")),
        timeout=st.sampled_from((None, None, 0.03)),
        cancelled_before=st.sampled_from((False, False, False, True)),
    )
    def launch(
        self,
        plan: Any,
        session_id: str | None,
        on_busy: str,
        timeout: float | None,
        *,
        cancelled_before: bool,
    ) -> Job:
        """Launch a run, which may be cancelled before, time out, find its session busy, or clear it."""
        job = self.desk.add(plan, session_id)
        run_id = f"run-{job.tag}" if cancelled_before else None
        if run_id is not None:
            assert cancel_run(run_id)
        job.disturbed = cancelled_before or timeout is not None
        if on_busy == "cancel":
            self.disturb(session_id)
        elif on_busy == "parallel":
            self.ordered.discard(session_id)
        self.agent.on_busy = on_busy
        try:
            job.runs.append(
                self.agent.start(job.prompt, session_id=session_id, timeout=timeout, run_id=run_id)
            )
        except SessionBusyError:
            assert on_busy == "reject"
        return job

    def disturb(self, session_id: str | None) -> None:
        """Note that the session's runs may be cancelled by another launch."""
        for job in self.desk.jobs:
            job.disturbed = job.disturbed or (session_id is not None and job.session_id == session_id)

    @rule(job=jobs)
    def cancel(self, job: Job) -> None:
        """Cancel a run: one that has not ended is then final, one that has is left alone."""
        for run in job.runs[-1:]:
            before = run.output
            heard = run.cancel()
            job.disturbed = job.disturbed or heard
            assert run.output.is_final
            if before.is_final:
                assert not heard
                assert run.status is before.status

    @rule(job=jobs)
    def kernel_dies(self, job: Job) -> None:
        """End a run as the kernel's end does; a paused one outlives its kernel (`test_approval_processes.py`)."""
        for run in job.runs[-1:]:
            job.disturbed = True
            live = current().live(run.run_id)
            assert live is not None
            current().thread.soon(_die, live)

    @rule(job=jobs)
    def release(self, job: Job) -> None:
        """Let the provider or a tool go on."""
        self.desk.release(job)

    @precondition(lambda self: self.desk.jobs)
    @rule()
    def something_happens(self) -> None:
        """Give the world a moment: until the provider is asked something, or a little while."""
        try:
            self.provider.wait_for_requests(len(self.provider.requests) + 1, timeout=0.02)
        except AssertionError:
            return

    @rule(job=jobs, from_partial=st.booleans())
    def resume(self, job: Job, *, from_partial: bool) -> None:
        """Resume a run that stopped before it was complete; any other one says that it cannot be."""
        for run in job.runs[-1:]:
            before = run.output
            try:
                run.resume(from_partial=from_partial, timeout=60)
            except ConfigurationError:
                unfit = (RunStatus.completed, RunStatus.cancelled)
                assert not before.is_final or before.status in unfit
            else:
                assert run.output.attempt == before.attempt + 1

    @rule(job=jobs)
    def retry(self, job: Job) -> None:
        """See a run to its end, and start its work anew."""
        for run in job.runs[-1:]:
            self.finish(job, run)
            self.agent.on_busy = "queue"
            job.runs.append(run.retry())
            assert job.runs[-1].run_id != run.run_id

    # Approval plugs in here: these rules, and the kind of reply "approval" in `scripted_jobs.py`, come to life with it.

    @precondition(lambda _: CAN_APPROVE)
    @rule(job=jobs, agrees=st.booleans())
    def decide(self, job: Job, *, agrees: bool) -> None:
        """Approve or deny what a paused run waits for; a run that waits for nobody says so."""
        for run in job.runs[-1:]:
            paused = run.status is RunStatus.paused
            try:
                _decide(run, agrees=agrees)
            except ConfigurationError:
                assert not paused

    # ------------------------------------------------------------------- checks

    @invariant()
    def an_end_is_final(self) -> None:
        """What was once seen as the end of an attempt stays it."""
        for job in self.desk.jobs:
            for run in job.runs:
                output = run.output
                if output.is_final:
                    end = (output.status, output.stop_reason, output.finished_at, output.content)
                    known = self.ends.setdefault((run.run_id, output.attempt), end)
                    assert known == end

    def finish(self, job: Job, run: Run) -> Any:
        """Open what holds the run and those before it; wait for its end."""
        for other in self.desk.jobs:
            if other is job or (job.session_id is not None and other.session_id == job.session_id):
                self.desk.release(other, for_good=True)
        deadline = time.monotonic() + PATIENCE_S
        while not run.done():
            self._nobody_is_waited_for()
            assert time.monotonic() < deadline, run.output
            if (live := current().live(run.run_id)) is not None:
                live.done.exception(0.1) if live.done.done() else _wait(live.done)
        return run.output

    def _nobody_is_waited_for(self) -> None:
        """Answer for the person whom paused runs wait for."""
        for job in self.desk.jobs:
            for run in job.runs:
                if run.status is RunStatus.paused:
                    job.disturbed = True
                    run.cancel()

    def teardown(self) -> None:
        """See every run to its end and look at what is left."""
        try:
            for job in self.desk.jobs:
                self.desk.release(job, for_good=True)
            for job in self.desk.jobs:
                for run in job.runs:
                    self.finish(job, run)
            self.an_end_is_final()
            self.check_ends()
            self.check_histories()
            self.check_usage()
            self.check_turns()
            check_nothing_is_left()
            Interleavings.checked += sum(len(job.runs) for job in self.desk.jobs)
        finally:
            current()._stores.pop(self.store.path).close()

    def check_ends(self) -> None:
        """Each attempt has one end, the one that was seen; who was left alone ended as the provider had it."""
        rows = self.store.read(
            "select a.run_id, a.attempt, a.status, a.stop_reason, count(e.run_id) n from attempts a "
            "left join attempt_ends e using (run_id, attempt) group by all"
        )
        runs = [run for job in self.desk.jobs for run in job.runs]
        assert {row["run_id"] for row in rows} == {run.run_id for run in runs}
        assert [row for row in rows if row["n"] != 1] == []
        for row in rows:
            seen = self.ends.get((row["run_id"], row["attempt"]))
            assert seen is None or seen[:2] == (RunStatus(row["status"]), row["stop_reason"])
        for job in self.desk.jobs:
            for run in job.runs:
                assert different(current().stored(run.run_id), run.output) == {}
            if not job.disturbed and len(job.runs) == 1:
                ended_well = job.runs[0].status is RunStatus.completed
                assert ended_well == (job.last not in FAILING), job.runs[0].output

    def check_histories(self) -> None:
        """Whatever was sent answers each tool request once and right after it, and shows prompts in turn order."""
        prompts: dict[str | None, list[str]] = {}
        for row in self.store.read("select session_id, prompt from runs order by session_id, turn"):
            prompts.setdefault(row["session_id"], []).append(row["prompt"])
        for body in self.desk.bodies:
            open_calls: set[str] = set()
            for message in body["messages"]:
                if message["role"] == "tool":
                    open_calls.remove(message["tool_call_id"])
                else:
                    assert not open_calls, body
                    open_calls = {call["id"] for call in message.get("tool_calls") or ()}
            assert not open_calls, body
            asked = [one["content"] for one in body["messages"] if one["content"] in _prompts(self.desk)]
            assert any(_is_within(asked, of_session) for of_session in prompts.values()), body
        twice = self.store.read("select run_id, seq from messages group by all having count(*) > 1")
        assert twice == []

    def check_usage(self) -> None:
        """Each whole reply that was read is a row with its tokens; only a stopped run leaves one out."""
        rows = self.store.read("select * from model_calls where status = 'completed'")
        read = {row["response_id"]: row for row in rows}
        assert len(read) == len(rows)
        for name, row in read.items():
            usage = self.desk.sent[name].usage
            assert (row["input_tokens"], row["output_tokens"]) == (
                usage["prompt_tokens"],
                usage["completion_tokens"],
            )
        sums = self.store.read("select sum(total_tokens) n from model_calls where status = 'completed'")
        assert (sums[0]["n"] or 0) == sum(self.desk.sent[name].usage["total_tokens"] for name in read)
        for name in self.desk.sent.keys() - read.keys():
            assert self.desk.sent[name].job.disturbed, name
        others = self.store.read("select count(total_tokens) n from model_calls where status <> 'completed'")
        assert others == [{"n": 0}]
        for job in self.desk.jobs:
            for run in job.runs:
                known = [row["total_tokens"] for row in rows if row["run_id"] == run.run_id]
                assert (run.metrics.total_tokens or 0) == sum(known)

    def check_turns(self) -> None:
        """Where runs take turns, no two of a session are at work at the same time."""
        for session_id in self.ordered - {None}:
            times = self.store.read(
                "select a.run_id, a.attempt, a.started_at, a.finished_at from attempts a join runs r using (run_id) "
                "where r.session_id = ? and a.started_at is not null order by a.started_at",
                [session_id],
            )
            for one, other in itertools.pairwise(times):
                assert one["finished_at"] <= other["started_at"], (one, other)


def _die(live: Any) -> None:
    if not live.record.pending_approvals:
        live.stop("kernel_died")


def check_nothing_is_left() -> None:
    """No task, no thread, no slot, no turn: all that runs once needed is given back."""
    runtime = current()

    async def tasks() -> list[str]:
        return [str(task.get_coro()) for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    def threads() -> list[str]:
        return [one.name for one in threading.enumerate() if not one.name.startswith(KNOWN_THREADS)]

    until(lambda: not runtime.thread.submit(tasks()).result(60), "the end of all tasks")
    until(lambda: not threads(), lambda: f"the end of {threads()}")
    assert (runtime.slots.held, runtime.slots.waiting) == (0, 0)
    assert (runtime.sessions._queues, runtime.registry.unfinished()) == ({}, [])


def different(stored: RunOutput, live: RunOutput) -> dict[str, Any]:
    """Return the fields that differ; calls at the same time may be told in either order."""
    values = ((name, getattr(stored, name), getattr(live, name)) for name in RunOutput.model_fields)
    return {name: (one, other) for name, one, other in values if _in_order(one) != _in_order(other)}


def _in_order(value: Any) -> Any:
    if isinstance(value, RunMetrics):
        tools = sorted(value.details.get("tool_call", ()), key=str)
        return value.model_copy(update={"details": {**value.details, "tool_call": tools}})
    if isinstance(value, tuple) and value and isinstance(value[0], ToolCall):
        return sorted(value, key=lambda call: (call.started_at, call.tool_call_id))
    return value


def _decide(run: Any, *, agrees: bool) -> None:
    run.approve() if agrees else run.deny("no")


def _prompts(desk: Desk) -> set[str]:
    return {job.prompt for job in desk.jobs}


def _is_within(some: list[str], ordered: list[str]) -> bool:
    """Whether all of `some` come in `ordered`, in that order."""
    rest = iter(ordered)
    return all(one in rest for one in some)


def _wait(future: Any) -> None:
    try:
        future.result(0.1)
    except TimeoutError:
        return


@pytest.fixture
def machine(
    provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Interleavings]:
    """Make a machine on this provider, with a store of its own; a lost connection is tried again at once."""
    importlib.import_module("aiohttp")  # takes seconds on a busy machine: no part of how long a run may take
    monkeypatch.setattr(model_call, "FIRST_PAUSE_S", 0.01)
    return lambda: Interleavings(provider, tmp_path)


EXAMPLES = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_random_interleavings(machine: Callable[[], Interleavings]) -> None:
    """Whatever happens in whatever order: ends are final and single, histories and tokens right, nothing is left."""
    run_state_machine_as_test(machine, settings=EXAMPLES)
    assert Interleavings.checked >= EXAMPLES.max_examples


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_random_interleavings(machine: Callable[[], Interleavings]) -> None:
    """The same for many more, other ones each time."""
    many = settings(EXAMPLES, max_examples=1000, stateful_step_count=40, derandomize=False)
    run_state_machine_as_test(machine, settings=many)
    assert Interleavings.checked >= many.max_examples
