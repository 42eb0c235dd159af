"""A Postgres server for a folder of tests, and a database of its own for each: a `conftest.py` imports these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.postgres_server import PostgresForTests


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresForTests]:
    """One running server for all tests of this process."""
    server = PostgresForTests()
    try:
        server.begin()
        yield server
    finally:
        server.end()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache folder of its own, where mirrors are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def database_url(postgres_server: PostgresForTests) -> str:
    """The address of an empty database that no other test uses."""
    return postgres_server.new_database()
