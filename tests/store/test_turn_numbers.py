from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nbagent.store import Launch, Store
from nbagent.store.commands import JournaledLaunch, Write
from nbagent.store.duckdb.codec import launch_row
from nbagent.store.duckdb.write.known_state import KnownState
from nbagent.store.duckdb.write.transaction import write_all
from tests.store.processes import child

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def line(
    run_id: str, at_s: float, owner: str = "a", *, hint: int | None = None, follows: bool = False
) -> Write:
    """A launch in session s as a log has it, made so many seconds after noon."""
    row = {"run_id": run_id, "session_id": "s", "created_at": NOW + timedelta(seconds=at_s)}
    return JournaledLaunch(launch_row(row, owner=owner, turn=None), hint, follows=follows)


def fixed(run_id: str, turn: int) -> Write:
    """A launch whose turn was known when it was made."""
    return JournaledLaunch(launch_row({"run_id": run_id, "session_id": "s"}, owner="a", turn=turn))


def direct(run_id: str, at_s: float, *, follows: bool = False) -> Write:
    """A launch of this process that the database must have."""
    row = {"run_id": run_id, "session_id": "s", "created_at": NOW + timedelta(seconds=at_s)}
    return Launch(row, follows=follows)


@pytest.mark.parametrize(
    ("batches", "turns"),
    [
        ([[line("x", 2), line("y", 1, "b"), line("z", 3, "c")]], {"y": 1, "x": 2, "z": 3}),
        ([[line("x", 2)], [line("y", 1, "b")]], {"x": 1, "y": 2}),
        ([[line("x", 2), line("y", 1, "b")], [line("y", 1, "b"), line("z", 0)]], {"y": 1, "x": 2, "z": 3}),
        ([[line("x", 9), line("y", 1)], [line("z", 0)]], {"x": 1, "y": 2, "z": 3}),
        ([[direct("x", 5), line("y", 1, "b")]], {"y": 1, "x": 2}),
        ([[line("y", 1, "b", follows=True)], [fixed("x", 1)], [line("z", 2)]], {"x": 1, "y": 2, "z": 3}),
        ([[direct("y", 1, follows=True)], [fixed("x", 1)]], {"x": 1, "y": 2}),
        ([[fixed("x", 1), line("z", 3, hint=2), line("y", 1, "b", follows=True)]], {"x": 1, "z": 2, "y": 3}),
        ([[fixed("x", 1), line("y", 1, "b", follows=True)], [line("z", 3, hint=2)]], {"x": 1, "y": 2, "z": 3}),
        ([[fixed("x", 7)], [line("y", 0)]], {"x": 7, "y": 8}),
    ],
    ids=[
        "as they were made", "as they come", "one that is there keeps its number", "a clock set back",
        "with one that is not in a log", "a second one comes first", "a second one that is in no log comes first",
        "who was alone comes first", "somebody was faster", "after the highest",
    ],
)  # fmt: skip
def test_turns_are_given_in_launch_order(
    store: Store, batches: list[list[Write]], turns: dict[str, int]
) -> None:
    """However launches of several processes come into the database: in order, none twice, the first one first."""
    memory = KnownState(owner="a")
    with store.connection() as con:
        for batch in batches:
            memory.last_turn.clear()  # as where another process had the file meanwhile
            results: list[object] = []
            write_all(con, batch, memory, results)
        rows = con.execute("select run_id, turn from launches order by turn").fetchall()
    assert dict(rows) == turns


def test_launches_of_two_processes_are_numbered_as_they_were_made(store: Store, path: Path) -> None:
    """Launches that a dead and a living process have in their logs only, in one session, in turns."""
    launches = [Launch({"run_id": f"mine{one}", "session_id": "s"}, minted=True) for one in range(3)]
    store.launch(Launch({"run_id": "first", "session_id": "other"}, minted=True)).result(60)
    with child(path) as one:
        one.ask("read", sql="select 1")
        for number, launch in enumerate(launches):
            store.launch(launch).result(60)
            one.ask("mint", run_ids=[f"theirs{number}"], session_id="s")
        one.kill()
    rows = store.read("select run_id, turn from runs where session_id = 's' order by turn")
    expected = [f"{who}{number}" for number in range(3) for who in ("mine", "theirs")]
    assert [tuple(row.values()) for row in rows] == list(zip(expected, range(1, 7), strict=True))
