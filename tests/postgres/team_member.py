"""A colleague's process on the same record: `python team_member.py WHAT [RUN_ID]`, told by NBAGENT_STORE where it is."""

from __future__ import annotations

import sys

import nbagent as nb
from nbagent.runtime import current


def main(what: str) -> None:
    """Launch a long run and say its id; then how it ended, or nothing where somebody kills this process."""
    agent = nb.Agent(model="demo:slow", name="colleague")
    run = agent.start("Write 60 words about Rome", session_id="shared" if what == "session" else None)
    sys.stdout.write(run.run_id + "\n")
    sys.stdout.flush()
    run.wait(120)
    current().store.flush(10)
    sys.stdout.write(f"{run.status.value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
