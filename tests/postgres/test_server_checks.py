"""What `doctor` says of a server: who holds the mirrors back, and whose clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from nbagent.store.postgres.administration import server_checks
from nbagent.store.postgres.administration.server_checks import check_server, told_skew
from tests.harness.postgres_server import PostgresForTests
from tests.postgres.records import connect, launch

pytestmark = pytest.mark.postgres


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a transaction be old from its beginning: no test waits for a minute."""
    for name in ("_HOLDING", "_PREPARED"):
        sql = getattr(server_checks, name)
        monkeypatch.setattr(server_checks, name, sql.replace("interval '60 s'", "interval '0 s'"))


@pytest.fixture
def holder(url: str, postgres_server: PostgresForTests) -> Iterator[Any]:
    """An open transaction that has written, in another database."""
    import psycopg

    with psycopg.connect(postgres_server.new_database(), application_name="psql by hand") as connection:
        connection.execute("select pg_current_xact_id()")
        yield connection


def test_an_open_transaction_is_named_with_its_pid(url: str, holder: Any, at_once: None) -> None:
    """In whatever database; one that has only read holds nothing back and is not named; ended, nothing is said."""
    with connect(url) as server, connect(url) as reading:
        reading.execute("begin")
        reading.execute("select 1")
        told = check_server(server)["open transactions"]
        assert f"pid {holder.info.backend_pid} " in told
        assert "psql by hand" in told
        assert str(reading.info.backend_pid) not in told
        holder.rollback()
        assert str(holder.info.backend_pid) not in check_server(server)["open transactions"]


def test_a_young_transaction_is_no_trouble(url: str, holder: Any) -> None:
    """Each write is one for a moment."""
    with connect(url) as server:
        assert str(holder.info.backend_pid) not in check_server(server)["open transactions"]


def test_a_prepared_transaction_is_named(url: str, at_once: None) -> None:
    """It holds mirrors back without any process."""
    with connect(url) as server, connect(url) as other:
        other.execute("begin")
        launch(other, "r")
        other.execute("prepare transaction 'left behind'")
        try:
            assert "'left behind'" in check_server(server)["open transactions"]
        finally:
            other.execute("rollback prepared 'left behind'")


def test_another_users_transaction_is_named_by_who_may_not_look_into_it(url: str, holder: Any) -> None:
    """Its age is that of the first run that came after it, at least."""
    with connect(url) as admin:
        admin.execute("create role looks_only")
        admin.execute("grant usage on schema nbagent to looks_only")
        admin.execute("grant select on all tables in schema nbagent to looks_only")
        try:
            with connect(url) as server:
                server.execute("set role looks_only")
                assert check_server(server)["open transactions"] == "none older than a minute"
                launch(admin, "later", created_at="2020-01-01 00:00:00")
                assert f"pid {holder.info.backend_pid} " in check_server(server)["open transactions"]
        finally:
            admin.execute("drop owned by looks_only")
            admin.execute("drop role looks_only")


@pytest.mark.parametrize(
    ("ahead_s", "doubt_s", "told"),
    [
        (0.2, 0.01, "the server's and this machine's agree"),
        (4, 9, "the server's and this machine's agree"),
        (4, 0.1, "the server's is 4.0 s ahead of this machine's"),
        (-90, 0.1, "the server's is 90.0 s behind this machine's"),
    ],
)
def test_a_clock_that_differs_is_told(url: str, ahead_s: float, doubt_s: float, told: str) -> None:
    """From a second on, and by more than the question took: else nobody knows."""
    assert told_skew(timedelta(seconds=ahead_s), timedelta(seconds=doubt_s)).startswith(told)
    with connect(url) as server:  # on one machine
        assert check_server(server)["clock"] == "the server's and this machine's agree"
