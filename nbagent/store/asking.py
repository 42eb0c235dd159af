"""A person's SQL, and tables written to files: read only, and nobody waits long for it. On the caller's thread.

A query first runs on the shared file, where most take milliseconds. One that takes longer than `SHARED_S` is stopped
and runs anew on a private copy, so that other notebooks can write meanwhile; tables for files are read from such a
copy at once. The copy is made inside the lock, by plain reading, while no process has the database open.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent.errors import ConfigurationError, QueryError, StoreError
from nbagent.store.file import damage_in, trouble_of
from nbagent.store.lockfile import LockFile

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

    from nbagent.store.store import Store

SHARED_S = 1.0
FORMATS: Mapping[str, str] = {
    "parquet": "format parquet",
    "csv": "format csv, header",
    "jsonl": "format json",
}
TABLES = 'ask runs, attempts, model_calls, tool_calls or messages; nb.sql("describe runs") shows the columns'
_WRITES = "sql() only reads: use one select; %agent clear deletes runs, %agent export writes files"


def ask_frame(store: Store, sql: str, params: Sequence[Any] = (), *, timeout_s: float = 10.0) -> pd.DataFrame:
    """Run one query that only reads and give a DataFrame, times as DuckDB has them.

    `timeout_s` bounds the wait for the file, not the query. Raises QueryError for SQL that writes or is wrong, and
    StoreError where the file cannot be had.
    """
    import duckdb

    with store.connection(timeout_s=timeout_s) as cursor:
        _check_reads(cursor, sql)
        cursor.execute("begin transaction read only")
        stop = threading.Timer(SHARED_S, cursor.interrupt)
        stop.daemon = True
        stop.start()
        try:
            return cursor.execute(sql, list(params)).df()
        except duckdb.InterruptException:
            pass
        except Exception as error:  # whatever DuckDB says of a person's SQL
            if damage_in(error, store.path) is not None:
                raise  # and is told by the store
            raise _cannot(error) from None
        finally:
            stop.cancel()
    with private_copy(store) as con:
        try:
            con.execute("begin transaction read only")
            return con.execute(sql, list(params)).df()
        except Exception as error:  # noqa: BLE001 - the same
            raise _cannot(error) from None


def write_table(store: Store, query: tuple[str, Sequence[Any]], path: Path, form: str) -> int:
    """Write what a query of ours gives to a file, whole or not at all, in one of `FORMATS`; return its rows.

    Raises ConfigurationError where the file cannot be written, StoreError where the record cannot be read.
    """
    import duckdb

    sql, params = query
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"the folder of {str(path)!r} does not exist", "make it first, or give another path"
        )
    with private_copy(store) as con:
        con.execute(f"create temp table exported as {sql}", list(params))
        (found,) = con.execute("select count(*) from exported").fetchall()
        try:
            with replacing(path) as beside:
                target = str(beside).replace("'", "''")
                con.execute(f"copy exported to '{target}' ({FORMATS[form]})")
        except (duckdb.Error, OSError) as error:
            raise ConfigurationError(
                f"{str(path)!r} cannot be written: {str(error).splitlines()[0]}", "give another path"
            ) from None
    return int(found[0])


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when all has gone well, and is deleted else."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def private_copy(store: Store) -> Iterator[DuckDBPyConnection]:
    """A connection on a copy of the record as it is now, deleted afterwards. Raises StoreError."""
    import duckdb

    store.flush()
    with tempfile.TemporaryDirectory(prefix="nbagent-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "runs.duckdb"
        try:
            _copy(store.path, copy)
            con = duckdb.connect(str(copy), config={"python_enable_replacements": False})
        except (OSError, duckdb.Error) as error:
            found = trouble_of(error, store.path)
            raise (found if isinstance(found, StoreError) else StoreError(str(error))) from error
        try:
            yield con
        finally:
            con.close()


def _copy(path: Path, copy: Path) -> None:
    lock = LockFile(path)
    lock.acquire()
    try:
        for ending in ("", ".wal"):
            source = path.with_name(path.name + ending)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + ending))
    finally:
        lock.release()
        lock.close()


def _check_reads(cursor: DuckDBPyConnection, sql: str) -> None:
    """Refuse everything but one select or explain: a read-only transaction alone can be ended by the text itself."""
    import duckdb

    try:
        found = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise _cannot(error) from None
    if not found:
        raise QueryError("the query is empty", TABLES)
    reads = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    for statement in found:
        if statement.type not in reads:
            text = " ".join(statement.query.split())
            raise QueryError(f"this would change more than it reads: {text:.80}", _WRITES)
    if len(found) > 1:
        raise QueryError(f"there are {len(found)} statements in one query", _WRITES)


def _cannot(error: Exception) -> QueryError:
    what = " ".join(str(error).split("LINE 1:")[0].split())
    return QueryError(f"the record cannot answer this: {what}", TABLES)
