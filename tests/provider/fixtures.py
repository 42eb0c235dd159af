"""The scripted provider as a fixture; wired into every test through `pytest_plugins`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.provider.server import ScriptedProvider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider that does what the test says, closed when the test ends.

    What was learned of an earlier server is forgotten: the system gives ports out again.
    """
    capabilities = sys.modules.get("nbagent.models.capabilities")
    if capabilities is not None:
        capabilities._memories.clear()
    server = ScriptedProvider()
    yield server
    server.close()
