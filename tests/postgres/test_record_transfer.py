"""A whole record goes from a file to the server and back: every row of it, every id, once; all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nbagent.errors import StoreError
from nbagent.events import Message
from nbagent.store import (
    AddScore,
    AnswerKeys,
    AppendRows,
    BatchRecord,
    BatchRow,
    BatchRows,
    Finish,
    Launch,
    Store,
)
from nbagent.store.duckdb.tables import COLUMNS
from nbagent.store.postgres.administration.record_transfer import write_file, write_server
from nbagent.store.postgres.analysis.mirror import Mirror
from nbagent.store.postgres.analysis.mirror_file import TABLES
from tests.frames.random_histories import Past, histories, write
from tests.postgres.records import connect, launch, server_rows

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Store]:
    """A record with a bit of everything."""
    store = Store(tmp_path / "runs.duckdb")
    store.submit(
        Launch({"run_id": "r", "session_id": "s", "batch_id": "b", "prompt": "a\0b 😀", "label": "x"})
    )
    store.submit(AppendRows(run_id="r", messages=((0, Message(role="user", content='Why?\r\n"it"')),)))
    end = {"status": "completed", "stop_reason": "end", "content": "so"}
    store.submit(Finish(run_id="r", end=end, keys=AnswerKeys("key")))
    store.submit(Launch({"run_id": "goes on", "session_id": "s"}))
    store.submit(
        BatchRecord(batch_id="b", batch_key="k", created_at=NOW, owner="o", definition={"b": 1, "a": [2.0]})
    )
    row = BatchRow(position=0, created_at=NOW, row_key="é", answer_key=None, outcome={"run_id": "r"})
    store.submit(BatchRows("b", (row,)))
    assert store.write(AddScore(run_id="r", name="good", value=True, author="ann"), "it", timeout_s=60)
    yield store
    store.close()


def rows_of(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a file's record."""
    with store.private_copy() as con:
        found = {
            table: con.execute(f"select {', '.join(COLUMNS[table])} from {table}").fetchall()  # noqa: S608 - names of ours
            for table in TABLES
        }
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


def held(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows as Postgres can hold them."""
    return [
        tuple(one.replace("\0", "\ufffd") if isinstance(one, str) else one for one in row) for row in rows
    ]


def moved_in(mirror: Mirror, store: Store) -> tuple[int, int]:
    """Import a file's record."""
    with store.private_copy() as con, mirror.server() as server:
        return write_server(server, mirror.schema, con)


def test_everything_arrives_and_comes_back(url: str, mirror: Mirror, file: Store, tmp_path: Path) -> None:
    """Runs at work and done, messages, answers, batches, scores; a NUL, which Postgres cannot hold, as U+FFFD."""
    assert moved_in(mirror, file) == (2, 0)
    before = {table: held(rows) for table, rows in rows_of(file).items()}
    assert all(
        before[table]
        for table in TABLES
        if table not in ("attempt_starts", "attempt_progress", "model_calls", "tool_calls")
    )
    assert {table: server_rows(url, table) for table in TABLES} == before
    path = tmp_path / "back.duckdb"
    with mirror.server() as server:
        write_file(server, mirror.schema, path)
    back = Store(path)
    assert rows_of(back) == before
    assert back.read("select status from runs order by run_id") == [
        {"status": "pending"},
        {"status": "completed"},
    ]
    back.close()


def test_an_import_can_be_repeated(url: str, mirror: Mirror, file: Store) -> None:
    """What is there stays as it is there, whoever wrote it; what is new comes."""
    with connect(url) as connection:
        launch(connection, "r", label="theirs")
    assert moved_in(mirror, file) == (1, 1)
    assert moved_in(mirror, file) == (0, 2)
    file.write(Launch({"run_id": "later", "session_id": "s"}), "it", timeout_s=60)
    assert moved_in(mirror, file) == (1, 2)
    labels = {row[0]: row[6] for row in server_rows(url, "launches")}
    assert labels == {"r": "theirs", "goes on": None, "later": None}
    assert [len(server_rows(url, table)) for table in ("messages", "scores", "batches", "batch_rows")] == [
        0,
        0,
        1,
        1,
    ]


def test_all_of_it_or_nothing(url: str, mirror: Mirror, file: Store) -> None:
    """A row that the server refuses is said in two lines, and nothing of the file is there."""
    long = "".join(chr(0x4E00 + n * 7 % 20_000) for n in range(9000))  # no index of Postgres holds it
    file.write(BatchRecord(batch_id=long, batch_key="k", created_at=NOW, owner="o"), "it", timeout_s=60)
    with pytest.raises(StoreError) as caught:
        moved_in(mirror, file)
    assert len(str(caught.value).splitlines()) == 2
    assert [table for table in TABLES if server_rows(url, table)] == []


@given(histories())
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_histories_are_moved_whole(
    url: str, mirror: Mirror, tmp_path_factory: Any, runs: list[Past]
) -> None:
    """Whatever a file holds."""
    with connect(url) as connection:
        for table in TABLES:
            connection.execute(f"delete from {table}")  # noqa: S608 - a name of ours
    store = Store(tmp_path_factory.mktemp("file") / "runs.duckdb")
    store.read("select 1")  # there is a file, of no run too
    write(store, runs, example="x")
    assert moved_in(mirror, store) == (len(runs), 0)
    assert {table: server_rows(url, table) for table in TABLES} == rows_of(store)
    store.close()
