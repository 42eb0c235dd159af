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

from nbagent.store.commands import (
    AnswerKeys,
    AppendRows,
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
    LaunchResult,
    NewAttempt,
    Progress,
    Write,
)
from nbagent.store.duckdb.arrow_tables import arrow_rows
from nbagent.store.duckdb.read import metrics_sql
from nbagent.store.duckdb.read.adhoc_sql import FORMATS, overwrite, write_table
from nbagent.store.duckdb.read.batches import (
    CompletedRows,
    Named,
    StoredBatch,
    answered_rows,
    batch_details,
    load_batch,
    named,
)
from nbagent.store.duckdb.read.cached_answers import (
    CachedAnswer,
    all_answers,
    find_answer,
    import_recordings,
    recordings_of,
)
from nbagent.store.duckdb.read.listings import (
    list_family,
    list_messages,
    list_picked,
    list_steps,
    pick_runs,
)
from nbagent.store.duckdb.read.metrics_sql import Query, RunFilter
from nbagent.store.duckdb.read.run_names import RunNames, run_names
from nbagent.store.duckdb.read.runs import (
    StoredRun,
    answer_json,
    content_of,
    list_runs,
    load_run,
    load_stopped,
)
from nbagent.store.duckdb.read.sessions import (
    PARALLEL,
    SessionState,
    StoredTurn,
    UnfinishedRun,
    carry_over,
    load_session,
    load_turns,
    load_unfinished,
    session_runs,
)
from nbagent.store.duckdb.read.summaries import RunSummary, newest_runs, runs_since
from nbagent.store.duckdb.read.totals import batch_metrics, session_metrics
from nbagent.store.duckdb.recorded_answers import recorded_output
from nbagent.store.duckdb.write.costs import unpriced
from nbagent.store.duckdb.write.delete import DeletableRuns, find_deletable
from nbagent.store.process_id import is_alive, process_name
from nbagent.store.session_claim import ClaimNote, SessionClaim, SessionClaims
from nbagent.store.store import Store

__all__ = [
    "FORMATS",
    "PARALLEL",
    "AnswerKeys",
    "AppendRows",
    "BatchRecord",
    "BatchRow",
    "BatchRows",
    "CachedAnswer",
    "CallCost",
    "CancelRequest",
    "CancelSeen",
    "ClaimNote",
    "CompletedRows",
    "DecisionRequest",
    "DecisionSeen",
    "DeletableRuns",
    "Finish",
    "ForgetRuns",
    "GiveCosts",
    "InterruptOrphans",
    "Launch",
    "LaunchResult",
    "Named",
    "NewAttempt",
    "Progress",
    "Query",
    "RunFilter",
    "RunNames",
    "RunSummary",
    "SessionClaim",
    "SessionClaims",
    "SessionState",
    "Store",
    "StoredBatch",
    "StoredRun",
    "StoredTurn",
    "UnfinishedRun",
    "Write",
    "all_answers",
    "answer_json",
    "answered_rows",
    "arrow_rows",
    "batch_details",
    "batch_metrics",
    "carry_over",
    "content_of",
    "find_answer",
    "find_deletable",
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
    "metrics_sql",
    "named",
    "newest_runs",
    "overwrite",
    "pick_runs",
    "process_name",
    "recorded_output",
    "recordings_of",
    "run_names",
    "runs_since",
    "session_metrics",
    "session_runs",
    "unpriced",
    "write_table",
]
