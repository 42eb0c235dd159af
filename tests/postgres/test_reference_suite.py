"""The reference scenarios (R1 to R5) on a record on a server, as they are: on one wire format, for the record is the same."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbagent.runtime import current
from tests.harness.kernel import RealKernel
from tests.reference.conftest import (  # noqa: F401 - fixtures
    agent,
    anyio_backend,
    demo_url,
    openai_demo_url,
    polled,
    scripted,
    until,
)
from tests.reference.test_r3_metrics import stocks  # noqa: F401 - a fixture
from tests.reference.test_r4_team import team  # noqa: F401 - a fixture
from tests.reference.wire_formats import WIRES, Wire

pytestmark = [pytest.mark.postgres, pytest.mark.anyio]

MODULES = (
    "test_r1_background",
    "test_r1_r2_magics",
    "test_r2_structured",
    "test_r3_metrics",
    "test_r4_team",
    "test_r5_events",
    "test_r5_provider",
    "test_r5_sessions",
)
LEFT_OUT = {
    "test_an_end_that_a_poll_shows_is_in_the_store": "holds the file; a server that is away is in test_outages.py",
}

for _name in MODULES:
    for _key, _value in vars(importlib.import_module(f"tests.reference.{_name}")).items():
        if _key.startswith("test_") and callable(_value) and _key not in LEFT_OUT:
            globals()[_key] = _value


@pytest.fixture
def wire() -> Wire:
    """The wire format."""
    return WIRES["chat"]


@pytest.fixture
def kernel(tmp_path: Path, database_url: str) -> Iterator[RealKernel]:
    """A kernel whose record is on the server."""
    with RealKernel(tmp_path / "kernel", env={"NBAGENT_STORE": database_url}) as running:
        yield running


@pytest.fixture(autouse=True)
def _on_a_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the record of each test on the server."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    yield
    current().store.close()
