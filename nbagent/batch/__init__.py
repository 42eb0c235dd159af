"""A prompt over a table: thousands of runs as one batch, and its answers as a DataFrame.

batch.py         `Batch`, what a user holds             active_batch.py  its work: runner, limiter, record
start.py         made by `Agent.map`, or from the record waiting.py       wait for the end, or row by row
plan.py          what was asked, frozen, and its key    definition.py    the same as data for the record
changes.py       limits changed, rows asked again       recorded.py      a batch as the record has it, followed
row_outcome.py   one row's end                          frame.py         all rows as a DataFrame
progress_bar.py  a text bar without a front end         api.py           get, gather, cancel_run, resume
inputs/          where rows come from: row_source.py, tables.py, snapshot.py (copies), prompts.py (row to prompt and key)
running/         the rows in flight: runner.py, row_queue.py, earlier_answers.py, results.py, budget.py, packing.py
                 (several rows in one prompt), provider_batch.py (the provider's batch files)
placed/          batches for workers: the launch, and the worker's part
"""

from typing import TYPE_CHECKING, Any

from nbagent.batch.api import batch_named, cancel_run, gather, get, resume
from nbagent.batch.batch import Batch, batches
from nbagent.batch.definition import index_of
from nbagent.batch.inputs.prompts import NAMES_TODO, Prompts, files_with, key_columns
from nbagent.batch.inputs.row_source import RowSource, source_of
from nbagent.batch.plan import BatchLimits, BatchPlan, Mode, OnError
from nbagent.batch.row_outcome import RowResult
from nbagent.batch.running.results import BatchProgress
from nbagent.batch.start import recorded_batch, start_batch

if TYPE_CHECKING:
    from nbagent.batch.placed.feeder import Feeder, FeedLease, take_up_batch

__all__ = [
    "NAMES_TODO",
    "Batch",
    "BatchLimits",
    "BatchPlan",
    "BatchProgress",
    "FeedLease",
    "Feeder",
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
    "key_columns",
    "recorded_batch",
    "resume",
    "source_of",
    "start_batch",
    "take_up_batch",
]


def __getattr__(name: str) -> Any:
    """Import a worker's part at its first use: kernels need none of it."""
    if name not in {"FeedLease", "Feeder", "take_up_batch"}:
        raise AttributeError(f"module 'nbagent.batch' has no attribute {name!r}")
    from nbagent.batch.placed import feeder

    return getattr(feeder, name)
