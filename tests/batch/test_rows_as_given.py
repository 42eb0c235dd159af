"""A batch works on the rows as they were when `map` was called, and gives the user's data back as it was."""

from __future__ import annotations

import dataclasses
from collections import deque
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from nbagent.errors import UnknownOptionError
from tests.batch.review_provider import Reviews, prompt_of
from tests.provider.chat_wire import text_reply
from tests.provider.steps import Gate, Wait, answer

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "status": {"type": "string"}},
    "required": ["x", "status"],
}


@dataclasses.dataclass
class Item:
    text: str


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    text: list[str]


class Model(BaseModel):
    text: str


def table(**more: object) -> pd.DataFrame:
    """Four rows that differ."""
    return pd.DataFrame({"text": list("abcd"), "n": [1, 2, 3, 4]} | more, index=list("wxyz"))


def sorted_in_place(frame: pd.DataFrame) -> None:
    frame.sort_values("text", ascending=False, inplace=True)  # noqa: PD002 - what a user does


def dropped(frame: pd.DataFrame) -> None:
    frame.drop(index=["w", "y"], inplace=True)  # noqa: PD002 - what a user does


def cells_set(frame: pd.DataFrame) -> None:
    frame.loc[:, "text"] = "edited"
    frame["n"] = 0


def renamed(frame: pd.DataFrame) -> None:
    frame.columns = ["p", "q"]
    frame.index = list("mnop")
    frame.index.name = "new"


def column_dropped(frame: pd.DataFrame) -> None:
    del frame["text"]
    frame["other"] = 1


def array_set(frame: pd.DataFrame) -> None:
    frame["n"].array[:] = [9, 9, 9, 9]


@pytest.mark.parametrize("edit", [sorted_in_place, dropped, cells_set, renamed, column_dropped, array_set])
def test_a_table_edited_after_map_is_asked_as_it_was(agent, provider, edit):
    """Whatever becomes of the table, each prompt and each answer is that of the row that was there."""
    gate = Gate()
    provider.otherwise(lambda request: (Wait(gate), *text_reply(f"<{prompt_of(request)}>")))
    frame = table()
    batch = agent.map(frame, "{{ index }} {{ row.text }} {{ row.n }}", max_concurrency=1)
    provider.wait_for_requests(1)
    edit(frame)
    gate.open()
    found = batch.result(60)
    pd.testing.assert_frame_equal(found[["text", "n"]], table())
    assert list(found["content"]) == ["<w a 1>", "<x b 2>", "<y c 3>", "<z d 4>"]


def list_reversed(rows: list) -> None:
    rows.reverse()


def list_cut(rows: list) -> None:
    del rows[1:]


def elements_edited(rows: list) -> None:
    for one in rows:
        if isinstance(one, dict):
            one["text"] = "edited"
        elif isinstance(one, list):
            one[:] = ["edited"]
        elif not isinstance(one, str):
            one.text = "edited"


@pytest.mark.parametrize(
    ("make", "template"),
    [
        (str, "{{ row }}"),
        (lambda text: {"text": text}, "{{ row.text }}"),
        (lambda text: [text], "{{ row[0] }}"),
        (Item, "{{ row.text }}"),
        (lambda text: Model(text=text), "{{ row.text }}"),
        (lambda text: SimpleNamespace(text=text), "{{ row.text }}"),
    ],
    ids=["text", "dict", "list", "dataclass", "model", "namespace"],
)
@pytest.mark.parametrize("edit", [list_reversed, list_cut, elements_edited])
def test_a_list_edited_after_map_is_asked_as_it_was(agent, provider, make, template, edit):
    """The list and what is in it may change: prompts, answers and the frame's own columns do not."""
    gate = Gate()
    provider.otherwise(lambda request: (Wait(gate), *text_reply(f"<{prompt_of(request)}>")))
    rows = [make(text) for text in "abcd"]
    batch = agent.map(rows, template, max_concurrency=1)
    provider.wait_for_requests(1)
    edit(rows)
    gate.open()
    found = batch.result(60)
    assert list(found["content"]) == ["<a>", "<b>", "<c>", "<d>"]
    given = list(found["text"] if "text" in found else found["row"])
    assert given == (list("abcd") if "text" in found else [make(text) for text in "abcd"])


@pytest.mark.parametrize(
    ("rows", "edit"),
    [
        (lambda: np.array(["a", "b"]), lambda rows: rows.fill("c")),
        (lambda: {"t": ["a", "b"]}, lambda rows: rows["t"].reverse()),
        (lambda: {"t": np.array(["a", "b"])}, lambda rows: rows["t"].fill("c")),
        (lambda: pd.Series(["a", "b"]), lambda rows: rows.sort_values(ascending=False, inplace=True)),  # noqa: PD002
        (lambda: deque(["a", "b"]), lambda rows: rows.rotate(1)),
        (lambda: dict.fromkeys("ab"), lambda rows: rows.clear()),
    ],
    ids=["array", "columns", "columns of arrays", "series", "deque", "keys"],
)
def test_other_holders_of_rows_are_copied_too(agent, provider, rows, edit):
    """Arrays, columns, series, deques and views of a dict: what is in them when `map` is called is what is asked."""
    gate = Gate()
    provider.otherwise(lambda request: (Wait(gate), *text_reply(f"<{prompt_of(request)}>")))
    held = rows()
    given = held.keys() if isinstance(held, dict) and "t" not in held else held
    template = "{{ row.t }}" if isinstance(given, dict) else "{{ row }}"
    batch = agent.map(given, template, max_concurrency=1)
    provider.wait_for_requests(1)
    edit(held)
    gate.open()
    found = batch.result(60)
    assert list(found["content"]) == ["<a>", "<b>"]
    assert list(found.iloc[:, 0]) == ["a", "b"]


@pytest.mark.parametrize(
    "cell",
    [["a", ["b"]], {"k": {"l": 1}}, {"k": [1, (2, [3])]}, np.array([1, 2]), Slotted(["a"]), {"a", "b"}],
    ids=["list", "dict", "mixed", "array", "dataclass", "set"],
)
def test_what_is_inside_a_cell_is_as_it_was(agent, provider, cell):
    """A list in a cell may be edited in place, in the table given and in a frame handed out: the batch has its own."""
    provider.otherwise(Reviews().answer)
    frame = table(cell=pd.Series([cell] * 4, index=list("wxyz"), dtype=object))
    batch = agent.map(frame, "{{ row.cell }}")
    before = repr(cell)
    given = batch.result(60)
    assert repr(given["cell"].iloc[0]) == before
    for held in (frame, given):
        _spoil(held["cell"].iloc[0])
        held["text"] = "edited"
        held.drop(index="w", inplace=True)  # noqa: PD002 - what a user does
    again = batch.to_frame()
    assert [repr(one) for one in again["cell"]] == [before] * 4
    assert list(again["text"]) == list("abcd")


def _spoil(cell: object) -> None:
    """Edit a value in place, as deep as it goes."""
    match cell:
        case list():
            for one in cell:
                _spoil(one)
            cell.append("edited")
        case dict():
            for one in cell.values():
                _spoil(one)
            cell["edited"] = 1
        case tuple():
            for one in cell:
                _spoil(one)
        case set():
            cell.clear()
        case np.ndarray():
            cell.fill(9)
        case Slotted():
            cell.text.append("edited")


def test_an_answer_that_was_handed_out_does_not_change_the_batch(agent, provider):
    """Lists and dicts of answers are copies, in frames and in results."""
    provider.otherwise(answer_of({"tags": ["a"], "more": {"k": [1]}}))
    schema = {
        "type": "object",
        "properties": {"tags": {"type": "array"}, "more": {"type": "object"}},
        "required": ["tags", "more"],
    }
    batch = agent.map(["q"], "{{ row }}", output_schema=schema)
    batch.result(60)["tags"].iloc[0].append("edited")
    for result in batch:
        result.content["more"]["k"].append("edited")
    assert batch.to_frame()["tags"].iloc[0] == ["a"]
    assert next(iter(batch)).content == {"tags": ["a"], "more": {"k": [1]}}


def answer_of(data: object):
    """A script that answers every request with this JSON."""
    from tests.provider.chat_wire import json_reply

    return lambda _request: json_reply(data)


MEASURES = "status stop_reason from_earlier error error_type error_fields cost_usd duration_s run_id".split()
NAMES = {
    "ours": ["status", "error", "run_id", "cost_usd", "duration_s"],
    "answers": ["x", "content"],
    "prefixed": ["status", "answer.status", "answer.x", "x"],
    "odd": [0, 1, None, ("a", "b"), "", 2.5],
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_columns_of_any_name_come_back(agent, provider, names):
    """The user's columns keep names and values; ours have `answer.` before a name that is taken, also pass after pass."""
    provider.otherwise(answer_of({"x": 7, "status": "fine"}))
    given = pd.DataFrame([[f"{row}{n}" for n in range(len(names))] for row in "ab"])
    given.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    for nth in range(3):
        found = agent.map(given, f"pass {nth} of {{{{ row }}}}", output_schema=SCHEMA).result(60)
        assert list(found.columns)[: len(given.columns)] == list(given.columns)
        for position in range(len(given.columns)):
            pd.testing.assert_series_equal(
                found.iloc[:, position], given.iloc[:, position], check_names=False
            )
        assert found.columns.is_unique
        ours = list(found.columns)[len(given.columns) :]
        plain = ["x", "status", *MEASURES]
        assert [name.replace("answer.", "") for name in ours] == plain
        values = dict(zip(ours, found.iloc[0, len(given.columns) :], strict=True))
        assert sorted(str(one) for name, one in values.items() if name.endswith("status")) == [
            "completed",
            "fine",
        ]
        given = found


def test_a_third_pass_has_its_names_by_one_rule(agent, provider):
    """`answer.` once for the second pass, twice for the third."""
    provider.otherwise(text_reply("yes"))
    first = agent.map(table(), "1 {{ row.text }}").result(60)
    second = agent.map(first, "2 {{ row.text }} {{ row.content }}").result(60)
    third = agent.map(second, "3 {{ row.text }} {{ row['answer.content'] }}").result(60)
    names = ["content", *MEASURES]
    assert list(third.columns) == [
        "text", "n", *names, *(f"answer.{name}" for name in names), *(f"answer.answer.{name}" for name in names)
    ]  # fmt: skip
    assert len(provider.requests) == 12


@pytest.mark.parametrize(
    "columns",
    [
        pd.MultiIndex.from_product([["price", "size"], ["low", "high"]], names=["what", "end"]),
        pd.MultiIndex.from_tuples([("status", 1), ("status", 2), ("a", 1), (0, None)]),
        pd.MultiIndex.from_tuples([("a", "b", "c"), ("a", "b", "d"), ("a", "", ""), ("price", "low", "x")]),
        pd.CategoricalIndex(list("abcd"), name="letters"),
        pd.date_range("2026-01-01", periods=4, name="day"),
    ],
    ids=["two levels", "ours among them", "three levels", "categories", "dates"],
)
def test_labels_of_columns_and_rows_stay_as_they_are(agent, provider, columns):
    """Columns of several levels come back with their levels and names; ours have their name in the first level."""
    provider.otherwise(Reviews().answer)
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", None)], names=["k", "n"])
    given = pd.DataFrame(np.arange(12).reshape(3, 4), columns=columns, index=index)
    found = agent.map(given, "{{ row }}").result(60)
    assert list(map(repr, found.columns[:4])) == list(map(repr, columns))
    assert list(found.columns.names) == list(columns.names)
    assert found.index.identical(index)
    own = found.iloc[:, :4].set_axis(columns, axis=1)
    pd.testing.assert_frame_equal(own, given)
    taken = any(
        label == "status" or label[:1] == ("status",) for label in columns if isinstance(label, str | tuple)
    )
    status = found["answer.status" if taken else "status"]
    assert list(status) == ["completed"] * 3


def test_a_template_reaches_below_a_column_of_several_levels(agent, provider):
    """`row.price.high` is the column ("price", "high"), as is `row["price"]["high"]` and the whole tuple."""
    provider.otherwise(Reviews().answer)
    columns = pd.MultiIndex.from_tuples([("price", "low"), ("price", "high"), ("name", "")])
    given = pd.DataFrame([[1, 2, "n"]], columns=columns)
    template = '{{ row.price.high }} {{ row["price"]["low"] }} {{ row[("price", "high")] }} {{ row.name }}'
    assert list(agent.map(given, template).result(60)["content"]) == ["<2 1 2 n>"]


INDEXES = {
    "doubled": pd.Index(["a", "a", "b"], name="k"),
    "missing": pd.Index(["a", None, np.nan], dtype=object),
    "floats": pd.Index([0.5, np.nan, 0.5]),
    "dates": pd.DatetimeIndex(["2026-01-01", "NaT", "2026-01-03"], tz="Europe/Rome", name="day"),
    "intervals": pd.interval_range(0, 3),
    "categories": pd.CategoricalIndex(["x", "y", "x"], ordered=True),
    "periods": pd.period_range("2026-01", periods=3, freq="M"),
}


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_an_index_of_any_kind_stays(agent, provider, index):
    """The frame's index is the table's own, of its type and name; a missing label is nothing in a prompt."""
    provider.otherwise(Reviews().answer)
    found = agent.map(pd.DataFrame({"t": [1, 2, 3]}, index=index), "{{ index }}/{{ row.t }}").result(60)
    pd.testing.assert_index_equal(found.index, index, exact=True)
    assert list(found["content"]) == [
        f"<{'' if pd.isna(label) else label}/{n}>" for n, label in enumerate(index, start=1)
    ]


DTYPES = {
    "float64": pd.Series([1.0, 2.0]),
    "Int64": pd.array([1, None], dtype="Int64"),
    "uint8": pd.Series([1, 2], dtype="uint8"),
    "boolean": pd.array([True, None], dtype="boolean"),
    "category": pd.Categorical(["a", None], categories=["b", "a"], ordered=True),
    "dates": pd.to_datetime(["2026-01-01", None]).tz_localize("UTC"),
    "spans": pd.to_timedelta(["1 day", None]),
    "objects": pd.Series([1, "a"], dtype=object),
    "text": pd.array(["a", None], dtype="string"),
    "lists": pd.Series([[1], None], dtype=object),
    "sparse": pd.arrays.SparseArray([0.0, 1.0]),
}


@pytest.mark.parametrize("values", DTYPES.values(), ids=DTYPES)
def test_a_column_of_any_type_stays(agent, provider, values):
    """Values, types and missing values of the user's columns are those given, and the table is not touched."""
    provider.otherwise(Reviews().answer)
    given = pd.DataFrame({"v": values, "t": [0, 1]})
    before = given.copy(deep=True)
    found = agent.map(given, "{{ row.t }} {{ row.v }}").result(60)
    pd.testing.assert_frame_equal(found[["v", "t"]], before)
    pd.testing.assert_frame_equal(given, before)
    assert list(found.columns[:2]) == ["v", "t"]


@pytest.mark.parametrize(
    ("values", "dtype", "shown"),
    [
        ([1.0, 2.0], "float64", ["1.0", "2.0"]),
        ([1, None], "Int64", ["1", ""]),
        ([2**60 + 1, None], "Int64", [str(2**60 + 1), ""]),
        ([2**70, None], "object", [str(2**70), ""]),
        ([2**53 + 1, 0.5], "object", [str(2**53 + 1), "0.5"]),
        ([True, None], "object", ["True", ""]),
        ([1, 2.5], "float64", ["1", "2.5"]),
    ],
    ids=str,
)
def test_numbers_of_records_stay_the_numbers_they_are(agent, provider, values, dtype, shown):
    """A list or dict of plain values becomes columns without a whole number becoming a float, or losing digits."""
    provider.otherwise(Reviews().answer)
    for rows in ([{"n": one, "k": 1} for one in values], {"n": values, "k": [1, 1]}):
        found = agent.map(rows, "{{ row.n }}{{ row.k }}").result(60)
        assert (str(found["n"].dtype), [None if pd.isna(one) else one for one in found["n"]]) == (
            dtype,
            values,
        )
        assert list(found["content"]) == [f"<{text}1>" for text in shown]


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2, 3]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 1)])),
        pd.DataFrame([[1, 2, 3]], columns=[None, 1, None]),
    ],
    ids=["text", "levels", "none"],
)
def test_a_name_of_two_columns_is_refused(agent, provider, given):
    """Two lines name the column and say what to do; nothing is sent."""
    with pytest.raises(UnknownOptionError, match="the table has 2 columns with the name") as raised:
        agent.map(given, "{{ row }}")
    assert str(raised.value).count("\n") == 1
    assert provider.requests == []


MISSING = {
    "None": None,
    "nan": float("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
    "numpy nan": np.float32("nan"),
    "numpy NaT": np.datetime64("NaT", "s"),
}


@pytest.mark.parametrize("value", MISSING.values(), ids=MISSING)
def test_a_missing_value_is_sent_as_nothing_or_null(agent, provider, value):
    """Shown it is nothing, in JSON, lists and dicts it is null; in a condition it is false, and a default stands for it."""
    provider.otherwise(Reviews().answer)
    rows = [{"v": value, "l": [1, value], "d": {"k": value}}]
    for template, sent in {
        "[{{ row.v }}]": "[]",
        "{{ row | tojson }}": '{"v": null, "l": [1, null], "d": {"k": null}}',
        "{{ row }}": '{"v": null, "l": [1, null], "d": {"k": null}}',
        "{{ row.l }} {{ row.d }}": "[1, null] {'k': null}",
        "{{ row.v | tojson }} {{ [row.v, 'x'] | tojson }}": 'null [null, "x"]',
        "[{{ row.v | upper }}{{ row.v ~ '!' }}{{ '{:.2f}'.format(row.v) }}{{ row.v | trim }}]": "[!]",
        "{{ 'has' if row.v else 'none' }} {{ row.v is none }} {{ row.v == none }}": "none True True",
        "{{ row.v | default('-') }} {{ row.v or '?' }} [{% for one in row.v %}{{ one }}{% endfor %}]": "- ? []",
        "[{{ row.v.strftime('%A') }}{{ row.v + 1 }}{{ row.v * 2 }}{{ round(row.v, 2) }}]": "[]",
        "{{ 'at ' + row.v }}{{ row.v > 3 }}{{ row.v < 3 }}{{ row.v | length }}": "at FalseFalse0",
    }.items():
        found = agent.map(rows, template, fresh=True).result(60)
        assert list(found["content"]) == [f"<{sent}>"], (template, list(found["error"]))


def test_missing_rows_and_missing_values_in_tables_are_never_asked_as_text(agent, provider):
    """A missing row has an empty prompt and is not asked; typed columns' missing values are nothing, too."""
    provider.otherwise(Reviews().answer)
    found = agent.map([None, float("nan"), "a"], "{{ row }}").result(60)
    assert list(found["status"]) == ["error", "error", "completed"]
    assert [prompt_of(one) for one in provider.requests] == ["a"]
    given = pd.DataFrame(
        {
            "t": ["good", None],
            "n": pd.array([1, None], dtype="Int64"),
            "d": pd.to_datetime(["2026-01-01", None]),
            "f": [1.0, None],
            "c": pd.Categorical(["x", None]),
            "s": pd.to_timedelta(["1 day", None]),
            "a": pd.Series([np.array([1.5, np.nan]), None], dtype=object),
        }
    )
    template = "T {{ row.t }}|{{ row.n }}|{{ row.d }}|{{ row.f }}|{{ row.c }}|{{ row.s }}|{{ row.a }}"
    found = agent.map(given, template).result(60)
    assert list(found["content"]) == [
        "<T good|1|2026-01-01 00:00:00|1.0|x|1 days 00:00:00|[1.5, null]>",
        "<T ||||||>",
    ]


@pytest.mark.parametrize(
    ("array", "asked"),
    [
        (np.array([1.5, np.nan]), "(2,) [1.5, null]"),
        (np.array([[1.0, np.nan], [2.0, 3.0]]), "(2, 2) [[1.0, null], [2.0, 3.0]]"),
        (np.array(["a", None], dtype=object), '(2,) ["a", null]'),
        (np.array([1.5, 2.5]), "(2,) [1.5, 2.5]"),
    ],
)
def test_an_array_is_an_array_also_where_a_value_is_missing(agent, provider, array, asked):
    """What a template may ask of it does not depend on its values."""
    provider.otherwise(Reviews().answer)
    agent.map([{"a": array}], "{{ row.a.shape }} {{ row.a }}").result(60)
    assert [prompt_of(one) for one in provider.requests] == [asked]


def test_the_first_prompt_can_be_made_of_any_column_type(agent, provider):
    """Whole and broken numbers keep their look: 1 is 1 and 1.0 is 1.0, whatever stands beside them."""
    provider.otherwise(answer(200, {}))
    provider.otherwise(Reviews().answer)
    given = pd.DataFrame({"i": [1, 2], "f": [1.0, 2.0], "o": pd.Series([1, 2.0], dtype=object)})
    found = agent.map(given, "{{ row.i }} {{ row.f }} {{ row.o }}").result(60)
    assert list(found["content"]) == ["<1 1.0 1>", "<2 2.0 2.0>"]
