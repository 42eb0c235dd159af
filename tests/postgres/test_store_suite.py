"""The tests of the store, on a record on a server: the same functions, given a `PostgresStore` in place of a file's.

What only a file has is left out by name, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from nbagent.settings import server_url
from nbagent.store import RunStore, open_store
from tests.store import test_batches, test_store_rows, test_store_runs

pytestmark = pytest.mark.postgres

LEFT_OUT: dict[str, str] = {
    "test_a_second_store_goes_on_counting": "opens the file by its path; two stores on one server are in test_team_record.py",
    "test_an_old_cancel_request_has_expired": "writes into the file; the same is in test_team_record.py",
    "test_nothing_is_opened_before_the_first_use": "of a file",
    "test_a_closed_store_starts_again": "names the file's thread",
    "test_launches_of_two_processes_are_numbered_as_they_were_made": "of the file's journal",
    "test_records_come_back_as_they_were": "Postgres holds no NUL: the same without one is in test_team_record.py",
    "test_many_rows_take_the_other_statement_and_come_back_the_same": "the same",
}
MODULES: tuple[ModuleType, ...] = (test_store_runs, test_store_rows, test_batches)

for _module in MODULES:
    for _name, _value in vars(_module).items():
        if _name.startswith("test_") and callable(_value) and _name not in LEFT_OUT:
            globals()[_name] = _value


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[RunStore]:
    """An empty record on a server, closed after the test."""
    one = open_store(server_url(database_url), tmp_path)
    yield one
    assert one.close(10)
