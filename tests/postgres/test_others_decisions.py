"""Decisions of other users of a server's record: they approve and deny; a call's arguments they change where its tool lets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import nbagent as nb
from nbagent.errors import ConfigurationError
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.store import role_sql
from tests.harness.python_processes import python_processes
from tests.harness.waiting import until
from tests.postgres.records import connect, make_record

pytestmark = pytest.mark.postgres

LAUNCHER = """
import sys, time
import nbagent as nb
editable = sys.argv[1] == "editable"

@nb.tool(requires_approval=True, editable_by_others=editable)
def population(city: str) -> int:
    "Give the population of a city."
    print(city, flush=True)
    return 7

run = nb.Agent(model="demo:assistant", tools=[population]).start("What is the population of Rome?")
while not run.pending_approvals:
    time.sleep(0.02)
print(run.run_id, flush=True)
run.wait(120)
print(run.status.value, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def url(database_url: str) -> str:
    """A record with its roles, and a user for each of two."""
    make_record(database_url)
    with connect(database_url) as admin:
        admin.execute(role_sql())
        for role in ("writer", "approver"):
            admin.execute(f"drop role if exists of_{role}")
            admin.execute(f"create role of_{role} login in role nb_{role}")
        admin.execute("grant nb_approver to of_writer")
    return database_url


@pytest.fixture
def launched(url: str) -> Iterator[Callable[[str], tuple[Any, str]]]:
    """Start the launching user's process; gives it, and the id of its run, which waits for an approval."""
    with python_processes(NBAGENT_STORE=as_user(url, "writer")) as begin:
        yield partial(begin, "-c", LAUNCHER)


@pytest.fixture
def here(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Be a user of the record in this process."""

    def become(role: str) -> None:
        monkeypatch.setenv("NBAGENT_STORE", as_user(url, role))

    yield become
    current().store.close()


def as_user(url: str, role: str) -> str:
    """The address for one of the two users."""
    return url.replace("postgres@", f"of_{role}@", 1)


def test_another_user_approves_a_call_as_it_stands(
    launched: Callable[[str], tuple[Any, str]], here: Callable[[str], None], url: str
) -> None:
    """Changed arguments are refused in two lines; written past that, under any name, they are not heard; a plain approval is."""
    process, run_id = launched("fixed")
    here("approver")
    run = nb.get(run_id)
    with pytest.raises(ConfigurationError, match="may be changed by who launched run") as refused:
        run.approve(arguments={"city": "Ostia"})
    assert len(str(refused.value).splitlines()) == 2
    (call,) = run.pending_approvals
    with connect(as_user(url, "approver")) as forger:
        forger.execute(
            "insert into decision_requests (run_id, step, tool_call_id, approved, reason, arguments, created_at, by_user)"
            " values (%s, %s, %s, true, '', %s, now(), 'of_writer')",
            [run_id, call.step, call.tool_call_id, '{"city": "Ostia"}'],
        )
    with connect(url) as admin:  # the run's kernel has taken it away
        until(
            lambda: admin.execute("select count(*) from decision_requests").fetchone() == (0,), "its reading"
        )
    assert nb.get(run_id).status is RunStatus.paused
    assert run.approve()
    assert [process.stdout.readline().strip() for _ in range(2)] == ["Rome", "completed"]


@pytest.mark.parametrize(
    ("how", "role"), [("editable", "approver"), ("fixed", "writer"), ("editable", "writer")]
)
def test_arguments_are_changed_by_whom_the_tool_lets(
    launched: Callable[[str], tuple[Any, str]], here: Callable[[str], None], how: str, role: str
) -> None:
    """By others where it says so, by the launching user from any process."""
    process, run_id = launched(how)
    here(role)
    assert nb.get(run_id).approve(arguments={"city": "Ostia"})
    assert [process.stdout.readline().strip() for _ in range(2)] == ["Ostia", "completed"]
