"""The record of all runs: one DuckDB file that many notebooks share. The only place that imports duckdb.

store.py        `Store`, what the rest of nbagent uses
writes.py       what can be written          rows.py         records to rows and back
columns.py      each table's columns         memory.py       what is known without asking
writer.py       thread and turns             transaction.py  a batch of writes, all or each alone
jobs.py         what waits, and until when   readers.py      who waits to read
launchlog.py    launches durable at once     otherlogs.py    those of other processes
troubles.py     why turns fail
file.py         one turn with the file       lockfile.py     who may open it
queries.py      runs and messages read back  orphans.py      runs whose process is gone
names.py        what runs are called by
measures.py     counts, for the frames       listings.py     runs, steps, messages, for the frames
statements.py   inserting rows               migrations.py   schema.sql and what follows it
owner.py        which process is which       process.py      this one's forks and end
overview.py     runs as rows of a table      totals.py       a session's metrics
answers.py      answers to be given again    recordings.py   such an answer as data
forgetting.py   which runs to delete         asking.py       a person's SQL, tables to files
readcopy.py     the copy that SQL is asked of  salvage.py     damaged files carried over
batches.py      what batches have answered   sessions.py     what sessions hold
access.py       modes, records that can only be read
session_claim.py which process may let a run of a session work
"""

from nbagent.store import measures
from nbagent.store.answers import Answer, all_answers, find_answer, import_recordings, recordings_of
from nbagent.store.asking import FORMATS, replacing, write_table
from nbagent.store.batches import (
    Answered,
    Named,
    StoredBatch,
    answered_rows,
    batch_details,
    load_batch,
    named,
)
from nbagent.store.forgetting import Clearable, clearable
from nbagent.store.listings import (
    list_family,
    list_messages,
    list_picked,
    list_steps,
    pick_runs,
)
from nbagent.store.measures import Chosen, Query
from nbagent.store.overview import Overview, newest_runs, runs_since
from nbagent.store.owner import is_alive, process_name
from nbagent.store.pricing import unpriced
from nbagent.store.queries import (
    StoppedRun,
    answer_json,
    content_of,
    list_runs,
    load_run,
    load_stopped,
)
from nbagent.store.recordings import recorded_output
from nbagent.store.session_claim import ClaimNote, SessionClaim, SessionClaims
from nbagent.store.sessions import (
    PARALLEL,
    SessionState,
    Turn,
    UnfinishedRun,
    carry_over,
    load_session,
    load_turns,
    load_unfinished,
    session_runs,
)
from nbagent.store.store import Store
from nbagent.store.totals import batch_metrics, session_metrics
from nbagent.store.writes import (
    AnswerKeys,
    Append,
    BatchRecord,
    BatchRow,
    BatchRows,
    CallCost,
    CancelRequest,
    CancelSeen,
    DecisionRequest,
    DecisionSeen,
    Finish,
    ForgetRuns,
    GiveCosts,
    InterruptOrphans,
    Launch,
    Launched,
    NewAttempt,
    Progress,
    Write,
)

__all__ = [
    "FORMATS",
    "PARALLEL",
    "Answer",
    "AnswerKeys",
    "Answered",
    "Append",
    "BatchRecord",
    "BatchRow",
    "BatchRows",
    "CallCost",
    "CancelRequest",
    "CancelSeen",
    "Chosen",
    "ClaimNote",
    "Clearable",
    "DecisionRequest",
    "DecisionSeen",
    "Finish",
    "ForgetRuns",
    "GiveCosts",
    "InterruptOrphans",
    "Launch",
    "Launched",
    "Named",
    "NewAttempt",
    "Overview",
    "Progress",
    "Query",
    "SessionClaim",
    "SessionClaims",
    "SessionState",
    "StoppedRun",
    "Store",
    "StoredBatch",
    "Turn",
    "UnfinishedRun",
    "Write",
    "all_answers",
    "answer_json",
    "answered_rows",
    "batch_details",
    "batch_metrics",
    "carry_over",
    "clearable",
    "content_of",
    "find_answer",
    "import_recordings",
    "is_alive",
    "list_family",
    "list_messages",
    "list_picked",
    "list_runs",
    "list_steps",
    "load_batch",
    "load_run",
    "load_session",
    "load_stopped",
    "load_turns",
    "load_unfinished",
    "measures",
    "named",
    "newest_runs",
    "pick_runs",
    "process_name",
    "recorded_output",
    "recordings_of",
    "replacing",
    "runs_since",
    "session_metrics",
    "session_runs",
    "unpriced",
    "write_table",
]
