from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbagent.store.session_ids import LINE, SessionIds, Standing

FIRST, ALONE, FOLLOWS, UNKNOWN = Standing.FIRST, Standing.ALONE, Standing.FOLLOWS, Standing.UNKNOWN


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a record would be."""
    return tmp_path / "runs.duckdb"


@pytest.fixture
def ids(database: Path) -> Iterator[SessionIds]:
    """One process's view, which has looked at an empty record."""
    one = loaded(database)
    yield one
    one.close()


def loaded(database: Path, *recorded: str) -> SessionIds:
    """Another process's view: a token of its own, and what the record has."""
    one = SessionIds(database)
    assert one.launched("somewhere else") in (UNKNOWN, FOLLOWS)
    assert one.is_wanted
    one.load(recorded)
    assert not one.is_wanted
    return one


@pytest.mark.parametrize(
    "session_id", ["s", "", "\u65e5\u672c\u8a9e", "a\ud800b", "x" * 100_000, "../../etc"]
)
def test_a_new_session_is_known_to_be_new(ids: SessionIds, database: Path, session_id: str) -> None:
    """The first launch is first, the next goes on alone, until another process launches there; that one follows."""
    assert ids.launched(session_id) is FIRST
    assert ids.launched(session_id) is ALONE
    assert ids.is_alone(session_id)
    other = loaded(database)
    assert ids.is_alone(session_id)
    assert other.launched(session_id) is FOLLOWS
    assert not ids.is_alone(session_id)
    assert ids.launched(session_id) is FOLLOWS
    other.close()


@pytest.mark.parametrize("recorded", ["s", "\u00e9", "a\ud800b"])
def test_what_the_record_has_is_not_new(database: Path, recorded: str) -> None:
    """A session of an earlier process, or one that was made for a single run, is read."""
    one = loaded(database, recorded)
    assert one.launched(recorded) is UNKNOWN
    assert not one.is_alone(recorded)
    one.minted("made for a run")
    assert one.launched("made for a run") in (UNKNOWN, FOLLOWS)
    assert one.launched("new") is FIRST
    one.close()


def test_before_the_record_was_looked_at_nothing_is_new(database: Path) -> None:
    """Also where it has more sessions than are kept in mind; then each is read."""
    one = SessionIds(database)
    assert one.launched("s") is UNKNOWN
    one.load(None)
    assert one.launched("t") is UNKNOWN
    one.close()


@pytest.mark.parametrize("who", ["this process", "another process"])
def test_after_a_change_by_other_means_a_session_is_read(ids: SessionIds, database: Path, who: str) -> None:
    """A delete or a resume: nobody knows any more what a session holds; new ones are new."""
    assert ids.launched("s") is FIRST
    other = loaded(database)
    (ids if who == "this process" else other).changed()
    assert not ids.is_alone("s")
    assert ids.launched("s") is UNKNOWN
    assert ids.launched("t") is FIRST
    other.close()


@pytest.mark.parametrize("who", ["this process", "another process"])
def test_a_session_that_messages_were_carried_into_is_read(ids: SessionIds, database: Path, who: str) -> None:
    """Nobody is first in it, or alone any more; all other sessions stay what they were."""
    assert [ids.launched(one) for one in ("begun", "other")] == [FIRST, FIRST]
    another = loaded(database)
    for session_id in ("begun", "never launched in"):
        (ids if who == "this process" else another).carried(session_id)
        assert not ids.is_alone(session_id)
        assert [one.launched(session_id) for one in (ids, another, ids)] == [UNKNOWN] * 3
    assert ids.launched("other") is ALONE
    another.close()


def test_the_file_goes_with_the_last_who_has_it(ids: SessionIds, database: Path) -> None:
    """While one process has it, another's end leaves it there."""
    (path,) = database.parent.iterdir()
    other = loaded(database)
    other.close()
    assert path.exists()
    ids.close()
    assert list(database.parent.iterdir()) == []


def test_what_a_dead_process_left_is_begun_anew(database: Path) -> None:
    """Its launches are in the record by now, or in its journal; half a line at the end hurts nobody."""
    path = database.with_name("runs.duckdb.session-ids")
    path.write_bytes(os.urandom(LINE * 3 + 5))
    one = loaded(database)
    assert path.stat().st_size == LINE
    assert one.launched("s") is FIRST
    one.close()


def test_a_file_that_was_deleted_is_begun_again(ids: SessionIds, database: Path) -> None:
    """What others wrote into a file that nobody finds may be missed: until the record was looked at, nothing is new."""
    assert ids.launched("s") is FIRST
    database.with_name("runs.duckdb.session-ids").unlink()
    assert not ids.is_alone("s")
    assert ids.launched("t") is UNKNOWN
    ids.load(["s"])
    assert ids.launched("s") is UNKNOWN
    assert ids.launched("u") is FIRST


@pytest.mark.parametrize("fault", ["a folder", "a link", "no folder"])
def test_without_the_file_every_session_is_read(database: Path, tmp_path: Path, fault: str) -> None:
    """Where it cannot be had nothing is known, and nothing fails."""
    path = database.with_name("runs.duckdb.session-ids")
    if fault == "a folder":
        path.mkdir()
    elif fault == "a link":
        path.symlink_to(tmp_path / "target")
    else:
        (tmp_path / "file").write_text("")
        database = tmp_path / "file" / "runs.duckdb"
    one = SessionIds(database)
    assert one.launched("s") is UNKNOWN
    one.minted("t")
    one.changed()
    assert not one.is_alone("s")
    one.close()


def test_of_two_at_once_one_is_first(database: Path) -> None:
    """However two processes' launches in one new session meet, exactly one is told that it is first."""
    one, two = loaded(database), loaded(database)
    with ThreadPoolExecutor(2) as threads:
        for number in range(300):
            both = [threads.submit(each.launched, f"s{number}") for each in (one, two)]
            assert sorted(future.result().value for future in both) == ["first", "follows"]
    one.close()
    two.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc")), max_size=25))
def test_who_is_alone_is_alone(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    """Whatever three processes do: first is who launched before all, and alone only who nobody else has followed."""
    database = tmp_path_factory.mktemp("record") / "runs.duckdb"
    views = [loaded(database) for _ in range(3)]
    launched: dict[str, list[int]] = {}
    for who, session_id in steps:
        before = launched.setdefault(session_id, [])
        found = views[who].launched(session_id)
        assert found is (FIRST if not before else ALONE if set(before) == {who} else FOLLOWS)
        before.append(who)
        assert [view.is_alone(session_id) for view in views] == [set(before) == {one} for one in range(3)]
    for view in views:
        view.close()
