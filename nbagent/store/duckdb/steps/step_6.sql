-- Step 6, for files of schema 5: rows say more of how a run ended. Never edited.
alter table model_calls add column if not exists large_counts json;
alter table attempt_ends add column if not exists content_source varchar;
alter table attempt_ends add column if not exists error_fields varchar;
alter table model_calls add column if not exists server_finish_reason varchar;
alter table model_calls add column if not exists estimated_input_tokens bigint;
alter table model_calls add column if not exists estimated_output_tokens bigint;
alter table model_calls add column if not exists estimated_cost_usd double;
alter table attempt_progress add column if not exists paused_s double;
alter table attempt_ends add column if not exists paused_s double;
alter table batches add column if not exists finished_at timestamp;
alter table batches add column if not exists definition json;
