"""Finished runs are remembered by their bytes: what is let go is read from the store again, and looks the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pydantic
import pytest

import nbagent as nb
from nbagent import settings
from nbagent.core import utc_now
from nbagent.events import Message, MessageAdded, RunFinished, RunStarted, TextAdded
from nbagent.run import RunLaunch, RunRecord, size_bytes
from nbagent.runtime import current
from nbagent.store import load_run, load_runs
from tests.provider.chat_wire import json_reply, text_reply, tool_reply
from tests.provider.server import ScriptedProvider

TEXTS = ["a" * 200_000, "ü" * 150_000, "\N{GRINNING FACE} " * 60_000]


@pytest.fixture
def small_budget() -> Iterator[None]:
    """Only the last run or so fits."""
    settings.configure("remembered_bytes", 100_000)
    yield
    settings.configure("remembered_bytes", None)
    current().registry.budget_bytes = 64_000_000


@pytest.mark.usefixtures("small_budget")
def test_what_is_let_go_is_read_again(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """Handles of runs that are remembered no longer give what they gave, and keep no memory themselves."""
    runs = []
    for text in TEXTS:
        provider.reply(text_reply(text))
        runs.append(agent.start("Well?", label="kept"))
        assert runs[-1].wait(timeout=60).content == text
    provider.reply(text_reply("the last"))
    last = agent.start("Well?")
    last.wait(timeout=60)
    assert [current().live(run.run_id) is None for run in runs] == [True, True, True]
    assert current().live(last.run_id) is not None
    assert [(run.status, run.done(), run.must_read) for run in runs] == [
        (nb.RunStatus.completed, True, True)
    ] * 3
    assert [run.wait(timeout=60).content for run in runs] == TEXTS
    assert [run.text for run in runs] == TEXTS
    assert [output.content for output in nb.gather(runs)] == TEXTS
    assert nb.get("kept").content == TEXTS[-1]
    assert [run.durable for run in runs] == [True] * 3
    assert isinstance(list(runs[0].events())[-1], RunFinished)
    assert sum(not run.must_read for run in runs) == 1  # what was read is bounded as well


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("by_handle", [True, False])
def test_an_answer_keeps_a_class_that_no_module_has(
    agent: nb.Agent, provider: ScriptedProvider, *, by_handle: bool
) -> None:
    """The type of a run that was let go is this kernel's own, though the store could not name it."""

    class City(pydantic.BaseModel):
        name: str

    provider.reply(json_reply({"name": "x" * 300_000}))
    run = agent.start("Well?", output_schema=City)
    first = run.wait(timeout=60).content
    provider.reply(text_reply("the last"))
    agent.run("Well?")
    again = run if by_handle else nb.get(run.run_id)
    assert current().live(run.run_id) is None
    assert type(again.content) is City
    assert again.content == first
    assert list(again.to_frame().columns) == ["name"]


@pytest.mark.usefixtures("small_budget")
def test_a_run_that_was_let_go_is_launched_anew_with_its_own_tools(
    agent: nb.Agent, provider: ScriptedProvider
) -> None:
    """`retry` finds the agent of a run of this kernel, whose tools stand in no notebook."""

    def price(symbol: str) -> str:
        """Price of a symbol."""
        return f"{symbol} costs 3"

    agent = nb.Agent(model=agent.model, tools=[price])
    provider.reply(tool_reply(("price", {"symbol": "X"})))
    provider.reply(text_reply("y" * 300_000))
    run = agent.start("Well?")
    run.wait(timeout=60)
    provider.reply(text_reply("the last"))
    agent.run("Well?")
    assert current().live(run.run_id) is None
    provider.reply(text_reply("again"))
    assert run.retry().result(timeout=60).content == "again"


@pytest.mark.usefixtures("small_budget")
def test_what_was_let_go_is_free(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """Nothing but the budget keeps a finished run's record, though its handle is held."""
    provider.reply(text_reply("z" * 300_000))
    run = agent.start("Well?")
    run.wait(timeout=60)
    live = current().live(run.run_id)
    assert live is not None
    kept = weakref.ref(live)
    del live
    provider.reply(text_reply("the last"))
    agent.run("Well?")
    gc.collect()
    assert kept() is None
    assert len(run.content) == 300_000


@pytest.mark.parametrize("pieces", [0, 1, 512, 513, 1_024, 3_000])
@pytest.mark.parametrize("piece", ["word ", "ü", "\N{GRINNING FACE}\n"])
def test_the_text_is_kept_once(pieces: int, piece: str) -> None:
    """However many pieces a text came in, it is read whole at any time, and in the end it is the message's own string."""
    record = RunRecord(RunLaunch(run_id="r", session_id="s", created_at=utc_now(), prompt="p"))
    record.apply(RunStarted(started_at=utc_now()))
    for number in range(pieces):
        record.apply(TextAdded(piece, 1))
        assert number % 500 or record.text == piece * (number + 1)
    whole = piece * pieces
    record.apply(MessageAdded(message=Message(role="assistant", content=whole)))
    record.apply(RunFinished(stop_reason="end", content=whole, finished_at=utc_now()))
    assert record.text == whole == record.snapshot().content
    assert size_bytes(record) < 20_000 + 4.1 * len(whole)


def test_several_runs_are_read_in_one_go(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """`nb.get([...])` gives live and stored runs, by id, label or handle, in their order, with all that they hold.

    One that has ended is read once, also by itself: what it holds comes of that read.
    """
    provider.otherwise(tool_reply(("nothing", {})))
    outputs = []
    for number in range(4):
        provider.reply(text_reply(f"answer {number} \N{SNOWMAN}", ""))
        outputs.append(agent.start("Well?", label=f"label {number % 3}").wait(timeout=60))
    registry = current().registry
    for output in outputs[:3]:
        registry._drop(output.run_id)
    again = nb.get([outputs[2].run_id, "label 1", outputs[3].run_id, "label 0", nb.get(outputs[0].run_id)])
    assert [run.run_id for run in again] == [outputs[number].run_id for number in (2, 1, 3, 3, 0)]
    assert [run.must_read for run in again] == [False, False, False, False, False]
    for run, number in zip(again, (2, 1, 3, 3, 0), strict=True):
        assert run.output.model_dump() == outputs[number].model_dump()
    assert nb.get([]) == []


@pytest.mark.parametrize("key", ["nowhere", 3, None, ["a list"]])
def test_of_several_keys_one_that_names_nothing_is_said(
    agent: nb.Agent, provider: ScriptedProvider, key: object
) -> None:
    """The error is the one that this key alone gives, and nothing is returned for the others."""
    provider.reply(text_reply("yes"))
    run = agent.start("Well?")
    run.wait(timeout=60)
    with pytest.raises(nb.NBAgentError, match=r"nowhere|names no run"):
        nb.get([run.run_id, key])


def test_a_team_read_among_others_has_its_members(agent: nb.Agent, provider: ScriptedProvider) -> None:
    """What is read in one go is what is read alone, members of members included."""
    inner = nb.Team(name="inner", model=agent.model, members=[replace(agent, name="ann")], mode="broadcast")
    outer = nb.Team(
        name="outer", model=agent.model, members=[inner, replace(agent, name="bob")], mode="broadcast"
    )
    provider.otherwise(text_reply("yes"))
    team, alone = outer.start("Well?"), agent.start("Well?")
    nb.gather(team, alone)
    store = current().store
    read = load_runs(store, [team.run_id, alone.run_id, "nowhere"])
    assert list(read) == [team.run_id, alone.run_id]
    assert [len(one.member_responses) for one in read.values()] == [2, 0]
    assert read[team.run_id].member_responses[0].member_responses[0].agent_name == "ann"
    assert {key: load_run(store, key) for key in read} == read
