-- Migration 3: what files of the first days lack of migration 1. Numbered and never edited.

alter table launches add column if not exists kind varchar;         -- agent or team
alter table launches add column if not exists cached_from varchar;  -- the run whose answer this one was given
alter table attempt_progress add column if not exists pending_approvals json;  -- calls that wait for a person

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
