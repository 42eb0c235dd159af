"""The record of all runs: one DuckDB file that many notebooks share. The only room that imports duckdb.

The rest of nbagent hands commands to a `RunStore`, and asks it through the functions below.

store.py           `Store`: hand over a command, read, flush, close; `open_store`
commands.py        what can be written: frozen commands
ports.py           `RunStore`, what the rest of nbagent has of a store, and what this room's files need of one: Protocols
access.py          file modes; records that can only be read
process_id.py      the name of a process, and whether it lives
fork_safety.py     flush at the process's end, no open file at a fork
whole_record.py    a whole record to a file, or from a file to a server
session_claim.py   which process may let a run of a session work
session_ids.py     which sessions have been launched in, by whom

duckdb/            all that is DuckDB's
  database_file.py   one lease: open the file under its lock, close it
  lock_file.py       the lock beside the file, and who waits for it
  schema.py          make a new file's tables, migrate an earlier file (schema.sql, step_6.sql, ...)
  salvage.py         carry over what can be read of a damaged file
  tables.py          the columns of each table
  codec.py           records to rows and back
  recorded_answers.py  a cached answer as data in a file, and back
  query_results.py   rows and arrays of a query, times with their zone
  arrow_tables.py    rows of tables of other packages
  journal/           launches that are durable before the database has them
    journal.py         this process's file
    launch_log.py      which launches go into it, and what each is in its session
    journal_recovery.py  journals of other processes
  write/             the one thread that writes
    writer.py          the thread: leases, commits, connections for readers
    write_queue.py     which command is due when
    transaction.py     several commands in one transaction, or each alone
    insert.py          insert rows
    known_state.py     what the thread knows of the file between leases
    health.py          the last error and the backoff
    numbering.py       give launches their turns
    orphans.py         end attempts of dead processes
    delete.py          choose and delete runs
    costs.py           calls without a cost, and their costs
  read/              queries, on any thread but the writer's
    read_queue.py      readers that wait for a connection
    runs.py            a run, a stopped run, a list of runs
    sessions.py        the turns of a session
    metrics_sql.py     the SQL of all counts
    totals.py          the metrics of a session or a batch
    listings.py        the SQL of runs, steps and messages for the frames
    summaries.py       short rows for the panel
    run_names.py       labels and ids to complete
    batches.py         batches, and the rows that they have answers for
    cached_answers.py  answers by their key
    private_copy.py    a copy that can only be read
    adhoc_sql.py       a person's SQL on such a copy; tables to files

postgres/          all that is a Postgres server's
  pg_store.py        `PostgresStore`, with the verbs of the file's `Store`
  connect.py         connections, and what a person is told where there can be none
  server_schema.py   make the schema on the server, or bring it up to date (schema.sql, views.sql)
  readers.py         connections for point reads
  dialect.py         SQL of duckdb/read/ in Postgres' words
  listener.py        what other processes write and ask for
  worker_rows.py     the workers of a record, and which are gone (workers.sql)
  placed_runs.py     launches for workers that have not ended
  write/             what is written
    operations.py      commands as rows of JSON
    apply.py           several in one transaction, fenced
    upkeep.py          those that are done alone: delete, costs, dead processes' runs
    pg_writer.py       the thread: batches, leases, what waits
    outbox.py          what waits, on the disk
    keeping.py         who puts it there, while the server is away
    senders.py         this process, and what dead ones have left
    placed_batches.py  batches for workers, and whose they are
  analysis/          questions that are asked of all runs
    mirror.py          a private DuckDB mirror: pull what is new, then ask
    mirror_file.py     its file: where it is, whose it is, its tables
    pull.py            what is new on the server, into the file
    copied_rows.py     rows off a connection, millions of them
  administration/    what a person does now and then
    record_transfer.py a whole record from a file to the server, or back
    roles.py           the SQL of a team's roles
    server_checks.py   who holds mirrors back, and whose clock is wrong
"""

from nbagent.store.commands import (
    AddScore,
    AnswerKeys,
    AppendRows,
    BatchRecord,
    BatchRow,
    BatchRows,
    BudgetAccount,
    BudgetShare,
    BudgetState,
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
    MessageTaken,
    NewAttempt,
    Progress,
    SendMessage,
    SetBudget,
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
    batch_labels,
    load_batch,
    load_named,
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
    list_chosen,
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
    last_of_each,
    list_runs,
    load_new,
    load_run,
    load_runs,
    load_stopped,
    run_statuses,
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
from nbagent.store.duckdb.write.ledger import period_of
from nbagent.store.ports import RunStore, ServerMirror
from nbagent.store.postgres import placed_runs, worker_rows
from nbagent.store.postgres.administration.roles import role_sql
from nbagent.store.postgres.administration.server_checks import check_server
from nbagent.store.postgres.placed_runs import WaitingRun, load_waiting
from nbagent.store.postgres.worker_rows import WorkerRow, load_workers
from nbagent.store.postgres.write import placed_batches
from nbagent.store.process_id import PLACED, current_process_id, is_alive, process_name
from nbagent.store.session_claim import ClaimNote, SessionClaim, SessionClaims
from nbagent.store.store import Store, open_store
from nbagent.store.whole_record import export_whole, import_whole

__all__ = [
    "FORMATS",
    "PARALLEL",
    "PLACED",
    "AddScore",
    "AnswerKeys",
    "AppendRows",
    "BatchRecord",
    "BatchRow",
    "BatchRows",
    "BudgetAccount",
    "BudgetShare",
    "BudgetState",
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
    "MessageTaken",
    "Named",
    "NewAttempt",
    "Progress",
    "Query",
    "RunFilter",
    "RunNames",
    "RunStore",
    "RunSummary",
    "SendMessage",
    "ServerMirror",
    "SessionClaim",
    "SessionClaims",
    "SessionState",
    "SetBudget",
    "Store",
    "StoredBatch",
    "StoredRun",
    "StoredTurn",
    "UnfinishedRun",
    "WaitingRun",
    "WorkerRow",
    "Write",
    "all_answers",
    "answer_json",
    "answered_rows",
    "arrow_rows",
    "batch_details",
    "batch_labels",
    "batch_metrics",
    "carry_over",
    "check_server",
    "content_of",
    "current_process_id",
    "export_whole",
    "find_answer",
    "find_deletable",
    "import_recordings",
    "import_whole",
    "is_alive",
    "last_of_each",
    "list_chosen",
    "list_family",
    "list_messages",
    "list_picked",
    "list_runs",
    "list_steps",
    "load_batch",
    "load_named",
    "load_new",
    "load_run",
    "load_runs",
    "load_session",
    "load_stopped",
    "load_turns",
    "load_unfinished",
    "load_waiting",
    "load_workers",
    "metrics_sql",
    "named",
    "newest_runs",
    "open_store",
    "overwrite",
    "period_of",
    "pick_runs",
    "placed_batches",
    "placed_runs",
    "process_name",
    "recorded_output",
    "recordings_of",
    "role_sql",
    "run_names",
    "run_statuses",
    "runs_since",
    "session_metrics",
    "session_runs",
    "unpriced",
    "worker_rows",
    "write_table",
]
