"""What the record holds of batches: the answers that earlier batches with the same key have, and batches as rows.

Called where a batch begins, on a thread that may wait for the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbagent.core import load_json, seconds_between
from nbagent.store.duckdb.read.metrics_sql import ESTIMATES
from nbagent.store.duckdb.read.runs import answer_json, content_of, read_run
from nbagent.store.duckdb.write.orphans import nobody_works_on

if TYPE_CHECKING:
    from nbagent.run import RunOutput
    from nbagent.store.ports import Ask, Reader

_ANSWERED = """
with asked as (
    select l.run_id, l.created_at, coalesce(l.details ->> '$.answer_key', l.details ->> '$.row_key') as row_key
    from launches l join batches b using (batch_id) where b.batch_key = ?
)
select a.run_id, a.row_key, e.content, e.content_type, e.content_source, e.output_valid, e.stop_reason, e.started_at,
       e.finished_at
from asked a join attempt_ends e using (run_id)
where e.status = 'completed' and e.stop_reason <> 'max_output_tokens' order by a.created_at"""
_SAID = """
select run_id, arg_max(content, seq) as said from messages
where role = 'assistant' and attempt > 0
  and run_id in (select l.run_id from launches l join batches b using (batch_id) where b.batch_key = ?)
group by run_id"""
_BATCH = "select * from batches where batch_id = ?"
_HEARD = """
select max(coalesce(p.heartbeat_at, l.created_at)) as heard_at from launches l left join attempt_progress p using (run_id)
where l.batch_id = ?"""
# what a row has cost is what its run and all runs below it have cost
_RUNS = f"""
with recursive asked as (
    select run_id, created_at, details from launches where batch_id = ?
), below as (
    select run_id as top, run_id from asked
    union all
    select b.top, l.run_id from launches l join below b on l.parent_run_id = b.run_id
), paid as (
    select b.top as run_id, sum(c.cost_usd) as cost_usd, sum(c.total_tokens)::bigint as total_tokens,
           {ESTIMATES}
    from model_calls c join below b using (run_id) group by b.top
)
select a.run_id, a.created_at, a.details -> '$.position' as position, a.details -> '$.row_key' as row_key,
       a.details ->> '$.answer_key' as answer_key, r.prompt, r.status, r.stop_reason, r.content, r.content_type, r.content_source,
       r.output_valid, r.error_type, r.error_fields, r.error, r.partial_text, r.started_at, r.finished_at,
       paid.cost_usd, paid.total_tokens, paid.estimated_tokens, paid.estimated_cost_usd
from asked a join runs r using (run_id) left join paid using (run_id)
order by a.created_at, a.run_id"""  # noqa: S608 - text of ours alone
_ROWS = "select position, created_at, row_key, answer_key, outcome from batch_rows where batch_id = ? order by created_at"
_ANSWERS = """
select run_id, content, content_type, content_source, output_valid from runs where run_id in (
    select outcome ->> '$.run_id' from batch_rows where batch_id = ?)"""
_DETAILS = "select details from batches where batch_key = ? order by created_at"


_NAMED_RUN = "select run_id from launches where run_id = ?"
_NAMED_BATCH = "select batch_id from batches where batch_id = ?"
_BATCH_NAMES = """
select batch_id as name from batches where batch_id in (select unnest(?::varchar[]))
union
select label from batches where label in (select unnest(?::varchar[]))
"""
_LABELLED = """
select id, is_batch from (
    select run_id as id, false as is_batch, created_at from launches where label = ? and batch_id is null
    union all
    select batch_id, true, created_at from batches where label = ?
) labelled order by created_at desc, id desc limit 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What an id or a label names: a run or a batch, by its id."""

    id: str
    is_batch: bool


def named(store: Reader, key: str) -> Named | None:
    """What has this id, else what had this label last, a run or a batch; None for neither. Raises StoreError."""
    with store.reader() as ask:
        return _named(ask, key)


def load_named(store: Reader, key: str) -> tuple[Named | None, RunOutput | None]:
    """The same, and the run itself where it is one, in one read. Raises StoreError."""
    with store.reader() as ask:
        found = _named(ask, key)
        return found, None if found is None or found.is_batch else read_run(ask, found.id)


def _named(ask: Ask, key: str) -> Named | None:
    if ask(_NAMED_RUN, [key]):
        return Named(id=key, is_batch=False)
    if ask(_NAMED_BATCH, [key]):
        return Named(id=key, is_batch=True)
    found = ask(_LABELLED, [key, key])
    return Named(id=found[0]["id"], is_batch=found[0]["is_batch"]) if found else None


def batch_labels(store: Reader, names: Sequence[str]) -> set[str]:
    """Which of these names are, or were, the id or the label of a batch. Raises StoreError."""
    with store.reader() as ask:
        found = ask(_BATCH_NAMES, [list(names), list(names)])
    return {row["name"] for row in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRows:
    """A completed run of a batch: `content` is text or plain data; `row_key` says which row, or rows, it answers.

    A typed answer has its JSON as the model wrote it in `answer_json`; one of an earlier release has None there, and
    the reply that it stood in as `said`.
    """

    run_id: str
    row_key: str
    content: Any
    output_valid: bool | None
    stop_reason: str
    duration_s: float | None
    answer_json: str | None = None
    said: str | None = None


def answered_rows(store: Reader, batch_key: str) -> list[CompletedRows]:
    """Every run of the batches with this key that has a whole answer, oldest first. Raises StoreError."""
    with store.reader() as ask:
        rows = [row for row in ask(_ANSWERED, [batch_key]) if row["row_key"]]
        dumped = any(row["content_type"] != "text" and row["content_source"] is None for row in rows)
        said = {one["run_id"]: one["said"] for one in ask(_SAID, [batch_key])} if dumped else {}
    return [_answered(row, said.get(row["run_id"])) for row in rows]


def batch_details(store: Reader, batch_key: str) -> list[Mapping[str, Any]]:
    """The `details` of every batch with this key, oldest first. Raises StoreError."""
    return [load_json(row["details"] or "{}") for row in store.read(_DETAILS, [batch_key])]


def _answered(row: Mapping[str, Any], said: str | None) -> CompletedRows:
    return CompletedRows(
        run_id=row["run_id"],
        row_key=row["row_key"],
        content=content_of(row),
        output_valid=row["output_valid"],
        stop_reason=row["stop_reason"],
        duration_s=seconds_between(row["started_at"], row["finished_at"]),
        answer_json=answer_json(row),
        said=said,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """All that the record holds of a batch: its row, its runs and its rows without one, each in the order of time.

    `answers` has the runs, of whatever batch, that such rows have their answers of.
    """

    row: Mapping[str, Any]
    definition: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    answers: Mapping[str, Mapping[str, Any]]
    heard_at: datetime | None

    @property
    def is_placed(self) -> bool:
        """True for one that workers work on, or have; whoever asks rows of it again in a kernel has it there."""
        return load_json(self.row["details"] or "{}").get("placement") is not None

    @property
    def is_left(self) -> bool:
        """True for one that was not finished by a process that is gone; one of workers goes on at the next of them."""
        return (
            self.row["finished_at"] is None
            and not self.is_placed
            and nobody_works_on(
                self.row["owner"], max(self.heard_at or self.row["created_at"], self.row["created_at"])
            )
        )


def load_batch(store: Reader, batch_id: str) -> StoredBatch | None:
    """The batch with this id, None where there is none. Raises StoreError."""
    with store.reader() as ask:
        found = ask(_BATCH, [batch_id])
        if not found:
            return None
        runs, rows = ask(_RUNS, [batch_id]), ask(_ROWS, [batch_id])
        answers = {row["run_id"]: row for row in ask(_ANSWERS, [batch_id])} if rows else {}
        heard = ask(_HEARD, [batch_id])
    return StoredBatch(
        row=found[0],
        definition=load_json(found[0]["definition"] or "{}"),
        runs=runs,
        rows=[
            {**row, "outcome": load_json(row["outcome"]), "row_key": load_json(row["row_key"])}
            for row in rows
        ],
        answers=answers,
        heard_at=heard[0]["heard_at"],
    )
