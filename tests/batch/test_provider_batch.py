"""`mode="provider-batch"`: rows go out as a file, come back by their ids, at half the price, across restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nbagent as nb
from nbagent import settings
from nbagent.errors import UnknownOptionError
from tests.batch.batch_api_server import BatchApi
from tests.batch.mapping_process import label
from tests.batch.review_provider import SCHEMA, TEMPLATE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def prices():
    """The scripted model costs something."""
    settings.configure("prices", {"openai-chat:scripted-1": {"input": 100.0, "output": 200.0}})
    yield
    settings.configure("prices", None)


@pytest.mark.usefixtures("prices")
def test_rows_go_out_as_a_file_and_come_back_in_their_places(agent, provider, table):
    """One upload, one batch; each row has its own answer, its run in the store, and costs half."""
    api = BatchApi()
    api.may_end.set()
    provider.otherwise(api.answer)
    batch = agent.map(table, TEMPLATE, output_schema=SCHEMA, mode="provider-batch")
    frame = batch.result(60)
    assert list(frame["label"]) == [f"label of {text}" for text in table["text"]]
    assert set(frame["status"]) == {"completed"}
    assert frame["cost_usd"].sum() == pytest.approx(20 * (11 * 100 + 7 * 200) / 1e6 / 2)
    assert set(frame["duration_s"]) == {60.0}
    assert (len(api.batches), len(api.asked)) == (1, 20)
    assert api.lines("batch_0")[0]["body"]["response_format"]["type"] == "json_schema"
    runs = nb.sql("select run_id, status, mode_requested, mode_effective, prompt from runs")
    assert set(runs["run_id"]) == set(frame["run_id"])
    assert {tuple(row) for row in runs[["status", "mode_requested", "mode_effective"]].to_numpy()} == {
        ("completed", "provider", "provider")
    }
    again = agent.map(table, TEMPLATE, output_schema=SCHEMA, mode="provider-batch")
    assert again.result(60)["run_id"].equals(frame["run_id"])
    assert len(api.batches) == 1


def test_rows_that_the_provider_refuses_are_failed_rows(agent, provider, table):
    """An error line, an expired row and an answer that does not fit fail alone, and can be asked again."""
    broken = {
        "Classify: row number 1": {
            "response": {"status_code": 400, "body": {"error": {"message": "bad row"}}},
            "error": None,
        },
        "Classify: row number 2": {
            "response": None,
            "error": {"code": "batch_expired", "message": "out of time"},
        },
    }
    api = BatchApi(fails=broken.get)
    api.may_end.set()
    provider.otherwise(api.answer)
    batch = agent.map(table, TEMPLATE, output_schema=SCHEMA, mode="provider-batch")
    frame = batch.result(60)
    assert list(batch.failed().index) == ["r1", "r2"]
    assert "bad row" in frame.loc["r1", "error"]
    assert "out of time" in frame.loc["r2", "error"]
    broken.clear()
    assert set(batch.retry_failed().result(60)["status"]) == {"completed"}
    assert [len(api.lines(name)) for name in api.batches] == [20, 2]


def test_a_killed_kernel_takes_up_the_providers_batch(provider, tmp_path, monkeypatch):
    """After SIGKILL the same cell waits for the job that is at the provider: nothing is submitted twice."""
    api = BatchApi()
    provider.otherwise(api.answer)
    store = tmp_path / "kept" / "runs.duckdb"
    program = (
        "import sys; from tests.batch.mapping_process import label; "
        "label(sys.argv[1], 10, mode='provider-batch').result()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, provider.base_url],
        cwd=ROOT,
        env={**os.environ, "NBAGENT_STORE": str(store), "PYTHONPATH": str(ROOT)},
    ) as process:
        assert api.looked.wait(60), "the job is looked at once its id is in the record"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    api.may_end.set()
    monkeypatch.setenv("NBAGENT_STORE", str(store))
    frame = label(provider.base_url, 12, mode="provider-batch").result(60)
    assert list(frame["label"]) == [f"label of row {n}" for n in range(12)]
    assert set(api.asked.values()) == {1}
    assert [len(api.lines(name)) for name in api.batches] == [10, 2], "the two rows that are new"


def test_cancel_stops_the_providers_batch(agent, provider, table):
    """The provider is told; rows without an answer end as cancelled."""
    api = BatchApi()
    provider.otherwise(api.answer)
    batch = agent.map(table, TEMPLATE, mode="provider-batch")
    assert api.looked.wait(60)
    batch.cancel()
    assert set(batch.result(60)["status"]) == {"cancelled"}
    assert api.batches["batch_0"]["status"] == "cancelling"


def test_what_a_file_cannot_do_is_told_before_it_is_sent(agent, provider, table):
    """Tools, groups and limits that only a row-by-row batch can keep."""
    for options in ({"group": 2}, {"max_tokens": 5}):
        with pytest.raises(UnknownOptionError, match="do not go with a provider's batch"):
            agent.map(table, TEMPLATE, mode="provider-batch", **options)

    def price(symbol: str) -> float:
        """Price of a stock."""
        return float(len(symbol))

    agent.tools = [price]
    with pytest.raises(UnknownOptionError, match="calls tools"):
        agent.map(table, TEMPLATE, mode="provider-batch")
    assert provider.requests == []
