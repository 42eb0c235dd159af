"""An agent on the scripted provider that has no second tries of its own, and a table."""

from __future__ import annotations

import pandas as pd
import pytest

from nbagent import Agent, Limits, OpenAIChat
from tests.provider.server import ScriptedProvider


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent whose model is the scripted provider."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0))


@pytest.fixture
def table() -> pd.DataFrame:
    """Twenty rows with an index of their own."""
    return pd.DataFrame(
        {"text": [f"row number {n}" for n in range(20)], "n": range(20)}, index=[f"r{n}" for n in range(20)]
    )
