"""A program that maps over a pickled table until it is killed: `python -m tests.batch.table_mapping_process URL PICKLE`.

It prints a line for each row whose result it was given. `map_over` is what the stateful test calls as well.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nbagent import Agent, Limits, OpenAIChat
from nbagent.batch import Batch

TEMPLATE = "{{ index }}#{% for name in row %}{{ row[name] }};{% endfor %}"


class Label(BaseModel):
    label: str
    score: float
    n: int | None = None
    tags: list[str] = []
    status: bool = True


def map_over(url: str, rows: Any, **options: Any) -> Batch:
    """The cell that is run again and again."""
    agent = Agent(
        model=OpenAIChat(id="scripted-1", base_url=url, api_key="not-needed"), limits=Limits(model_retries=0)
    )
    return agent.map(rows, TEMPLATE, output_schema=Label, **options)


if __name__ == "__main__":
    from tests.batch import (
        killed_table,
    )  # the schema's class is of the module, as where the cell is run again

    table = pickle.loads(Path(sys.argv[2]).read_bytes())  # noqa: S301
    for result in killed_table.map_over(sys.argv[1], table, max_concurrency=2):
        print(result.status, flush=True)
