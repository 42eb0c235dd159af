"""Labels twice: forty cars sorted by use, in two passes, and how well these agree."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from tests.reference.day.counting import CountingServer, Question, assert_batch_agrees, assert_record_agrees
from tests.reference.day.datasets import cars

TEMPLATE = "{{ index }}, {{ row.Origin }} {{ row.Year }}, {{ row.Horsepower }} hp: economy, family or sport?"


class Use(BaseModel):
    use: Literal["economy", "family", "sport"]
    sure: bool


def label(horsepower: float) -> str:
    """What the careful model says."""
    return "economy" if horsepower < 80 else "family" if horsepower < 130 else "sport"


class Labeller:
    """Says what the power tells; at each second time it is asked, it takes some powerful cars for family cars."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, question: Question) -> dict[str, object]:
        prompt = question.prompt
        self.asked[prompt] += 1
        horsepower = float(prompt.rpartition(" hp")[0].rpartition(" ")[2])
        wavers = self.asked[prompt] == 2 and horsepower > 150
        return {"use": "family" if wavers else label(horsepower), "sure": not wavers}


def kappa(one: pd.Series, other: pd.Series) -> float:
    """Cohen's kappa of two labellings with the same index."""
    table = pd.crosstab(one, other, normalize=True)
    chance = (table.sum(axis="columns") * table.sum(axis="index")).sum()
    agreed = sum(table.loc[name, name] for name in table.index if name in table.columns)
    return float((agreed - chance) / (1 - chance))


def test_each_car_twice_in_one_map(server: CountingServer) -> None:
    """`repeat=2`: two labels for each car, agreement from the frame alone, and each request paid once."""
    server.answers = Labeller()
    table = cars()
    batch = server.agent(name="labeller").map(table, TEMPLATE, output_schema=Use, repeat=2, label="uses")
    frame = batch.result(60)
    assert len(frame) == len(server.calls) == 2 * len(table)
    first, second = (frame.loc[frame["repeat"] == number, "use"] for number in (1, 2))
    # which of the two was asked first is not said: the labels of a car are a set
    expected = {
        name: {label(power)} | ({"family"} if power > 150 else set())
        for name, power in table["Horsepower"].items()
    }
    assert {name: {use, second[name]} for name, use in first.items()} == expected
    agreed = (first == second).mean()
    assert agreed == (table["Horsepower"] <= 150).mean()
    assert 0.5 < agreed < 1
    assert frame["sure"].dtype == "boolean"
    assert (~frame["sure"]).sum() == (table["Horsepower"] > 150).sum()
    assert_batch_agrees(server, batch)
    assert_record_agrees(server)


def test_two_passes_of_two_models(server: CountingServer) -> None:
    """Two maps with names: joined by the table's own index, compared, and asked a third time for nothing."""
    table = cars()
    server.answers = lambda question: {
        "use": "sport"
        if question.model == "large" and "amc" in question.prompt
        else label(float(question.prompt.rpartition(" hp")[0].rpartition(" ")[2])),
        "sure": True,
    }
    for name, model in (("pass_a", "small"), ("pass_b", "large")):
        agent = server.agent(model, name=model)
        agent.map(table, TEMPLATE, output_schema=Use, label=name, max_concurrency=8).wait(60)
    first, second = (nb.get(name).to_frame(join=False)["use"] for name in ("pass_a", "pass_b"))
    both = table.join(first.rename("a")).join(second.rename("b"))
    differ = both["a"] != both["b"]
    assert list(both.index[differ]) == [
        name for name, car in table.iterrows() if "amc" in name and label(car["Horsepower"]) != "sport"
    ]
    assert differ.any()
    assert kappa(both["a"], both["a"]) == pytest.approx(1)
    assert 0 < kappa(both["a"], both["b"]) < 1
    calls = server.calls
    for name, model in (("pass_a", "small"), ("pass_b", "large")):
        assert_batch_agrees(server, nb.get(name), [one for one in calls if one.question.model == model])
    again = server.agent(name="small").map(table, TEMPLATE, output_schema=Use)
    assert again.result(60)["from_earlier"].all()
    assert (again.to_frame()["cost_usd"] == 0).all()
    assert len(server.calls) == 80
    assert_batch_agrees(server, again, [])
    assert [again.progress.cost_usd, again.metrics.cost_usd, again.metrics.total_tokens] == [0, 0, 0]
    assert_record_agrees(server)
