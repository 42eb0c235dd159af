"""A prompt over a table: thousands of runs as one batch, and its answers as a DataFrame.

batch.py     `Batch`, what a user holds              starting.py  started by `Agent.map`, or read from the record
plan.py      what was asked, frozen, and its key
rows.py      where rows come from                  prompts.py  a row's prompt and key
feed.py      asks the rows, on the background loop  results.py  what has become of them so far
outcome.py   one row's end                          frame.py    all of it as a DataFrame
spending.py  may one more row be asked              pace.py     how fast, while the provider limits it
gate.py      the slots behind that pace             grouping.py several rows in one prompt
progress.py  a text bar without a front end         jobs.py     the provider's own batch files instead
definition.py  what was asked, for the record      recorded.py a batch as the record has it, and followed
otherwise.py   limits changed, rows asked anew     verbs.py    get, gather, cancel_run, resume: runs and batches
"""

from nbagent.batch.api import batch_named, cancel_run, gather, get, resume
from nbagent.batch.batch import Batch, RowResult, batches
from nbagent.batch.definition import index_of
from nbagent.batch.inputs.prompts import Prompts, files_with
from nbagent.batch.inputs.row_source import RowSource, source_of
from nbagent.batch.plan import BatchLimits, BatchPlan, Mode, OnError
from nbagent.batch.running.results import BatchProgress
from nbagent.batch.start import recorded_batch, start_batch

__all__ = [
    "Batch",
    "BatchLimits",
    "BatchPlan",
    "BatchProgress",
    "Mode",
    "OnError",
    "Prompts",
    "RowResult",
    "RowSource",
    "batch_named",
    "batches",
    "cancel_run",
    "files_with",
    "gather",
    "get",
    "index_of",
    "recorded_batch",
    "resume",
    "source_of",
    "start_batch",
]
