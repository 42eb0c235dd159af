"""A whole record as a DuckDB file: any record to a new file, a file into a server's record; all ids are kept.

On the caller's thread; others write meanwhile, and what they write after it began is not in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from nbagent.errors import ConfigurationError
from nbagent.store.access import is_there
from nbagent.store.duckdb.read.adhoc_sql import overwrite
from nbagent.store.ports import RunStore
from nbagent.store.store import Store


def export_whole(store: RunStore, path: Path) -> int:
    """Write the record into a new file, whole or not at all; give how many runs it has.

    Raises ConfigurationError where the file cannot be made, StoreError where the record cannot be read.
    """
    if is_there(path):
        raise ConfigurationError(
            f"{str(path)!r} is there already", "give a new file's path: it may be somebody's record"
        )
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"the folder of {str(path)!r} does not exist", "make it first, or give another path"
        )
    mirror = store.mirror
    try:
        with overwrite(path) as beside:
            if mirror is None:
                _copy_file(store, beside)
            else:
                from nbagent.store.postgres.administration.record_transfer import write_file

                store.flush()
                with mirror.server() as server:
                    write_file(server, mirror.schema, beside)
            return _runs_in(beside)
    except OSError as error:
        raise ConfigurationError(
            f"{str(path)!r} cannot be written: {error.strerror or error}", "give another path"
        ) from None


def import_whole(store: RunStore, path: Path) -> tuple[int, int]:
    """Write a file's record into the server's, all or nothing; give how many runs, and how many were there already.

    Raises ConfigurationError where there is no such file or this record is none of a server, and StoreError.
    """
    mirror = store.mirror
    if mirror is None:
        raise ConfigurationError(
            f"the record here is the file {store.name!r}, which takes in no other record",
            f'set NBAgent.store to "postgresql://..." first, or to {str(path)!r}, which is a record by itself',
        )
    if not path.is_file():
        raise ConfigurationError(
            f"there is no file {str(path)!r}", "give the path of a record, as .nbagent/runs.duckdb"
        )
    from nbagent.store.postgres.administration.record_transfer import write_server

    store.flush()
    source = Store(path)
    try:
        with source.private_copy() as con, mirror.server() as server:
            return write_server(server, mirror.schema, con)
    finally:
        source.close()


def _copy_file(store: RunStore, copy: Path) -> None:
    with store.private_copy() as con:
        con.execute("checkpoint")
        found = con.execute(
            "select path from duckdb_databases() where database_name = current_database()"
        ).fetchone()
        assert found is not None
        copy.touch(mode=0o600)
        shutil.copyfile(found[0], copy)


def _runs_in(path: Path) -> int:
    import duckdb

    with duckdb.connect(str(path), read_only=True) as con:
        return int(con.execute("select count(*) from launches").fetchall()[0][0])
