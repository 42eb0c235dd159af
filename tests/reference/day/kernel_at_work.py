"""A kernel of its own with a batch over cars: `python -m tests.reference.day.kernel_at_work URL LABEL [KEY]`.

It prints the name of each row that has its answer, then `end`, and stays until its input closes. `KEY` is the column
that the rows are known by; without one it is the table's index, the names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from pydantic import BaseModel

from nbagent import Agent, Batch, Limits
from tests.reference.day.counting import CountingServer, model_at, with_prices
from tests.reference.day.datasets import cars

ROOT = Path(__file__).resolve().parents[3]


class Label(BaseModel):
    maker: str


def garage() -> pd.DataFrame:
    """The cars with numbers and days of their own, their names as a column."""
    table = cars().reset_index()
    return table.assign(plate=range(1000, 1040), bought=pd.date_range("2026-01-01", periods=40))


def agent_at(url: str) -> Agent:
    """The agent of both kernels."""
    return Agent(model=model_at(url, "small"), name="labeller", limits=Limits(model_retries=0))


def start(url: str, label: str, key: str | None = None) -> Batch:
    """The cell that is run in each kernel."""
    options = {"output_schema": Label, "max_concurrency": 4, "label": label}
    if key is None:
        return agent_at(url).map(cars(), "Who made it: {{ index }}", **options)
    return agent_at(url).map(garage(), "Who made it: {{ row.Name }}", key=key, **options)


@contextmanager
def kernel(server: CountingServer, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start such a kernel; its lines are to be read."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.reference.day.kernel_at_work", server.url, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    # the schema's class is of the module, as in the other kernel
    from tests.reference.day import kernel_at_work

    with_prices()
    for result in kernel_at_work.start(*sys.argv[1:]):
        print(result.index, flush=True)
    print("end", flush=True)
    sys.stdin.read()
