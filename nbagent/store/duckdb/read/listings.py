"""What the frames list: runs, steps and messages one row each; the counts are those of `metrics_sql.py`.

Built by `frames/` on the caller's thread; pure text, run by `Store.arrays`.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbagent.run import TOKEN_FIELDS
from nbagent.store.duckdb.read.metrics_sql import CALL_TOKENS, ESTIMATES, Query, RunFilter, told

# `{these}` are the ids as plain values, where they are few: DuckDB then finds the rows by its index and zone maps
_PICK = """select l.run_id from launches l where {where} order by l.created_at desc, l.run_id desc limit ?"""
_RUNS = """
with recursive {chosen}{told}, below as (
    select run_id as top, run_id from launches
    where run_id in ({these}) and run_id in (select parent_run_id from launches)
    union all
    select b.top, l.run_id from launches l join below b on l.parent_run_id = b.run_id
), copies as (
    select run_id from launches where cached_from is not null
), own as (
    select run_id, count(*) as model_calls, {tokens},
           count(c.total_tokens) / count(*) as usage_known,
           sum(c.cost_usd) as cost_usd,
           count(c.cost_usd) / count(*) as cost_known, {estimates},
           arg_min(c.ttft_s, row(c.attempt, c.step, c.try_no)) filter (c.ttft_s is not null) as ttft_s
    from model_calls c where run_id in ({these}) group by run_id
), tools as (
    select run_id, count(*) as tool_calls from tool_calls where run_id in ({these}) group by run_id
), team as (
    select top as run_id, count(*) as model_calls, sum(c.total_tokens)::bigint as total_tokens,
           sum(c.cost_usd) as cost_usd, count(c.cost_usd) / count(*) as cost_known
    from below join model_calls c using (run_id) where run_id not in (select run_id from copies) group by 1
), facts as (  -- of what was told at launch: read in one go, and not carried through the joins
    select run_id, details ->> {paths} as fact, details -> '$.row_key' as row_key_json
    from launches where run_id in ({these})
), times as (
    select run_id, work_s as duration_s, queued_s, paused_s from told
), paid as (
    select * from own where run_id not in (select run_id from copies)
    union all by name
    select run_id, 0 as model_calls, {zeros}, 0 as cost_usd from copies where run_id in ({these})
)
select r.* exclude (paused_s, model_settings, output_schema, spec, traceback, owner, heartbeat_at, last_sequence_number,
                    {facts}),
       {told_facts}, facts.row_key_json, times.duration_s, times.queued_s, times.paused_s,
       coalesce(paid.model_calls, 0) as model_calls,
       case when r.cached_from is null then coalesce(tools.tool_calls, 0) else 0 end as tool_calls,
       paid.* exclude (run_id, model_calls),
       coalesce(team.model_calls, paid.model_calls, 0) as team_model_calls,
       if(team.run_id is null, paid.total_tokens, team.total_tokens) as team_total_tokens,
       if(team.run_id is null, paid.cost_usd, team.cost_usd) as team_cost_usd,
       if(team.run_id is null, paid.cost_known, team.cost_known) as team_cost_known
from runs r join times using (run_id) join facts using (run_id)
left join paid using (run_id) left join tools using (run_id) left join team using (run_id)
where r.run_id in ({these})
order by r.created_at, r.run_id"""
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
order by m.turn, l.created_at, m.run_id, m.seq"""
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
    part = f"chosen as materialized (select l.run_id from launches l where {where}), "  # noqa: S608 - text of ours alone
    return _list(part, "select run_id from chosen"), params


def _list(chosen: str, these: str) -> str:
    return _RUNS.format(
        chosen=chosen,
        these=these,
        told=told(f"l.run_id in ({these})"),
        tokens=CALL_TOKENS,
        estimates=ESTIMATES,
        paths="[" + ", ".join(f"'$.{name}'" for name in _FACTS) + "]",
        facts=", ".join(_FACTS),
        told_facts=", ".join(
            f"facts.fact[{n}]{kind} as {name}" for n, (name, kind) in enumerate(_FACTS.items(), 1)
        ),
        zeros=", ".join(f"0 as {name}" for name in TOKEN_FIELDS),  # a copy is known to have cost nothing
    )


def list_steps(run_ids: Sequence[str], *, members: bool) -> Query:
    """The model calls and tool calls of these runs in the order of their start; with those of all runs below."""
    ids = "select run_id from family" if members else "select unnest(?::varchar[])"
    asked = _FAMILY.format(ids=ids)
    if not members:
        asked = "with asked as" + asked.split("asked as", 1)[1]
    return _STEPS.format(asked=asked, tokens=", ".join(TOKEN_FIELDS)), [list(run_ids)]


def list_family(run_id: str) -> Query:
    """A run and all runs below it, parents first: when each was launched, began and ended."""
    asked = _FAMILY.format(ids="select run_id from family")
    sql = f"""
{asked}
select r.run_id, r.agent_name, r.parent_run_id, r.status, r.created_at, r.started_at, r.finished_at, r.heartbeat_at
from runs r join family using (run_id) order by r.created_at, r.run_id"""  # noqa: S608 - text of ours alone
    return sql, [[run_id]]


def list_messages(chosen: RunFilter) -> Query:
    """The messages of the chosen runs, turn by turn."""
    where, params = chosen.where()
    return _MESSAGES.format(where=where), params
