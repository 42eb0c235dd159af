"""DataFrames from the store's SQL. Next to plots and schemas the only room for pandas; on the caller's thread.

columns.py   the columns of every frame, as data      build.py     arrays to DataFrames
filters.py   which runs a person means                times.py     a time as a person writes it
listing.py   runs(), sql()                            metrics.py   by_model() and the like, steps(), messages()
views.py     which columns a frame shows, and how
row_keys.py  keys of rows as data and as labels       summary.py   what %agent metrics prints
worker_list.py  workers(): who works for a record
"""

from nbagent.frames import metrics
from nbagent.frames.build import frame_of_rows
from nbagent.frames.columns import COMPARISON, DIFFERENCE, STALE, TABLES, Column, documented, text_of
from nbagent.frames.filters import Filters, run_filter
from nbagent.frames.listing import runs, sql
from nbagent.frames.metrics import family
from nbagent.frames.row_keys import ROWS, key_data, key_of
from nbagent.frames.summary import summary
from nbagent.frames.times import format_moment, moment_of
from nbagent.frames.worker_list import workers, workers_line, workers_text

__all__ = [
    "COMPARISON",
    "DIFFERENCE",
    "ROWS",
    "STALE",
    "TABLES",
    "Column",
    "Filters",
    "documented",
    "family",
    "format_moment",
    "frame_of_rows",
    "key_data",
    "key_of",
    "metrics",
    "moment_of",
    "run_filter",
    "runs",
    "sql",
    "summary",
    "text_of",
    "workers",
    "workers_line",
    "workers_text",
]
