-- Which runs' answers can be given again, by the key of what was asked (see runtime/cachekey.py).

-- One row a completed run that has a key, written with its end; the newest of a key is its answer. An imported
-- recording is a row too: its run is of another record, and all that is known of it is in `recording`.
create table answers (
    cache_key   varchar not null,    -- SHA-256 of everything that decides the answer, hex
    session_key varchar,             -- of a run in a named session: the same with only its own kernel's turns as history
    run_id      varchar not null,    -- the run that was asked
    since       timestamp not null,  -- since when this record has it: the run's end, or the import, UTC
    recording   json                 -- an imported answer, as one line of its file; NULL for a run of this record
);
