"""One session, several kernels: real processes take turns, see each other's history, die, pause, refuse and take over."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import Agent, RunStatus
from nbagent.errors import SessionBusyError
from nbagent.panel.card.data import RunSnapshot, card_row
from nbagent.runtime import current
from nbagent.store.duckdb.lock_file import try_lock
from tests.provider.server import ScriptedProvider
from tests.runtime.session_kernels import Gates, Kernel, agent_on, prompts_seen

Until = Callable[[Callable[[], bool]], None]
Start = Callable[[], Kernel]


@pytest.fixture
def gates(provider: ScriptedProvider) -> Gates:
    """The provider's side, which answers every prompt."""
    gates = Gates()
    provider.otherwise(gates.answer)
    return gates


@pytest.fixture
def here(provider: ScriptedProvider) -> Agent:
    """The agent of this process, which is one of the kernels."""
    return agent_on(provider.base_url)


@pytest.fixture
def kernel(provider: ScriptedProvider) -> Iterator[Start]:
    """Start another kernel."""
    started: list[Kernel] = []

    def start() -> Kernel:
        started.append(Kernel(provider.base_url))
        return started[-1]

    yield start
    for one in started:
        one.process.send_signal(signal.SIGCONT)
        one.end()


def waiting(run: nb.Run) -> str:
    """What a card says instead of the text."""
    assert run.record is not None
    return str(card_row(RunSnapshot.of_record(run.record))["waiting"])


def histories(provider: ScriptedProvider) -> list[list[str]]:
    """The prompts in each request so far."""
    return [prompts_seen(body) for body in provider.bodies]


def test_a_later_kernels_run_waits_and_sees_the_history(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """Turns follow each other in launch order whoever has them; meanwhile each card says what it waits for."""
    other = kernel()
    gate = gates.hold("one")
    first = other.start("one", label="first")
    provider.wait_for_requests(1)
    second = here.start("two", session_id="s")
    third = other.start("three")
    fourth = here.start("four", session_id="s")
    until(lambda: f"run 'first' of process {other.pid} on " in waiting(second))
    until(lambda: "is before it; waiting for" in waiting(second))
    assert [second.status, other.look(third)["status"], len(provider.requests)] == [
        RunStatus.pending,
        "pending",
        1,
    ]
    gate.open()
    assert fourth.wait(timeout=60).content == "answer to four"
    assert other.wait(third)["content"] == "answer to three"
    names = ["one", "two", "three", "four"]
    assert histories(provider) == [names[: n + 1] for n in range(4)]
    rows = nb.sql("select prompt, started_at, finished_at from runs order by turn")
    assert list(rows["prompt"]) == names
    assert (rows["started_at"].iloc[1:].to_numpy() >= rows["finished_at"].iloc[:-1].to_numpy()).all()
    assert second.record is not None
    assert any(one.startswith("waited ") and "'first'" in one for one in second.record.notices), (
        second.record.notices
    )
    assert other.wait(first)["notices"] == []
    until(lambda: other.ask("claims") == [])


@pytest.mark.parametrize("died", ["at work", "in the queue", "both"])
def test_a_killed_kernel_keeps_nobody_waiting(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until, died: str
) -> None:
    """Who worked or waited there is interrupted, and the others go on at once and say what they have waited for."""
    other, third = kernel(), kernel()
    gate = gates.hold("one")
    if died == "at work":
        (first, killed) = (other.start("one", label="head"), other)
        provider.wait_for_requests(1)
    elif died == "in the queue":
        run = here.start("one", session_id="s", label="head")
        provider.wait_for_requests(1)
        (first, killed) = (other.start("waits", label="waiter"), other)
    else:
        first = other.start("one", label="head")
        provider.wait_for_requests(1)
        other.start("waits", label="waiter")
        killed = other
    behind = here.start("two", session_id="s")
    last = third.start("three")
    until(lambda: third.look(last)["waiting"].startswith("waiting for its turn: run "))
    killed.kill()
    if died == "in the queue":
        gate.open()
        assert run.wait(timeout=60).status is RunStatus.completed
    assert behind.wait(timeout=60).content == "answer to two"
    assert third.wait(last)["status"] == "completed"
    assert nb.get(first).status is RunStatus.interrupted
    if died != "in the queue":
        assert behind.record is not None
        (said,) = [one for one in behind.record.notices if one.startswith("waited ")]
        assert f"'head' of process {killed.pid} on " in said
        assert "which is gone" in said
    assert histories(provider)[-1][-2:] == ["two", "three"]


def stopped_between_leases(pid: int, record: Path) -> bool:
    """Stop a process where it has nobody waiting for the record's file; False if it was at work there, and goes on."""
    os.kill(pid, signal.SIGSTOP)
    for suffix in (".gate", ".lock"):
        with record.with_name(record.name + suffix).open("rb") as lock:
            if not try_lock(lock.fileno()):
                os.kill(pid, signal.SIGCONT)
                return False
    return True


def test_a_stopped_kernel_keeps_its_turn(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """A process that sleeps is not dead: its run is waited for, and goes on first when it wakes."""
    other = kernel()
    gate = gates.hold("one")
    first = other.start("one")
    provider.wait_for_requests(1)
    until(lambda: stopped_between_leases(other.pid, current().store.path))
    second = here.start("two", session_id="s")
    until(lambda: re.search(r"waiting for ([2-9]|\d\d+) s", waiting(second)) is not None)
    assert len(provider.requests) == 1
    gate.open()
    os.kill(other.pid, signal.SIGCONT)
    assert second.wait(timeout=60).content == "answer to two"
    assert other.wait(first)["status"] == "completed"
    assert histories(provider) == [["one"], ["one", "two"]]


def test_a_paused_head_keeps_its_turn(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """It says that others wait for it, they say that it waits for a person; approved from elsewhere it goes on first."""
    other = kernel()
    first = other.start("pay", label="order")
    second = here.start("two", session_id="s")
    until(lambda: other.look(first)["waiting"] == "waits for your approval; runs of its session wait for it")
    said = f"waiting for its turn: run 'order' of process {other.pid}"
    until(lambda: waiting(second).startswith(said) and "before it waits for approval" in waiting(second))
    nb.get(first).approve()
    assert second.wait(timeout=60).content == "answer to two"
    assert other.wait(first)["content"] == "answer to pay"
    assert histories(provider) == [["pay"], ["pay"], ["pay", "two"]]


@pytest.mark.parametrize("by", ["approving", "cancelling"])
def test_a_paused_head_whose_kernel_is_gone_keeps_its_turn(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until, by: str
) -> None:
    """Its row does: until somebody decides, who adopts it, runs behind it wait and say so."""
    other = kernel()
    first = other.start("pay", label="order")
    until(lambda: other.look(first)["status"] == "paused")
    until(lambda: bool(len(nb.sql("select 1 from runs where status = 'paused'"))))
    other.kill()
    second = here.start("two", session_id="s")
    until(lambda: "its kernel is gone" in waiting(second))
    assert waiting(second).startswith("waiting for its turn: run 'order' before it waits for approval")
    if by == "approving":
        nb.get(first).approve(agent=here)
    else:
        assert nb.get(first).cancel()
    assert second.wait(timeout=60).content == "answer to two"
    assert nb.get(first).wait(timeout=60).status.value == ("completed" if by == "approving" else "cancelled")
    assert histories(provider)[-1] == ["pay", "two"]


def test_a_resumed_run_has_its_old_turn(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """Runs that only wait, here or elsewhere, let it go first; the one at work is waited for; nobody waits in a circle."""
    other = kernel()
    gates.hold("lost")
    lost = other.start("lost")
    provider.wait_for_requests(1)
    other.kill()
    third = kernel()
    gate = gates.hold("work")
    work = here.start("work", session_id="s")
    provider.wait_for_requests(2)
    behind = [third.start("behind"), third.start("more")]
    gates.held["lost"].open()
    resumed = nb.resume(lost, agent=here)
    until(lambda: third.look(behind[0])["waiting"].startswith("waiting for its turn: run "))
    assert len(provider.requests) == 2
    gate.open()
    assert work.wait(timeout=60).status is RunStatus.completed
    assert resumed.wait(timeout=60).content == "answer to lost"
    assert [third.wait(one)["status"] for one in behind] == ["completed"] * 2
    assert histories(provider)[2:] == [
        ["lost"],
        ["lost", "work", "behind"],
        ["lost", "work", "behind", "more"],
    ]


def test_reject_looks_at_all_kernels(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """Whatever the other kernel's run does: work, wait beside the queue, wait for a person; its end frees the session."""
    other = kernel()
    here.on_busy = "reject"
    gate = gates.hold("one")
    first = other.start("one", label="first")
    provider.wait_for_requests(1)
    with pytest.raises(
        SessionBusyError, match=f"'s' has an unfinished run: 'first' of process {other.pid} on"
    ):
        here.start("two", session_id="s")
    assert here.start("else", session_id="another").wait(timeout=60).content == "answer to else"
    gate.open()
    other.wait(first)
    gate = gates.hold("beside")
    beside = other.start("beside", on_busy="parallel", label="beside")
    with pytest.raises(SessionBusyError, match="'beside' of process"):
        here.start("two", session_id="s")
    gate.open()
    other.wait(beside)
    paused = other.start("pay", label="order")
    until(lambda: other.look(paused)["status"] == "paused")
    with pytest.raises(SessionBusyError, match="'order' of process"):
        here.start("two", session_id="s")
    other.ask("approve", run_id=paused)
    other.wait(paused)
    assert here.start("two", session_id="s").wait(timeout=60).content == "answer to two"
    held = gates.hold("mine")
    mine = here.start("mine", session_id="s")
    with pytest.raises(ValueError, match=r"SessionBusyError.*'s' has an unfinished run"):
        other.start("three", on_busy="reject")
    held.open()
    mine.wait(timeout=60)


def test_a_dead_kernels_runs_make_no_session_busy(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider
) -> None:
    """A process that was killed has left its row unfinished, which is no reason to refuse."""
    other = kernel()
    gates.hold("one")
    other.start("one")
    provider.wait_for_requests(1)
    other.kill()
    here.on_busy = "reject"
    assert here.start("two", session_id="s").wait(timeout=60).content == "answer to two"


def test_cancel_takes_over_from_all_kernels(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """The run at work, one that waits, one beside them and a paused one that was left are ended; then it is its turn."""
    other, gone = kernel(), kernel()
    paused = gone.start("pay")
    until(lambda: gone.look(paused)["status"] == "paused")
    until(lambda: bool(len(nb.sql("select 1 from runs where status = 'paused'"))))
    gone.kill()
    gates.hold("beside")
    beside = other.start("beside", on_busy="parallel")
    queued = other.start("queued")
    provider.wait_for_requests(2)
    here.on_busy = "cancel"
    run = here.start("two", session_id="s")
    assert run.wait(timeout=60).content == "answer to two"
    assert [other.wait(one)["status"] for one in (beside, queued)] == ["cancelled"] * 2
    assert nb.get(paused).status is RunStatus.cancelled
    gates.hold("work")
    work = other.start("work")
    provider.wait_for_requests(4)
    assert here.start("again", session_id="s").wait(timeout=60).content == "answer to again"
    assert other.wait(work)["status"] == "cancelled"
    ended = nb.get(work).output.finished_at
    assert ended is not None
    rows = nb.sql("select started_at from runs where prompt = 'again'")
    assert rows["started_at"].iloc[0].to_pydatetime() >= ended


def test_parallel_runs_wait_for_no_kernel(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider
) -> None:
    """Neither for another's queue, nor is one waited for."""
    other = kernel()
    held = [gates.hold("one"), gates.hold("beside")]
    first = other.start("one")
    beside = other.start("beside", on_busy="parallel")
    provider.wait_for_requests(2)
    here.on_busy = "parallel"
    assert here.start("two", session_id="s").wait(timeout=60).content == "answer to two"
    held[0].open()
    other.wait(first)
    here.on_busy = "queue"
    assert here.start("three", session_id="s").wait(timeout=60).content == "answer to three"
    held[1].open()
    assert other.wait(beside)["status"] == "completed"


def test_a_run_cancelled_while_it_waits_lets_the_others_go(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until
) -> None:
    """Its kernel waits no more, and leaves no file; who comes after it waits for who is at work."""
    other = kernel()
    gate = gates.hold("one")
    first = here.start("one", session_id="s")
    provider.wait_for_requests(1)
    second = other.start("two")
    third = here.start("three", session_id="s")
    until(lambda: other.look(second)["waiting"].startswith("waiting for its turn: run "))
    assert other.ask("cancel", run_id=second)
    assert other.wait(second)["status"] == "cancelled"
    gate.open()
    assert third.wait(timeout=60).content == "answer to three"
    assert first.wait(timeout=60).content == "answer to one"
    assert histories(provider) == [["one"], ["one", "three"]]
    until(lambda: other.ask("claims") == [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_keeps_no_turn(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider
) -> None:
    """A worker that outlives its killed kernel has not its claim."""
    other = kernel()
    gates.hold("one")
    other.start("one")
    provider.wait_for_requests(1)
    child = other.ask("fork")
    try:
        other.process.kill()
        other.process.wait()
        assert here.start("two", session_id="s").wait(timeout=60).content == "answer to two"
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_session_of_its_own_is_waited_for_too(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider
) -> None:
    """Who joins the session of a run that was launched without one waits for that run, in its kernel and in others."""
    other = kernel()
    gate = gates.hold("one")
    first = here.start("one")
    provider.wait_for_requests(1)
    second = other.start("two", session_id=first.session_id)
    third = here.start("three", session_id=first.session_id)
    gate.open()
    assert third.wait(timeout=60).content == "answer to three"
    assert other.wait(second)["status"] == "completed"
    assert histories(provider) == [["one"], ["one", "two"], ["one", "two", "three"]]


LOCKER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    "before", [[], ["zero"], ["zero", "zero again"]], ids=["only ours", "shared", "shared twice"]
)
def test_runs_with_a_session_go_on_while_another_program_has_the_record(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider, until: Until, before: list[str]
) -> None:
    """They are recorded at once, take turns by the claim and see what their kernel remembers.

    Where another kernel has used the session, too, they say that more could not be read.
    """
    other = kernel()
    for prompt in before:
        assert other.wait(other.start(prompt))["status"] == "completed"
    here.start("one", session_id="s").result(timeout=60)
    current().store.flush(10)
    with subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(current().store.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as locker:  # fmt: skip
        assert locker.stdout is not None
        assert locker.stdin is not None
        assert locker.stdout.readline() == "open\n"
        second = here.start("two", session_id="s")
        assert second.durable
        output = second.wait(timeout=60)
        assert (output.status, output.content) == (RunStatus.completed, "answer to two")
        with pytest.warns(UserWarning, match="is held by another"):
            third = here.start("three", session_id="s")
        assert third.durable
        assert third.wait(timeout=60).status is RunStatus.completed
        assert nb.get(third.run_id).content == "answer to three"
        theirs = other.start("theirs")
        assert other.wait(theirs)["status"] == "completed"
        locker.stdin.write("\n")
        locker.stdin.flush()
    seen = histories(provider)[len(before) :][:3]
    assert seen == [[*before, "one"], ["one", "two"], ["one", "two", "three"]]
    assert third.record is not None
    told = [one for one in third.record.notices if "cannot be read" in one and "2 earlier runs" in one]
    assert bool(told) == bool(before)
    until(lambda: len(nb.sql("select 1 from runs where status = 'completed'")) == 4 + len(before))
    assert here.start("last", session_id="s").wait(timeout=60).status is RunStatus.completed
    assert sorted(histories(provider)[-1]) == sorted(["last", "one", "theirs", "three", "two", *before])


def test_without_locks_turns_are_kept_by_the_record(
    gates: Gates, here: Agent, kernel: Start, provider: ScriptedProvider
) -> None:
    """A claim that cannot be had, as on a file system without flock, is said once on the run; the order holds."""
    other = kernel()
    store = current().store
    store.path.parent.mkdir(parents=True, exist_ok=True)
    store.path.with_name(store.path.name + ".sessions").write_text("no folder can be made here")
    gate = gates.hold("one")
    first = other.start("one")
    provider.wait_for_requests(1)
    second = here.start("two", session_id="s")
    third = other.start("three")
    gate.open()
    assert second.wait(timeout=60).content == "answer to two"
    assert other.wait(third)["status"] == "completed"
    (said,) = [one for one in other.wait(first)["notices"] if "kept by the record alone" in one]
    assert "not a directory" in said
    assert histories(provider) == [["one"], ["one", "two"], ["one", "two", "three"]]
