"""A kernel of its own with a batch: `python -m tests.batch.other_kernel URL HOW`; says "ready", and works until it is killed.

`HOW` is `ends` (the batch ends, the process stays), `works` (it stays at work until the provider lets it).
"""

from __future__ import annotations

import sys

import pandas as pd

from nbagent import Agent, Batch, Limits, OpenAIChat
from tests.batch.review_provider import SCHEMA, TEMPLATE

INDEX = [f"r{n}" for n in range(6)]


def agent_at(url: str) -> Agent:
    """The agent of both kernels; its model is an object, which the record cannot hold."""
    model = OpenAIChat(id="scripted-1", base_url=url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0, output_retries=0))


def table() -> pd.DataFrame:
    """Six rows with an index that has a name."""
    rows = {"text": [f"row number {n}" for n in range(6)]}
    return pd.DataFrame(rows, index=pd.Index(INDEX, name="review"))


def begin(url: str) -> Batch:
    """Start the batch."""
    return agent_at(url).map(table(), TEMPLATE, output_schema=SCHEMA, label="pass_a", max_concurrency=2)


if __name__ == "__main__":
    batch = begin(sys.argv[1])
    if sys.argv[2] == "ends":
        batch.wait(60)
    print("ready", flush=True)
    sys.stdin.read()
