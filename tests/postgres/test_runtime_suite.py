"""The tests of the runtime, on a record on a server: launch, cancel, sessions, approvals and resume, as they are."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from nbagent.runtime import current
from tests.runtime.conftest import agent, until  # noqa: F401 - fixtures

pytestmark = pytest.mark.postgres

MODULES = ("test_resume", "test_cancel", "test_approval", "test_launch", "test_sessions", "test_scores")

for _name in MODULES:
    for _key, _value in vars(importlib.import_module(f"tests.runtime.{_name}")).items():
        if _key.startswith("test_") and callable(_value):
            globals()[_key] = _value


@pytest.fixture(autouse=True)
def _on_a_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the record of each test on the server."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    yield
    current().store.close()
