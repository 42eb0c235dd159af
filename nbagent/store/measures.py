"""What the frames ask: one SQL for each, made of shared parts, so that a count means the same everywhere.

Built by `frames/` on the caller's thread; pure text, run by `Store.arrays`. How nothing is counted twice: a model
call is one row, whichever try or attempt it belonged to; a team's run holds its leader's own calls and each
member's run its own, so that sums over rows are sums over the work; what a run with `cached_from` holds was paid
by the run that it was copied from. Unknown is NULL: sums leave it out, and `usage_known` and `cost_known` say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbagent.run.metrics import TOKEN_FIELDS
from nbagent.store.columns import seconds_between
from nbagent.store.rows import naive

Query = tuple[str, list[Any]]


_LAST_OWNER = (
    "coalesce((select arg_max(s.owner, s.attempt) from attempt_starts s where s.run_id = l.run_id), l.owner)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which runs count: all that fit every field. Empty is no filter; `tags` must all be there."""

    run_ids: Sequence[str] = ()
    sessions: Sequence[str] = ()
    agents: Sequence[str] = ()
    statuses: Sequence[str] = ()
    since: datetime | None = None
    owner: str | None = None  # the process that works on it, or did last
    tags: Mapping[str, str] = field(default_factory=dict)

    def where(self) -> Query:
        """The condition on `launches l`, and its parameters."""
        conditions: list[str] = ["true"]
        params: list[Any] = []
        for column, values in (
            ("run_id", self.run_ids),
            ("session_id", self.sessions),
            ("agent_name", self.agents),
        ):
            if values:
                conditions.append(f"l.{column} in (select unnest(?::varchar[]))")
                params.append(list(values))
        if self.statuses:
            conditions.append(
                "l.run_id in (select run_id from runs where status in (select unnest(?::varchar[])))"
            )
            params.append(list(self.statuses))
        if self.since is not None:
            conditions.append("l.created_at >= ?")
            params.append(naive(self.since))
        if self.owner is not None:
            conditions.append(f"{_LAST_OWNER} = ?")
            params.append(self.owner)
        for name, value in self.tags.items():
            conditions.append("json_extract_string(l.details, ?) = ?")
            params += ["/tags/" + name.replace("~", "~0").replace("/", "~1"), value]
        return " and ".join(conditions), params


CALL_TOKENS = ",\n    ".join(f"sum(c.{name})::bigint as {name}" for name in TOKEN_FIELDS)
# what is said of a set of model calls `c`; percentiles are over completed calls, a refusal's speed says nothing
_OF_CALLS = f"""
    count(*) as model_calls,
    count(*) filter (c.try_no > 1) as retries,
    {CALL_TOKENS},
    count(c.total_tokens) / count(*) as usage_known,
    sum(c.cache_read_tokens) / nullif(sum(c.input_tokens) filter (c.cache_read_tokens is not null), 0)
        as cache_read_rate,
    sum(c.cost_usd) as cost_usd,
    count(c.cost_usd) / count(*) as cost_known,
    quantile_cont(c.ttft_s, [0.5, 0.95]) filter (c.status = 'completed') as ttft_q,
    sum(c.output_tokens) filter (c.status = 'completed')
        / nullif(sum(c.duration_s) filter (c.status = 'completed' and c.output_tokens is not null), 0)
        as output_tokens_per_s"""
_ENDINGS = """
    count(*) filter (c.status = 'error') as errors,
    count(*) filter (c.status in ('cancelled', 'abandoned')) as cancelled,
    errors / count(*) as error_rate,
    cancelled / count(*) as cancel_rate,
    sum(c.duration_s) as duration_s,
    quantile_cont(c.duration_s, [0.5, 0.95]) filter (c.status = 'completed') as duration_q"""
# what is said of a set of runs `r`: `work` time is summed over attempts, the time between two is no work
_OF_RUNS = """
    count(*) as runs,
    count(r.parent_run_id) as member_runs,
    sum(r.attempts)::bigint as attempts,
    count(*) filter (r.status = 'completed') as completed,
    count(*) filter (r.status = 'error') as errors,
    count(*) filter (r.status = 'cancelled') as cancelled,
    count(*) filter (r.status = 'timeout') as timeouts,
    count(*) filter (r.status = 'interrupted') as interrupted,
    count(*) filter (r.status in ('pending', 'running', 'paused')) as unfinished,
    errors / nullif(count(*) - unfinished, 0) as error_rate,
    cancelled / nullif(count(*) - unfinished, 0) as cancel_rate,
    count(r.cached_from) as cached_runs,
    cached_runs / count(*) as cached_rate,
    sum(r.work_s){roots} as duration_s,
    sum(r.queue_s){roots} as queue_s,
    quantile_cont(r.work_s, [0.5, 0.95]) filter (r.status = 'completed') as duration_q,
    min(r.created_at) as first_at,
    max(r.created_at) as last_at"""
# a member works while its leader waits: of a session's time only what no run started counts
_ROOTS_ONLY = " filter (r.parent_run_id is null)"

_QUANTILES = """{name}_q[1] as {name}_p50_s, {name}_q[2] as {name}_p95_s"""
_BOTH_QUANTILES = ", ".join(_QUANTILES.format(name=name) for name in ("duration", "ttft"))

_CHOSEN = """chosen as (
    select l.rowid as number, l.run_id, l.session_id, l.agent_name, l.parent_run_id, l.created_at, l.cached_from
    from launches l where {where}
)"""
# only runs that were resumed are summed over attempts: grouping all runs of a big record costs time
_TOLD = f"""spans as (
    select run_id, attempt, status, {seconds_between("started_at", "finished_at")} as work_s,
           {seconds_between("created_at", "started_at")} as queue_s
    from attempts where {{where}}
), told as (
    select run_id, 1 as attempts, status, work_s, queue_s from spans
    where run_id not in (select run_id from attempt_starts)
    union all
    select run_id, count(*), arg_max(status, attempt), sum(work_s), sum(queue_s) from spans
    where run_id in (select run_id from attempt_starts) group by run_id
)"""  # noqa: S608 - text of ours alone
# A run that no run of the record started is the root of its tree; what is below it belongs to its team.
# The recursion looks at nothing but children: looking at all runs costs time.
_TREE = """chosen as (
    select l.run_id, l.session_id, l.agent_name, l.parent_run_id, l.created_at, l.cached_from
    from launches l where {where}
), children as (
    select run_id, parent_run_id, agent_name from launches where parent_run_id is not null
), tree as (
    select run_id, agent_name, agent_name as team_name, null::varchar as leader_name
    from launches
    where parent_run_id is null and (kind = 'team' or run_id in (select parent_run_id from children))
    union all
    select run_id, agent_name, null, null
    from children o where not exists (select 1 from launches l where l.run_id = o.parent_run_id)
    union all
    select o.run_id, o.agent_name, t.team_name, t.agent_name
    from children o join tree t on o.parent_run_id = t.run_id
)"""


def told(where: str = "true") -> str:
    """The parts of a query that say of each run its status, work time and queue time, as `told`."""
    return _TOLD.format(where=where)


def by_model(chosen: Chosen) -> Query:
    """One row for each provider and model asked for."""
    where, params = chosen.where()
    sql = f"""
with {_CHOSEN.format(where=where)}, calls as not materialized (
    select c.*, number from model_calls c join chosen using (run_id) where cached_from is null
), parts as (
    select c.provider, c.request_model as model, {_OF_CALLS}, {_ENDINGS} from calls c group by 1, 2
), askers as (
    select provider, model, count(*) as runs
    from (select distinct provider, request_model as model, number from calls) group by 1, 2
)
select runs, parts.* exclude (duration_q, ttft_q), {_BOTH_QUANTILES}
from parts join askers using (provider, model) order by provider, model"""  # noqa: S608 - text of ours alone
    return sql, params


def by_tool(chosen: Chosen) -> Query:
    """One row for each tool by name."""
    where, params = chosen.where()
    sql = f"""
with {_CHOSEN.format(where=where)}, calls as not materialized (
    select c.*, number from tool_calls c join chosen using (run_id) where cached_from is null
), parts as (
    select c.name as tool_name, count(*) as tool_calls, {_ENDINGS} from calls c group by 1
), askers as (
    select tool_name, count(*) as runs from (select distinct name as tool_name, number from calls) group by 1
)
select runs, parts.* exclude (duration_q), {_QUANTILES.format(name="duration")}
from parts join askers using (tool_name) order by tool_name"""  # noqa: S608 - as above
    return sql, params


def by_agent(chosen: Chosen) -> Query:
    """One row for each agent by name: its own work, without its members'."""
    return _by_run(chosen, ["agent_name"])


def by_session(chosen: Chosen) -> Query:
    """One row for each session, in the order of their first runs."""
    return _by_run(chosen, ["session_id"], roots=_ROOTS_ONLY, order="first_at, session_id")


def by_member(chosen: Chosen) -> Query:
    """One row for each agent under each leader of each team, the team's own leader among them."""
    return _by_run(chosen, ["team_name", "leader_name", "agent_name"], tree=True)


def _by_run(
    chosen: Chosen, keys: Sequence[str], *, roots: str = "", tree: bool = False, order: str | None = None
) -> Query:
    """Count runs, their model calls and their tool calls by what is known of the run."""
    where, params = chosen.where()
    key = ", ".join(keys)
    same = " and ".join(f"a.{name} is not distinct from {{0}}.{name}" for name in keys)
    names = ", ".join(f"t.{name}" if tree and name != "agent_name" else f"h.{name}" for name in keys)
    sql = f"""
with recursive {(_TREE if tree else _CHOSEN).format(where=where)}, named as (
    select h.run_id, h.parent_run_id, h.created_at, h.cached_from, {names}
    from chosen h {"join tree t using (run_id)" if tree else ""}
), {told("run_id in (select run_id from named)" if tree else "true")}, ran as (
    select * from named join told using (run_id)
), of_runs as (
    select {key}, {_OF_RUNS.format(roots=roots)} from ran r group by {key}
), of_calls as (
    select {key}, {_OF_CALLS} from model_calls c join named using (run_id) where cached_from is null group by {key}
), of_tools as (
    select {key}, count(*) as tool_calls from tool_calls c join named using (run_id) where cached_from is null
    group by {key}
)
select a.* exclude (duration_q), coalesce(m.model_calls, 0) as model_calls, coalesce(m.retries, 0) as retries,
       coalesce(o.tool_calls, 0) as tool_calls, m.* exclude ({key}, model_calls, retries, ttft_q), {_BOTH_QUANTILES}
from of_runs a left join of_calls m on {same.format("m")} left join of_tools o on {same.format("o")}
order by {order or key}"""  # noqa: S608 - as above
    return sql, params
