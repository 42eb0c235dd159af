"""The record on a Postgres server, for a team: the same commands in, the same rows out. Imports psycopg lazily."""
