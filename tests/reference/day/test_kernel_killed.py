"""A kernel that is killed in the middle of a map: the next one goes on, and what was paid is paid once."""

from __future__ import annotations

import signal

import pytest

import nbagent as nb
from tests.provider.steps import Gate
from tests.reference.day.counting import (
    CountingServer,
    Held,
    Question,
    assert_batch_agrees,
)
from tests.reference.day.datasets import cars
from tests.reference.day.kernel_at_work import Label, kernel, start


class Labeller:
    """Answers so many at once; what comes after waits at a gate."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.gate = Gate()

    def __call__(self, question: Question) -> object:
        answer = {"maker": question.prompt.rpartition(": ")[2].split()[0]}
        self.at_once -= 1
        return answer if self.at_once >= 0 else Held(self.gate, answer)


def kill_after(server: CountingServer, rows: int) -> Labeller:
    """Have a kernel answer so many rows, and kill it with four more in flight."""
    server.answers = labeller = Labeller(rows)
    with kernel(server, "makers") as process:
        assert process.stdout is not None
        seen = [process.stdout.readline().strip() for _ in range(rows)]
        assert set(seen) <= set(cars().index)
        assert labeller.gate.reached.wait(60)
        server.provider.wait_for_requests(rows + 4)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    for call in server.calls[rows:]:
        assert call.request.disconnected.wait(60)
    labeller.gate.open()
    return labeller


@pytest.mark.parametrize("rows", [1, 36])
def test_the_cell_is_run_again_in_a_new_kernel(server: CountingServer, rows: int) -> None:
    """Rows that had answers cost nothing more, those in flight are asked again; both batches are the server's count."""
    kill_after(server, rows)
    died = nb.get("makers")
    died.wait(60)
    statuses = died.progress.statuses
    assert statuses["completed"] == rows
    # a row's launch goes into the record with the next ones: of the four in flight some may not be there
    assert statuses.get("interrupted", 0) <= 4
    assert sum(statuses.values()) == 40
    before = server.calls
    assert sum(call.is_paid for call in before) == rows
    batch = start(server.url, "again")
    frame = batch.result(60)
    assert (frame["maker"] == [name.split()[0] for name in frame.index]).all()
    assert frame["from_earlier"].sum() == batch.progress.reused == rows
    assert len(server.calls) == rows + 4 + (40 - rows)
    assert_batch_agrees(server, batch, server.calls[len(before) :])
    first = nb.get(died.batch_id)
    assert first.to_frame()["cost_usd"].sum() == pytest.approx(server.count(before)["cost_usd"], rel=1e-12)
    whole = server.count()
    both = nb.metrics.by_model()
    assert both["total_tokens"].sum() == whole["total_tokens"]
    assert both["cost_usd"].sum() == pytest.approx(whole["cost_usd"], rel=1e-12)


def test_the_same_batch_is_resumed(server: CountingServer) -> None:
    """`resume` fills the dead kernel's own batch: one frame, whose cost is all that the server gave out."""
    kill_after(server, 10)
    agent = server.agent(name="labeller", output_schema=Label)
    batch = nb.get("makers").resume(rows=cars(), agent=agent)
    frame = batch.result(60)
    assert set(frame["status"]) == {"completed"}
    assert not frame["from_earlier"].any()
    whole = server.count()
    assert len(server.calls) == 10 + 4 + 30
    assert frame["cost_usd"].sum() == pytest.approx(whole["cost_usd"], rel=1e-12)
    assert (batch.progress.tokens, batch.metrics.total_tokens) == (whole["total_tokens"],) * 2
    assert batch.metrics.cost_usd == pytest.approx(whole["cost_usd"], rel=1e-12)
    runs = nb.runs(batch="makers")
    assert (runs["status"] == "completed").sum() == 40
    assert set(runs["status"]) <= {"completed", "interrupted"}
    assert runs["cost_usd"].sum() == pytest.approx(whole["cost_usd"], rel=1e-12)
