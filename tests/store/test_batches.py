"""What the record keeps of batches: their rows, launches that nobody waits for, the answers that earlier ones have."""

from __future__ import annotations

from datetime import UTC, datetime

from nbagent.store import BatchRecord, Finish, Launch, Store, answered_rows, batch_details
from nbagent.store.duckdb.write.write_queue import WriteQueue

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def launch(run_id: str, batch_id: str, row_key: str, *, waited: bool = False) -> Launch:
    """The launch of one row."""
    row = {"run_id": run_id, "session_id": run_id, "turn": 1, "batch_id": batch_id, "row_key": row_key}
    return Launch(row=row, minted=True, waited=waited)


def test_a_row_of_a_batch_waits_for_the_others() -> None:
    """Its launch is not urgent: it goes with the next batch of rows; one that a person waits for goes at once."""
    jobs = WriteQueue()
    jobs.put(launch("a", "b", "k"), 10.0)
    due = jobs.due()
    assert due is not None
    assert due > 0.0
    jobs.put(launch("c", "b", "k", waited=True), 10.0)
    assert jobs.due() == 0.0
    assert [job.write.row["run_id"] for job in jobs.take(0.001, everything=False)] == ["c"]


def test_a_batch_is_one_row_that_is_replaced(store: Store) -> None:
    """Each write replaces the last; its details are data."""
    for total, jobs in ((None, []), (7, ["job-1"])):
        store.submit(
            BatchRecord(
                batch_id="b",
                batch_key="k",
                created_at=NOW,
                owner=store.owner,
                total=total,
                details={"jobs": jobs},
            )
        ).result(60)
    (row,) = store.read("select batch_id, batch_key, total, reused, created_at from batches")
    assert row == {"batch_id": "b", "batch_key": "k", "total": 7, "reused": 0, "created_at": NOW}
    assert batch_details(store, "k") == [{"jobs": ["job-1"]}]
    assert batch_details(store, "other") == []


def test_only_completed_rows_of_the_same_key_are_answers(store: Store) -> None:
    """Rows of other keys, failed, cut and unfinished ones are asked anew; content comes back as data."""
    for key in ("k", "other"):
        store.submit(BatchRecord(batch_id=f"b-{key}", batch_key=key, created_at=NOW, owner=store.owner))
    for run_id, batch, status in (
        ("1", "b-k", "completed"),
        ("2", "b-k", "error"),
        ("3", "b-other", "completed"),
        ("4", "b-k", ""),
        ("5", "b-k", "cut"),
    ):
        store.submit(launch(run_id, batch, f"row-{run_id}"))
        if status:
            end = {
                "status": status.replace("cut", "completed"),
                "stop_reason": "max_output_tokens" if status == "cut" else "end",
                "content": {"x": 1},
                "content_type": "json",
                "started_at": NOW,
            }
            store.submit(
                Finish(
                    run_id=run_id,
                    session_id=run_id,
                    turn=1,
                    end=end | {"output_valid": True, "finished_at": NOW},
                )
            )
    (found,) = answered_rows(store, "k")
    assert (found.run_id, found.row_key, found.content, found.output_valid) == ("1", "row-1", {"x": 1}, True)
    assert (found.duration_s, found.stop_reason) == (0.0, "end")
