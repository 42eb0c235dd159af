"""DataFrames from the store's SQL. Next to plots and schemas the only room for pandas; on the caller's thread.

columns.py   the columns of every frame, as data    choose.py   filters
build.py     arrays to DataFrames                   listing.py  runs(), sql()
moments.py   a time as a person says it
metrics.py   by_model() and the like, steps(), messages()    shown.py    what %agent metrics shows
"""

from nbagent.frames import metrics
from nbagent.frames.columns import TABLES, Column, text_of
from nbagent.frames.listing import runs, sql
from nbagent.frames.metrics import family
from nbagent.frames.summary import summary

__all__ = ["TABLES", "Column", "family", "metrics", "runs", "sql", "summary", "text_of"]
