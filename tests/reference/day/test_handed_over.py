"""Handing to a colleague: another process takes the batch by its name, joins it to a table of its own, exports it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

import nbagent as nb
from tests.reference.day.counting import (
    COUNTED,
    CountingServer,
    Question,
    Refused,
    assert_batch_agrees,
    assert_record_agrees,
    sums,
)
from tests.reference.day.datasets import cars
from tests.reference.day.kernel_at_work import agent_at, garage, kernel


class Labeller:
    """Names the maker; some cars are refused until `refused` is cleared."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)

    def __call__(self, question: Question) -> object:
        name = name_in(question)
        return Refused(400, "not today") if name in self.refused else {"maker": name.split()[0]}


def name_in(question: Question) -> str:
    """The car that a request is about."""
    return question.prompt.rpartition(": ")[2]


def handed(server: CountingServer, *arguments: str) -> nb.Batch:
    """The batch that another kernel has made and left."""
    with kernel(server, "makers", *arguments) as process:
        assert process.stdout is not None
        assert "end\n" in iter(process.stdout.readline, "")
    batch: nb.Batch = nb.get("makers")
    return batch


@pytest.mark.parametrize("key", ["plate", "Name", "bought"])
def test_rows_are_joined_by_their_own_key(server: CountingServer, key: str) -> None:
    """Numbers, texts and days are given back as such: answers and each row's cost fit a table that is sorted otherwise."""
    server.answers = Labeller()
    batch = handed(server, key)
    own = garage().sample(frac=1, random_state=7)[["Name", "plate", "bought", "Origin"]]
    runs = nb.runs(batch="makers")[["row_key", "cost_usd", "model_calls"]]
    joined = own.merge(runs, left_on=key, right_on="row_key", validate="one_to_one")
    joined = joined.merge(batch.to_frame()[["maker"]], left_on=key, right_index=True, validate="one_to_one")
    assert len(joined) == 40
    assert (joined["maker"] == joined["Name"].str.split().str[0]).all()
    costs = joined.set_index("Name")["cost_usd"].to_dict()
    assert costs == pytest.approx(dict(server.costs(name_in)), rel=1e-12)
    assert_batch_agrees(server, batch)
    assert_record_agrees(server)


def test_a_colleague_asks_what_failed(server: CountingServer) -> None:
    """With an agent of their own; the frame is whole, and its costs are of both kernels together."""
    server.answers = labeller = Labeller("buick skylark", "amc gremlin")
    batch = handed(server)
    assert list(batch.failed().index) == ["amc gremlin", "buick skylark"]
    labeller.refused.clear()
    frame = batch.retry_failed(agent=agent_at(server.url)).result(60)
    assert list(frame.index) == list(cars().index)
    assert frame.index.name == "Name"
    assert (frame["maker"] == [name.split()[0] for name in frame.index]).all()
    assert frame["cost_usd"].to_dict() == pytest.approx(dict(server.costs(name_in)), rel=1e-12)
    assert (batch.progress.done, batch.progress.failed, len(server.calls)) == (40, 0, 42)
    assert_batch_agrees(server, batch)
    assert_record_agrees(server)


READ = {
    "parquet": lambda path: duckdb.read_parquet(str(path)).df(),
    "csv": pd.read_csv,
    "jsonl": lambda path: pd.read_json(path, lines=True),
}


@pytest.mark.parametrize("form", READ)
def test_exports_have_the_same_numbers(server: CountingServer, tmp_path: Path, form: str) -> None:
    """Runs and model calls as files for another program: the server's count, and times with their zone."""
    server.answers = Labeller("amc gremlin")
    handed(server)
    runs, calls = tmp_path / f"runs.{form}", tmp_path / f"calls.{form}"
    assert nb.export_runs(runs, batch="makers") == 40
    assert nb.export_runs(calls, table="model_calls", batch="makers") == len(server.calls) == 40
    expected = server.count()
    assert sums(READ[form](runs)) == pytest.approx(expected, rel=1e-9)
    found = READ[form](calls)[list(COUNTED[1:])].sum().to_dict()
    assert found == pytest.approx({name: expected[name] for name in COUNTED[1:]}, rel=1e-9)
    created = pd.to_datetime(READ[form](runs)["created_at"], utc=True)
    assert created.sort_values().to_list() == pytest.approx(
        nb.runs(batch="makers")["created_at"].sort_values().to_list(), abs=pd.Timedelta("1ms")
    )
