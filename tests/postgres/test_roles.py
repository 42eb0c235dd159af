"""What each role of a team may do with a record: tried by the server, statement by statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbagent.errors import ConfigurationError, StoreError
from nbagent.settings import server_url
from nbagent.store import (
    CancelRequest,
    DecisionRequest,
    ForgetRuns,
    Launch,
    RunFilter,
    Write,
    list_chosen,
    open_store,
    role_sql,
)
from tests.harness.postgres_server import PostgresForTests
from tests.postgres.records import assert_same, connect, launch, make_record, mirror_of

pytestmark = pytest.mark.postgres

LAUNCH = (
    "insert into launches (run_id, session_id, turn, created_at, owner) values ('new', 's', 1, now(), 'o')"
)
CALL = """insert into model_calls (run_id, attempt, step, try_no, provider, request_model, status, started_at, duration_s,
          usage_source) values ('r', 1, 1, 1, 'p', 'm', 'completed', now(), 1, 'missing')"""
PROGRESS = """insert into attempt_progress (run_id, attempt, status, heartbeat_at) values ('r', 1, 'running', now())
              on conflict (run_id, attempt) do update set status = excluded.status, heartbeat_at = excluded.heartbeat_at"""
DECIDE = """insert into decision_requests (run_id, step, tool_call_id, approved, reason, created_at)
            values ('r', 1, 'c', true, '', now())"""
CANCEL = "insert into cancel_requests (run_id, created_at) values ('r', now())"
# statement -> the roles that may; nobody but who made the record deletes runs or rewrites what was said
MATRIX = {
    "select prompt from runs": {"reader", "writer", "approver"},
    "select content from messages": {"reader", "writer", "approver"},
    "select * from attempts": {"reader", "writer", "approver"},
    LAUNCH: {"writer"},
    CALL: {"writer"},
    PROGRESS: {"writer"},
    CANCEL: {"writer"},
    "delete from cancel_requests": {"writer"},
    "delete from decision_requests": {"writer"},
    "update launches set cached_from = 'x'": {"writer"},
    DECIDE: {"approver"},
    "update launches set owner = 'me'": set(),
    "update attempt_ends set content = 'x'": set(),
    "update messages set content = 'x'": set(),
    "delete from launches": set(),
    "truncate launches": set(),
    "drop table launches": set(),
    "update record set mirror_epoch = 9": set(),
    "create table nbagent.mine (i integer)": set(),
}  # fmt: skip


@pytest.fixture
def url(database_url: str) -> str:
    """A record with a run, and its roles, made twice: that does no harm."""
    make_record(database_url)
    with connect(database_url) as admin:
        launch(admin, "r")
        for _ in range(2):
            admin.execute(role_sql())
        for role in ("reader", "writer", "approver"):
            admin.execute(f"drop role if exists has_{role}")
            admin.execute(f"create role has_{role} login in role nb_{role}")
    return database_url


@pytest.mark.parametrize("role", ["reader", "writer", "approver"])
def test_each_role_may_do_what_it_is_for_and_nothing_else(url: str, role: str) -> None:
    """Everybody reads, with whose prompts that means; a writer launches and cancels; an approver decides."""
    import psycopg

    allowed = set()
    with connect(url.replace("postgres@", f"has_{role}@", 1)) as server:
        for statement in MATRIX:
            try:
                with server.transaction(force_rollback=True):
                    server.execute(statement)
                allowed.add(statement)
            except psycopg.errors.InsufficientPrivilege:
                pass
    assert allowed == {statement for statement, roles in MATRIX.items() if role in roles}


def test_a_reader_has_a_mirror_of_its_own(
    url: str, postgres_server: PostgresForTests, tmp_path: Path
) -> None:
    """It needs no right but to read, and is another file than that of a user who may see more."""
    mine, theirs = mirror_of(url, tmp_path), mirror_of(url.replace("postgres@", "has_reader@", 1), tmp_path)
    assert_same(url, mine)
    assert_same(url, theirs)
    assert mine.path.name.partition("-")[0] != theirs.path.name.partition("-")[0]
    for one in (mine, theirs):
        one.close()


def test_nobody_else_sees_anything(url: str) -> None:
    """A user of the server who has none of the roles cannot even look."""
    import psycopg

    with connect(url) as admin:
        admin.execute("drop role if exists stranger")
        admin.execute("create role stranger login")
    with (
        connect(url.replace("postgres@", "stranger@", 1)) as server,
        pytest.raises(psycopg.errors.Error) as caught,
    ):
        server.execute("select * from nbagent.runs")
    assert isinstance(caught.value, psycopg.errors.InsufficientPrivilege)


@pytest.mark.parametrize("name", ['x"; drop schema public', "", "Team", "a b", "é", "x" * 60])
def test_a_name_that_would_have_to_be_quoted_is_refused(name: str) -> None:
    """In two lines, before any SQL is made of it."""
    for given in ({"schema": name}, {"prefix": name}):
        with pytest.raises(ConfigurationError) as caught:
            role_sql(**given)
        assert len(str(caught.value).splitlines()) == 2


def test_a_wish_that_a_role_may_not_have_is_refused_and_holds_nothing_up(url: str, tmp_path: Path) -> None:
    """In two lines, at once; what follows is written, and what a reader asks for is answered."""
    decision = DecisionRequest(run_id="r", step=1, tool_call_id="c", approved=True)
    refused: dict[str, list[Write]] = {
        "writer": [ForgetRuns(("r",)), decision],
        "approver": [
            ForgetRuns(("r",)),
            Launch({"run_id": "of approver", "session_id": "s"}),
            CancelRequest("r"),
        ],
    }
    allowed: dict[str, Write] = {
        "writer": Launch({"run_id": "of writer", "session_id": "s"}),
        "approver": decision,
    }
    for role, wishes in refused.items():
        store = open_store(server_url(url.replace("postgres@", f"has_{role}@", 1)), tmp_path / role)
        for wish in wishes:
            with pytest.raises(StoreError) as caught:
                store.write(wish, "it", timeout_s=120)
            assert "refuses this user" in str(caught.value)
            assert len(str(caught.value).splitlines()) == 2
        assert store.write(allowed[role], "it", timeout_s=120)
        assert len(store.frame("select run_id from runs")) == 2
        assert store.close(10)
    reader = open_store(server_url(url.replace("postgres@", "has_reader@", 1)), tmp_path / "reader")
    assert len(reader.arrays(*list_chosen(RunFilter()))["run_id"]) == 2
    assert [row["run_id"] for row in reader.read("select run_id from runs order by 1")] == ["of writer", "r"]
    assert reader.close(10)
