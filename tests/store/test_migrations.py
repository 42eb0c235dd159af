"""An earlier file opens and has a new file's schema; one that is too old is refused."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from nbagent.errors import StoreError
from nbagent.store import Launch, Store, list_runs
from nbagent.store.duckdb.schema import OLDEST, STEPS, VERSION
from nbagent.store.duckdb.tables import COLUMNS

RECORD = Path(__file__).parent / "records" / "a86bf71.tar.gz"
SHAPE = {
    "columns": """
        select table_name, column_name, column_index, data_type, is_nullable, column_default
        from duckdb_columns() where database_name = current_database() and not internal order by all""",
    "constraints": """
        select table_name, constraint_type, constraint_column_names
        from duckdb_constraints() where database_name = current_database() order by all""",
    "views": """
        select view_name, sql from duckdb_views() where database_name = current_database() and not internal order by all""",
}


def put_earlier_record(path: Path) -> None:
    """Put the record of commit a86bf71, of schema 5, where the store has its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(RECORD) as tar:
        tar.extractall(path.parent, filter="data")
    (path.parent / "runs.duckdb").rename(path)


def shape_of(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return all tables, columns, constraints and views of a store's file."""
    return {name: store.read(sql) for name, sql in SHAPE.items()}


def test_an_earlier_record_has_the_schema_of_a_new_file(store: Store, path: Path, tmp_path: Path) -> None:
    """Tables, columns with their order and types, constraints and views are the same, and so are the columns of rows."""
    put_earlier_record(path)
    new = Store(tmp_path / "new" / "runs.duckdb")
    found, wanted = shape_of(store), shape_of(new)
    assert found == wanted
    columns: dict[str, dict[str, str]] = {}
    for row in wanted["columns"]:
        columns.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"].lower()
    assert {name: columns[name] for name in COLUMNS} == COLUMNS
    versions = "select version from schema_version order by version"
    assert [row["version"] for row in store.read(versions)] == list(range(1, VERSION + 1))
    assert [row["version"] for row in new.read(versions)] == [VERSION]
    new.close()


@pytest.mark.parametrize("version", range(1, OLDEST))
def test_a_record_of_before_the_first_release_is_left_untouched(
    store: Store, path: Path, version: int
) -> None:
    """It is refused in two lines, and not a byte of it changes."""
    put_earlier_record(path)
    with duckdb.connect(str(path)) as con:
        con.execute("delete from schema_version where version > ?", [version])
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"schema {version}, .*untouched\n.*NBAGENT_STORE"):
        store.read("select 1")
    assert store.close(0.2) is False  # the look for dead processes waits
    assert path.read_bytes() == before
    path.unlink()  # what waits goes into a new file


@pytest.mark.parametrize("number", sorted(STEPS))
def test_a_step_that_fails_leaves_the_file_as_it_was(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    """Each step is one transaction: after an error in it the file has the version before, and its rows."""
    put_earlier_record(path)
    (tmp_path / "bad.sql").write_text("create table half (a integer); select nothing;")
    monkeypatch.setattr("nbagent.store.duckdb.schema.STEPS", STEPS | {number: str(tmp_path / "bad.sql")})
    with pytest.raises(Exception, match="nothing"):
        store.read("select 1")
    thread = store._writer._thread
    assert store.close(1) is False  # the look for dead processes waits
    assert thread is not None
    thread.join(20)
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select max(version) from schema_version").fetchall() == [(number - 1,)]
        (launches,) = con.execute("select count(*) from launches").fetchone() or (0,)
        assert launches
        assert "half" not in {name for (name,) in con.execute("show tables").fetchall()}
    monkeypatch.undo()
    assert len(list_runs(store)) >= launches


def test_an_earlier_record_goes_on_being_used(store: Store, path: Path) -> None:
    """A new run's row stands beside the earlier ones."""
    put_earlier_record(path)
    store.submit(Launch({"run_id": "new", "session_id": "s", "kind": "agent", "label": "l"})).result(20)
    rows = {row["run_id"]: row["kind"] for row in list_runs(store)}
    assert rows["new"] == "agent"
    assert len(rows) > 1
