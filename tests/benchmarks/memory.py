"""Memory that finished runs leave behind: 100 answers of 1 MB, budget 200 MB; 10,000 small runs, budget 45 MB.

`python tests/benchmarks/memory.py [--held]` prints the growth of the resident set from before the runs to after them, each
case in a process of its own; with `--held` all handles are kept, as a list of runs in a notebook does.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from many_runs import resident

HERE = Path(__file__).parent
CASES = {  # runs, at a time, arguments of the server: seconds between chunks, chunks, words a chunk
    "100 answers of 1 MB": (100, 10, ("0", "1000", "167")),
    "10,000 small runs": (10_000, 50, ("0.0001", "50")),
}


def measure(base_url: str, case: str, *, held: bool) -> None:
    """Run a case and print what it left behind."""
    from nbagent import Agent, OpenAIChat, gather, settings, sql

    runs, at_a_time, _ = CASES[case]
    settings.configure("max_concurrency", at_a_time)
    agent = Agent(model=OpenAIChat(id="bench-1", base_url=base_url, api_key="not-needed"))
    gather([agent.start("Warm up.") for _ in range(at_a_time)])
    sql("select 1")
    gc.collect()
    before, kept = resident(), list[Any]()
    for _ in range(0, runs, at_a_time * 4):
        launched = [agent.start("Say something.") for _ in range(min(runs, at_a_time * 4))]
        for output in gather(launched):
            assert output.status == "completed", output.error
        kept += launched if held else []
    del launched, output
    sql("select 1")  # whatever is on its way is written
    time.sleep(2.0)  # and the file is closed
    gc.collect()
    handles = f", {len(kept)} handles held" if held else ""
    print(f"{case}{handles}: +{(resident() - before) / 1e6:.0f} MB")


def main() -> None:
    """Run each case in a process of its own, with a server of its own."""
    held = "--held" in sys.argv
    if sys.argv[1:2] == ["--case"]:
        measure(sys.argv[2], sys.argv[3], held=held)
        return
    for case, (_, _, pace) in CASES.items():
        command = [sys.executable, str(HERE / "server.py"), *pace]
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
            tempfile.TemporaryDirectory() as folder,
        ):
            assert server.stdin is not None
            assert server.stdout is not None
            base_url = server.stdout.readline().strip()
            asked = [sys.executable, __file__, "--case", base_url, case, *(["--held"] if held else [])]
            subprocess.run(asked, check=True, env={**os.environ, "NBAGENT_STORE": f"{folder}/runs.duckdb"})
            server.stdin.close()


if __name__ == "__main__":
    main()
