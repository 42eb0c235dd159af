"""A Postgres server for the tests of this folder, and a record of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.postgres_fixtures import database_url, own_cache, postgres_server  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from nbagent.store.postgres.analysis.mirror import Mirror


@pytest.fixture
def url(database_url: str) -> str:  # noqa: F811 - the fixture of that name
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
