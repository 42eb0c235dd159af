"""Runs read back from the record. On any thread but the writer's; each call is one turn's reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbagent.core import load_json
from nbagent.run import (
    AttemptTimes,
    RunMetrics,
    RunOutput,
    RunStatus,
    in_asked_order,
    metrics_of,
    paid_calls,
)
from nbagent.store.duckdb.codec import message_of, model_call_of, pending_approvals_of, tool_call_of
from nbagent.store.duckdb.read.sessions import PARALLEL
from nbagent.store.duckdb.write.orphans import nobody_works_on

if TYPE_CHECKING:
    from nbagent.events import PendingApproval
    from nbagent.store.duckdb.read.metrics_sql import RunFilter
    from nbagent.store.ports import Ask, Reader

_SIMPLE = tuple(
    name
    for name in RunOutput.model_fields
    if name not in {"content", "status", "metrics", "messages", "member_responses", "pending_approvals"}
    and name not in {"model_calls", "tool_calls"}
)
_BY_ID = "select * from runs where run_id = ?"
_BY_LABEL = """
    select * from runs where run_id =
        (select run_id from launches where label = ? order by created_at desc, run_id desc limit 1)
"""
_ATTEMPTS = (
    "select created_at, started_at, finished_at, paused_s from attempts where run_id = ? order by attempt"
)
_OWN_SESSION = """
    select details ->> '$.own_session' as own, details ->> '$.on_busy' as on_busy, details ->> '$.template' as template
    from launches where run_id = ?
"""
_CHILDREN = "select * from runs where parent_run_id = ? order by created_at, run_id"
_STARTED = """
    select run_id, details -> '$.started_by' as started_by from launches
    where parent_run_id = ? and (details -> '$.started_by') is not null order by created_at, run_id
"""
# two steps: the newest ids are picked before anything is joined, and given as plain values DuckDB finds the rows
# by its index and its zone maps (5 ms on 250,000 runs; a subquery in their place 200 ms)
_NEWEST = "select run_id from {source} where {where} order by created_at desc, run_id desc limit ?"
_THESE = "select * from runs where run_id in ({ids}) order by created_at desc, run_id desc"
_FEW = 2000
_LAUNCH_FILTERS = ("session_id", "label", "parent_run_id", "batch_id", "agent_name", "owner")
_RUN_FILTERS = ("status", "provider", "model", "kind", "cell_id", "row_key")


def load_run(store: Reader, key: str, *, members: bool = True) -> RunOutput | None:
    """The run with this id, or the latest with this label; None if there is none. Raises StoreError.

    `content` is text or plain data. With `members` the runs that it started come with it.
    """
    with store.reader() as ask:
        found = ask(_BY_ID, [key]) or ask(_BY_LABEL, [key])
        return _output(ask, found[0], members=members) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """All that the record holds of a run: what its next attempt begins with. `row` is that of the view `runs`.

    `parallel`: it takes no turn in its session. `started` is which run each of its tool calls, by step and id, has started last.
    """

    row: Mapping[str, Any]
    output: RunOutput
    spec: Mapping[str, Any]
    tags: Mapping[str, str]
    times: tuple[AttemptTimes, ...]
    own_session: bool
    parallel: bool
    started: Mapping[tuple[int, str], str]
    template: str | None = None

    @property
    def held(self) -> tuple[PendingApproval, ...]:
        """The calls that waited for a person when the last attempt was heard of: none of them has begun."""
        return pending_approvals_of(self.row)

    @property
    def is_left(self) -> bool:
        """True if the run is unfinished and the process that worked on it is gone."""
        last_seen = self.row["heartbeat_at"] or self.row["created_at"]
        return not self.output.is_final and nobody_works_on(self.row["owner"], last_seen)


_LAST_OF_EACH = """
    with chosen as (
        select l.run_id, l.label, l.agent_name, l.session_id, l.turn, l.created_at, l.details
        from launches l where {where} and l.parent_run_id is null and l.batch_id is null
        qualify row_number() over (
            partition by coalesce(l.label, l.details ->> '$.cell_id', l.run_id) order by l.created_at desc, l.run_id desc
        ) = 1
    )
    select c.run_id, c.label, c.agent_name, c.session_id, c.created_at,
           c.details ->> '$.prompt' as prompt, c.details ->> '$.template' as template, c.details ->> '$.spec' as spec,
           c.details ->> '$.provider' as provider, c.details ->> '$.model' as model,
           (select count(*) from launches s
            where s.session_id = c.session_id and s.turn > c.turn and s.parent_run_id is null) as later_turns
    from chosen c join runs r using (run_id) where r.status not in ('pending', 'running', 'paused')
    order by c.created_at desc, c.run_id desc
"""


def last_of_each(store: Reader, chosen: RunFilter) -> list[dict[str, Any]]:
    """The latest ended run of each label, else of each cell, with what it was asked, newest first; none of a batch.

    `later_turns` is how many runs its session has after it. Raises StoreError.
    """
    where, params = chosen.where()
    return store.read(_LAST_OF_EACH.format(where=where), params)


def load_stopped(store: Reader, key: str) -> StoredRun | None:
    """The run with this id, or the latest with this label, with what a resume needs; None if there is none."""
    with store.reader() as ask:
        found = ask(_BY_ID, [key]) or ask(_BY_LABEL, [key])
        if not found:
            return None
        row = found[0]
        (own,) = ask(_OWN_SESSION, [row["run_id"]])
        return StoredRun(
            row=row,
            output=_output(ask, row, members=True),
            spec=load_json(row["spec"] or "{}"),
            tags=load_json(row["tags"] or "{}"),
            times=attempt_times(ask, row),
            own_session=own["own"] == "true",
            parallel=own["on_busy"] == PARALLEL,
            template=own["template"],
            started={_call_of(one["started_by"]): one["run_id"] for one in ask(_STARTED, [row["run_id"]])},
        )


def _call_of(stored: str) -> tuple[int, str]:
    step, tool_call_id = load_json(stored)
    return step, tool_call_id


def list_runs(store: Reader, *, limit: int = 100, **filters: Any) -> list[dict[str, Any]]:
    """The newest runs as rows of the view `runs`, newest first.

    Filters are columns by name (`session_id="s"`, `status="running"`, a list for any of several); None is no
    filter. Filters on what a launch row holds are fast on files of any size.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    if unknown := given.keys() - {*_LAUNCH_FILTERS, *_RUN_FILTERS}:
        raise TypeError(f"runs cannot be listed by {', '.join(sorted(unknown))}")
    conditions, params = ["true"], []
    for name, value in given.items():
        values = [
            str(getattr(one, "value", one))
            for one in (value if isinstance(value, (list, tuple, set)) else [value])
        ]
        conditions.append(f"{name} in (select unnest(?::varchar[]))")
        params.append(values)
    source = "runs" if given.keys() & set(_RUN_FILTERS) else "launches"
    with store.reader() as ask:
        picked = [
            row["run_id"]
            for row in ask(_NEWEST.format(source=source, where=" and ".join(conditions)), [*params, limit])
        ]
        if len(picked) > _FEW:
            return ask(_THESE.format(ids="select unnest(?)"), [picked])
        return ask(_THESE.format(ids=", ".join("?" * len(picked))), picked) if picked else []


def read_run(ask: Ask, run_id: str) -> RunOutput | None:
    """The run with this id and the runs below it, by a reader that is at work; None if there is none."""
    found = ask(_BY_ID, [run_id])
    return _output(ask, found[0], members=True) if found else None


def _output(ask: Ask, row: Mapping[str, Any], *, members: bool) -> RunOutput:
    run_id = [row["run_id"]]
    # all attempts count: what a run cost includes what its first attempt cost
    calls = ask(
        "select * from model_calls where run_id = ? order by attempt, step, started_at, try_no", run_id
    )
    tools = ask("select * from tool_calls where run_id = ? order by attempt, step, started_at", run_id)
    messages = ask("select * from messages where run_id = ? and attempt > 0 order by seq", run_id)
    # a team that was given an answer shows whose work it was
    team = [row["cached_from"] or row["run_id"]]
    children = ask(_CHILDREN, team) if members or row["kind"] == "team" else []
    said = tuple(map(message_of, messages))
    paused = row["status"] == RunStatus.paused.value
    output = RunOutput(
        **{name: row[name] for name in _SIMPLE if row[name] is not None},
        status=RunStatus(row["status"]),
        content=_content(row),
        messages=said,
        model_calls=tuple(map(model_call_of, calls)),
        tool_calls=in_asked_order(tuple(map(tool_call_of, tools)), said),
        pending_approvals=pending_approvals_of(row) if paused else (),
        member_responses=tuple(_output(ask, child, members=True) for child in children),
    )
    output = output.model_copy(update={"metrics": _metrics(output, attempt_times(ask, row))})
    return output.with_answer_json(answer_json(row))


def _metrics(output: RunOutput, times: Sequence[AttemptTimes]) -> RunMetrics:
    """What the run cost, over all attempts; a team's calls are those of everything under it."""
    model_calls, tool_calls = paid_calls(output, output.tool_calls, team=output.kind == "team")
    return metrics_of(
        model_calls,
        tool_calls,
        created_at=times[-1].created_at,
        started_at=times[-1].started_at,
        finished_at=times[-1].finished_at,
        paused_s=times[-1].paused_s,
        earlier=times[:-1],
        free=output.cached_from is not None,
    )


def attempt_times(ask: Ask, row: Mapping[str, Any]) -> tuple[AttemptTimes, ...]:
    """The times of a run's attempts in order; a run that was never resumed is read no further."""
    names = ("created_at", "started_at", "finished_at", "paused_s")
    rows = [row] if row["attempt"] == 1 else ask(_ATTEMPTS, [row["run_id"]])
    return tuple(AttemptTimes(**{name: one[name] for name in names}) for one in rows)


def _content(row: Mapping[str, Any]) -> Any:
    """The answer as text or plain data; the text so far where the run has none, None where texts are not kept."""
    if row["content"] is None:
        return None if row["output_valid"] or row["prompt"] is None else row["partial_text"] or ""
    return content_of(row)


def content_of(row: Mapping[str, Any]) -> Any:
    """The content of an end as text or plain data."""
    if row["content"] is None:
        return None
    return row["content"] if row["content_type"] in (None, "text") else load_json(row["content"])


def answer_json(row: Mapping[str, Any]) -> str | None:
    """The JSON of a typed answer as the model wrote it; None for text, and where an earlier release kept a dump."""
    content: str | None = row["content"] if row["content_source"] == "answer" else None
    return content
