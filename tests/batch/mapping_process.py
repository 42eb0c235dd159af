"""A program that maps over rows until it is killed: `python -m tests.batch.mapping_process URL ROWS`, with NBAGENT_STORE set.

It prints `ROW` for each row whose result it was given, then `end`.
"""

from __future__ import annotations

import sys

from nbagent import Agent, Limits, OpenAIChat
from nbagent.batch import Batch

SCHEMA = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "words": {"type": "integer"}},
    "required": ["label", "words"],
}


def label(url: str, rows: int, **options: object) -> Batch:
    """The cell that is run again and again."""
    model = OpenAIChat(id="scripted-1", base_url=url, api_key="not-needed")
    agent = Agent(model=model, limits=Limits(model_retries=0))
    given = {"output_schema": SCHEMA, "max_concurrency": 8} | options
    return agent.map([f"row {n}" for n in range(rows)], "Classify: {{ row }}", **given)


if __name__ == "__main__":
    for result in label(sys.argv[1], int(sys.argv[2])):
        print(result.index, flush=True)
    print("end", flush=True)
