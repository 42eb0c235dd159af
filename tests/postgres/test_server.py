"""The server that the tests of this folder start."""

from __future__ import annotations

import pytest

from tests.harness.postgres_server import PostgresForTests

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_is_committed_is_there_after_the_server_went(
    postgres_server: PostgresForTests, database_url, end
):
    """A server that was stopped or killed keeps what was committed, and connections to it end."""
    import psycopg

    before = psycopg.connect(database_url, autocommit=True)
    before.execute("create table kept (value text)")
    before.execute("insert into kept values (%s)", ["ä 日本"])
    getattr(postgres_server, end)()
    postgres_server.start()
    with pytest.raises(psycopg.OperationalError):
        before.execute("select 1")
    with psycopg.connect(database_url) as after:
        assert after.execute("select value from kept").fetchall() == [("ä 日本",)]
