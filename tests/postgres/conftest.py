"""A Postgres server for the tests of this folder, and a database of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.postgres_server import PostgresForTests

if TYPE_CHECKING:
    from nbagent.store.postgres.analysis.mirror import Mirror


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
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache folder of its own, where mirrors are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def database_url(postgres_server: PostgresForTests) -> str:
    """The address of an empty database that no other test uses."""
    return postgres_server.new_database()


@pytest.fixture
def url(database_url: str) -> str:
    """A database with an empty record."""
    from tests.postgres.records import make_record

    make_record(database_url)
    return database_url


@pytest.fixture
def mirror(url: str, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of that record."""
    from tests.postgres.records import mirror_of

    found = mirror_of(url, tmp_path / "mirrors")
    yield found
    found.close()
