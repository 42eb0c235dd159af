"""A program that maps over rows that cost something, until it is killed: `python -m tests.batch.paid_mapping_process URL JSON`.

The JSON has the rows' names and the options of `start`. It prints what the rows whose result it was given have cost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from nbagent import Agent, Limits, OpenAIChat
from nbagent.batch import Batch
from tests.batch.counting_provider import SCHEMA

TEMPLATE = "{{ row.text }}"


def agent_at(url: str, model: str = "scripted-1") -> Agent:
    """An agent that tries a call twice and an answer once."""
    made = OpenAIChat(id=model, base_url=url, api_key="not-needed")
    return Agent(model=made, limits=Limits(model_retries=1, output_retries=0))


def start(url: str, names: Sequence[str], **options: Any) -> Batch:
    """Map over the rows with these names."""
    rows = [{"text": f"row {name}."} for name in names]
    return agent_at(url).map(rows, TEMPLATE, output_schema=SCHEMA, **options)


if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    paid = 0.0
    for result in start(sys.argv[1], given["names"], **given["options"]):
        paid += result.cost_usd or 0.0
        print(paid, flush=True)
    print("end", flush=True)
