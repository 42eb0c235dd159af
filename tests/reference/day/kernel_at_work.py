"""A kernel of its own with a batch over cars: `python -m tests.reference.day.kernel_at_work URL LABEL`.

It prints the name of each row that has its answer, then `end`, and stays until its input closes.
"""

from __future__ import annotations

import sys

from pydantic import BaseModel

from nbagent import Agent, Batch, Limits
from tests.reference.day.counting import model_at, with_prices
from tests.reference.day.datasets import cars


class Label(BaseModel):
    maker: str


def start(url: str, label: str) -> Batch:
    """The cell that is run in each kernel."""
    agent = Agent(model=model_at(url, "small"), name="labeller", limits=Limits(model_retries=0))
    options = {"output_schema": Label, "max_concurrency": 4, "label": label}
    return agent.map(cars(), "Who made it: {{ index }}", **options)


if __name__ == "__main__":
    from tests.reference.day import (
        kernel_at_work,
    )  # its schema's class is of the module, as in the other kernel

    with_prices()
    for result in kernel_at_work.start(*sys.argv[1:]):
        print(result.index, flush=True)
    print("end", flush=True)
    sys.stdin.read()
