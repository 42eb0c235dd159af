-- Migration 6: rows say more of how a run ended. Numbered and never edited once released.
-- Columns are added at a table's end; what is shown of them stands in the views at the end of this file.

alter table model_calls add column if not exists large_counts json;  -- token counts that no bigint holds, by column
-- 'answer' where the content of a typed answer is its JSON as the model wrote it. NULL for text, and in rows of before
-- this column: their typed content is a dump of the value that was validated, in the type's own field names.
alter table attempt_ends add column if not exists content_source varchar;
-- of an invalid answer: each field that does not fit and how, as in "items[].price (missing); label (string_type)"
alter table attempt_ends add column if not exists error_fields varchar;
alter table model_calls add column if not exists server_finish_reason varchar;  -- the server's own word for the end of its reply
-- of a call whose server reported no usage (usage_source is 'estimated'): a token for each four bytes, and its price. Limits
-- are bound by these; the columns without estimated_ in their names hold what is known alone
alter table model_calls add column if not exists estimated_input_tokens bigint;
alter table model_calls add column if not exists estimated_output_tokens bigint;
alter table model_calls add column if not exists estimated_cost_usd double;  -- USD
-- seconds of the attempt, so far and in all, in which a person was waited for. NULL in rows of before this column
alter table attempt_progress add column if not exists paused_s double;
alter table attempt_ends add column if not exists paused_s double;

alter table batches add column if not exists finished_at timestamp;  -- UTC; NULL while its process works on it, or has died over it
alter table batches add column if not exists definition json;         -- what was asked: template, agent, limits, the rows' keys

-- What a batch's rows have beside runs of their own: an answer from earlier or of another row with the same prompt, or
-- why they were not asked. A row's latest entry counts; a run of this batch with its position that is later counts more.
create table if not exists batch_rows (
    batch_id   varchar not null,
    position   bigint not null,       -- its place in the table, from 0
    created_at timestamp not null,    -- UTC
    row_key    json,                  -- the row's own key, as the user wrote it
    answer_key varchar,               -- of its prompt, by which its answer is found; NULL where it has none
    outcome    json not null          -- how it ended; `run_id` names the run with its answer
);

create or replace view attempts as
with started as (
    select run_id, 1 as attempt, owner, created_at from launches
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
    l.details ->> '$.row_key'                                         as row_key,
    l.details ->> '$.cell_id'                                         as cell_id,
    l.agent_name,
    l.kind,
    l.details ->> '$.provider'                                        as provider,
    l.details ->> '$.model'                                           as model,
    l.details -> '$.model_settings'                                   as model_settings,
    l.details ->> '$.mode_requested'                                  as mode_requested,
    coalesce(e.mode_effective, p.mode_effective)                      as mode_effective,
    l.details ->> '$.prompt'                                          as prompt,
    l.details -> '$.output_schema'                                    as output_schema,
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
    l.details -> '$.tags'                                             as tags,
    l.details -> '$.spec'                                             as spec,
    e.content_source,
    coalesce(e.paused_s, p.paused_s)                                  as paused_s,
    e.error_fields
from launches l
left join (
    select run_id, max(attempt) as attempt, arg_max(owner, attempt) as owner
    from attempt_starts group by run_id
) s on s.run_id = l.run_id
left join attempt_ends e on e.run_id = l.run_id and e.attempt = coalesce(s.attempt, 1)
left join attempt_progress p on p.run_id = l.run_id and p.attempt = coalesce(s.attempt, 1);
