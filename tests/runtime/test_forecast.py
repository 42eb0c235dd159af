"""A dry run: what would be sent and what it can cost, and nothing is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import nbagent as nb
from nbagent import Agent, Limits, ModelSettings, OpenAIChat, Team, settings
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider

PRICES = {"openai-chat:m": {"input": 2.0, "output": 10.0}}
PROMPT = "x" * 400


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 1.0


@pytest.fixture
def priced() -> Iterator[None]:
    """The user's own price table holds the model."""
    settings.configure("prices", PRICES)
    yield
    settings.configure("prices", None)


@pytest.fixture
def model(provider: ScriptedProvider) -> OpenAIChat:
    """A model that only the user's table knows the price of."""
    return OpenAIChat(id="m", base_url=provider.base_url, api_key="not-needed", provider="openai-chat")


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize(
    ("limits", "most_out", "tools", "ceiling", "why"),
    [
        (Limits(), None, (), None, "no limit bounds it; set max_output_tokens or max_cost"),
        (Limits(), None, (price,), None, "no limit bounds it; set max_cost or max_total_tokens"),
        (Limits(), 1000, (), (100 * 2 + 1000 * 10) / 1e6, "max_output_tokens, 1 model call"),
        (Limits(), 1000, (price,), None, "no limit bounds it"),
        (Limits(max_total_tokens=5000), None, (price,), 5000 * 10 / 1e6, "max_total_tokens"),
        (Limits(max_cost_usd=0.01), None, (price,), 0.01, "max_cost"),
        (Limits(max_cost_usd=0.01, max_total_tokens=100), 9, (price,), 0.001, "max_total_tokens"),
    ],
)
def test_the_ceiling_is_the_lowest_of_what_the_limits_allow(
    model: OpenAIChat,
    limits: Limits,
    most_out: int | None,
    tools: tuple[object, ...],
    ceiling: float | None,
    why: str,
) -> None:
    """Each limit bounds the cost by the price table; without any the answer is that nothing does."""
    agent = Agent(model=model, limits=limits, tools=tools, settings=ModelSettings(max_output_tokens=most_out))
    found = agent.forecast(PROMPT)
    assert found.ceiling_usd == pytest.approx(ceiling)
    assert found.why.startswith(why)


def test_without_a_price_the_ceiling_is_unknown(model: OpenAIChat) -> None:
    """It says so, and where a price can be given."""
    found = Agent(model=model, settings=ModelSettings(max_output_tokens=10)).forecast(PROMPT)
    assert found.ceiling_usd is None
    assert "cost: unknown (the price of openai-chat:m is not known; NBAGENT_PRICES" in str(found)


@pytest.mark.usefixtures("priced")
def test_a_teams_ceiling_counts_its_members(model: OpenAIChat, provider: ScriptedProvider) -> None:
    """One output limit bounds no team; tokens may all be of a member's dearer model, whose price has to be known."""
    url = provider.base_url
    dearer = OpenAIChat(id="dearer", base_url=url, api_key="not-needed", provider="openai-chat")
    bounded = Limits(max_total_tokens=5000)
    team = Team(model=model, members=[Agent(name="ann", model=dearer)], limits=bounded)
    assert team.forecast(PROMPT).why.startswith("the price of one of its models is not known")
    settings.configure("prices", PRICES | {"openai-chat:dearer": {"input": 2.0, "output": 30.0}})
    assert team.forecast(PROMPT).ceiling_usd == pytest.approx(5000 * 30 / 1e6)
    tuned = Team(model=model, members=team.members, settings=ModelSettings(max_output_tokens=10))
    assert tuned.forecast(PROMPT).why.startswith("no limit bounds it; set max_cost or max_total_tokens")


def test_a_dry_run_asks_nothing_and_writes_nothing(model: OpenAIChat, provider: ScriptedProvider) -> None:
    """No request, no run; the prompt is shown as it would be sent, the session's history is counted."""
    provider.reply(text_reply("y" * 800))
    agent = Agent(model=model)
    agent.run(PROMPT, session_id="s")
    alone, after = agent.forecast(PROMPT), agent.forecast(PROMPT, session_id="s")
    assert alone.input_tokens == 100
    assert after.input_tokens == 100 + 100 + 200
    assert str(alone).endswith(PROMPT)
    assert len(provider.requests) == 1
    assert len(nb.runs()) == 1


def test_a_dry_run_counts_the_history_that_a_launch_would_send(
    model: OpenAIChat, provider: ScriptedProvider
) -> None:
    """`history_runs` cuts the session's history for the estimate as it does for the request."""
    provider.otherwise(text_reply("y" * 800))
    agent = Agent(model=model)
    for _ in range(3):
        agent.run(PROMPT, session_id="s")
    for last, earlier in ((None, 3), (2, 2), (1, 1), (0, 0)):
        agent.history_runs = last
        assert agent.forecast(PROMPT, session_id="s").input_tokens == 100 + earlier * 300
    agent.history_runs = 1
    before = len(provider.requests)
    agent.run(PROMPT, session_id="s")
    sent = provider.bodies[before]["messages"]
    assert (
        sum(len(one["content"]) for one in sent) // 4 == agent.forecast(PROMPT, session_id="s").input_tokens
    )


@pytest.mark.usefixtures("priced")
def test_a_runs_cost_comes_from_the_users_table(model: OpenAIChat, provider: ScriptedProvider) -> None:
    """The price in `%config NBAgent.prices` prices the call; the frames sum it and know all of it."""
    provider.reply(text_reply("Hi."))
    metrics = Agent(model=model, limits=Limits(max_cost_usd=1.0)).run("Well?").metrics
    assert metrics.cost_usd == pytest.approx(
        ((metrics.input_tokens or 0) * 2 + (metrics.output_tokens or 0) * 10) / 1e6
    )
    (row,) = nb.metrics.by_model().to_dict("records")
    assert (row["cost_usd"], row["cost_known"]) == (pytest.approx(metrics.cost_usd), 1.0)
