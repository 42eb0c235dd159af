"""A whole record as a file, to move a project from a file to a team's server, or from there into a file."""

from __future__ import annotations

import os
from pathlib import Path

from nbagent import runtime
from nbagent.core import check_path
from nbagent.store import export_whole, import_whole

SUFFIX = ".duckdb"


def export_record(path: str | os.PathLike[str]) -> int:
    """Write the whole record, a file's or a server's, into a new DuckDB file; return how many runs it has.

    The file is a record by itself: `%config NBAgent.store` can name it. All ids are kept. Raises ConfigurationError
    where the file cannot be made or is there already, and StoreError.

    >>> output = Agent(model="demo:assistant").run("Hello")
    >>> nb.export_record("copy.duckdb") == len(nb.runs())
    True
    """
    check_path(path)
    return export_whole(runtime.current().store, Path(path).expanduser().absolute())


def import_record(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Write the runs of a DuckDB file into the server's record that is in use; return how many, and how many it had already.

    All ids are kept, so that it can be said again. All of it arrives, or nothing. Raises ConfigurationError where
    there is no such file or the record in use is a file itself, and StoreError.

    >>> nb.import_record("old.duckdb")
    Traceback (most recent call last):
    nbagent.errors.ConfigurationError: the record here is the file ..., which takes in no other record
    set NBAgent.store to "postgresql://..." first, or to ...old.duckdb', which is a record by itself
    """
    check_path(path)
    return import_whole(runtime.current().store, Path(path).expanduser().absolute())
