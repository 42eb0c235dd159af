"""The SQL door: `nb.sql` reads, whatever it is asked; the copy that it reads from is kept, bounded and removed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbagent.errors import QueryError
from nbagent.store import Finish, Launch, Store
from nbagent.store.duckdb.read import private_copy
from tests.store.processes import child

ROOT = Path(__file__).parents[2]
END: dict[str, Any] = {"status": "completed", "stop_reason": "end", "content": "It is."}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies are made in this test, and nothing else."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def launched(store: Store, *run_ids: str) -> None:
    """Runs in the record."""
    for run_id in run_ids:
        store.submit(Launch({"run_id": run_id, "session_id": "s"})).result(60)


def test_no_statement_writes_anything(tmp_path: Path) -> None:
    """Every function and setting that DuckDB has, and what people try by hand, all in one process that goes on."""
    folder = tmp_path / "project"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.sql_fuzz", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["asked"] >= 1000
    assert min(said["answers"]["QueryError"], said["answers"]["answered"]) > 300
    assert (said["odd"], said["changed"], said["same"], said["rows"]) == ([], [], True, [20])
    left = {path.name for path in folder.rglob("*")}
    assert left <= {"runs.duckdb", "runs.duckdb.lock", "runs.duckdb.gate", "notes.txt"}


@pytest.mark.parametrize(
    "sql",
    [
        "explain analyze copy (select 1) to '{folder}/x.csv'",
        "select * from enable_logging(storage='file', storage_path='{folder}/x')",
        "attach '{folder}/x.duckdb' as x",
        "set threads = 3",
        "delete from launches",
    ],
)
def test_what_would_write_is_said_in_two_lines(store: Store, path: Path, sql: str) -> None:
    """The first names the statement, the second what to use instead."""
    launched(store, "r")
    with pytest.raises(QueryError) as caught:
        store.frame(sql.format(folder=path.parent))
    first, second = str(caught.value).splitlines()
    assert first.startswith("this would do more than read the record: ")
    assert second.startswith("sql() only reads")


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("pivot (select run_id, status from runs) on status using count(*) group by run_id", 3),
        ("from runs select run_id order by 1", 3),
        ("describe runs", None),
        ("summarize select run_id from runs", 1),
        ("show tables", None),
        ("with recursive n(i) as (select 1 union all select i + 1 from n where i < 9) select * from n", 9),
        ("explain select * from runs", 1),
        ("select json_extract(details, '$.prompt') from launches", 3),
    ],
)
def test_what_reads_is_answered(store: Store, sql: str, rows: int | None) -> None:
    """In every form that DuckDB has for it, a pivot too, which makes a type of its own for a moment."""
    launched(store, "r1", "r2", "r3")
    found = store.frame(sql)
    assert len(found) == rows if rows is not None else len(found) > 1


def test_a_query_that_outgrows_the_memory_spills(store: Store, temporary: Path) -> None:
    """Into the copy's own folder, and what was spilled goes with it."""
    launched(store, "r")
    with store.read_only() as cursor:
        (place,) = cursor.execute("select current_setting('temp_directory')").fetchone() or ("",)
    assert Path(place).parent.parent == temporary
    many = store.frame(
        "select max(a) as a from (select hash(range) as a from range(3000000) order by hash(a))"
    )
    assert len(many) == 1
    store.close()
    assert list(temporary.iterdir()) == []


def test_the_copy_is_kept_until_the_record_changes(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever process: this one, or another, whose last launch only its log has."""
    made: list[Path] = []
    copy_files = private_copy.copy_files
    monkeypatch.setattr(private_copy, "copy_files", lambda *args: made.append(args[1]) or copy_files(*args))
    launched(store, "r1")
    store.close()

    def count() -> int:
        return int(store.frame("select count(*) as n from runs")["n"][0])

    assert [count(), count(), count()] == [1, 1, 1]
    assert len(made) == 1
    store.submit(Finish(run_id="r1", end=END))
    assert store.frame("select status from runs")["status"].tolist() == ["completed"]
    with child(path) as other:
        other.ask("launch", run_id="r2")
        assert count() == 2
        assert other.ask("mint", run_ids=["r3"])
        assert count() == 3
    assert len(made) in (4, 5)


def test_the_copy_is_private_and_removed(
    store: Store, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else can read it, its file has no name once it is open, a large one is not kept, and none stays at the end."""
    launched(store, "r")
    seen: list[int] = []
    connect = private_copy._connect

    def watched(copy: Path) -> Any:
        seen.extend(stat.S_IMODE(one.stat().st_mode) for one in (copy.parent, copy))
        return connect(copy)

    monkeypatch.setattr(private_copy, "_connect", watched)
    store.frame("select 1")
    assert seen == [0o700, 0o600]
    (folder,) = temporary.iterdir()
    assert list(folder.iterdir()) == [] or sys.platform == "win32"
    monkeypatch.setattr(private_copy, "KEEP_BYTES", 0)
    assert store.frame("select 1 as i")["i"].tolist() == [1]
    assert list(temporary.iterdir()) == []
    monkeypatch.undo()
    store.frame("select 1")
    assert store.close()
    assert not folder.exists()


def test_many_ask_at_the_same_time_while_runs_are_recorded(store: Store) -> None:
    """Each sees all that was submitted before it asked, and a copy that is replaced is read to its end."""
    launched(store, "first")
    wrong: list[Any] = []

    def ask(number: int) -> None:
        for step in range(5):
            store.submit(Launch({"run_id": f"r{number}.{step}", "session_id": f"s{number}"})).result(60)
            found = store.frame("select count(*) as n from runs where session_id = ?", [f"s{number}"])["n"][0]
            if found != step + 1:
                wrong.append((number, step, found))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert wrong == []
    assert store.frame("select count(*) as n from runs")["n"].tolist() == [21]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_asks_a_copy_of_its_own(store: Store) -> None:
    """The parent's copy is left alone by the child, also at its end."""
    launched(store, "r")
    store.frame("select 1")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if store.frame("select count(*) as n from runs")["n"].tolist() == [1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.frame("select count(*) as n from runs")["n"].tolist() == [1]


@pytest.mark.parametrize("query", [None, 5, b"select 1", ["select 1"]])
def test_a_query_that_is_no_text_is_refused(store: Store, query: Any) -> None:
    """What is asked is text; anything else is two lines of ours, not DuckDB's."""
    with pytest.raises(QueryError, match="the query is"):
        store.frame(query)


@pytest.mark.parametrize(
    ("sql", "parameters", "value"),
    [
        ("select ? + 1", [np.int64(3)], 4),
        ("select $a || $b", {"a": "x", "b": np.str_("y")}, "xy"),
        ("select ? > 0.1", (np.float32(0.5),), True),
        ("select ? is null", [None], True),
    ],
)
def test_parameters_are_given_in_order_or_by_name(
    store: Store, sql: str, parameters: Any, value: object
) -> None:
    """A list is for `?`, a dict for `$names`; numpy's numbers, as they come out of frames, are taken."""
    assert store.frame(sql, parameters).iloc[0, 0] == value


@pytest.mark.parametrize("parameters", [5, "ab", b"ab", 1.5])
def test_parameters_that_are_no_list_are_refused(store: Store, parameters: Any) -> None:
    """A single value is not spread over the query's marks, and not a TypeError."""
    with pytest.raises(QueryError, match="the parameters are"):
        store.frame("select ?", parameters)
