-- Workers and what they have yet to do. Made where it is not there, with each version of the schema; no kernel mirrors it.

-- The processes that take runs (`nbagent worker`). One lives while its lock is held or its beat is young.
create table if not exists workers (
    owner     text primary key,      -- the process, as in `attempt_starts`
    worker    text not null,         -- its id at the engine, of one process at a time
    host      text not null,
    pid       integer not null,
    addresses json not null,         -- what it serves: {"module:name": fingerprint of its spec}
    lock_key  bigint not null,       -- the advisory lock that its connection holds while it lives
    began_at  timestamp not null default timezone('utc', clock_timestamp()),
    held_at   timestamp not null,    -- since when that lock is held
    beat_at   timestamp not null,    -- when it was last heard of, once a second
    left_at   timestamp,             -- when it ended in order; NULL while it works, or has died
    running   integer not null default 0,
    draining  boolean not null default false
);

-- Launches for workers until they end: what has to be handed to the engine.
create table if not exists placed_runs (
    run_id     text primary key,
    address    text not null,                    -- the agent, "module:name"
    round      integer not null default 1,       -- counts how often it was handed out anew, after a death or a decision
    queues     text[] not null default '{}',     -- of this round: the engine's queues that have it
    given_back text,                             -- the owner after whose death this round began
    refused    text[] not null default '{}',     -- fingerprints of the agent that it cannot go on with
    waits_for  text,                             -- why it was refused or put off, in a line
    not_before timestamp,                        -- until when it is put off
    created_at timestamp not null default timezone('utc', clock_timestamp())
);
