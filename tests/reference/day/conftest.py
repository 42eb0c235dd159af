"""A day's world: a model server that counts, and its price list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nbagent import settings
from tests.provider.server import ScriptedProvider
from tests.reference.day.counting import CountingServer, with_prices


@pytest.fixture(autouse=True)
def prices() -> Iterator[None]:
    """The prices that the server is counted by."""
    with_prices()
    yield
    settings.configure("prices", None)


@pytest.fixture
def server(provider: ScriptedProvider) -> CountingServer:
    """The model server of this job."""
    return CountingServer(provider)
