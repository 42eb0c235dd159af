"""A kernel at work on a team's record: `python outage_kernel.py RUNS`, told by NBAGENT_STORE where that is.

It launches half of its runs at once and the others one after the other, and says a line for each thing that it knows: a launch
(with whether it is recorded), an end (with its text), what troubles the record. "all" comes when all of it is recorded.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import warnings
from typing import Any

import nbagent as nb
from nbagent.runtime import current

_said = threading.Lock()


def say(what: str, **told: Any) -> None:
    """Write a line for the test."""
    with _said:
        sys.stdout.write(json.dumps({"what": what, "at": time.time(), **told}) + "\n")
        sys.stdout.flush()


@nb.tool
def population(city: str) -> int:
    """Give the population of a city."""
    time.sleep(0.3)
    return len(city)


def watch() -> None:
    """Say what the panel would say."""
    before = None
    while True:
        trouble = current().store.trouble
        if trouble != before:
            before = trouble
            say("trouble", text=trouble)
        time.sleep(0.05)


def main(runs: int) -> None:
    """Launch, and wait for all."""
    warnings.simplefilter("ignore")
    agent = nb.Agent(model="demo:slow", tools=[population], name="kernel")
    agent.run("What is 6 * 7?")
    threading.Thread(target=watch, daemon=True).start()
    say("ready")
    sys.stdin.readline()
    begun = []

    def launch(number: int) -> None:
        prompt = (
            "What is the population of Rome?"
            if number % 2
            else f"Write {20 + number % 7 * 10} words about the sea."
        )
        run = agent.start(prompt)
        say("launched", run_id=run.run_id, durable=run.durable, tool=bool(number % 2))
        run.add_done_callback(
            lambda one: say("ended", run_id=one.run_id, status=one.status.value, text=one.text)
        )
        begun.append(run)

    for number in range(runs):
        launch(number)
        if number > runs // 2:
            time.sleep(0.4)
    for run in begun:
        run.wait(240)
    while not current().store.flush(5):
        pass
    say("all")
    sys.stdin.readline()


if __name__ == "__main__":
    main(int(sys.argv[1]))
