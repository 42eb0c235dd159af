"""How long a batch takes, and how many requests it wastes, where the server refuses: simulated and on loopback.

`python -m tests.benchmarks.refusals` prints the table of README.md; `--simulated` leaves the real server out.
The simulation is the limiter, the gates and the retries themselves on a virtual clock.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable

from nbagent import Agent, OpenAIChat
from tests.batch.review_provider import prompt_of
from tests.provider.chat_wire import text_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script, error
from tests.runtime.refusing_servers import (
    HONEST,
    RefusingServer,
    RetryAfter,
    Rule,
    at_a_time,
    bucket,
    chance,
    first_tries,
    window,
)
from tests.runtime.simulated_batch import play

Case = tuple[str, Callable[[], Rule], int, tuple[RetryAfter, ...]]
TOLD: tuple[RetryAfter, ...] = (0.0, 1.0, None)
CASES: tuple[Case, ...] = (
    ("each prompt twice", lambda: first_tries(2), 40, TOLD),
    *((f"{share:.0%} at random", lambda share=share: chance(share), 400, TOLD) for share in (0.2, 0.5, 0.67)),
    ("90% at random", lambda: chance(0.9), 400, (0.0,)),
    ("bucket of 20/s", lambda: bucket(20, 20), 400, (HONEST, *TOLD)),
    ("20 in each second", lambda: window(20, 1.0), 400, (HONEST, *TOLD)),
    ("10 in each 5 s", lambda: window(10, 5.0), 60, (HONEST,)),
    ("bucket of 1/s", lambda: bucket(1, 1), 30, (HONEST, 1.0)),
    ("bucket of 1/s", lambda: bucket(1, 1), 200, (HONEST, 1.0)),
    ("4 at a time", lambda: at_a_time(4), 400, TOLD),
)


def on_loopback(server: RefusingServer, rows: int) -> float:
    """Ask a real server by the same rules; return the seconds from the launch to the frame."""
    with contextlib.closing(ScriptedProvider()) as provider:

        def answer(request: Request) -> Script:
            refused = server.ask(prompt_of(request), time.monotonic())
            if refused is None:
                server.done()
                return text_reply("yes")
            told = refused.retry_after_s
            return error(refused.status, "no", headers={} if told is None else {"retry-after": str(told)})

        provider.otherwise(answer)
        agent = Agent(model=OpenAIChat(id="one", base_url=provider.base_url, api_key="none"))
        began = time.monotonic()
        frame = agent.map([f"{time.time()} {number}" for number in range(rows)], "{{ row }}").result(600)
        assert set(frame["status"]) == {"completed"}, frame["error"].dropna().unique()
        return time.monotonic() - began


def main() -> None:
    """Print a row of the table for each server, Retry-After and status."""
    os.environ["NBAGENT_STORE"] = tempfile.mkdtemp() + "/runs.duckdb"
    if "--simulated" not in sys.argv:
        on_loopback(RefusingServer(first_tries(0)), 1)  # what is imported once is no part of it
    print("| server | rows | Retry-After | status | simulated | tries | loopback | tries |")
    print("|---|---|---|---|---|---|---|---|")
    for name, rule, rows, retry_afters in CASES:
        for told in retry_afters:
            for status in (429, 503):
                simulated = RefusingServer(rule(), told, status)
                cells = [f"{play(simulated, rows).took_s:.1f} s", f"{simulated.tries_per_admitted:.2f}x"]
                if "--simulated" not in sys.argv and not name.endswith("at a time"):
                    real = RefusingServer(rule(), told, status)
                    cells += [f"{on_loopback(real, rows):.1f} s", f"{real.tries_per_admitted:.2f}x"]
                else:
                    cells += ["", ""]
                print("|", " | ".join([name, str(rows), str(told), str(status), *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
