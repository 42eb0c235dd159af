"""Runs, calls and messages as files for other programs; read from a private copy, so that nobody waits."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from nbagent import runtime
from nbagent.core import by_place, check_path
from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.frames import Filters, run_filter
from nbagent.store import FORMATS, Query, RunFilter, list_chosen, list_messages, write_table

TABLES = ("runs", "model_calls", "tool_calls", "messages")


def export_runs(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002 - the flag's name
    table: str = "runs",
    **filters: Any,
) -> int:
    """Write a table of the record to a parquet, csv or jsonl file; return how many rows.

    `format` is by default that of the file's name. `table` is "runs" (a row for each run with its tokens,
    cost and times), "model_calls", "tool_calls" or "messages"; the filters choose the runs, as in
    `nb.metrics.by_model` (`session`, `since`, `status`, `agent`, `tags`, `label`, `batch`). Times are UTC and
    say so: a zone in parquet, `+00:00` in text. An existing file is replaced, whole or not at all. Raises
    UnknownOptionError, ConfigurationError where the file cannot be written, and StoreError.

    >>> output = Agent(model="demo:assistant").run("Hello")
    >>> nb.export_runs("runs.csv") == len(nb.runs())
    True
    """
    check_path(path)
    target = Path(path).expanduser()
    form = format or target.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise UnknownOptionError(
            f"{str(path)!r} has no format that is known: {form!r}{did_you_mean(form, FORMATS)}",
            f"say one with {by_place(python='format=', magic='--format')}: {', '.join(FORMATS)}",
        )
    if table not in TABLES:
        raise UnknownOptionError(
            f"no table {table!r}{did_you_mean(table, TABLES)}", f"tables: {', '.join(TABLES)}"
        )
    known = [one.name for one in fields(Filters)]
    for name in filters.keys() - set(known):
        raise UnknownOptionError(
            f"export_runs has no filter {name!r}{did_you_mean(name, known)}", f"filters: {', '.join(known)}"
        )
    runtime.catch_up_prices(runtime.current())
    return write_table(runtime.current().store, _query(table, run_filter(Filters(**filters))), target, form)


def _query(table: str, selected: RunFilter) -> Query:
    if table == "runs":
        sql, params = list_chosen(selected)
        return f"select * exclude (row_key_json) from ({sql})", params  # noqa: S608 - text of ours alone
    if table == "messages":
        return list_messages(selected)
    where, params = selected.where()
    picked_runs = f"select l.run_id from launches l where {where}"  # noqa: S608 - text of ours alone
    return f"select * from {table} where run_id in ({picked_runs}) order by started_at, run_id", params  # noqa: S608 - a name of ours
