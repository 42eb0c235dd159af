"""An agent on the scripted provider, and what its tests wait with."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from nbagent import Agent, Limits, OpenAIChat
from tests.provider.server import ScriptedProvider


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent whose model is the scripted provider; it makes no second try."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0))


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that has no event of its own holds, for at most 20 seconds."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, "it did not happen within 20 s"
            time.sleep(0.002)

    return wait
