"""A batch's numbers: what was paid counts once, in the frame, in its progress and in the record alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import settings
from nbagent.batch.plan import BatchLimits
from nbagent.batch.running.budget import BatchBudget
from nbagent.batch.running.results import FEW, RATE_OVER, RECENT_S, Results, recent_rate
from nbagent.errors import TemplateError
from tests.batch.review_provider import TEMPLATE, Reviews, answer_to, group_answer, prompt_of
from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.server import Request
from tests.provider.steps import Gate, Wait, error

ONE_CALL_USD = (11 * 100 + 7 * 200) / 1_000_000  # the scripted provider's usage at the prices below


class Review(BaseModel):
    label: str
    words: int


@pytest.fixture(autouse=True)
def prices() -> Iterator[None]:
    """The scripted model costs something."""
    settings.configure("prices", {"openai-chat:scripted-1": {"input": 100.0, "output": 200.0}})
    yield
    settings.configure("prices", None)


def told(batch: nb.Batch) -> list[float]:
    """What the frame, the progress and the record say that the batch has cost."""
    recorded = nb.sql(
        "select sum(cost_usd) as paid from model_calls join runs using (run_id) where batch_id = ?",
        [batch.batch_id],
    )["paid"][0]
    return [float(batch.to_frame()["cost_usd"].sum()), float(batch.progress.cost_usd or 0), float(recorded)]


def test_rows_from_earlier_say_so_and_cost_nothing(agent, provider):
    """Three days of one table that grows: the frames' costs add up to what was paid, each row once."""
    provider.otherwise(Reviews().answer)
    frames = [agent.map(list(range(3 * day)), "Say {{ row }}").result(60) for day in (1, 2, 3)]
    assert [int(frame["from_earlier"].sum()) for frame in frames] == [0, 3, 6]
    assert sum(frame["cost_usd"].sum() for frame in frames) == pytest.approx(9 * ONE_CALL_USD)
    assert (frames[2].loc[frames[2]["from_earlier"], "cost_usd"] == 0).all()
    assert len(provider.requests) == 9


def test_a_row_that_shares_another_rows_answer_costs_nothing_more(agent, provider):
    """`dedupe`: the first row with a prompt has the cost, the others 0."""
    provider.otherwise(Reviews().answer)
    frame = agent.map(["a", "a", "b", "a"], "Say {{ row }}", dedupe=True).result(60)
    assert frame["cost_usd"].to_list() == pytest.approx([ONE_CALL_USD, 0, ONE_CALL_USD, 0])
    assert not frame["from_earlier"].any()


def test_failed_tries_stay_in_the_cost(agent, provider, table):
    """A row that was answered at its third try has cost three."""
    invalid = {"Classify: row number 3": 2, "Classify: row number 7": 1}

    def answer(request: Request) -> object:
        prompt = prompt_of(request)
        if invalid.get(prompt, 0):
            invalid[prompt] -= 1
            return text_reply("no JSON at all")
        return json_reply(answer_to(prompt))

    provider.otherwise(answer)
    agent.limits = nb.Limits(model_retries=0, output_retries=0)
    batch = agent.map(table, TEMPLATE, output_schema=Review)
    batch.wait(60)
    assert list(batch.failed().index) == ["r3", "r7"]
    batch.retry_failed().wait(60)
    frame = batch.retry_failed().result(60)
    assert frame.loc[["r3", "r7", "r1"], "cost_usd"].to_list() == pytest.approx(
        [3 * ONE_CALL_USD, 2 * ONE_CALL_USD, ONE_CALL_USD]
    )
    assert told(batch) == pytest.approx([len(provider.requests) * ONE_CALL_USD] * 3)


def test_a_groups_call_stays_in_the_cost_of_rows_that_were_asked_alone(agent, provider, table):
    """Five rows share a call; the one that its answer left out has a fifth of it and its own."""

    def answer(request: Request) -> object:
        if "<task" not in prompt_of(request):
            return json_reply(answer_to(prompt_of(request)))
        answers = group_answer(request)
        return json_reply({"answers": [one for one in answers if not one["answer"]["label"].endswith("4")]})

    provider.otherwise(answer)
    batch = agent.map(table, TEMPLATE, output_schema=Review, group=5)
    frame = batch.result(60)
    assert frame.loc["r4", "cost_usd"] == pytest.approx(1.2 * ONE_CALL_USD)
    assert told(batch) == pytest.approx([len(provider.requests) * ONE_CALL_USD] * 3)


def test_an_unknown_cost_is_none(agent, provider):
    """Where nothing of a row's cost is known it is NA, and so is the batch's; what was not asked is NA."""
    provider.otherwise(text_reply("x", usage=None))
    batch = agent.map(["a", "b"], "Say {{ row }}")
    assert batch.result(60)["cost_usd"].isna().all()
    assert batch.progress.cost_usd is None


@pytest.mark.parametrize("at_a_time", [1, 3])
def test_max_cost_bounds_all_tries_together(agent, provider, at_a_time):
    """However often the failed rows are asked again; rows that cannot be afforded keep their failure, and it is said."""
    provider.otherwise(text_reply("no JSON at all"))
    agent.limits = nb.Limits(model_retries=0, output_retries=0)
    options = {"max_cost": 10 * ONE_CALL_USD, "max_concurrency": at_a_time, "output_schema": Review}
    batch = agent.map(list(range(4)), "Say {{ row }}", **options)
    batch.wait(60)
    for _ in range(4):
        batch.retry_failed().wait(60)
    assert len(provider.requests) == 10
    assert told(batch) == pytest.approx([10 * ONE_CALL_USD] * 3)
    assert set(batch.to_frame()["error_type"]) == {"InvalidOutputError"}
    assert batch.notices == ["no further row is asked: the batch cost $0.0250; its max_cost is $0.0250"]


def test_cut_answers_show_and_are_asked_again(agent, provider):
    """The column and a notice say that an answer is cut; the next batch asks such rows, and no cache gives them."""
    cut = {"Say 1", "Say 2"}
    provider.otherwise(
        lambda request: text_reply("half an", finish="length" if prompt_of(request) in cut else "stop")
    )
    batch = agent.map([0, 1, 2], "Say {{ row }}")
    frame = batch.result(60)
    assert frame["stop_reason"].to_list() == ["end", "max_output_tokens", "max_output_tokens"]
    assert batch.notices == [
        "2 answers were cut off at the output token limit (`stop_reason`): raise max_output_tokens and map again"
    ]
    cut.clear()
    again = agent.map([0, 1, 2], "Say {{ row }}")
    assert again.result(60)["from_earlier"].to_list() == [True, False, False]
    assert again.notices == []
    cut.add("Say once")
    assert agent.run("Say once", cache="use").stop_reason == "max_output_tokens"
    cut.clear()
    assert agent.run("Say once", cache="use").cached_from is None
    compared = nb.compare({"one": agent}, "Say 0")
    assert compared["stop_reason"].to_list() == ["end"]


def test_failed_rows_show_what_the_model_said(agent, provider):
    """Each failure has its type, and `failed()` the answer as it came; a prompt that cannot be made is a failure too."""
    said = {"Say a": text_reply("no JSON"), "Say b": json_reply({"label": 3}), "Say c": error(400, "no")}
    provider.otherwise(lambda request: said.get(prompt_of(request)) or json_reply({"label": "x", "words": 1}))
    agent.limits = nb.Limits(model_retries=0, output_retries=0)
    rows = [{"t": "a"}, {"t": "b"}, {"t": "c"}, {"t": "d"}, {"u": "e"}]
    batch = agent.map(rows, "Say {{ row.t }}", output_schema=Review)
    batch.wait(60)
    failed = batch.failed()
    assert failed["error_type"].to_list()[:2] == ["InvalidOutputError"] * 2
    assert failed["error_type"].to_list()[3] == TemplateError.__name__
    assert failed["error_fields"].to_list()[1] == "label (string_type); words (missing)"
    assert failed["error_fields"].isna().to_list() == [True, False, True, True]
    assert nb.runs(batch=batch)["error_fields"].notna().sum() == 1
    assert failed["raw_answer"].to_list()[:2] == ["no JSON", '{"label": 3}']
    assert failed["raw_answer"].isna().to_list() == [False, False, True, True]


def test_what_a_person_cancelled_has_not_failed(agent, provider, table):
    """Cancelled rows are counted as such, are no failures, and the frame's statuses are those that occur."""
    gate = Gate()
    provider.otherwise(
        lambda request: (*([] if "number 0" in prompt_of(request) else [Wait(gate)]), *text_reply("x"))
    )
    batch = agent.map(table, TEMPLATE, max_concurrency=3)
    assert next(iter(batch)).index == "r0"
    provider.wait_for_requests(4)
    batch.cancel()
    frame = batch.wait(60)
    assert batch.failed().empty
    assert batch.progress.statuses == {"completed": 1, "cancelled": 3, "not asked": 16}
    assert (batch.progress.failed, batch.progress.cancelled, batch.progress.left) == (0, 3, 0)
    assert list(frame["status"].cat.categories) == ["completed", "cancelled", "not asked"]
    requests = len(provider.requests)
    assert batch.retry_failed().done()
    assert len(provider.requests) == requests


@pytest.mark.parametrize(
    ("times", "now_s", "rate"),
    [
        ([0.0], 5.0, 0.0),
        ([0.0, 1.0, 2.0, 3.0, 4.0], 4.0, 1.0),
        ([0.0, 1.0, 2.0, 3.0, 4.0], 8.0, 0.5),  # it stands still: the rate falls
        (
            [0.0, *(100.0 + n / 10 for n in range(1, 101))],
            110.0,
            9.9 / (110.0 - 100.1) * 10,
        ),  # slow before: no matter
        ([60.0 * n for n in range(10)], 540.0, 1 / 60),  # slower than the window: the last few rows count
    ],
)
def test_the_rate_is_the_recent_one(times, now_s, rate):
    """Rows a second over the last half a minute, or the last few rows where it holds fewer."""
    assert recent_rate(times, now_s) == pytest.approx(rate)
    assert (FEW, RECENT_S, RATE_OVER) == (5, 30.0, 200)


def test_there_is_no_rate_in_the_first_second():
    """A rate of a few milliseconds says nothing: 0, and no time to go."""
    results = Results(10)
    progress = results.progress(BatchBudget(BatchLimits()), running=0, pace_per_s=None)
    assert (progress.rate_per_s, progress.eta_s) == (0.0, None)


@pytest.mark.parametrize(
    ("schema", "answer", "fields"),
    [
        (Review, {"label": "x", "words": "many"}, "words (int_parsing)"),
        (list[Review], [{"label": 1, "words": 2}, {"label": 2, "words": 2}], "[].label (string_type)"),
        (
            {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["m"]},
            {"n": "q"},
            "n (type); the value (required)",
        ),
    ],
)
def test_failures_are_grouped_by_their_fields(agent, provider, schema, answer, fields):
    """Places and kinds, whatever the row's own values are; elements of lists are one place."""
    provider.otherwise(json_reply(answer))
    agent.limits = nb.Limits(model_retries=0, output_retries=0)
    batch = agent.map(["a", "b"], "Say {{ row }}", output_schema=schema)
    batch.wait(60)
    assert dict(batch.failed().groupby("error_fields").size()) == {fields: 2}
