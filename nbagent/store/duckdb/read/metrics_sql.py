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

from nbagent.run import TOKEN_FIELDS
from nbagent.store.duckdb.codec import naive
from nbagent.store.duckdb.tables import seconds_between, work_seconds

Query = tuple[str, list[Any]]


_LAST_OWNER = (
    "coalesce((select arg_max(s.owner, s.attempt) from attempt_starts s where s.run_id = l.run_id), l.owner)"
)
# what belongs to a label or a batch, the runs that these runs started included: they were paid for it
_WITH_BELOW = """with recursive belonging as (
    select run_id from launches where {top}
    union
    select o.run_id from launches o join belonging b on o.parent_run_id = b.run_id
) select run_id from belonging"""
_LABELLED = "label in (select unnest(?::varchar[]))"
OF_BATCHES = """batch_id in (
    with named as (select unnest(?::varchar[]) as name)
    select name from named
    union
    select arg_max(batch_id, created_at) from batches where label in (select name from named) group by label)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs count: all that fit every field. Empty is no filter; `tags` must all be there."""

    run_ids: Sequence[str] = ()
    sessions: Sequence[str] = ()
    agents: Sequence[str] = ()
    statuses: Sequence[str] = ()
    labels: Sequence[str] = ()  # runs with these labels, and all below them
    batches: Sequence[str] = ()  # by id, or by label: the latest of it; their rows' runs, and all below them
    since: datetime | None = None
    rows_only: bool = False  # of a batch: not the runs below its rows
    owner: str | None = None  # the process that works on it, or did last
    tags: Mapping[str, str] = field(default_factory=dict)

    def where(self) -> Query:
        """The condition on `launches l`, "true" for all runs, and its parameters."""
        conditions: list[str] = []
        params: list[Any] = []
        for column, values in (
            ("run_id", self.run_ids),
            ("session_id", self.sessions),
            ("agent_name", self.agents),
        ):
            if values:
                conditions.append(f"l.{column} in (select unnest(?::varchar[]))")
                params.append(list(values))
        for top, names in ((_LABELLED, self.labels), (OF_BATCHES, self.batches)):
            if names:
                below = top.replace("batch_id", "l.batch_id", 1) if self.rows_only else None
                conditions.append(below or f"l.run_id in ({_WITH_BELOW.format(top=top)})")
                params.append(list(names))
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
        return " and ".join(conditions) or "true", params


def _quantiles(of: str, column: str, name: str, *, many: bool = False) -> str:
    """Median and 95th percentile over what completed, from one list of both.

    Of `many` groups, which are small, they are taken one by one: a list for each costs more there.
    """
    done = f"filter ({of}.status = 'completed')"
    both = f"(quantile_cont({of}.{column}, [0.5, 0.95]) {done})"
    middle = f"quantile_cont({of}.{column}, 0.5) {done}" if many else f"{both}[1]"
    late = f"quantile_cont({of}.{column}, 0.95) {done}" if many else f"{both}[2]"
    return f"{middle} as {name}_p50_s, {late} as {name}_p95_s"


ESTIMATES = """sum(c.estimated_input_tokens + c.estimated_output_tokens)::bigint as estimated_tokens,
    sum(c.estimated_cost_usd) as estimated_cost_usd"""
CALL_TOKENS = ",\n    ".join(f"sum(c.{name})::bigint as {name}" for name in TOKEN_FIELDS)
_ENDINGS = f"""
    count(*) filter (c.status = 'error') as errors,
    count(*) filter (c.status in ('cancelled', 'abandoned')) as cancelled,
    errors / count(*) as error_rate,
    cancelled / count(*) as cancel_rate,
    sum(c.duration_s) as duration_s,
    {_quantiles("c", "duration_s", "duration")}"""
# what a copied answer cost was paid by the run that it was copied from
PAID = "c.run_id not in (select run_id from launches where cached_from is not null)"
# a member works while its leader waits: of a session's time only what no run started counts
_ROOTS_ONLY = " filter (r.parent_run_id is null)"

_BEGAN = "coalesce(e.started_at, p.started_at)"
# One run, one row: few were resumed, so that summing over the attempts of all would be time for nothing.
_TOLD = f"""resumed as (
    select run_id, count(*) as attempts, arg_max(status, attempt) as status,
           sum({work_seconds("started_at", "finished_at", "paused_s")}) as work_s,
           sum({seconds_between("created_at", "started_at")}) as queued_s, sum(paused_s) as paused_s
    from attempts where run_id in (select run_id from attempt_starts) group by run_id
), told as (
    select l.*, 1 as attempts, coalesce(e.status, p.status, 'pending') as status,
           {work_seconds(_BEGAN, "e.finished_at", "e.paused_s")} as work_s,
           {seconds_between("l.created_at", _BEGAN)} as queued_s, coalesce(e.paused_s, p.paused_s) as paused_s
    from launches l
    left join attempt_ends e on e.run_id = l.run_id and e.attempt = 1
    left join attempt_progress p on p.run_id = l.run_id and p.attempt = 1
    where {{where}} and l.run_id not in (select run_id from attempt_starts)
    union all
    select l.*, attempts, status, work_s, queued_s, paused_s from launches l join resumed using (run_id) where {{where}}
)"""  # noqa: S608 - text of ours alone
# A run that no run of the record started is the root of its tree; what is below it belongs to its team.
# The recursion looks at nothing but children: looking at all runs costs time.
_TREE = """children as (
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
), """


def known_small(query: str) -> str:
    """Return a query of plain columns as one that DuckDB takes for one row, so that joins are built on it.

    Rows of a recursion it takes for a thousand times as many as there are, and builds them on the large table.
    """
    return f"select unnest(rows, recursive := true) from (select list(t) as rows from ({query}) t)"  # noqa: S608 - of ours


def told(where: str = "true") -> str:
    """The parts of a query that say of each run its status, and the times of its work, in the queue and of waiting for a person, as `told`."""
    return _TOLD.format(where=where)


def _of_calls(*, many: bool = False) -> str:
    """What is said of a set of model calls `c`. Percentiles are over completed calls: a refusal's speed says nothing."""
    return f"""
    count(*) as model_calls,
    count(*) filter (c.try_no > 1) as retries,
    {CALL_TOKENS},
    count(c.total_tokens) / count(*) as usage_known,
    sum(c.cache_read_tokens) / nullif(sum(c.input_tokens) filter (c.cache_read_tokens is not null), 0)
        as cache_read_rate,
    sum(c.cost_usd) as cost_usd,
    count(c.cost_usd) / count(*) as cost_known,
    {ESTIMATES},
    {_quantiles("c", "ttft_s", "ttft", many=many)},
    sum(c.output_tokens) filter (c.status = 'completed')
        / nullif(sum(c.duration_s) filter (c.status = 'completed' and c.output_tokens is not null), 0)
        as output_tokens_per_s"""


def _of_runs(roots: str, *, many: bool = False) -> str:
    """What is said of a set of runs `r`. Work time is summed over attempts: the time between two is no work."""
    return f"""
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
    sum(r.queued_s){roots} as queued_s,
    sum(r.paused_s){roots} as paused_s,
    {_quantiles("r", "work_s", "duration", many=many)},
    min(r.created_at) as first_at,
    max(r.created_at) as last_at"""


def by_model(chosen: RunFilter) -> Query:
    """One row for each provider and model asked for."""
    said = f"{_of_calls()}, {_ENDINGS}"
    return _by_call(chosen, "model_calls", {"provider": "provider", "model": "request_model"}, said)


def by_tool(chosen: RunFilter) -> Query:
    """One row for each tool by name."""
    said = f"count(*) as tool_calls, {_ENDINGS}"
    return _by_call(chosen, "tool_calls", {"tool_name": "name"}, said)


def by_agent(chosen: RunFilter) -> Query:
    """One row for each agent by name: its own work, without its members'."""
    return _by_run(chosen, ["agent_name"])


def by_session(chosen: RunFilter) -> Query:
    """One row for each session, in the order of their first runs."""
    return _by_run(chosen, ["session_id"], roots=_ROOTS_ONLY, order="a.first_at, a.session_id", many=True)


def in_all(chosen: RunFilter) -> Query:
    """One row for all of the chosen runs together; none for no run."""
    return _by_run(
        chosen, ["everything"], source="(select run_id, true as everything from launches)", roots=_ROOTS_ONLY
    )


def by_member(chosen: RunFilter) -> Query:
    """One row for each agent under each leader of each team, the team's own leader among them."""
    return _by_run(chosen, ["team_name", "leader_name", "agent_name"], source="tree")


# of a run, a name and an author the latest score counts; words have no mean
_COUNTED = """counted as (
    select s.*, case s.value::varchar when 'true' then 1 when 'false' then 0 else try_cast(s.value as double) end as number
    from scores s where {fits}
    qualify row_number() over (partition by run_id, name, author order by created_at desc, rowid desc) = 1
)"""


def by_score(chosen: RunFilter) -> Query:
    """One row for each score's name and each agent: how many runs have it, and the mean of those that are numbers."""
    part, fits, params = _picked(chosen)
    sql = f"""
with {part}{_COUNTED.format(fits=fits.format("s"))}
select s.name as score, l.agent_name, count(distinct s.run_id) as runs, count(distinct s.author) as authors,
       count(*) as scores, avg(s.number) as mean, min(s.number) as lowest, max(s.number) as highest,
       max(s.created_at) as last_at
from counted s join launches l using (run_id) group by all order by score, l.agent_name"""  # noqa: S608 - as above
    return sql, params


def list_scores(chosen: RunFilter) -> Query:
    """One row for each score that counts, oldest first."""
    part, fits, params = _picked(chosen)
    sql = f"""
with {part}{_COUNTED.format(fits=fits.format("s"))}
select s.run_id, s.name as score, s.value::varchar as value, s.comment, s.author, s.created_at
from counted s order by s.created_at, s.run_id, s.name"""  # noqa: S608 - as above
    return sql, params


def _picked(chosen: RunFilter) -> tuple[str, str, list[Any]]:
    """The part `chosen` of a query, the condition that a row's run is in it, its parameters; all runs need none."""
    where, params = chosen.where()
    if where == "true":
        return "", where, params
    part = f"chosen as (select l.run_id from launches l where {where}), "  # noqa: S608 - text of ours alone
    return part, "{0}.run_id in (select run_id from chosen)", params


def _by_call(chosen: RunFilter, table: str, keys: Mapping[str, str], said: str) -> Query:
    """Count calls by what is known of the call, and the runs that made them.

    The two parts look at the calls each by itself: one look for both makes DuckDB write all calls down in between.
    """
    part, fits, params = _picked(chosen)
    key = ", ".join(keys)
    named = ", ".join(f"c.{column} as {name}" for name, column in keys.items())
    where = f"{PAID} and {fits.format('c')}"
    sql = f"""
with {part}askers as (
    select {key}, count(*) as runs from (select distinct {named}, c.run_id from {table} c) c where {where} group by {key}
), parts as (
    select {named}, {said} from {table} c where {where} group by all
)
select * from parts join askers using ({key}) order by {key}"""  # noqa: S608 - as above
    return sql, params


# a group of nothing but copies is known to have cost nothing
_FREE = ", ".join(
    f"coalesce(m.{name}, if(a.cached_runs = a.runs, 0, null)) as {name}"
    for name in (*TOKEN_FIELDS, "cost_usd")
)


def _by_run(
    chosen: RunFilter,
    keys: Sequence[str],
    *,
    roots: str = "",
    source: str = "launches",
    many: bool = False,
    order: str | None = None,
) -> Query:
    """Count runs, their model calls and their tool calls by what is known of the run."""
    part, fits, params = _picked(chosen)
    key = ", ".join(keys)
    same = " and ".join(f"a.{name} is not distinct from {{0}}.{name}" for name in keys)
    ran = "(select t.* exclude (agent_name), n.* exclude (run_id) from told t join named n using (run_id))"
    named = f"select n.run_id, {key} from {source} n where {fits.format('n')}"  # noqa: S608 - as above
    sql = f"""
with recursive {part}{_TREE if source == "tree" else ""}named as (
    {known_small(named) if source == "tree" else named}
), {told(fits.format("l"))}, of_runs as (
    select {key}, {_of_runs(roots, many=many)} from {"told" if source == "launches" else ran} r group by {key}
), of_calls as (
    select {key}, {_of_calls(many=many)} from model_calls c join named using (run_id) where {PAID} group by {key}
), of_tools as (
    select {key}, count(*) as tool_calls from tool_calls c join named using (run_id) where {PAID} group by {key}
)
select a.*, coalesce(m.model_calls, 0) as model_calls, coalesce(m.retries, 0) as retries,
       coalesce(o.tool_calls, 0) as tool_calls, m.* exclude ({key}, model_calls, retries) replace ({_FREE})
from of_runs a left join of_calls m on {same.format("m")} left join of_tools o on {same.format("o")}
order by {order or ", ".join(f"a.{name}" for name in keys)}"""  # noqa: S608 - as above
    return sql, params
