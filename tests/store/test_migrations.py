"""Files of every earlier schema open; `schemas/` holds them as SQL text."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from nbagent.events import Message
from nbagent.run import RunStatus
from nbagent.store import (
    CancelRequest,
    DecisionRequest,
    Finish,
    Launch,
    Progress,
    Store,
    list_runs,
    load_run,
    load_turns,
)
from nbagent.store.duckdb.schema import MIGRATIONS
from nbagent.store.duckdb.tables import COLUMNS

EARLIER = sorted(Path(__file__).with_name("schemas").glob("*.sql"))


def made_by(script: Path, path: Path) -> None:
    """Make a file as an earlier release did."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as record (storage_version 'v1.4.0'); use record")
        con.execute(script.read_text())


@pytest.mark.parametrize("script", EARLIER, ids=lambda script: script.stem)
def test_a_file_of_an_earlier_schema_opens(store: Store, path: Path, script: Path) -> None:
    """Its runs are all there with what they held, the unfinished one is interrupted, and it goes on being used."""
    made_by(script, path)
    store.submit(Launch({"run_id": "new", "session_id": "s", "kind": "agent", "label": "l"})).result(60)
    assert store.submit(CancelRequest("q")).result(60)
    asked = DecisionRequest(run_id="q", step=1, tool_call_id="c", approved=True)
    assert store.submit(asked).result(60)
    store.submit(Progress(run_id="new", partial_text="so")).result(60)
    end = {"status": "completed", "stop_reason": "end", "content": "new"}
    assert store.submit(Finish(run_id="new", end=end)).result(60)
    store.flush()
    rows = list_runs(store)
    assert {(row["run_id"], row["status"], row["kind"], row["cached_from"], row["turn"]) for row in rows} == {
        ("done", "completed", "team", None, 1),
        ("copy", "completed", "agent", "done", 2),
        ("left", "interrupted", "agent", None, 1),
        ("new", "completed", "agent", None, 3),
    }
    output = load_run(store, "done")
    assert output is not None
    assert (output.content, output.status, output.metrics.input_tokens) == ("It is.", RunStatus.completed, 11)
    said = [turn.messages for turn in load_turns(store, "s")]
    assert said == [(Message(role="user", content="What?"), Message(role="assistant", content="It is."))]
    assert [row["partial_text"] for row in rows if row["run_id"] == "left"] == ["so far"]
    (row,) = store.read("select max(version) as version, count(*) as n from schema_version")
    assert row == {"version": len(MIGRATIONS), "n": len(MIGRATIONS)}
    assert store.take_notices() == []


@pytest.mark.parametrize("script", [None, *EARLIER], ids=lambda script: script.stem if script else "new")
def test_every_file_has_the_columns_that_rows_name(store: Store, path: Path, script: Path | None) -> None:
    """However old a file is, after its migrations its tables and views are those of a new one."""
    if script is not None:
        made_by(script, path)
    shape = "select table_name, column_name, data_type from information_schema.columns"
    found: dict[str, dict[str, str]] = {}
    for row in store.read(shape):
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"].lower()
    for table, columns in COLUMNS.items():
        assert found[table] == columns
    assert {"kind", "cached_from", "pending_approvals"} <= set(found["runs"])


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each step is one transaction: after an error in it the file has the version before, and its rows."""
    made_by(EARLIER[0], path)
    (tmp_path / "bad.sql").write_text("create table half (a integer); select nothing;")
    wrong = (MIGRATIONS[0], str(tmp_path / "bad.sql"))
    monkeypatch.setattr("nbagent.store.duckdb.schema.MIGRATIONS", wrong)
    with pytest.raises(Exception, match="nothing"):
        store.read("select 1")
    thread = store._writer._thread
    assert store.close(1) is False  # the look for dead processes waits
    assert thread is not None
    thread.join(60)
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select max(version) from schema_version").fetchall() == [(1,)]
        assert con.execute("select count(*) from launches").fetchall() == [(3,)]
        assert "half" not in {name for (name,) in con.execute("show tables").fetchall()}
    monkeypatch.undo()
    assert len(list_runs(store)) == 3
