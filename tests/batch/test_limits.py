"""What a batch may spend: `max_cost` and `max_tokens` stop new rows before they are passed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from nbagent import settings
from nbagent.batch.plan import BatchLimits
from nbagent.batch.row_outcome import RowOutcome
from nbagent.batch.running.budget import BatchBudget
from nbagent.errors import ConfigurationError
from tests.batch.review_provider import TEMPLATE, Reviews
from tests.provider.chat_wire import text_reply
from tests.provider.steps import error

ONE_CALL_USD = (11 * 100 + 7 * 200) / 1_000_000  # the scripted provider's usage at the prices below


@pytest.fixture
def prices() -> Iterator[None]:
    """The scripted model costs something."""
    settings.configure("prices", {"openai-chat:scripted-1": {"input": 100.0, "output": 200.0}})
    yield
    settings.configure("prices", None)


@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize("at_a_time", [1, 4])
def test_max_cost_is_passed_by_no_more_than_what_is_in_flight(agent, provider, table, at_a_time):
    """Rows end where the money does; the frame says which were not asked, and why."""
    provider.otherwise(Reviews().answer)
    batch = agent.map(table, TEMPLATE, max_concurrency=at_a_time, max_cost=ONE_CALL_USD * 8.5)
    frame = batch.result(60)
    assert frame["cost_usd"].sum() == pytest.approx(ONE_CALL_USD * 8), (
        "no row too many: what a row costs is known"
    )
    assert len(provider.requests) == 8
    left = frame[frame["status"] == "not asked"]
    assert len(left) == 12
    assert list(left.index) == list(table.index[8:])
    assert set(left["error"]) == {"the batch cost $0.0200; its max_cost is $0.0213"}
    assert batch.notices == ["no further row is asked: the batch cost $0.0200; its max_cost is $0.0213"]
    assert batch.progress.cost_usd == pytest.approx(0.02)


@pytest.mark.usefixtures("prices")
def test_a_first_row_that_is_dear_costs_no_more_than_its_fellows_in_flight(agent, provider, table):
    """Where the first answers alone pass the limit, nothing is asked after them."""
    provider.otherwise(Reviews().answer)
    frame = agent.map(table, TEMPLATE, max_concurrency=5, max_cost=ONE_CALL_USD / 2).result(60)
    assert (frame["status"] == "completed").sum() == len(provider.requests) <= 5


def test_max_tokens_bounds_the_batch(agent, provider, table):
    """The same for tokens: 18 a row."""
    provider.otherwise(Reviews().answer)
    frame = agent.map(table, TEMPLATE, max_concurrency=3, max_tokens=18 * 6).result(60)
    assert (frame["status"] == "completed").sum() == 6
    assert (frame["status"] == "not asked").sum() == 14


def test_a_limit_in_dollars_wants_a_price(agent, table):
    """A model whose price nobody knows cannot be bounded in dollars: that is said before anything is sent."""
    with pytest.raises(ConfigurationError, match="the price of openai-chat:scripted-1 is not in"):
        agent.map(table, TEMPLATE, max_cost=1.0)


@pytest.mark.usefixtures("prices")
def test_a_raised_limit_goes_on_where_it_stopped(agent, provider, table):
    """The cell with more money asks the rest only; what is known costs nothing."""
    reviews = Reviews()
    provider.otherwise(reviews.answer)
    agent.map(table, TEMPLATE, max_concurrency=2, max_cost=ONE_CALL_USD * 5).result(60)
    frame = agent.map(table, TEMPLATE, max_concurrency=2, max_cost=ONE_CALL_USD * 50).result(60)
    assert set(frame["status"]) == {"completed"}
    assert set(reviews.asked.values()) == {1}


@pytest.mark.parametrize(
    ("spent", "asked", "in_flight", "may"),
    [
        (0.0, 0, 0, True),
        (0.0, 0, 9, True),
        (0.5, 5, 0, True),
        (0.5, 5, 4, True),
        (0.5, 5, 5, False),
        (1.0, 10, 0, False),
        (1.2, 1, 0, False),
    ],
)
def test_what_is_in_flight_is_expected_to_cost_what_rows_cost(spent, asked, in_flight, may):
    """The decision as a table: a dollar in all."""
    spending = BatchBudget(BatchLimits(max_cost_usd=1.0))
    for _ in range(asked):
        spending.add(RowOutcome(status="completed", cost_usd=spent / asked))
    assert spending.may_ask(in_flight) is may


def test_requests_per_minute_of_a_batch(agent, provider):
    """A batch's own rate holds back the rows beyond it; cancelling does not wait for them."""
    provider.otherwise(text_reply("x"))
    batch = agent.map(list(range(10)), "{{ row }}", requests_per_minute=4, max_concurrency=10)
    assert len(list(islice(batch, 4))) == 4
    assert len(provider.requests) == 4
    assert batch.progress.running == 6
    batch.cancel()
    assert (batch.result(60)["status"] == "cancelled").sum() == 6


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"max_cost": float("nan")}, "max_cost is nan\ngive a number above 0"),
        ({"max_cost": -1}, "max_cost is -1\n"),
        ({"max_tokens": "100"}, "max_tokens is '100'\n"),
        ({"max_concurrency": float("nan")}, "max_concurrency is nan\n"),
        ({"max_concurrency": 1.5}, "max_concurrency is 1.5\ngive a whole number"),
        ({"requests_per_minute": float("nan")}, "requests_per_minute is nan\n"),
        ({"timeout": "3"}, "timeout_s is '3'\n"),
    ],
)
def test_a_limit_that_bounds_nothing_is_refused(agent, provider, table, limit, said):
    """NaN, texts and parts of a row are refused before anything is asked, under the name that they were given by."""
    with pytest.raises(ConfigurationError, match=f"^{said}"):
        agent.map(table, TEMPLATE, **limit)
    assert not provider.requests


@pytest.mark.parametrize("other", ["reviewer", 5, BatchLimits()])
def test_rows_are_asked_again_by_an_agent_only(agent, provider, table, other):
    """`retry_failed(agent=...)` takes an agent; a name or anything else is refused in two lines."""
    provider.otherwise(error(400, "no"))
    batch = agent.map(table.head(1), TEMPLATE)
    batch.wait(60)
    with pytest.raises(ConfigurationError, match="is no agent\ngive an Agent or a Team"):
        batch.retry_failed(agent=other)
