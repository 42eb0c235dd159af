"""Extraction: figures out of sentences; what does not fit is sent back once, and what failed is asked in another way."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import BaseModel, Field

import nbagent as nb
from tests.reference.day.counting import (
    CountingServer,
    Question,
    Refused,
    assert_batch_agrees,
    assert_record_agrees,
)
from tests.reference.day.datasets import bacteria

TEMPLATE = "Read the figures: {{ row.note }}"
SECOND = "The figures are micrograms, write each as a number. {{ row.note }}"
REPAIRED, STUBBORN, CENSORED = "Bacillus anthracis", "Klebsiella pneumoniae", "Brucella abortus"
DRUGS = ["Penicillin", "Streptomycin", "Neomycin"]


class Reading(BaseModel):
    gram: str = Field(pattern="^(positive|negative)$")
    penicillin: float
    streptomycin: float
    neomycin: float


def notes() -> pd.DataFrame:
    """A sentence for each bacterium."""
    table = bacteria()
    sentences = [
        f"{name} (gram {row['Gram_Staining']}): " + ", ".join(f"{drug} {row[drug]}" for drug in DRUGS)
        for name, row in table.iterrows()
    ]
    return pd.DataFrame({"note": sentences}, index=table.index)


def name_in(question: Question) -> str:
    """The bacterium that a request is about."""
    first = next(one["content"] for one in question.messages if one["role"] == "user")
    return next(name for name in bacteria().index if name in first)


class Reader:
    """Reads the figures of a note; three bacteria are hard for it."""

    def __init__(self) -> None:
        self.table = bacteria()

    def __call__(self, question: Question) -> object:
        first = str(next(one["content"] for one in question.messages if one["role"] == "user"))
        name = name_in(question)
        row = self.table.loc[name]
        answer = {"gram": row["Gram_Staining"], **{drug.lower(): row[drug] for drug in DRUGS}}
        is_sent_back, is_second = len(question.messages) > 1, first.startswith("The figures")
        if name == CENSORED:
            return Refused(400, "this text may not be processed", "content_policy")
        if (name == REPAIRED and not is_sent_back) or (name == STUBBORN and not is_second):
            return answer | {"penicillin": "very little"}
        return answer


def extract(server: CountingServer) -> nb.Batch:
    """The first pass over all notes."""
    server.answers = Reader()
    agent = server.agent(name="reader", limits=nb.Limits(model_retries=0, output_retries=1))
    batch = agent.map(notes(), TEMPLATE, output_schema=Reading, label="figures")
    batch.wait(60)
    return batch


def assert_rows_agree(server: CountingServer, batch: nb.Batch) -> None:
    """Each row has cost what the server has given out about it."""
    costs = batch.to_frame()["cost_usd"].fillna(0)
    assert costs.to_dict() == pytest.approx(dict(server.costs(name_in)), rel=1e-12)


def test_what_does_not_fit_is_sent_back_and_counts(server: CountingServer) -> None:
    """One row is repaired within its run, one fails in its field, one is refused; all calls are in the row's cost."""
    batch = extract(server)
    frame, failed = batch.to_frame(), batch.failed()
    assert len(server.calls) == 16 + 2
    assert set(failed.index) == {STUBBORN, CENSORED}
    assert frame.loc[REPAIRED, ["status", "penicillin"]].to_list() == ["completed", 0.001]
    assert failed.groupby("error_fields").size().to_dict() == {"penicillin (float_parsing)": 1}
    assert "very little" in failed.loc[STUBBORN, "raw_answer"]
    assert pd.isna(failed.loc[CENSORED, "cost_usd"])
    assert (batch.progress.done, batch.progress.failed) == (14, 2)
    runs = nb.runs(batch=batch).set_index("row_key")
    assert runs["model_calls"].to_dict() == {
        name: 2 if name in (REPAIRED, STUBBORN) else 1 for name in frame.index
    }
    assert_rows_agree(server, batch)
    assert_batch_agrees(server, batch)
    assert_record_agrees(server)


def test_what_failed_is_asked_in_another_way(server: CountingServer) -> None:
    """The second prompt mends one row in the same frame; the batch's cost has both ways, and the truth comes out."""
    batch = extract(server)
    before = len(server.calls)
    frame = batch.retry_failed(template=SECOND).result(60)
    assert len(server.calls) == before + 2
    assert list(batch.failed().index) == [CENSORED]
    truth = bacteria()[DRUGS].rename(columns=str.lower)
    answered = frame.drop(index=CENSORED)
    pd.testing.assert_frame_equal(
        answered[list(truth.columns)], truth.drop(index=CENSORED), check_dtype=False
    )
    assert set(answered["status"]) == {"completed"}
    assert (batch.progress.done, batch.progress.failed) == (15, 1)
    by_model = nb.metrics.by_model(batch="figures")
    assert (by_model["model_calls"][0], by_model["errors"][0]) == (20, 2)
    assert_rows_agree(server, batch)
    assert_batch_agrees(server, batch)
    assert_record_agrees(server)


def test_a_table_that_has_grown_pays_for_its_new_rows_only(server: CountingServer) -> None:
    """The next day's batch asks what is new and what failed; three days' frames add up to what the server gave out."""
    server.answers = Reader()
    agent = server.agent(name="reader", limits=nb.Limits(model_retries=0, output_retries=1))
    days = []
    for rows in (6, 11, 16):
        seen = len(server.calls)
        batch = agent.map(notes().head(rows), TEMPLATE, output_schema=Reading)
        batch.wait(60)
        assert_batch_agrees(server, batch, server.calls[seen:])
        days.append(batch)
    frames = [day.to_frame() for day in days]
    assert sum(frame["cost_usd"].sum() for frame in frames) == pytest.approx(
        server.count()["cost_usd"], rel=1e-12
    )
    done = [frame["status"].eq("completed").sum() for frame in frames]
    assert [frame["from_earlier"].sum() for frame in frames] == [0, done[0], done[1]]
    assert_record_agrees(server)
