"""A Postgres server for the tests of workers; they are marked `workers` and run in the leg of that name alone."""

from tests.harness.postgres_fixtures import database_url, own_cache, postgres_server  # noqa: F401 - fixtures
