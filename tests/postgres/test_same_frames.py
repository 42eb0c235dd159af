"""The same histories in a file and on a server give the same frames: there is one SQL for every count."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import nbagent as nb
from nbagent import runtime
from nbagent.events import Message
from nbagent.store import Finish, ForgetRuns, Launch, Store, batch_metrics, list_steps, session_metrics
from tests.frames.random_histories import Past, histories, joined, write

pytestmark = [pytest.mark.postgres, pytest.mark.filterwarnings("ignore:Generating overly large repr")]

_example = itertools.count()
# what differs between two writes of one history: who wrote, and when a row was written that says so
SQL = {
    "runs": "select * exclude (owner, heartbeat_at) from runs where run_id like ? order by run_id",
    "attempts": "select * exclude (owner, heartbeat_at) from attempts where run_id like ? order by run_id, attempt",
    "model_calls": "select * from model_calls where run_id like ? order by all",
    "tool_calls": "select * from tool_calls where run_id like ? order by all",
    "messages": "select * from messages where run_id like ? order by all",
}
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "status": {"status": ["error", "timeout"]},
    "agent": {"agent": "a"},
    "label": {"label": "answer"},
}


class Both:
    """A file and a server; `frames` asks one of them everything."""

    def __init__(self, path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places = (str(path), url)
        self._monkeypatch = monkeypatch

    def stores(self) -> Iterator[Any]:
        """Each record in turn, as that of this process."""
        for place in self.places:
            self._monkeypatch.setenv("NBAGENT_STORE", place)
            yield runtime.current().store

    def same(self, ask: Any) -> None:
        """Assert that both give the same frames, up to the last bit."""
        import pandas as pd

        mine, theirs = [ask(store) for store in self.stores()]
        assert mine.keys() == theirs.keys()
        for name, frame in mine.items():
            pd.testing.assert_frame_equal(frame, theirs[name], check_exact=True, obj=name)


@pytest.fixture
def both(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """An empty record in a file and one on a server; mirrors are in the test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Both(tmp_path / "store" / "both.duckdb", database_url, monkeypatch)
    yield found
    for store in found.stores():
        assert store.close(10)
    stores = runtime.current()._stores
    for place in [place for place, store in stores.items() if store.name.startswith("postgresql")]:
        stores.pop(place)


def frames_of(example: str, runs: list[Past]) -> dict[str, Any]:
    """Every frame of an example's runs, whole and filtered, as a person asks for it."""
    import pandas as pd

    found: dict[str, Any] = {}
    mine = {"tags": {"example": example}}
    for name, filters in FILTERS.items():
        chosen = {**mine, **filters}
        found[f"runs, {name}"] = nb.runs(**chosen)
        for by in ("by_model", "by_member", "by_session", "by_agent", "by_tool"):
            found[f"{by}, {name}"] = getattr(nb.metrics, by)(**chosen)
    # by their ids: a random history has runs that were given the answer of a run above them, which has no whole tree
    steps = list_steps([f"{example}-{past.run_id}" for past in runs], members=True)
    rows = pd.DataFrame(runtime.current().store.arrays(*steps)).astype(object).to_numpy().tolist()
    found["steps"] = pd.DataFrame({"row": sorted(map(repr, rows))})  # calls of several runs begin at one time
    for session in sorted({past.session for past in runs})[:2]:
        found[f"messages of {session}"] = nb.metrics.messages(session=f"{example}-{session}")
    for name, sql in SQL.items():
        found[f"sql of {name}"] = nb.sql(sql, [f"{example}-%"])
    return found


@given(several=st.lists(histories(), min_size=2, max_size=4))
@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)  # to make one smaller takes minutes
def test_random_histories_give_the_same_frames(both: Both, several: list[list[Past]]) -> None:
    """Runs, metrics, steps, messages and a person's SQL, filtered or not; also after some runs were forgotten."""
    runs, example = joined(several), f"x{next(_example)}"
    for store in both.stores():
        write(store, runs, example=example)
    both.same(lambda _: frames_of(example, runs))
    for store in both.stores():
        gone = tuple(f"{example}-{past.run_id}" for past in runs[::3] if past.parent is None)
        store.write(ForgetRuns(gone), "it", timeout_s=60)
    both.same(lambda _: frames_of(example, []))


@given(several=st.lists(histories(), min_size=1, max_size=2))
@settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
def test_a_sessions_metrics_are_the_same(both: Both, several: list[list[Past]]) -> None:
    """Those of a session and of a batch, their details too."""
    runs, example = joined(several), f"x{next(_example)}"
    found = []
    for store in both.stores():
        write(store, runs, example=example)
        found.append(
            [session_metrics(store, f"{example}-{past.session}") for past in runs]
            + [batch_metrics(store, "none")]
        )
    assert found[0] == found[1]


def test_a_project_moves_to_the_server_and_back(both: Both, tmp_path: Path) -> None:
    """By nb.import_record and nb.export_record: the frames stay, and doctor says where the record is, without a password."""
    end = {"status": "completed", "stop_reason": "end", "content": "so"}
    file, server = both.stores()
    for number in range(5):
        file.submit(Launch({"run_id": f"r{number}", "session_id": "s", "prompt": "Why?"}))
        file.submit(
            Finish(run_id=f"r{number}", end=end, messages=((0, Message(role="user", content="Why?")),))
        )
    assert file.flush(60)
    assert nb.import_record(both.places[0]) == (5, 0)
    assert nb.import_record(both.places[0]) == (0, 5)
    both.same(lambda _: {"runs": nb.runs(), "messages": nb.metrics.messages("r1")})
    assert nb.export_record(tmp_path / "back.duckdb") == 5
    back = Store(tmp_path / "back.duckdb")
    assert back.read("select * from launches order by 1") == file.read("select * from launches order by 1")
    assert back.close(10)
    told = nb.doctor()["record"]
    assert told["path"] == server.name, told
    assert told.get("server", "").startswith("PostgreSQL "), dict(told)
    assert told["open transactions"]
    assert told["clock"] == "the server's and this machine's agree"
    assert "5 runs" in told["holds"]
    assert str(tmp_path) in told["mirror"]
