"""DataFrames from the store's SQL. Next to plots and schemas the only room for pandas; on the caller's thread.

columns.py   the columns of every frame, as data    choose.py   filters
build.py     arrays to DataFrames                   listing.py  runs(), sql()
metrics.py   by_model() and the like, steps(), messages()
"""

from nbagent.frames import metrics
from nbagent.frames.columns import TABLES, Column, text_of
from nbagent.frames.listing import runs, sql

__all__ = ["TABLES", "Column", "metrics", "runs", "sql", "text_of"]
