-- Step 7, for files of schema 6: calls say why their model was asked; schema.sql makes the table `scores`. Never edited.
alter table model_calls add column if not exists fallback_reason varchar;
