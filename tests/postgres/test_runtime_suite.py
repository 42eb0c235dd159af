"""The tests of the runtime, on a record on a server: cancel, approvals, resume and scores, as they are."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from nbagent.runtime import current
from tests.runtime.conftest import agent, until  # noqa: F401 - fixtures
from tests.runtime.test_approval import clerk  # noqa: F401 - a fixture
from tests.runtime.test_resume import elsewhere  # noqa: F401 - a fixture
from tests.runtime.test_scores import run  # noqa: F401 - a fixture

pytestmark = pytest.mark.postgres

MODULES = ("test_resume", "test_cancel", "test_approval", "test_scores")
LEFT_OUT = {
    "test_an_owner_that_wakes_up_too_late_writes_nothing": "opens the file by its path; see test_team_record.py",
    "test_an_owner_that_wakes_up_too_late_starts_no_tool": "the same",
    "test_cancel_before_launch_from_another_process": "the same",
    "test_cancel_of_a_running_run_from_another_process": "the same",
    "test_another_kernels_decision_is_heard_within_a_second": "the same",
    "test_what_the_store_has_to_say_is_said_once": "of a damaged file",
    "test_scores_of_three_kernels_are_all_there": "opens the file by its path",
}

for _name in MODULES:
    for _key, _value in vars(importlib.import_module(f"tests.runtime.{_name}")).items():
        if _key.startswith("test_") and callable(_value) and _key not in LEFT_OUT:
            globals()[_key] = _value


@pytest.fixture(autouse=True)
def _on_a_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the record of each test on the server."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    yield
    current().store.close()
