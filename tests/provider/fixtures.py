"""The scripted provider as a fixture; wired into every test through `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.provider.server import ScriptedProvider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider that does what the test says, closed when the test ends."""
    server = ScriptedProvider()
    yield server
    server.close()
