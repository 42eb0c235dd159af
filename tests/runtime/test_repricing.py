"""A price given later prices what has tokens and no cost, once, said; what has a cost keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, OpenAIChat, runtime, settings
from nbagent.events import Usage
from nbagent.store import CallCost, GiveCosts, unpriced
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

NAME = "openai-chat:scripted-1"
ONE_CALL_USD = (11 * 100 + 7 * 200) / 1_000_000
CACHED = {
    "prompt_tokens": 1000,
    "completion_tokens": 10,
    "total_tokens": 1010,
    "prompt_tokens_details": {"cached_tokens": 600},
}


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent whose model is on no price list."""
    return Agent(model=OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="k"))


@pytest.fixture(autouse=True)
def _no_prices_left() -> Iterator[None]:
    yield
    settings.configure("prices", None)


def give_price(name: str = NAME, **more: float) -> None:
    settings.configure("prices", {name: {"input": 100.0, "output": 200.0, **more}})


LOOKS: dict[str, Any] = {
    "runs": lambda _run: nb.runs()["cost_usd"].sum(),
    "by_model": lambda _run: nb.metrics.by_model()["cost_usd"].sum(),
    "by_session": lambda _run: nb.metrics.by_session()["cost_usd"].sum(),
    "steps": lambda run: nb.metrics.steps(run)["cost_usd"].sum(),
    "sql": lambda _run: nb.sql("select sum(cost_usd) as cost from model_calls")["cost"][0],
    "session": lambda run: Agent(model="demo:assistant").get_session_metrics(run.session_id).cost_usd,
    "reprice": lambda _run: (nb.reprice(), nb.metrics.by_model()["cost_usd"].sum())[1],
}


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_sees_the_cost(
    agent: Agent, provider: ScriptedProvider, capsys: pytest.CaptureFixture[str], look: str
) -> None:
    """Every view of the record agrees after a price was given, the run's own handle too; it is told once."""
    provider.reply(text_reply("ok"))
    run = agent.start("Well?", session_id="s")
    assert run.result(60).metrics.cost_usd is None
    assert nb.runs()["cost_usd"].isna().all()
    give_price()
    assert LOOKS[look](run) == pytest.approx(ONE_CALL_USD)
    assert (
        capsys.readouterr().err
        == f"1 earlier call had tokens and no price: now ${ONE_CALL_USD:.4f} by the price table\n"
    )
    assert run.metrics.cost_usd == pytest.approx(ONE_CALL_USD)
    assert nb.metrics.by_model()["cost_known"].tolist() == [1.0]
    assert nb.reprice() == 0
    assert not capsys.readouterr().err


def test_a_cost_that_is_there_stays(agent: Agent, provider: ScriptedProvider) -> None:
    """Neither a provider's own figure nor what an earlier price made is changed by another price."""
    own = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "cost": 0.5}
    provider.reply(text_reply("ok", usage=own), text_reply("ok"), text_reply("ok"))
    agent.run("says its cost")
    agent.run("has no price")
    give_price()
    agent.run("is priced")
    assert nb.runs()["cost_usd"].tolist() == pytest.approx([0.5, ONE_CALL_USD, ONE_CALL_USD])
    settings.configure("prices", {NAME: {"input": 1.0, "output": 1.0}})
    assert nb.runs()["cost_usd"].tolist() == pytest.approx([0.5, ONE_CALL_USD, ONE_CALL_USD])
    assert nb.reprice() == 0


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (CACHED, (400 * 100 + 600 * 10 + 10 * 200) / 1e6),
        ({"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}, 400 / 1e6),
        (
            {"prompt_tokens": 10**15, "completion_tokens": 1, "total_tokens": 10**15 + 1},
            (10**15 * 100 + 200) / 1e6,
        ),
    ],
)
def test_counts_are_priced_as_they_would_have_been(
    agent: Agent, provider: ScriptedProvider, usage: Any, cost: float
) -> None:
    """Cached tokens have their own price, and counts of any size that the record holds are taken."""
    provider.reply(text_reply("ok", usage=usage))
    agent.run("Well?")
    give_price(cache_read=10.0)
    assert nb.runs()["cost_usd"].tolist() == pytest.approx([cost])


def test_other_models_and_unknown_tokens_stay_unknown(agent: Agent, provider: ScriptedProvider) -> None:
    """A price is of its model, and what has no tokens has no cost; its estimate is priced as one."""
    provider.reply(text_reply("ok"), text_reply("w" * 400, usage=None))
    agent.run("reported")
    agent.run("x" * 40)
    give_price("openai-chat:another")
    assert nb.runs()["cost_usd"].isna().all()
    give_price()
    frame = nb.runs()
    assert frame["cost_usd"].isna().tolist() == [False, True]
    assert frame["estimated_cost_usd"].isna().tolist() == [True, False]
    assert frame["estimated_cost_usd"][1] == pytest.approx((10 * 100 + 100 * 200) / 1e6)


def test_the_rows_of_batches_are_priced(agent: Agent, provider: ScriptedProvider) -> None:
    """All rows of the record have a cost then, those of batches included."""
    provider.otherwise(text_reply("ok"))
    batch = agent.map(list("abc"), "{{ row }}", label="letters")
    batch.wait(60)
    give_price()
    assert batch.metrics.cost_usd == pytest.approx(3 * ONE_CALL_USD)
    assert nb.metrics.by_model(batch="letters")["cost_usd"].tolist() == pytest.approx([3 * ONE_CALL_USD])


def test_two_that_price_at_once_do_no_harm(agent: Agent, provider: ScriptedProvider) -> None:
    """What another kernel has priced meanwhile keeps that cost."""
    provider.reply(text_reply("ok"))
    run = agent.start("Well?")
    run.result(60)
    store = runtime.current().store
    (row,) = unpriced(store)
    key = row["run_id"], row["attempt"], row["step"], row["try_no"]
    for cost in (1.0, 2.0):
        store.write(GiveCosts((CallCost(*key, cost),)), "pricing", timeout_s=60)
    assert nb.sql("select cost_usd from model_calls")["cost_usd"].tolist() == [1.0]
    assert not unpriced(store)
    assert row["total_tokens"] == Usage(total_tokens=18).total_tokens
