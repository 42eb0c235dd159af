"""The record of all runs: one DuckDB file that many notebooks share. The only place that imports duckdb.

store.py        `Store`, what the rest of nbagent uses
writes.py       what can be written          rows.py         records to rows and back
writer.py       queue, thread and turns      transaction.py  a batch of writes, all or each alone
file.py         one turn with the file       lockfile.py     who may open it
queries.py      runs and messages read back  orphans.py      runs whose process is gone
statements.py   inserting rows               migrations.py   schema.sql and what follows it
owner.py        which process is which     overview.py     runs as rows of a table
"""

from nbagent.store.overview import Overview, newest_runs, runs_since
from nbagent.store.queries import (
    StoppedRun,
    list_runs,
    load_messages,
    load_run,
    load_stopped,
    session_metrics,
)
from nbagent.store.store import Store
from nbagent.store.writes import (
    Append,
    CancelRequest,
    CancelSeen,
    Finish,
    InterruptOrphans,
    Launch,
    Launched,
    NewAttempt,
    Progress,
    Write,
)

__all__ = [
    "Append",
    "CancelRequest",
    "CancelSeen",
    "Finish",
    "InterruptOrphans",
    "Launch",
    "Launched",
    "NewAttempt",
    "Overview",
    "Progress",
    "StoppedRun",
    "Store",
    "Write",
    "list_runs",
    "load_messages",
    "load_run",
    "load_stopped",
    "newest_runs",
    "runs_since",
    "session_metrics",
]
