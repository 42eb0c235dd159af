"""Runs on worker processes, which share a record on a Postgres server."""
