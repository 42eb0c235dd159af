"""The text of another machine's run as it grows: its first piece at once, the rest quickly where somebody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent
from nbagent.panel.card import display
from nbagent.run import RunStatus
from nbagent.runtime import current
from nbagent.runtime.recovery import heartbeat
from nbagent.settings import server_url
from nbagent.store import RunStore, open_store
from nbagent.store.postgres.watching import MOST, Watching
from tests.harness.waiting import until, until_async
from tests.postgres.test_team_record import member  # noqa: F401 - a fixture
from tests.provider.chat_wire import begun, end, text
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait
from tests.runtime.conftest import agent  # noqa: F401 - a fixture

pytestmark = pytest.mark.postgres

NEVER_S = 1000.0


@pytest.fixture
def _on_a_server(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the record on the server, and progress written at no regular time."""
    monkeypatch.setenv("NBAGENT_STORE", database_url)
    monkeypatch.setattr(heartbeat, "TICK_S", NEVER_S)
    yield
    current().store.close()


@pytest.fixture
def other(database_url: str, tmp_path: Path) -> Iterator[RunStore]:
    """The record as another machine's process has it."""
    one: Any = open_store(server_url(database_url), tmp_path / "other")
    one._writer.sender = replace(one._writer.sender, owner="elsewhere - 1 1")
    one._listener._owner = one.owner
    yield one
    assert one.close(30)


def partial_text(store: RunStore) -> str | None:
    """What the record has of the one run's text."""
    rows = store.read("select partial_text from attempt_progress")
    return rows[0]["partial_text"] if rows else None


@pytest.mark.usefixtures("_on_a_server")
def test_it_comes_as_it_grows_to_who_looks(agent: Agent, provider: ScriptedProvider, other: RunStore) -> None:  # noqa: F811
    """The first piece without a look; the next ones once another process has said that it looks."""
    gates = [Gate() for _ in range(4)]
    pieces = [part for i, gate in enumerate(gates) for part in (*text(f"piece {i} "), Wait(gate))]
    provider.reply((*begun(), *pieces, *end()))
    run = agent.start("Write")
    until(lambda: partial_text(other) == "piece 0 ", "the first piece")
    gates[0].open()
    until(lambda: run.text == "piece 0 piece 1 ")
    other.watch(run.run_id)
    until(lambda: partial_text(other) == "piece 0 piece 1 ", "the second piece")
    gates[1].open()
    until(lambda: partial_text(other) == "piece 0 piece 1 piece 2 ", "the third piece")
    heard = other.heard_of(run.run_id)
    gates[2].open()
    until(lambda: other.heard_of(run.run_id) > heard, "the notice")
    for gate in gates:
        gate.open()
    assert run.wait(timeout=60).status is RunStatus.completed


def test_a_card_shows_it_when_it_is_heard_of(
    member: Any,  # noqa: F811 - the fixture of that name
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A card of a colleague's run reads it when it has news, not at its own times."""
    _, run_id = member("run")
    monkeypatch.setattr(display, "STORED_POLL_S", NEVER_S)
    card = display.DisplayedRun(nb.get(run_id))
    card._look()

    async def longer_than(length: int) -> int:
        while len(card._current[2]) <= length:
            await until_async(lambda: card.run.store.heard_of(run_id) != card._heard, "the notice")
            await card._poll()
        return len(card._current[2])

    async def look_twice() -> None:
        first = await longer_than(0)
        assert await longer_than(first) > first

    asyncio.run(look_twice())
    assert nb.cancel_run(run_id)


def test_looks_are_said_again_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each says so once in a while, as long as it lasts; a process remembers so many, however many others look at."""
    now = [0.0]
    monkeypatch.setattr("nbagent.store.postgres.watching.monotonic", lambda: now[0])
    here, there = Watching(), Watching()
    assert [here.begin("r"), here.begin("r"), here.begin("s")] == [True, False, True]
    assert there.hear_watched(["r"])
    assert not there.hear_watched(["r"])
    assert there.watched(["r", "s"]) == {"r"}
    here.hear(["r", "unknown"])
    here.hear(None)
    assert [here.news(one) for one in ("r", "s", "unknown")] == [2, 1, 0]
    now[0] = 6.0
    assert here.begin("r")
    now[0] = 100.0
    assert there.watched(["r"]) == set()
    for number in range(3 * MOST):
        now[0] += 0.1
        here.begin(str(number))
        there.hear_watched([str(number)])
    assert max(len(one) for one in (here._said, here._news, there._until)) <= MOST
