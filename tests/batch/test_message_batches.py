"""`mode="provider-batch"` with an Anthropic model: rows go out as a message batch and come back at half the price."""

from __future__ import annotations

import pytest

import nbagent as nb
from nbagent import Agent, Limits, ModelSettings, settings
from nbagent.models.anthropic import AnthropicMessages
from tests.batch.message_batches_server import MessageBatchesApi
from tests.batch.review_provider import SCHEMA, TEMPLATE


@pytest.fixture
def agent(provider):
    """An agent whose model is the scripted provider, in Anthropic's format."""
    model = AnthropicMessages(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0))


@pytest.fixture
def prices():
    """The scripted model costs something."""
    settings.configure("prices", {"anthropic:scripted-1": {"input": 100.0, "output": 200.0}})
    yield
    settings.configure("prices", None)


@pytest.mark.usefixtures("prices")
def test_rows_are_one_batch_and_cost_half(agent, provider, table):
    """One batch is created; each row has its own answer, its run in the store, and costs half. Asked once."""
    api = MessageBatchesApi()
    api.may_end.set()
    provider.otherwise(api.answer)
    frame = agent.map(table, TEMPLATE, output_schema=SCHEMA, mode="provider-batch").result(60)
    assert list(frame["label"]) == [f"label of {text}" for text in table["text"]]
    assert set(frame["status"]) == {"completed"}
    assert frame["cost_usd"].sum() == pytest.approx(20 * (11 * 100 + 7 * 200) / 1e6 / 2)
    assert set(frame["duration_s"]) == {60.0}
    assert (len(api.batches), len(api.asked)) == (1, 20)
    assert api.batches["msgbatch_0"][0]["params"]["output_config"]["format"]["type"] == "json_schema"
    assert set(nb.sql("select run_id from runs")["run_id"]) == set(frame["run_id"])
    again = agent.map(table, TEMPLATE, output_schema=SCHEMA, mode="provider-batch")
    assert again.result(60)["run_id"].equals(frame["run_id"])
    assert len(api.batches) == 1


def test_rows_that_are_not_answered_are_failed_rows(agent, provider, table):
    """A refused, an expired and a cancelled request fail alone with what the provider says, and can be asked again."""
    refused = {"type": "invalid_request_error", "message": "bad row"}
    broken = {
        "Classify: row number 1": {
            "type": "errored",
            "error": {"type": "error", "error": refused, "request_id": "req_1"},
        },
        "Classify: row number 2": {"type": "expired"},
        "Classify: row number 3": {"type": "canceled"},
    }
    api = MessageBatchesApi(fails=broken.get)
    api.may_end.set()
    provider.otherwise(api.answer)
    batch = agent.map(table, TEMPLATE, output_schema=SCHEMA, mode="provider-batch")
    frame = batch.result(60)
    assert list(batch.failed().index) == ["r1", "r2", "r3"]
    assert "bad row" in frame.loc["r1", "error"]
    assert "ran out of time" in frame.loc["r2", "error"]
    assert "cancelled" in frame.loc["r3", "error"]
    broken.clear()
    assert set(batch.retry_failed().result(60)["status"]) == {"completed"}
    assert [len(lines) for lines in api.batches.values()] == [20, 3]


def test_cancel_ends_the_batch_at_the_provider(agent, provider, table):
    """A cancelled batch is cancelled there, once."""
    api = MessageBatchesApi()
    provider.otherwise(api.answer)
    batch = agent.map(table, TEMPLATE, mode="provider-batch")
    assert api.created.wait(60)
    batch.cancel()
    assert set(batch.wait(60)["status"]) == {"cancelled"}
    assert api.cancelled == ["msgbatch_0"]


@pytest.mark.parametrize(("temperature", "version"), [(None, "2026-10-21"), (0.5, "2023-06-01")])
def test_the_batch_is_created_with_the_version_that_its_requests_need(provider, table, temperature, version):
    """Where requests set a temperature, the batch is created with the last version of the API that takes it."""
    api = MessageBatchesApi()
    api.may_end.set()
    provider.otherwise(api.answer)
    model = AnthropicMessages(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    desk = Agent(model=model, settings=ModelSettings(temperature=temperature))
    desk.map(table, TEMPLATE, mode="provider-batch").result(60)
    assert provider.requests[0].headers["anthropic-version"] == version


def test_rows_with_one_prompt_are_told_apart(agent, provider):
    """Rows that ask the same each have an id that the provider takes, and each its own answer."""
    api = MessageBatchesApi()
    api.may_end.set()
    provider.otherwise(api.answer)
    frame = agent.map(["a", "b", "a", "a"], "{{ row }}", mode="provider-batch").result(60)
    assert list(frame["content"]) == ["<a>", "<b>", "<a>", "<a>"]
    assert api.asked == {"a": 3, "b": 1}
    assert frame["run_id"].nunique() == 4
