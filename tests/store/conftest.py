"""A store of its own for each test, closed after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's file will be; its folder does not exist yet."""
    return tmp_path / "project" / ".nbagent" / "runs.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store, closed after the test."""
    one = Store(path)
    yield one
    assert one.close(10)
