"""The mirror of a record on Postgres: each row of the server once, whatever is written beside a pull; private; cannot be written."""

from __future__ import annotations

import collections
import json
import os
import random
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbagent import settings as options
from nbagent.errors import QueryError, StoreError
from nbagent.store import RunFilter, list_messages
from nbagent.store.postgres.analysis.copied_rows import copied_rows
from nbagent.store.postgres.analysis.mirror import Mirror
from tests.harness.postgres_server import PostgresForTests
from tests.postgres.records import (
    assert_same,
    connect,
    launch,
    make_record,
    mirror_of,
    mirror_rows,
    server_rows,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
def keeping() -> Iterator[None]:
    """Messages are kept in mirrors."""
    options.configure("mirror_messages", "keep")
    yield
    options.configure("mirror_messages", None)


def held_transaction(url: str) -> Any:
    """A connection that has begun to write and does not end: the horizon of the server stands still."""
    import psycopg

    connection = psycopg.connect(url)
    connection.execute("select pg_current_xact_id()")
    return connection


class Writer(threading.Thread):
    """Writes rows in transactions of random length, some of them undone; changes and deletes earlier ones."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__()
        self.url, self.number = url, number
        self.random = random.Random(number)  # noqa: S311 - which rows are written is no secret
        self.committed: set[str] = set()
        self.deleted: set[str] = set()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Write until told to end."""
        import psycopg

        try:
            with connect(self.url) as connection:
                count = 0
                while self.goes_on.is_set() or count < 20:
                    count += 1
                    fresh = [f"{self.number}-{count}-{n}" for n in range(self.random.randint(1, 4))]
                    try:
                        with connection.transaction():
                            for run_id in fresh:
                                launch(connection, run_id, details=json.dumps({"prompt": 'a,"b"\r\n\\N'}))
                                connection.execute("select pg_sleep(%s)", [self.random.random() / 500])
                            if self.random.random() < 0.2:
                                raise psycopg.Rollback
                        if not connection.execute(
                            "select 1 from launches where run_id = %s", [fresh[0]]
                        ).fetchone():
                            continue
                    except psycopg.Error as error:  # pragma: no cover - told by the test
                        raise AssertionError from error
                    self.committed.update(fresh)
                    old = self.random.choice(sorted(self.committed))
                    connection.execute(
                        "update launches set cached_from = %s where run_id = %s", [f"x{count}", old]
                    )
                    if self.random.random() < 0.2:
                        self.deleted.add(old)
                        self.committed.discard(old)
                        connection.execute("delete from launches where run_id = %s", [old])
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.error = error


def test_a_pull_beside_six_writers_misses_nothing_and_counts_nothing_twice(url: str, mirror: Mirror) -> None:
    """What was committed before a pull is in it once, also above an idle transaction that holds the horizon back."""
    idle = held_transaction(url)
    writers = [Writer(url, number) for number in range(6)]
    for one in writers:
        one.start()
    try:
        for _ in range(15):
            before = [set(one.committed) for one in writers]
            ids = [row[0] for row in mirror_rows(mirror, "launches")]
            gone = set().union(*(one.deleted for one in writers))
            assert len(ids) == len(set(ids))
            assert set().union(*before) - gone <= set(ids)
    finally:
        for one in writers:
            one.goes_on.clear()
        for one in writers:
            one.join()
    assert [one.error for one in writers] == [None] * 6
    assert_same(url, mirror)
    idle.rollback()
    idle.close()
    assert_same(url, mirror)
    assert {row[0] for row in mirror_rows(mirror, "launches")} == set().union(
        *(one.committed for one in writers)
    )


def test_a_transaction_that_was_open_for_long_is_not_missed(url: str, mirror: Mirror) -> None:
    """Rows come with their commit, however many later ones were pulled meanwhile; an open one in another database, too."""
    slow = connect(url)
    slow.execute("begin")
    launch(slow, "slow")
    with connect(url) as quick:
        for number in range(3):
            launch(quick, f"quick-{number}")
            assert [row[0] for row in mirror_rows(mirror, "launches")] == [
                f"quick-{n}" for n in range(number + 1)
            ]
        quick.execute("update launches set label = 'early' where run_id = 'quick-0'")
    slow.execute("update launches set label = label || '!' where run_id = 'quick-0'")
    mirror.refresh()
    slow.execute("commit")
    slow.close()
    labels = {row[0]: row[6] for row in mirror_rows(mirror, "launches")}
    assert labels == {"slow": None, "quick-0": "early!", "quick-1": None, "quick-2": None}


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
ODD = [
    "",
    "NULL",
    "\\N",
    "\\.",
    '"',
    '""',
    "'",
    ",",
    "a\nb",
    "a\r\nb",
    "\r",
    "\t",
    " ",
    " x ",
    "😀",
    "#",
    ";",
]
JSON = [
    '{"b":1,"a":2}',
    '"\\u0000"',
    '"\\ud83d\\ude00"',
    "1e400",
    "[ 1,  2.0 ]",
    "null",
    '""',
    "123456789012345678901234567890",
]
FLOATS = [0.0, -0.0, 0.1, 1e-320, 1.7976931348623157e308, float("inf"), float("-inf")]
TIMES = [
    "2026-11-30 12:00:00",
    "1970-01-01 00:00:00.000001",
    "9999-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
]


@given(
    st.lists(
        st.tuples(st.none() | TEXT | st.sampled_from(ODD), st.sampled_from([None, *JSON])),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_comes_as_it_is(
    url: str, mirror: Mirror, rows: list[tuple[str | None, str | None]]
) -> None:
    """Texts of all kinds, empty or unknown; JSON as it was written; the largest and smallest numbers and times."""
    with connect(url) as connection:
        connection.execute("delete from launches")
        connection.execute("delete from model_calls")
        for number, (text, details) in enumerate(rows):
            launch(connection, f"r{number}", label=text, details=details)
            connection.execute(
                "insert into model_calls (run_id, attempt, step, try_no, provider, request_model, status, started_at,"
                " duration_s, input_tokens, usage_source, cost_usd) values (%s, 1, 1, 1, %s, '', 'completed', %s, %s, %s, 'missing', %s)",
                [f"r{number}", text or "", TIMES[number % 4], FLOATS[number % 7], 2**63 - 1, None],
            )
    assert_same(url, mirror)


@pytest.mark.parametrize("chars", [70_000, 3_000_000])
def test_a_long_text_comes_whole(url: str, mirror: Mirror, chars: int) -> None:
    """Longer than the lines that a reader of CSV expects, beside short ones."""
    with connect(url) as connection:
        launch(connection, "short", agent_name="x")
        launch(
            connection, "long", agent_name='"\n' * (chars // 2), details=json.dumps({"prompt": "y" * chars})
        )
        mirror.refresh()
        connection.execute("update launches set agent_name = agent_name || agent_name where run_id = 'long'")
    assert_same(url, mirror)


def test_text_that_is_no_json_for_duckdb_is_a_string(url: str, mirror: Mirror) -> None:
    """One row that another program has written does not keep the others from being read."""
    with connect(url) as connection:
        launch(connection, "odd", details='{"half": "\\ud800"}')
        launch(connection, "plain", details='{"prompt": "Why?"}')
    found = mirror.read("select run_id, details ->> '$.prompt' as prompt from launches order by 1")
    assert [row["run_id"] for row in found] == ["odd", "plain"]
    assert found[1]["prompt"] == "Why?"


@pytest.mark.parametrize(
    "away", ["delete from launches where run_id = 'b'", "truncate launches", "delete from launches"]
)
def test_what_was_deleted_goes(url: str, mirror: Mirror, away: str) -> None:
    """By whatever statement: a mirror has no row that the server has no more."""
    with connect(url) as connection:
        for run_id in "abc":
            launch(connection, run_id)
        mirror.refresh()
        connection.execute(away)
        assert_same(url, mirror)
        launch(connection, "d")
    assert_same(url, mirror)


@pytest.mark.parametrize("change", ["another database", "another schema", "made again", "restored"])
def test_a_mirror_is_bound_to_its_record(
    url: str, mirror: Mirror, tmp_path: Path, postgres_server: PostgresForTests, change: str
) -> None:
    """Rows of another record, or of this one as it was before it was made again or restored, are never shown."""
    with connect(url) as connection:
        launch(connection, "mine")
    assert len(mirror_rows(mirror, "launches")) == 1
    schema = "other" if change == "another schema" else "nbagent"
    if change == "restored":  # an earlier state of the server counts its transactions anew
        with mirror.connection() as cursor:
            cursor.execute("update pulled.horizons set horizon = 1::ubigint << 60")
            cursor.execute(
                "insert into pulled.launches by name select 'lost' as run_id, 's' as session_id, 77 as row_id"
            )
        assert mirror_rows(mirror, "launches") == server_rows(url, "launches")
        return
    if change == "made again":
        with connect(url) as connection:
            connection.execute("drop schema nbagent cascade")
        make_record(url)
        assert mirror_rows(mirror, "launches") == []
        return
    if change == "another database":
        url = postgres_server.new_database()
    make_record(url, schema)
    other = mirror_of(url, tmp_path / "mirrors", schema)
    assert mirror_rows(other, "launches") == []
    assert other.path != mirror.path
    other.close()


def test_it_is_this_users_alone(url: str, mirror: Mirror) -> None:
    """Folder 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        with connect(url) as connection:
            launch(connection, "r")
        mirror.refresh()
    finally:
        os.umask(before)
    folder = mirror.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}


def said(connection: Any, run_id: str, text: str) -> None:
    """A message of a run."""
    connection.execute(
        "insert into messages (session_id, turn, run_id, attempt, seq, role, content) values ('s', 1, %s, 1, 1, 'user', %s)",
        [run_id, text],
    )


def holds(mirror: Mirror, text: str) -> bool:
    """Whether any file of the mirror's folder has a text."""
    mirror.refresh()
    mirror.close()
    return any(text.encode() in one.read_bytes() for one in mirror.path.iterdir())


def test_texts_of_messages_are_there_for_who_asks_and_in_no_file(url: str, mirror: Mirror) -> None:
    """A query that names the table is answered from the server; the mirror's file has none of it."""
    with connect(url) as connection:
        launch(connection, "a", label="x")
        launch(connection, "b")
        said(connection, "a", "secret-of-a")
        said(connection, "b", "secret-of-b")
        sql, params = list_messages(RunFilter(labels=["x"]))
        assert mirror.arrays(sql, params)["content"].tolist() == ["secret-of-a"]
        assert mirror.frame("select content from messages order by 1")["content"].tolist() == [
            "secret-of-a",
            "secret-of-b",
        ]
        said(connection, "b", "more")
        assert len(mirror.frame("from MESSAGES")) == 3
    assert mirror_rows(mirror, "messages") == []
    assert not holds(mirror, "secret-of")


def test_texts_of_messages_are_kept_where_that_is_set_and_go_with_it(
    url: str, mirror: Mirror, keeping: None
) -> None:
    """With mirror_messages = "keep" they are pulled as all else is; without it again, the file is another one."""
    with connect(url) as connection:
        launch(connection, "a")
        said(connection, "a", "secret-of-a")
    assert_same(url, mirror, but=())
    assert mirror.frame("select content from messages")["content"].tolist() == ["secret-of-a"]
    assert holds(mirror, "secret-of")
    options.configure("mirror_messages", None)
    assert not holds(mirror, "secret-of")
    assert len(mirror_rows(mirror, "launches")) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "delete from launches", "drop view runs", "create table x (i integer)", "attach '{folder}/x.duckdb' as x",
        "copy (select 1) to '{folder}/x.csv'", "explain analyze copy (select 1) to '{folder}/x.csv'", "set threads = 3",
        "select * from read_csv('{folder}/notes.txt')", "install httpfs", "select 1; select 2", "pragma disable_checkpoint_on_shutdown",
        "select * from enable_logging(storage='file', storage_path='{folder}/x')", "update pulled.launches set label = 'x'",
    ],
)  # fmt: skip
def test_a_persons_sql_only_reads(url: str, mirror: Mirror, tmp_path: Path, sql: str) -> None:
    """As on the file: no row, no file, no setting; said in two lines. What follows is answered."""
    (tmp_path / "notes.txt").write_text("a,b\n1,2\n")
    with connect(url) as connection:
        launch(connection, "r")
    with pytest.raises(QueryError) as caught:
        mirror.frame(sql.format(folder=tmp_path))
    assert len(str(caught.value).splitlines()) == 2
    assert mirror.frame("select run_id, status from runs").values.tolist() == [["r", "pending"]]
    assert {one.name for one in tmp_path.iterdir()} <= {"notes.txt", "mirrors", "store"}
    assert_same(url, mirror)


def test_each_process_has_a_file_and_the_next_takes_it_over_warm(url: str, tmp_path: Path) -> None:
    """Two at once have two files; one that begins when another has ended finds its rows."""
    first, second = mirror_of(url, tmp_path), mirror_of(url, tmp_path)
    with connect(url) as connection:
        launch(connection, "r")
    assert len(mirror_rows(first, "launches")) == len(mirror_rows(second, "launches")) == 1
    assert first.path != second.path
    path = first.path
    first.close()
    import duckdb

    with duckdb.connect(str(path)) as con:
        con.execute("update pulled.launches set label = 'of the first'")
    third = mirror_of(url, tmp_path)
    assert [row[6] for row in mirror_rows(third, "launches")] == ["of the first"]  # it was not pulled again
    assert third.path == path
    for one in (second, third):
        one.close()


@pytest.mark.parametrize("damage", [b"", b"no database at all", b"\0" * 20_000])
def test_a_damaged_file_is_made_again(url: str, mirror: Mirror, damage: bytes) -> None:
    """It is a copy: the server has everything."""
    with connect(url) as connection:
        launch(connection, "r")
    mirror.refresh()
    mirror.close()
    (path,) = mirror.path.glob("*.duckdb")
    path.write_bytes(damage)
    assert_same(url, mirror)


def test_the_server_may_go_and_come_back(url: str, mirror: Mirror, postgres_server: PostgresForTests) -> None:
    """While it is away that is said in two lines; afterwards the mirror goes on with what it has."""
    with connect(url) as connection:
        launch(connection, "before")
    mirror.refresh()
    postgres_server.kill()
    try:
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                mirror.read("select 1")
            assert len(str(caught.value).splitlines()) == 2
    finally:
        postgres_server.start()
    with connect(url) as connection:
        launch(connection, "after")
    assert_same(url, mirror)
    with connect(url) as connection:  # a connection that the server has ended is opened again
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
        )
    assert len(mirror.read("from runs")) == 2


def test_a_forked_child_has_a_mirror_of_its_own(url: str, mirror: Mirror) -> None:
    """It asks the server over a connection and a file of its own; its parent's go on."""
    with connect(url) as connection:
        launch(connection, "r")
    assert len(mirror.read("from runs")) == 1
    pid = os.fork()
    if pid == 0:
        try:
            found = len(mirror.read("from runs"))
            mirror.close()
            os._exit(0 if found == 1 else 3)
        except BaseException:  # noqa: BLE001 - the parent tells
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with connect(url) as connection:
        launch(connection, "r2")
    assert_same(url, mirror)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("copy (select 60 / (50 - i) from generate_series(1, 60) i) to stdout", "DivisionByZero"),
        ("copy nowhere to stdout", "UndefinedTable"),
        ("copy (select 1) to stdouts", "SyntaxError"),
        ("copy (select pg_terminate_backend(pg_backend_pid())) to stdout", "OperationalError"),
    ],
)
def test_an_error_while_rows_are_copied_is_the_servers(url: str, query: str, error: str) -> None:
    """Before the first row or after some: it comes as psycopg's."""
    import psycopg

    server = connect(url)
    with pytest.raises(getattr(psycopg.errors, error, psycopg.OperationalError)):
        collections.deque(copied_rows(server, query), maxlen=0)
    server.close()


def test_rows_are_copied_out_whole(url: str) -> None:
    """Many, empty ones and long ones; the connection can be used afterwards."""
    with connect(url) as server:
        for count, length in ((0, 1), (1, 0), (100_000, 1), (3, 3_000_000)):
            query = f"copy (select repeat('x', {length}) from generate_series(1, {count})) to stdout"  # noqa: S608
            found = [len(row) - 1 for row in copied_rows(server, query)]
            assert found == [length] * count
            assert server.execute("select 1").fetchone() == (1,)
