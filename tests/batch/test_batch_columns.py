"""The answers' columns of a batch and of a run: the same when no row, some or all were answered, live and read again."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent.runtime import current
from tests.batch.review_provider import prompt_of
from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.steps import error


class City(BaseModel):
    name: str
    people: int | None = None
    area: float = 1


class Facts(BaseModel):
    cities: list[City]


JSON = {
    "type": "object",
    "properties": {"cities": {"type": "array", "items": City.model_json_schema()}},
    "required": ["cities"],
}
PEOPLE = {"cities": [{"name": "Paris", "people": 2, "area": 1}, {"name": "Rome"}]}


def answers(*good: str):
    """Answer the rows with these texts; refuse the others."""
    return lambda request: json_reply(PEOPLE) if prompt_of(request) in good else error(400, "no")


@pytest.mark.parametrize("schema", [Facts, JSON], ids=["class", "JSON Schema"])
@pytest.mark.parametrize("explode", [False, True, None, "cities"], ids=repr)
def test_a_batch_has_the_same_columns_whoever_answered(agent, provider, schema, explode):
    """No rows, none, one and all answered: the same names and types in the same order."""
    seen = set()
    for rows, good in ([], ()), (["a", "b"], ()), (["a", "b"], ("a",)), (["a", "b"], ("a", "b")):
        provider.otherwise(answers(*good))
        batch = agent.map(rows, "{{ row }}", output_schema=schema, fresh=True)
        frame = (batch.wait(60), batch.to_frame(explode=explode, join=False))[1]
        seen.add(tuple((name, str(dtype)) for name, dtype in frame.dtypes.items()))
        expected = len(rows) if explode is False else len(rows) + len(good)
        assert len(frame) == expected
    assert len(seen) == 1
    names = [name for name, _ in seen.pop()]
    assert names[: names.index("status")] == (["cities"] if explode is False else ["name", "people", "area"])


def test_exploded_rows_keep_their_label_and_their_columns(agent, provider):
    """Each element's row has the label, the columns given and the measures of the row that it is of."""
    provider.otherwise(answers("a", "c"))
    table = pd.DataFrame({"t": list("abc"), "name": [1, 2, 3]}, index=["x", "y", "z"])
    batch = agent.map(table, "{{ row.t }}", output_schema=Facts)
    batch.wait(60)
    frame = batch.to_frame(explode=True)
    assert list(frame.index) == ["x", "x", "y", "z", "z"]
    assert list(frame["t"]) == list("aabcc")
    assert list(frame["name"]) == [1, 1, 2, 3, 3]
    assert list(frame["answer.name"].fillna("-")) == ["Paris", "Rome", "-", "Paris", "Rome"]
    assert list(frame["status"]) == ["completed", "completed", "error", "completed", "completed"]
    assert frame["run_id"].nunique() == 3


@pytest.mark.parametrize("good", [(), ("a",), ("a", "b")], ids=len)
def test_text_is_a_column_of_text(agent, provider, good):
    """Without a schema there is `content`, of text, also where no row has an answer."""
    provider.otherwise(lambda one: text_reply("yes") if prompt_of(one) in good else error(400, "no"))
    frame = agent.map(["a", "b"], "{{ row }}").wait(60)
    assert str(frame["content"].dtype) == "string"
    assert frame["content"].notna().sum() == len(good)
    assert str(agent.map([], "{{ row }}").wait(60)["content"].dtype) == "string"


@pytest.mark.parametrize(
    ("schema", "answer", "dtypes"),
    [
        (Facts, {"cities": []}, {"name": "string", "people": "Int64", "area": "Float64"}),
        (list[City], {"items": []}, {"name": "string", "people": "Int64", "area": "Float64"}),
        (JSON, {"cities": []}, {"name": "string", "people": "Int64", "area": "Float64"}),
        ({"type": "array", "items": {"type": "integer"}}, {"items": []}, {"value": "Int64"}),
    ],
    ids=["class", "list", "JSON Schema", "JSON list"],
)
def test_a_run_read_from_the_record_has_the_columns_of_its_schema(agent, provider, schema, answer, dtypes):
    """Live and from the store, of an answer with nothing in it: the columns that the schema says."""
    provider.otherwise(json_reply(answer))
    run = agent.start("q", output_schema=schema)
    run.wait(60)
    explode = True if "value" in dtypes else None
    elsewhere = FromTheRecord(run.run_id, run.session_id, runtime=current())
    for frame in run.to_frame(explode=explode), elsewhere.to_frame(explode=explode):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == dtypes
        assert frame.empty


class FromTheRecord(nb.Run):
    """A run as another kernel has it."""

    _live = None
