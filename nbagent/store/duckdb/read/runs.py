"""Runs read back from the record. On any thread but the writer's; each call is one turn's reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
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
from nbagent.store.process_id import PLACED

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
_THESE_RUNS = "select * from runs where run_id in ({ids})"
_LATEST_LABELLED = """
    select label, arg_max(run_id, (created_at, run_id)) as run_id from launches where label in ({ids}) group by label
"""
_ATTEMPTS = "select run_id, created_at, started_at, finished_at, paused_s from attempts where run_id in ({ids}) order by attempt"
# sorted here, run by run: for a few rows DuckDB's own sort costs as much as finding them
_CALLS = (
    "select * from model_calls where run_id in ({ids})",
    itemgetter("attempt", "step", "started_at", "try_no"),
)
_TOOLS = "select * from tool_calls where run_id in ({ids})", itemgetter("attempt", "step", "started_at")
_MESSAGES = "select * from messages where run_id in ({ids}) and attempt > 0", itemgetter("seq")
_OWN_SESSION = """
    select details ->> '$.own_session' as own, details ->> '$.on_busy' as on_busy, details ->> '$.template' as template,
           details ->> '$.placement' as placement, details ->> '$.placed' as placed,
           details ->> '$.address' as address
    from launches where run_id = ?
"""
_NEW = """
    select r.*, l.details ->> '$.own_session' as own, l.details ->> '$.on_busy' as on_busy,
           l.details ->> '$.template' as template, l.details ->> '$.placement' as placement,
           l.details ->> '$.placed' as placed, l.details ->> '$.address' as address
    from runs r join launches l on l.run_id = r.run_id
    where r.run_id in (select unnest(?::varchar[])) and r.owner = ? and r.finished_at is null
"""
# two steps: most runs have no children, and to see that costs a tenth of asking the view `runs`
_CHILD_IDS = "select run_id from launches where parent_run_id in ({ids})"
_CHILDREN = "select * from runs where run_id in ({ids}) order by created_at, run_id"
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
        return _outputs(ask, found, members=members)[0] if found else None


def load_runs(store: Reader, keys: Sequence[str]) -> dict[str, RunOutput]:
    """The runs with these ids or latest with these labels, by key, in a few queries; those that are not there are left out."""
    with store.reader() as ask:
        rows = {row["run_id"]: row for row in _rows_of(ask, _THESE_RUNS, keys)}
        labels = [key for key in dict.fromkeys(keys) if key not in rows]
        named = {row["label"]: row["run_id"] for row in _rows_of(ask, _LATEST_LABELLED, labels)}
        rows |= {
            row["run_id"]: row
            for row in _rows_of(ask, _THESE_RUNS, [one for one in named.values() if one not in rows])
        }
        outputs = {output.run_id: output for output in _outputs(ask, list(rows.values()), members=True)}
    return {key: outputs[named.get(key, key)] for key in keys if named.get(key, key) in outputs}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """All that the record holds of a run: what its next attempt begins with. `row` is that of the view `runs`.

    `parallel`: it takes no turn in its session. `placement` is where it is to work, None a kernel, `address` the
    module and name of its agent there, `placed` what else its launch says for that. `started` is which run each of its tool calls, by step and id, has started last.
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
    placement: str | None = None
    address: str | None = None
    placed: Mapping[str, Any] = field(default_factory=dict)

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
    with ranked as (
        select l.run_id, l.label, l.agent_name, l.session_id, l.turn, l.created_at, l.details, row_number() over (
            partition by coalesce(l.label, l.details ->> '$.cell_id', l.run_id) order by l.created_at desc, l.run_id desc
        ) as rank
        from launches l where {where} and l.parent_run_id is null and l.batch_id is null
    ), chosen as (
        select * from ranked where rank = 1
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


def run_statuses(store: Reader, run_ids: Sequence[str]) -> dict[str, str]:
    """The statuses of these runs by id, without waiting for rows of this process; those that are not there are left out."""
    with store.reader(flush=False) as ask:
        rows = _rows_of(ask, "select run_id, status from runs where run_id in ({ids})", run_ids)
    return {row["run_id"]: row["status"] for row in rows}


def load_stopped(store: Reader, key: str) -> StoredRun | None:
    """The run with this id, or the latest with this label, with what a resume needs; None if there is none."""
    with store.reader() as ask:
        found = ask(_BY_ID, [key]) or ask(_BY_LABEL, [key])
        if not found:
            return None
        row = found[0]
        (own,) = ask(_OWN_SESSION, [row["run_id"]])
        is_new = row["owner"] == PLACED  # nobody has begun with it: it has nothing else
        if is_new:
            return _stored_new(row, own)
        (output,) = _outputs(ask, [row], members=True)
        return _stored(row, own, output, _times(ask, [row])[row["run_id"]], _started(ask, row["run_id"]))


def load_new(store: Reader, run_ids: Sequence[str]) -> list[StoredRun]:
    """Those of these runs that wait for a worker and that nobody has begun, in one query. Raises StoreError."""
    with store.reader(flush=False) as ask:  # nothing of this process is on its way for them
        rows = ask(_NEW, [list(run_ids), PLACED])
    return [_stored_new(row, row) for row in rows]


def _stored_new(row: Mapping[str, Any], told: Mapping[str, Any]) -> StoredRun:
    return _stored(row, told, _new_output(row), (_attempt_times(row),), {})


def _stored(
    row: Mapping[str, Any],
    told: Mapping[str, Any],
    output: RunOutput,
    times: tuple[AttemptTimes, ...],
    started: Mapping[tuple[int, str], str],
) -> StoredRun:
    """A run of its row and of what its launch has told besides."""
    return StoredRun(
        row=row,
        output=output,
        spec=load_json(row["spec"] or "{}"),
        tags=load_json(row["tags"] or "{}"),
        times=times,
        own_session=told["own"] == "true",
        parallel=told["on_busy"] == PARALLEL,
        template=told["template"],
        placement=told["placement"],
        address=told["address"],
        placed=load_json(told["placed"] or "{}"),
        started=started,
    )


def _new_output(row: Mapping[str, Any]) -> RunOutput:
    """The run of a row that has nothing but its launch."""
    times = {row["run_id"]: (_attempt_times(row),)}
    return _Parts({}, {}, {}, times).output(row, ())


def _started(ask: Ask, run_id: str) -> dict[tuple[int, str], str]:
    return {_call_of(one["started_by"]): one["run_id"] for one in ask(_STARTED, [run_id])}


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
        return _rows_of(ask, _THESE, picked)


def _rows_of(ask: Ask, sql: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a query with `{ids}` in it."""
    if len(ids) > _FEW:
        return ask(sql.format(ids="select unnest(?)"), [list(ids)])
    return ask(sql.format(ids=", ".join("?" * len(ids))), list(ids)) if ids else []


def read_run(ask: Ask, run_id: str) -> RunOutput | None:
    """The run with this id and the runs below it, by a reader that is at work; None if there is none."""
    found = ask(_BY_ID, [run_id])
    return _outputs(ask, found, members=True)[0] if found else None


def _outputs(ask: Ask, rows: Sequence[Mapping[str, Any]], *, members: bool) -> list[RunOutput]:
    """The runs of these rows, and what is under them, in a few queries for all."""
    every: dict[str, Mapping[str, Any]] = {row["run_id"]: row for row in rows}
    children: dict[str, list[Mapping[str, Any]]] = {}
    level: Sequence[Mapping[str, Any]] = rows
    while parents := [_team(row) for row in level if members or row["kind"] == "team"]:
        below = _rows_of(ask, _CHILD_IDS, [one for one in dict.fromkeys(parents) if one not in children])
        level = _rows_of(ask, _CHILDREN, [row["run_id"] for row in below])
        children |= {parent: [] for parent in parents if parent not in children}
        for row in level:
            children[row["parent_run_id"]].append(row)
        every |= {row["run_id"]: row for row in level}
        members = True
    parts = _Parts.read(ask, list(every.values()))

    def output(row: Mapping[str, Any]) -> RunOutput:
        return parts.output(row, tuple(map(output, children.get(_team(row), ()))))

    return [output(row) for row in rows]


def _team(row: Mapping[str, Any]) -> str:
    """Whose members a run shows: a team that was given an answer shows whose work it was."""
    team: str = row["cached_from"] or row["run_id"]
    return team


@dataclass(frozen=True, slots=True)
class _Parts:
    """What several runs consist of, by run."""

    calls: Mapping[str, Sequence[Mapping[str, Any]]]
    tools: Mapping[str, Sequence[Mapping[str, Any]]]
    messages: Mapping[str, Sequence[Mapping[str, Any]]]
    times: Mapping[str, tuple[AttemptTimes, ...]]

    @classmethod
    def read(cls, ask: Ask, rows: Sequence[Mapping[str, Any]]) -> _Parts:
        """Read them; all attempts count: what a run cost includes what its first attempt cost."""
        ids = [row["run_id"] for row in rows]
        calls, tools, messages = (
            _by_run(sorted(_rows_of(ask, sql, ids), key=order)) for sql, order in (_CALLS, _TOOLS, _MESSAGES)
        )
        return cls(calls, tools, messages, _times(ask, rows))

    def output(self, row: Mapping[str, Any], members: tuple[RunOutput, ...]) -> RunOutput:
        """The run of a row."""
        run_id = row["run_id"]
        said = tuple(map(message_of, self.messages.get(run_id, ())))
        paused = row["status"] == RunStatus.paused.value
        output = RunOutput(
            **{name: row[name] for name in _SIMPLE if row[name] is not None},
            status=RunStatus(row["status"]),
            content=_content(row),
            messages=said,
            model_calls=tuple(map(model_call_of, self.calls.get(run_id, ()))),
            tool_calls=in_asked_order(tuple(map(tool_call_of, self.tools.get(run_id, ()))), said),
            pending_approvals=pending_approvals_of(row) if paused else (),
            member_responses=members,
        )
        output = output.model_copy(update={"metrics": _metrics(output, self.times[run_id])})
        return output.with_answer_json(answer_json(row))


def _by_run(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["run_id"], []).append(row)
    return found


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


def _times(ask: Ask, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[AttemptTimes, ...]]:
    """The times of runs' attempts in order; a run that was never resumed is read no further."""
    found = {row["run_id"]: (_attempt_times(row),) for row in rows if row["attempt"] == 1}
    resumed = [row["run_id"] for row in rows if row["attempt"] != 1]
    attempts = _by_run(_rows_of(ask, _ATTEMPTS, resumed))
    return found | {run_id: tuple(map(_attempt_times, attempts[run_id])) for run_id in resumed}


def _attempt_times(row: Mapping[str, Any]) -> AttemptTimes:
    return AttemptTimes(
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        paused_s=row["paused_s"],
    )


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
