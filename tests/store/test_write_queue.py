from __future__ import annotations

import pytest

from nbagent.store.commands import AppendRows, CancelRequest, Finish, JournaledLaunch, Launch, Progress, Write
from nbagent.store.duckdb.write.write_queue import (
    BATCH,
    SPACING_PER_RUN_S,
    SPACING_S,
    WAITED_SPACING_S,
    WriteQueue,
)

NOW = 1000.0
END = {"status": "completed", "stop_reason": "end"}


def logged(run_id: str) -> JournaledLaunch:
    """A launch that the log holds."""
    return JournaledLaunch((run_id, run_id, 1, None, "owner", None, None, None, None, "{}"))


def after_a_batch(running: int) -> WriteQueue:
    """Jobs whose last batch was now, with so many runs under way."""
    jobs = WriteQueue()
    for number in range(running):
        jobs.put(Launch({"run_id": f"r{number}"}), NOW)
    jobs.put(Progress(run_id="r0"), NOW)
    jobs.written(len(jobs.take(NOW, everything=True)))
    return jobs


@pytest.mark.parametrize(
    ("running", "writes", "due"),
    [
        (2, [], None),
        (2, [Launch({"run_id": "q"})], 0.0),
        (2, [CancelRequest("q")], 0.0),
        (2, [Progress(run_id="r0")], NOW + 2 * SPACING_PER_RUN_S),
        (100, [Progress(run_id="r0")], NOW + SPACING_S),
        (100, [AppendRows(run_id="r0", waited=True)], NOW + WAITED_SPACING_S),
        (2, [Finish(run_id="r0", end=END)], NOW + SPACING_PER_RUN_S),
        (1, [Finish(run_id="r0", end=END)], 0.0),
        (0, [Progress(run_id="r0")], 0.0),
        (100, [Progress(run_id="r0")] * BATCH, 0.0),
        (0, [logged("q")], NOW + 1 + SPACING_S),
        (2, [logged("q"), Progress(run_id="r0")], NOW + 3 * SPACING_PER_RUN_S),
        (0, [logged("q"), Finish(run_id="q", end=END)], 0.0),
    ],
)
def test_when_the_next_is_due(running: int, writes: list[Write], due: float | None) -> None:
    """What is waited for goes at once, the rest gathers: the longer, the more runs are under way; the log's is last."""
    jobs = after_a_batch(running)
    for write in writes:
        jobs.put(write, NOW + 1)
    assert jobs.due() == pytest.approx(due)


def test_what_could_not_be_written_keeps_its_place() -> None:
    """After half a batch the other half is first again, and readers behind it go on waiting."""
    jobs = WriteQueue()
    for number in range(3):
        jobs.put(logged(f"r{number}"), NOW)
    jobs.put(CancelRequest("q"), NOW)
    taken = jobs.take(NOW, everything=True)
    assert [job.number for job in taken] == [1, 2, 3, 4]
    assert (len(jobs), jobs.first(), jobs.logged) == (4, None, 3)
    jobs.written(1)
    assert (len(jobs), jobs.first(), jobs.logged) == (3, 2, 2)
    assert [job.number for job in jobs.take(NOW, everything=True)] == [2, 3, 4]


@pytest.mark.parametrize(("session_id", "last"), [("s", 4), ("r5", 6), ("unknown", 3)])
def test_who_reads_a_session_waits_for_its_rows_alone(session_id: str, last: int) -> None:
    """What other sessions have on its way is not waited for; a row that says no session may be of any."""
    jobs = WriteQueue()
    jobs.put(logged("r0"), NOW)
    jobs.put(Progress(run_id="r0"), NOW)
    jobs.put(Finish(run_id="r1", end=END), NOW)
    jobs.put(Finish(run_id="r2", session_id="s", end=END), NOW)
    jobs.put(Progress(run_id="r2"), NOW)
    jobs.put(logged("r5"), NOW)
    assert jobs.last_of(session_id) == last


def test_a_batch_takes_what_is_due_only() -> None:
    """What is urgent does not take along what may gather for longer."""
    jobs = after_a_batch(100)
    jobs.put(Progress(run_id="r0"), NOW)
    jobs.put(Launch({"run_id": "q"}), NOW)
    assert [type(job.write) for job in jobs.take(NOW, everything=False)] == [Launch]
    jobs.written(1)
    assert jobs.deferred()
