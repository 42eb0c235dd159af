"""A prompt over a table: thousands of runs as one batch, and its answers as a DataFrame.

batch.py     `Batch`, what a user holds; `start_batch`, called by `Agent.map`
plan.py      what was asked, frozen, and its key
rows.py      where rows come from                  prompts.py  a row's prompt and key
feed.py      asks the rows, on the background loop  results.py  what has become of them so far
outcome.py   one row's end                          frame.py    all of it as a DataFrame
spending.py  may one more row be asked              pace.py     how fast, while the provider limits it
gate.py      the slots behind that pace             grouping.py several rows in one prompt
progress.py  a text bar without a front end         jobs.py     the provider's own batch files instead
"""

from nbagent.batch.batch import Batch, RowResult, batches, start_batch
from nbagent.batch.plan import BatchLimits, Plan
from nbagent.batch.prompts import Prompts
from nbagent.batch.results import BatchProgress
from nbagent.batch.rows import Source, source_of

__all__ = [
    "Batch",
    "BatchLimits",
    "BatchProgress",
    "Plan",
    "Prompts",
    "RowResult",
    "Source",
    "batches",
    "source_of",
    "start_batch",
]
