-- The record of all runs on Postgres, whole: a new schema is made by this, in the schema of its own that comes first in
-- search_path. A column that `tables.py` has and this has not is added by `server_schema.py`, to new schemas and to
-- those that are there; anything else is made here and as a step there.
--
-- Tables and columns are those of the DuckDB file (`../duckdb/schema.sql`, which says what each means), in its order, with two more
-- at the end of each: `row_id`, the row's key for mirrors, and `xid`, the transaction that wrote the row last. A
-- mirror that has seen all rows below a transaction's number asks for those at or above it. Deletions leave `tombstones`.
-- JSON is `json`, which keeps the text as it was written. Times are UTC without a zone. Unknown is NULL, never 0.

create table schema_version (
    version    integer primary key,   -- that of the schema when it was made, and of each step since
    applied_at timestamp not null     -- when, UTC
);

-- One row: which record this is. A mirror with another id or epoch begins anew.
create table record (
    record_id    uuid not null default gen_random_uuid(),
    mirror_epoch integer not null default 1,
    created_at   timestamp not null default timezone('utc', now())
);
insert into record default values;

-- Who writes here: a process, or a store of it. `applied` numbers what each has written: nothing is written twice, whoever
-- sends it. A process lives as long as one of its writers does.
create table writers (
    writer     text primary key,
    owner      text not null,         -- the process: host, boot, pid, process start
    lock_key   bigint not null,       -- the advisory lock that its connection holds while it lives
    applied    bigint not null default 0,
    began_at   timestamp not null default timezone('utc', now()),
    beat_at    timestamp not null default timezone('utc', now())  -- when it was last heard of
);
create index on writers (owner);

create table launches (
    run_id text primary key,
    session_id text not null,
    turn integer not null,
    created_at timestamp not null,
    owner text not null,
    agent_name text,
    label text,
    parent_run_id text,
    batch_id text,
    kind text,
    cached_from text,
    details json,
    by_user text default session_user,   -- of the server; what others may change of the run's calls depends on it
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on launches (session_id, turn);
create index on launches (created_at desc, run_id desc);
create index on launches (label) where label is not null;
create index on launches (parent_run_id) where parent_run_id is not null;
create index on launches (batch_id) where batch_id is not null;
create index on launches (xid);

create table attempt_starts (
    run_id text not null,
    attempt integer not null,
    owner text not null,
    created_at timestamp not null,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    primary key (run_id, attempt)
);
create index on attempt_starts (xid);

create table attempt_progress (
    run_id text not null,
    attempt integer not null,
    status text not null,
    started_at timestamp,
    heartbeat_at timestamp not null,
    partial_text text,
    response_id text,
    last_sequence_number bigint,
    mode_effective text,
    pending_approvals json,
    paused_s double precision,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    primary key (run_id, attempt)
) with (fillfactor = 50);
create index on attempt_progress (xid);

create table attempt_ends (
    run_id text not null,
    attempt integer not null,
    status text not null,
    stop_reason text not null,
    content text,
    content_type text not null,
    output_valid boolean,
    error_type text,
    error text,
    traceback text,
    started_at timestamp,
    finished_at timestamp not null,
    partial_text text,
    mode_effective text,
    response_id text,
    last_sequence_number bigint,
    content_source text,
    error_fields text,
    paused_s double precision,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    primary key (run_id, attempt)
);
create index on attempt_ends (xid);

create table model_calls (
    run_id text not null,
    attempt integer not null,
    step integer not null,
    try_no integer not null,
    role text,
    provider text not null,
    request_model text not null,
    response_model text,
    response_id text,
    status text not null,
    finish_reason text,
    started_at timestamp not null,
    ttft_s double precision,
    duration_s double precision not null,
    input_tokens bigint,
    output_tokens bigint,
    total_tokens bigint,
    cache_read_tokens bigint,
    cache_write_tokens bigint,
    reasoning_tokens bigint,
    usage_source text not null,
    cost_usd double precision,
    provider_cost_usd double precision,
    error_type text,
    error text,
    large_counts json,
    server_finish_reason text,
    estimated_input_tokens bigint,
    estimated_output_tokens bigint,
    estimated_cost_usd double precision,
    fallback_reason text,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on model_calls (run_id);
create index on model_calls (xid);

create table tool_calls (
    run_id text not null,
    attempt integer not null,
    step integer not null,
    tool_call_id text not null,
    name text not null,
    arguments text not null,
    result text,
    status text not null,
    error_type text,
    error text,
    started_at timestamp not null,
    duration_s double precision not null,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on tool_calls (run_id);
create index on tool_calls (xid);

create table messages (
    session_id text not null,
    turn integer not null,
    run_id text not null,
    attempt integer not null,
    seq integer not null,
    role text not null,
    content text not null,
    name text,
    tool_call_id text,
    tool_requests json,
    reasoning text,
    files json,
    provider_items json,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on messages (run_id);
create index on messages (session_id, turn);
create index on messages (xid);

create table cancel_requests (
    run_id text not null,
    created_at timestamp not null
);
create index on cancel_requests (run_id);

create table decision_requests (
    run_id text not null,
    step integer not null,
    tool_call_id text not null,
    approved boolean not null,
    reason text not null,
    arguments json,
    created_at timestamp not null,
    by_user text                         -- who decided: whoever may insert a row cannot make it somebody else's
);
create index on decision_requests (run_id);
create function note_user() returns trigger language plpgsql as $$
begin
    new.by_user := session_user;
    return new;
end $$;
create trigger decided_by before insert or update on decision_requests for each row execute function note_user();

create table answers (
    cache_key text not null,
    session_key text,
    run_id text not null,
    since timestamp not null,
    recording json,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on answers (cache_key);
create index on answers (session_key) where session_key is not null;
create index on answers (run_id);
create index on answers (xid);

create table batches (
    batch_id text primary key,
    batch_key text not null,
    created_at timestamp not null,
    owner text not null,
    label text,
    agent_name text,
    total bigint,
    reused bigint not null,
    details json,
    finished_at timestamp,
    definition json,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on batches (batch_key);
create index on batches (label) where label is not null;
create index on batches (xid);

create table batch_rows (
    batch_id text not null,
    position bigint not null,
    created_at timestamp not null,
    row_key json,
    answer_key text,
    outcome json not null,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on batch_rows (batch_id);
create index on batch_rows (xid);

create table scores (
    run_id text not null,
    name text not null,
    value json not null,
    author text not null,
    comment text,
    created_at timestamp not null,
    row_id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id()
);
create index on scores (run_id);
create index on scores (xid);

create table sent_messages (
    run_id text not null,
    message_id text not null,
    text text not null,
    created_at timestamp not null
);
create index on sent_messages (run_id);

-- What was deleted: rows of mirrored tables, by their keys.
create table tombstones (
    table_name text not null,
    row_id     bigint not null,
    xid        xid8 not null default pg_current_xact_id(),
    deleted_at timestamp not null default timezone('utc', now())
);
create index on tombstones (xid);

create function note_change() returns trigger language plpgsql as $$
begin
    new.xid := pg_current_xact_id();
    return new;
end $$;

-- No row tells what a truncate has taken: mirrors begin anew.
create function note_truncation() returns trigger language plpgsql as $$
begin
    update record set mirror_epoch = mirror_epoch + 1;
    return null;
end $$;

create function note_deletion() returns trigger language plpgsql as $$
begin
    insert into tombstones (table_name, row_id) select tg_table_name, row_id from gone;
    return null;
end $$;

do $$
declare
    mirrored text;
begin
    foreach mirrored in array array['launches', 'attempt_starts', 'attempt_progress', 'attempt_ends', 'model_calls',
                                    'tool_calls', 'messages', 'answers', 'batches', 'batch_rows', 'scores'] loop
        execute format('create trigger note_change before update on %I for each row execute function note_change()', mirrored);
        execute format('create trigger note_deletion after delete on %I referencing old table as gone
                        for each statement execute function note_deletion()', mirrored);
        execute format('create trigger note_truncation after truncate on %I
                        for each statement execute function note_truncation()', mirrored);
    end loop;
end $$;
