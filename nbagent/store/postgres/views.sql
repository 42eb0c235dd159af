-- The views that people and point reads ask: those of the DuckDB file. Made anew with each version of the schema.

create or replace view attempts as
with started as (
    -- a launch is its first attempt, but for one that waits for a worker: who takes it claims that attempt
    select l.run_id, 1 as attempt, l.owner, l.created_at from launches l
    where l.owner <> 'workers'
       or not exists (select from attempt_starts a where a.run_id = l.run_id and a.attempt = 1)
    union all
    select run_id, attempt, owner, created_at from attempt_starts
)
select
    s.run_id,
    s.attempt,
    s.owner,
    coalesce(e.status, p.status, 'pending')                           as status,
    e.stop_reason,
    e.content,
    e.content_type,
    e.output_valid,
    e.error_type,
    e.error,
    e.traceback,
    s.created_at,
    coalesce(e.started_at, p.started_at)                              as started_at,
    e.finished_at,
    p.heartbeat_at,
    coalesce(e.partial_text, case when e.status is null then p.partial_text end) as partial_text,
    coalesce(e.mode_effective, p.mode_effective)                      as mode_effective,
    coalesce(e.response_id, p.response_id)                            as response_id,
    coalesce(e.last_sequence_number, p.last_sequence_number)          as last_sequence_number,
    e.content_source,
    coalesce(e.paused_s, p.paused_s)                                  as paused_s,
    e.error_fields
from started s
left join attempt_ends e on e.run_id = s.run_id and e.attempt = s.attempt
left join attempt_progress p on p.run_id = s.run_id and p.attempt = s.attempt;

create or replace view runs as
select
    l.run_id,
    l.label,
    l.parent_run_id,
    l.session_id,
    l.turn,
    l.batch_id,
    l.details ->> 'row_key'                                         as row_key,
    l.details ->> 'cell_id'                                         as cell_id,
    l.agent_name,
    l.kind,
    l.details ->> 'provider'                                        as provider,
    l.details ->> 'model'                                           as model,
    l.details -> 'model_settings'                                   as model_settings,
    l.details ->> 'mode_requested'                                  as mode_requested,
    coalesce(e.mode_effective, p.mode_effective)                      as mode_effective,
    l.details ->> 'prompt'                                          as prompt,
    l.details -> 'output_schema'                                    as output_schema,
    coalesce(e.status, p.status, 'pending')                           as status,
    e.stop_reason,
    e.content,
    e.content_type,
    e.output_valid,
    e.error_type,
    e.error,
    e.traceback,
    l.created_at,
    coalesce(e.started_at, p.started_at)                              as started_at,
    e.finished_at,
    p.heartbeat_at,
    coalesce(e.partial_text, case when e.status is null then p.partial_text end) as partial_text,
    p.pending_approvals,                                              -- those of its last pause, also after the end
    coalesce(s.attempt, 1)                                            as attempt,
    coalesce(s.owner, l.owner)                                        as owner,
    coalesce(e.response_id, p.response_id)                            as response_id,
    coalesce(e.last_sequence_number, p.last_sequence_number)          as last_sequence_number,
    l.cached_from,
    l.details -> 'tags'                                             as tags,
    l.details -> 'spec'                                             as spec,
    e.content_source,
    coalesce(e.paused_s, p.paused_s)                                  as paused_s,
    e.error_fields,
    l.details ->> 'forked_from'                                     as forked_from,
    (l.details ->> 'forked_step')::integer                          as forked_step
from launches l
left join lateral (
    select a.attempt, a.owner from attempt_starts a where a.run_id = l.run_id order by a.attempt desc limit 1
) s on true
left join attempt_ends e on e.run_id = l.run_id and e.attempt = coalesce(s.attempt, 1)
left join attempt_progress p on p.run_id = l.run_id and p.attempt = coalesce(s.attempt, 1);

-- Functions of DuckDB that point reads use: a JSON pointer's text, and whether a list holds a value.
create or replace function json_extract_string(document json, pointer text) returns text language sql immutable as $$
    select document #>> (
        select array_agg(replace(replace(part, '~1', '/'), '~0', '~') order by place)
        from unnest((string_to_array(pointer, '/'))[2:]) with ordinality as parts(part, place)
    )
$$;

create or replace function list_contains(list text[], one text) returns boolean language sql immutable as $$
    select one = any(list)
$$;
