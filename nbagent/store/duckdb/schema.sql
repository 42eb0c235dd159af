-- The record of all runs, whole: a new file is made by this. A change is made here, and as a numbered step in `schema.py`
-- for files that are there. A step adds columns at a table's end, so they stand last here too.
--
-- A reader (nb.sql, the duckdb command line, pandas) uses the views `runs` and `attempts` and the tables
-- `model_calls`, `tool_calls` and `messages`; the other tables are how these come to be and may change.
-- Rows are only inserted, `attempt_progress` excepted: a primary key then makes an end write-once.
-- All `_at` columns are UTC, `_s` are seconds, `_usd` US dollars, `_tokens` counts. Unknown is NULL, never 0.

create table if not exists schema_version (
    version    integer primary key,   -- that of the file when it was made, and of each step since
    applied_at timestamp not null     -- when, UTC
);

-- One row a run. When a launch returns, its row is committed here, or is a line of its process's launch log beside
-- this file (`<file>.launches.*`); whoever of nbagent opens the file next commits those first. So only a program that
-- opens this file by itself can miss a launch: of the last moments, or of a process that was killed in them.
-- What is only shown, never searched, is in `details`: the row may be waited for, and each column costs time.
create table if not exists launches (
    run_id        varchar primary key,
    session_id    varchar not null,
    turn          integer not null,   -- place in its session, from 1
    created_at    timestamp not null, -- when it was launched, UTC
    owner         varchar not null,   -- the process that works on it: host, boot, pid, process start
    agent_name    varchar,
    label         varchar,            -- the variable's name that the user gave (-o)
    parent_run_id varchar,            -- the run that started this one, for members of a team
    batch_id      varchar,
    kind          varchar,            -- agent or team
    cached_from   varchar,            -- the run whose answer this one was given; its calls count there alone
    details       json                -- all else that is known at launch, see the view `runs`
);

-- One row for each attempt after the first, which `launches` itself is.
create table if not exists attempt_starts (
    run_id     varchar not null,
    attempt    integer not null,      -- from 2
    owner      varchar not null,
    created_at timestamp not null,    -- UTC
    primary key (run_id, attempt)
);

-- The only rows that change: written over at most once a second while an attempt goes on.
create table if not exists attempt_progress (
    run_id               varchar not null,
    attempt              integer not null,
    status               varchar not null,   -- pending, running or paused
    started_at           timestamp,          -- UTC
    heartbeat_at         timestamp not null, -- when this row was written, UTC
    partial_text         varchar,            -- the answer's text so far
    response_id          varchar,            -- a provider-side response that can be re-attached
    last_sequence_number bigint,             -- where in its stream
    mode_effective       varchar,
    pending_approvals    json,               -- tool calls that wait for a person: [{step, tool_call_id, name, arguments}]
    paused_s             double,             -- in which a person was waited for; NULL in rows of before this column
    primary key (run_id, attempt)
);

-- How each attempt ended; its primary key is what makes a final status final.
create table if not exists attempt_ends (
    run_id               varchar not null,
    attempt              integer not null,
    status               varchar not null,   -- completed, error, cancelled, timeout or interrupted
    stop_reason          varchar not null,
    content              varchar,            -- the answer: text, or JSON where content_type is not 'text'
    content_type         varchar not null,
    output_valid         boolean,            -- whether the answer has the schema asked for
    error_type           varchar,
    error                varchar,
    traceback            varchar,
    started_at           timestamp,          -- UTC; NULL if it never left the queue
    finished_at          timestamp not null, -- UTC
    partial_text         varchar,            -- the text of an attempt that was cut off
    mode_effective       varchar,
    response_id          varchar,
    last_sequence_number bigint,
    -- 'answer' where the content of a typed answer is its JSON as the model wrote it. NULL for text, and in rows of
    -- before this column: their typed content is a dump of the value that was validated, in the type's own field names
    content_source       varchar,
    -- of an invalid answer: each field that does not fit and how, as in "items[].price (missing); label (string_type)"
    error_fields         varchar,
    paused_s             double,             -- in which a person was waited for; NULL in rows of before this column
    primary key (run_id, attempt)
);

create table if not exists model_calls (
    run_id             varchar not null,
    attempt            integer not null,     -- the run's attempt, from 1
    step               integer not null,     -- from 1
    try_no             integer not null,     -- tries of the same request within a step, from 1
    role               varchar,              -- what the call was for
    provider           varchar not null,
    request_model      varchar not null,     -- the model asked for
    response_model     varchar,              -- the model that answered
    response_id        varchar,
    status             varchar not null,     -- completed, error, cancelled or abandoned
    finish_reason      varchar,
    started_at         timestamp not null,   -- UTC
    ttft_s             double,               -- from the request to the first token
    duration_s         double not null,
    input_tokens       bigint,               -- all input, cached tokens included
    output_tokens      bigint,               -- all output, reasoning included
    total_tokens       bigint,
    cache_read_tokens  bigint,
    cache_write_tokens bigint,
    reasoning_tokens   bigint,
    usage_source       varchar not null,     -- reported, estimated or missing
    cost_usd           double,               -- what it cost, by the price table or by the provider
    provider_cost_usd  double,               -- what the provider itself said that it cost
    error_type         varchar,
    error              varchar,
    large_counts       json,                 -- token counts that no bigint holds, by column
    server_finish_reason varchar,            -- the server's own word for the end of its reply
    -- of a call whose server reported no usage (usage_source is 'estimated'): a token for each four bytes, and its
    -- price. Limits are bound by these; the columns without estimated_ in their names hold what is known alone
    estimated_input_tokens  bigint,
    estimated_output_tokens bigint,
    estimated_cost_usd double,               -- USD
    fallback_reason    varchar               -- why this model was asked: what became of the one before it in a list of
                                             -- models; NULL for the first
);

create table if not exists tool_calls (
    run_id       varchar not null,
    attempt      integer not null,           -- the run's attempt, from 1
    step         integer not null,           -- the step that asked for it, from 1
    tool_call_id varchar not null,
    name         varchar not null,
    arguments    varchar not null,           -- JSON text as the model wrote it
    result       varchar,                    -- what the model was told
    status       varchar not null,           -- completed, error, cancelled, abandoned or denied (by a person: it never ran)
    error_type   varchar,
    error        varchar,
    started_at   timestamp not null,         -- UTC
    duration_s   double not null
);

create table if not exists messages (
    session_id     varchar not null,
    turn           integer not null,
    run_id         varchar not null,
    attempt        integer not null,
    seq            integer not null,         -- order within the run
    role           varchar not null,         -- system, user, assistant or tool
    content        varchar not null,
    name           varchar,
    tool_call_id   varchar,                  -- the call that a tool's message answers
    tool_requests  json,                     -- [{tool_call_id, name, arguments}]
    reasoning      varchar,
    files          json,                     -- [{media_type, data (base64), name}]
    provider_items json                      -- a provider's own items, for its adapter alone
);

-- Wishes of other processes, also for runs not launched yet. They go when used, or after a day.
create table if not exists cancel_requests (
    run_id     varchar not null,
    created_at timestamp not null            -- UTC
);

-- What a person decided, in another process than the run's, on a call that waits. They go when heard, or after a day.
create table if not exists decision_requests (
    run_id       varchar not null,
    step         integer not null,
    tool_call_id varchar not null,
    approved     boolean not null,
    reason       varchar not null,           -- why not; '' for none
    arguments    json,                       -- the arguments to use; NULL for the model's own
    created_at   timestamp not null          -- UTC
);

-- What people sent to runs on the way, until it is among the run's own messages; they go then, or after a day.
create table if not exists sent_messages (
    run_id     varchar not null,
    message_id varchar not null,             -- made by who sends
    text       varchar not null,
    created_at timestamp not null            -- UTC
);

-- Which runs' answers can be given again, by the key of what was asked (see runtime/launch/cache_key.py).
-- One row a completed run that has a key, written with its end; the newest of a key is its answer. An imported
-- recording is a row too: its run is of another record, and all that is known of it is in `recording`.
create table if not exists answers (
    cache_key   varchar not null,    -- SHA-256 of everything that decides the answer, hex
    session_key varchar,             -- of a run in a named session: the same with only its own kernel's turns as history
    run_id      varchar not null,    -- the run that was asked
    since       timestamp not null,  -- since when this record has it: the run's end, or the import, UTC
    recording   json                 -- an imported answer, as one line of its file; NULL for a run of this record
);

-- Batches: many runs that were asked for at once, one for each row of a table. Their runs have its `batch_id`.
create table if not exists batches (
    batch_id   varchar primary key,
    batch_key  varchar not null,      -- the same for batches of one agent, template and schema: they share answers
    created_at timestamp not null,    -- UTC
    owner      varchar not null,      -- the process that works, or has worked, on it
    label      varchar,               -- the variable's name that the user gave (-o)
    agent_name varchar,
    total      bigint,                -- rows asked for; NULL while a generator still gives more
    reused     bigint not null,       -- of these, answered by runs of earlier batches with the same key
    details    json,                  -- where it lives: {"mode": "notebook"}, or a provider's own batches
    finished_at timestamp,            -- UTC; NULL while its process works on it, or has died over it
    definition json                   -- what was asked: template, agent, limits, the rows' keys
);

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

-- What people and programs think of runs. Never changed: of a run, a name and an author the latest counts.
create table if not exists scores (
    run_id     varchar not null,
    name       varchar not null,
    value      json not null,         -- true, false, a number, or a word
    author     varchar not null,
    comment    varchar,
    created_at timestamp not null     -- UTC
);

-- What all processes on this record may spend together (nb.budget). One row a kind of period.
create table if not exists budgets (
    per        varchar primary key,    -- day, month (of UTC) or total
    amount_usd double not null,
    unknown    varchar not null,       -- what a call without a known price counts as: dearest, or refuse
    created_at timestamp not null      -- UTC
);

-- What each process has spent of a period of a budget, and how far it may go before it asks again.
create table if not exists budget_shares (
    per        varchar not null,
    period     varchar not null,       -- 2026-11-30, 2026-11, or '' for the one that does not end
    owner      varchar not null,       -- the process, as in `launches`; 'before' for what was spent before the budget
    spent_usd  double not null,
    held_usd   double not null,        -- what is spent included; of a process that is gone only that counts
    updated_at timestamp not null,     -- UTC
    primary key (per, period, owner)
);

create or replace view attempts as
with started as (
    -- a launch is its first attempt, but for one that waits for a worker: who takes it claims that attempt
    select run_id, 1 as attempt, owner, created_at from launches where owner <> 'workers'
    union all
    select l.run_id, 1 as attempt, l.owner, l.created_at
    from launches l anti join attempt_starts a on a.run_id = l.run_id and a.attempt = 1
    where l.owner = 'workers'
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
    e.error_fields,
    l.details ->> '$.forked_from'                                     as forked_from,
    (l.details ->> '$.forked_step')::integer                          as forked_step
from launches l
left join (
    select run_id, max(attempt) as attempt, arg_max(owner, attempt) as owner
    from attempt_starts group by run_id
) s on s.run_id = l.run_id
left join attempt_ends e on e.run_id = l.run_id and e.attempt = coalesce(s.attempt, 1)
left join attempt_progress p on p.run_id = l.run_id and p.attempt = coalesce(s.attempt, 1);
