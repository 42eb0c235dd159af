-- Migration 5: batches, many runs that were asked for at once, one for each row of a table. Their runs have its `batch_id`.
-- Numbered and never edited.
create table batches (
    batch_id   varchar primary key,
    batch_key  varchar not null,      -- the same for batches of one agent, template and schema: they share answers
    created_at timestamp not null,    -- UTC
    owner      varchar not null,      -- the process that works, or has worked, on it
    label      varchar,               -- the variable's name that the user gave (-o)
    agent_name varchar,
    total      bigint,                -- rows asked for; NULL while a generator still gives more
    reused     bigint not null,       -- of these, answered by runs of earlier batches with the same key
    details    json                   -- where it lives: {"mode": "notebook"}, or a provider's own batches
);
