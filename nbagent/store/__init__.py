"""The record of all runs: one DuckDB file that many notebooks share. The only place that imports duckdb.

store.py        `Store`, what the rest of nbagent uses
writes.py       what can be written          rows.py         records to rows and back
writer.py       queue, thread and turns      transaction.py  a batch of writes, all or each alone
file.py         one turn with the file       lockfile.py     who may open it
queries.py      runs and messages read back  orphans.py      runs whose process is gone
measures.py     counts, for the frames       listings.py     runs, steps, messages, for the frames
statements.py   inserting rows               migrations.py   schema.sql and what follows it
owner.py        which process is which
"""

from nbagent.store import measures
from nbagent.store.listings import (
    list_family,
    list_messages,
    list_picked,
    list_steps,
    pick_runs,
    session_messages,
)
from nbagent.store.measures import Chosen, Query
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
    "Chosen",
    "Finish",
    "InterruptOrphans",
    "Launch",
    "Launched",
    "NewAttempt",
    "Progress",
    "Query",
    "StoppedRun",
    "Store",
    "Write",
    "list_family",
    "list_messages",
    "list_picked",
    "list_runs",
    "list_steps",
    "load_messages",
    "load_run",
    "load_stopped",
    "measures",
    "pick_runs",
    "session_messages",
    "session_metrics",
]
