"""An agent on the scripted provider, and what its tests wait with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nbagent import Agent, Limits, OpenAIChat
from tests.harness import waiting
from tests.provider.server import ScriptedProvider


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent whose model is the scripted provider; it makes no second try."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0))


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that has no event of its own holds."""
    return waiting.until
