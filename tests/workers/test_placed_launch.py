"""What the launching kernel does with a run for workers: the row that waits, what is refused, and what is told."""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent.core import load_json
from nbagent.errors import ConfigurationError, PromptError, RunIdInUseError, SessionBusyError
from nbagent.frames import workers_line, workers_text
from nbagent.panel.card.display import DisplayedRun
from nbagent.panel.table.row import COLUMNS, row_of_stored
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.store import newest_runs
from nbagent.store.postgres.worker_rows import join_workers

pytestmark = pytest.mark.workers

AGENTS = """
    import nbagent as nb

    def price(ticker: str) -> float:
        "The price of a share."
        return 100.0

    desk = nb.Agent(model="demo:assistant", name="desk", tools=[price])
    team = nb.Team(model="demo:assistant", name="crew", members=[desk])
    keyed = nb.Agent(model=nb.OpenAIChat(id="m", provider="openai", api_key="sk-this-is-a-key"), name="keyed")
    masked = nb.Agent(model="demo:assistant", settings=nb.ModelSettings(extra_body={"api_key": "sk-abcdefgh"}))
    keyed_team = nb.Team(model="demo:assistant", members=[keyed])
    noted = nb.Agent(model="demo:assistant", tools=[nb.notebook(run=True)])
    fallback = nb.Agent(model=["demo:assistant", nb.OpenAIChat(id="m", provider="openai", api_key="sk-key-of-mine")])
"""
unserved = pytest.mark.filterwarnings("ignore:no worker serves")


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of agents that other processes could import too."""
    name = f"agents_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(AGENTS))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


@pytest.fixture
def server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A record on a server as this process's store."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    yield database_url
    current().store.close()


def launched(run: Any) -> dict[str, Any]:
    """The row of `launches` of a run, with what its details hold."""
    (row,) = current().store.read("select *, details as told from launches where run_id = ?", [run.run_id])
    return {**row, **load_json(row["told"])}


@unserved
def test_a_launch_for_workers_waits_in_the_record(server: str, agents: Any) -> None:
    """The row has nobody at work on it, the address and the whole spec; the handle is that of a pending run."""
    run = agents.desk.start(
        "Price of AAPL?", on="workers", timeout=5, tags={"a": "b"}, label="aapl", cache="use"
    )
    row = launched(run)
    assert (row["owner"], row["placement"], row["address"]) == (
        "workers",
        "workers",
        f"{agents.__name__}:desk",
    )
    assert row["placed"] == {"address": f"{agents.__name__}:desk", "cache": "use", "on_busy": "queue"}
    assert (row["spec"]["limits"]["timeout_s"], [one["name"] for one in row["spec"]["tools"]]) == (
        5,
        ["price"],
    )
    assert (run.status, run.done(), run.text, run.durable) == (RunStatus.pending, False, "", True)
    assert nb.get("aapl").status is RunStatus.pending
    (shown,) = newest_runs(current().store, 10).rows
    assert row_of_stored(shown)[COLUMNS.index("owner")] == "waits for a worker"
    card, _ = DisplayedRun(run).refresh()
    told = f"waits for a worker: no worker serves '{agents.__name__}:desk'"
    assert str(card["waiting"]).startswith(told[:60])
    with pytest.raises(ConfigurationError, match="waits for a worker"):
        run.resume()
    assert run.cancel()
    assert run.wait(30).status is RunStatus.cancelled
    assert not run.cancel()
    again = launched(run.retry())
    same = ("session_id", "run_id", "created_at", "told", "xid", "row_id")
    assert {k: v for k, v in again.items() if k not in same} == {
        k: v for k, v in row.items() if k not in same
    }
    assert again["run_id"] != row["run_id"]
    assert nb.get(again["run_id"]).cancel()


@unserved
def test_teams_sessions_files_and_ids_go_the_same_way(server: str, agents: Any, tmp_path: Path) -> None:
    """A team has one address; turns are numbered by the record; a file of the prompt is in the row; a used id is refused."""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    first = agents.team.start("Hi", on="workers", session="s", run_id="mine")
    second = agents.team.start("Hi again", on="workers", session="s", files=[tmp_path / "a.png"])
    rows = launched(first), launched(second)
    assert [row["turn"] for row in rows] == [1, 2]
    assert [row["address"].partition(":")[2] for row in rows] == ["team", "team"]
    (file,) = rows[1]["placed"]["files"]
    assert (file["media_type"], file["name"]) == ("image/png", "a.png")
    with pytest.raises(RunIdInUseError, match="'mine' is taken"):
        agents.desk.start("Hi", on="workers", run_id="mine")
    agents.desk.on_busy = "reject"
    with pytest.raises(SessionBusyError, match="has an unfinished run: 'mine'"):
        agents.desk.start("Hi", on="workers", session="s")
    agents.desk.on_busy = "cancel"
    third = agents.desk.start("Hi", on="workers", session="s")
    assert [run.wait(30).status for run in (first, second)] == [RunStatus.cancelled] * 2
    assert third.cancel()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("keyed", "has its key as api_key="),
        ("keyed_team", "agent 'keyed' has its key as api_key="),
        ("fallback", "has its key as api_key="),
        ("masked", "has a secret in extra_body"),
        ("noted", "tools of nb.notebook belong to this kernel"),
    ],
)
def test_what_only_this_process_has_is_refused(server: str, agents: Any, name: str, said: str) -> None:
    """A key, a secret, the notebook's own tools: two lines, and nothing is launched."""
    with pytest.raises(ConfigurationError, match=said) as refused:
        getattr(agents, name).start("Hi", on="workers")
    assert len(str(refused.value).splitlines()) == 2
    assert "sk-" not in str(refused.value)
    assert current().store.read("select run_id from launches") == []


def test_an_agent_without_an_address_is_refused(server: str, agents: Any) -> None:
    """One made here, and one changed from a module's, are in no module; callbacks and empty prompts are refused, too."""
    from dataclasses import replace

    for one in (nb.Agent(model="demo:assistant", name="mine"), replace(agents.desk, name="mine")):
        with pytest.raises(ConfigurationError, match="agent 'mine' is in no module") as refused:
            one.start("Hi", on="workers")
        assert "%%agent_module agents.py" in str(refused.value)
    with pytest.raises(ConfigurationError, match="a worker works on this one"):
        agents.desk.start("Hi", on="workers", on_text=print)
    with pytest.raises(PromptError):
        agents.desk.start(" ", on="workers")
    assert current().store.read("select run_id from launches") == []


def test_who_launches_is_told_that_no_worker_serves_it(server: str, agents: Any) -> None:
    """The warning names the address and how a worker is started; a password of the record's address is not in it."""
    with pytest.warns(UserWarning, match="no worker serves") as told:
        run = agents.desk.start("Hi", on="workers")
    text = str(told[0].message)
    assert f"nbagent worker {agents.__name__}:desk --store postgresql://" in text
    assert len(text.splitlines()) == 2
    run.cancel()


@unserved
def test_the_option_places_what_is_launched_from_a_cell_and_not_from_a_tool(
    server: str, agents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`on` as an option is the default of launches; a tool's own launch stays with its run unless it says otherwise."""
    inner: list[Any] = []

    def price(ticker: str) -> str:
        """The price of a share."""
        inner.append(agents.desk.start("What is the capital of Peru?"))
        return str(inner[0].result(60).content)

    outer = nb.Agent(model="demo:assistant", tools=[price])
    monkeypatch.setenv("NBAGENT_ON", "workers")
    placed = agents.desk.start("Hi")
    assert launched(placed)["owner"] == "workers"
    assert placed.cancel()
    assert outer.start("What is the price of AAPL?", on="kernel").result(60).tool_calls
    assert launched(inner[0])["owner"] == current().store.owner


@unserved
def test_a_launch_on_the_background_loop_waits_for_nothing(server: str, agents: Any) -> None:
    """In an async tool the launch returns at once and its row comes."""

    async def launch() -> Any:
        return agents.desk.start("Hi", on="workers")

    run = current().thread.submit(launch()).result(60)
    assert launched(run)["owner"] == "workers"
    assert run.cancel()


@unserved
def test_workers_and_what_waits_are_listed(server: str, agents: Any) -> None:
    """A row for each worker with what it serves; a line for each agent whose runs wait, and for what; the panel has it short."""
    store, address = current().store, f"{agents.__name__}:desk"
    assert workers_line(store) is None
    launch = [agents.desk, agents.desk, agents.team]
    runs = [one.start("Hi", on="workers") for one in launch]
    text = workers_text(store)
    assert text.startswith("no worker works for postgresql://")
    assert f"2 runs of {address} wait: no worker serves {address}" in text
    with store.connect() as connection:
        assert join_workers(connection, "w1", store.owner, {address: "f"})
        (row,) = nb.workers().to_dict("records")
        assert (row["worker"], row["pid"], row["state"], row["running"]) == ("w1", os.getpid(), "working", 0)
        assert row["serves"] == [address]
        text = workers_text(store)
        assert f"{os.getpid()} on " in text.splitlines()[0]
        assert f"2 runs of {address} wait\n" in text
        assert f"1 run of {agents.__name__}:team waits: no worker serves" in text
        assert workers_line(store) == "1 worker, 3 waiting"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runs.append(agents.desk.start("Hi", on="workers"))
    assert all(run.cancel() for run in runs)
    assert " wait" not in workers_text(store)
