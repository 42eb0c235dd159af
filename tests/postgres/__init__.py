"""A record on Postgres: the server is a real one (`tests/harness/postgres_server.py`)."""
