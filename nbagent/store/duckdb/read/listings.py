"""What the frames list: runs, steps and messages one row each; the counts are those of `metrics_sql.py`.

Built by `frames/` on the caller's thread; pure text, run by `Store.arrays`.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbagent.run import TOKEN_FIELDS
from nbagent.store.duckdb.read.metrics_sql import CALL_TOKENS, ESTIMATES, PAID, Query, RunFilter, known_small
from nbagent.store.duckdb.tables import seconds_between, work_seconds

_PICK = """select l.run_id from launches l where {where} order by l.created_at desc, l.run_id desc limit ?"""
# One look at each table, and one row a run all the way: each further look joins all runs once more by their ids.
# `{of_these}` is where they are chosen, with the ids as plain values where they are few: DuckDB then finds the rows
# by its index and zone maps. What was told at launch is read in one go.
_RUNS = """
with recursive {chosen}resumed as (
    select run_id, max(attempt) as attempt, sum({work_s}) as work_s, sum({queued_s}) as queued_s,
           sum(paused_s) as paused_s
    from attempts where run_id in (select run_id from attempt_starts) group by run_id
), own as (
    select run_id, count(*) as model_calls, {tokens}, count(c.total_tokens) as known,
           sum(c.cost_usd) as cost_usd, count(c.cost_usd) as priced, {estimates},
           arg_min(c.ttft_s, row(c.attempt, c.step, c.try_no)) filter (c.ttft_s is not null) as ttft_s
    from model_calls c where {paid}{and_these} group by run_id
), tools as (
    select run_id, count(*) as tool_calls from tool_calls c where {paid}{and_these} group by run_id
), below as (
    select run_id as top, run_id from launches c where run_id in (select parent_run_id from launches){and_these}
    union all
    select b.top, l.run_id from launches l join below b on l.parent_run_id = b.run_id
), team as (
    {team}
), told as (
    select l.*, details ->> {paths} as fact, details -> '$.row_key' as row_key_json from launches l {of_these}
)
select l.run_id, l.label, l.parent_run_id, l.session_id, l.turn, l.batch_id, l.agent_name, l.kind,
       coalesce(e.mode_effective, p.mode_effective) as mode_effective,
       coalesce(e.status, p.status, 'pending') as status,
       e.stop_reason, e.content, e.content_type, e.output_valid, e.error_type, e.error, l.created_at,
       coalesce(e.started_at, p.started_at) as started_at, e.finished_at,
       coalesce(e.partial_text, case when e.status is null then p.partial_text end) as partial_text,
       p.pending_approvals, coalesce(s.attempt, 1) as attempt,
       coalesce(e.response_id, p.response_id) as response_id, l.cached_from, e.content_source, e.error_fields,
       {facts}, l.row_key_json,
       if(s.run_id is null, {last_work_s}, s.work_s) as duration_s,
       if(s.run_id is null, {last_queued_s}, s.queued_s) as queued_s,
       if(s.run_id is null, coalesce(e.paused_s, p.paused_s), s.paused_s) as paused_s,
       coalesce(own.model_calls, 0) as model_calls,
       coalesce(tools.tool_calls, 0) as tool_calls,
       {own_tokens},
       own.known / own.model_calls as usage_known,
       {own_cost} as cost_usd,
       own.priced / own.model_calls as cost_known,
       own.estimated_tokens, own.estimated_cost_usd, own.ttft_s,
       coalesce(team.model_calls, own.model_calls, 0) as team_model_calls,
       if(team.run_id is null, {own_total}, team.total_tokens) as team_total_tokens,
       if(team.run_id is null, {own_cost}, team.cost_usd) as team_cost_usd,
       if(team.run_id is null, own.priced / own.model_calls, team.cost_known) as team_cost_known
from told l
left join resumed s on s.run_id = l.run_id
left join attempt_ends e on e.run_id = l.run_id and e.attempt = coalesce(s.attempt, 1)
left join attempt_progress p on p.run_id = l.run_id and p.attempt = coalesce(s.attempt, 1)
left join own on own.run_id = l.run_id
left join tools on tools.run_id = l.run_id
left join team on team.run_id = l.run_id
order by l.created_at, l.run_id"""
_TEAM = """
    select top as run_id, sum(c.model_calls)::bigint as model_calls, sum(c.total_tokens)::bigint as total_tokens,
           sum(c.cost_usd) as cost_usd, sum(c.priced) / sum(c.model_calls) as cost_known
    from below join {calls} c using (run_id) group by 1"""
_CALLS = f"""(
    select run_id, 1 as model_calls, total_tokens, cost_usd, (cost_usd is not null)::bigint as priced
    from model_calls c where {PAID})"""  # noqa: S608 - text of ours alone
_BEGAN = "coalesce(e.started_at, p.started_at)"
_FEW = 2000
# columns of `runs` that are parts of `details`, and their types where they are not text
_FACTS = {
    "row_key": "", "cell_id": "", "provider": "", "model": "", "mode_requested": "", "prompt": "", "tags": "::json",
    "forked_from": "", "forked_step": "::integer",
}  # fmt: skip

_FAMILY = """with recursive family as (
    select run_id from launches where run_id in (select unnest(?::varchar[]))
    union
    select l.run_id from launches l join family f on l.parent_run_id = f.run_id
), asked as (
    select run_id, agent_name, parent_run_id from launches where run_id in ({ids})
)"""
_STEPS = """
{asked}
select run_id, agent_name, parent_run_id, 'model' as kind, provider || ':' || request_model as name, attempt, step,
       try_no, status, started_at, duration_s, ttft_s, {tokens}, cost_usd,
       estimated_input_tokens + estimated_output_tokens as estimated_tokens, estimated_cost_usd, usage_source, finish_reason, server_finish_reason,
       null::varchar as tool_call_id, null::varchar as arguments, null::varchar as result, error_type, error,
       fallback_reason
from model_calls join asked using (run_id)
union all by name
select run_id, agent_name, parent_run_id, 'tool' as kind, name, attempt, step, status, started_at, duration_s,
       tool_call_id, arguments, result, error_type, error
from tool_calls join asked using (run_id)
order by started_at, attempt, step, kind, try_no, tool_call_id"""
_MESSAGES = """
select m.session_id, m.turn, m.run_id, l.agent_name, m.attempt, m.seq, m.role, m.content, m.name, m.tool_call_id,
       m.tool_requests, m.reasoning, json_array_length(coalesce(m.files, '[]'))::bigint as files
from messages m join launches l using (run_id)
where {where}
order by m.turn, l.created_at, m.run_id, m.seq, m.attempt"""
_MESSAGES_HEAD, _, _MESSAGES_TAIL = _MESSAGES.partition("{where}")
_EVERYTHING = 2**62


def pick_runs(chosen: RunFilter, limit: int | None) -> Query:
    """The ids of the newest `limit` runs that are chosen."""
    where, params = chosen.where()
    return _PICK.format(where=where), [*params, _EVERYTHING if limit is None else int(limit)]


def list_picked(run_ids: Sequence[str]) -> Query:
    """Runs, oldest first, each with its own counts and its team's."""
    few = len(run_ids) <= _FEW
    these = ", ".join(f"${number}" for number in range(1, len(run_ids) + 1)) if few else "select unnest($1)"
    return _list("", these or "null"), list(run_ids) if few else [list(run_ids)]


def list_chosen(chosen: RunFilter) -> Query:
    """All runs that are chosen, as `list_picked` gives them."""
    where, params = chosen.where()
    if where == "true":
        return _list("", None), params
    part = f"chosen as materialized (select l.run_id from launches l where {where}), "  # noqa: S608 - text of ours alone
    return _list(part, "select run_id from chosen"), params


def _list(chosen: str, these: str | None) -> str:
    """Return the query for the runs with `these` ids; None for all, whose teams' calls are counted with their own."""

    def own(name: str) -> str:  # a copy is known to have cost nothing
        return f"if(l.cached_from is null, own.{name}, 0)"

    return _RUNS.format(
        chosen=chosen,
        and_these="" if these is None else f" and c.run_id in ({these})",
        of_these="" if these is None else f"where l.run_id in ({these})",
        team=known_small(_TEAM.format(calls="own" if these is None else _CALLS)),
        paid=PAID,
        tokens=CALL_TOKENS,
        estimates=ESTIMATES,
        paths="[" + ", ".join(f"'$.{name}'" for name in _FACTS) + "]",
        facts=", ".join(f"l.fact[{n}]{kind} as {name}" for n, (name, kind) in enumerate(_FACTS.items(), 1)),
        own_tokens=", ".join(f"{own(name)} as {name}" for name in TOKEN_FIELDS),
        own_total=own("total_tokens"),
        own_cost=own("cost_usd"),
        work_s=work_seconds("started_at", "finished_at", "paused_s"),
        queued_s=seconds_between("created_at", "started_at"),
        last_work_s=work_seconds(_BEGAN, "e.finished_at", "e.paused_s"),
        last_queued_s=seconds_between("l.created_at", _BEGAN),
    )


def list_steps(run_ids: Sequence[str], *, members: bool) -> Query:
    """The model calls and tool calls of these runs in the order of their start; with those of all runs below."""
    ids = "select run_id from family" if members else "select unnest(?::varchar[])"
    asked = _FAMILY.format(ids=ids)
    if not members:
        asked = "with asked as" + asked.split("asked as", 1)[1]
    return _STEPS.format(asked=asked, tokens=", ".join(TOKEN_FIELDS)), [list(run_ids)]


def list_family(run_id: str) -> Query:
    """A run and all runs below it, parents first: when each was launched, began and ended, how long it waited for a person."""
    asked = _FAMILY.format(ids="select run_id from family")
    sql = f"""
{asked}
select r.run_id, r.agent_name, r.parent_run_id, r.status, r.created_at, r.started_at, r.finished_at, r.heartbeat_at,
       r.paused_s
from runs r join family using (run_id) order by r.created_at, r.run_id"""  # noqa: S608 - text of ours alone
    return sql, [[run_id]]


def list_messages(chosen: RunFilter) -> Query:
    """The messages of the chosen runs, turn by turn."""
    where, params = chosen.where()
    return _MESSAGES.format(where=where), params


def runs_of_messages(sql: str) -> str | None:
    """The query for the ids of the runs whose messages a query of `list_messages` lists, with its parameters; None for other queries."""
    if not (sql.startswith(_MESSAGES_HEAD) and sql.endswith(_MESSAGES_TAIL)):
        return None
    where = sql.removeprefix(_MESSAGES_HEAD).removesuffix(_MESSAGES_TAIL)
    return f"select l.run_id from launches l where {where}"  # noqa: S608 - text of ours alone
