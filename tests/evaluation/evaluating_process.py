"""A program that evaluates until it is killed: `python -m tests.evaluation.evaluating_process URL CASES`, with NBAGENT_STORE set.

It prints the number of each case whose answer it was given.
"""

from __future__ import annotations

import sys

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat


def evaluation(url: str, cases: int) -> nb.Evaluation:
    """The cell that is run again."""
    model = OpenAIChat(id="scripted-1", base_url=url, api_key="not-needed")
    agent = Agent(model=model, limits=Limits(model_retries=0))
    rows = [{"n": n, "expected": str(n)} for n in range(cases)]
    return nb.evaluate(agent, rows, "Say {{ row.n }}", max_concurrency=8)


if __name__ == "__main__":
    found = evaluation(sys.argv[1], int(sys.argv[2]))
    (batch,) = found.batches.values()
    for result in batch:
        print(result.index, flush=True)
