"""A batch as a DataFrame: the rows that were given, what was answered, and what each row cost. Caller's thread.

pandas is imported with the first frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.batch.outcome import NOT_ASKED, Outcome
from nbagent.batch.rows import Row
from nbagent.run import RunStatus
from nbagent.schemas import rows_of

if TYPE_CHECKING:
    import pandas as pd

CONTENT = "content"  # the column of an answer that is no record
STATUSES = (*(status.value for status in RunStatus), NOT_ASKED)
MEASURES = (
    "status", "stop_reason", "from_earlier", "error", "error_type", "cost_usd", "duration_s", "run_id"
)  # fmt: skip
RAW_ANSWER = "raw_answer"
_DTYPES: dict[str, Any] = {
    "stop_reason": "string",
    "from_earlier": "boolean",
    "error": "string",
    "error_type": "string",
    "cost_usd": "Float64",
    "duration_s": "Float64",
    "run_id": "string",
}
_FIELDS = {"from_earlier": "reused"}


def answer_fields(value: Any) -> dict[str, Any]:
    """Return the columns of one row's answer: the fields of a record, else the answer itself as `content`."""
    if value is None:
        return {}
    rows = rows_of(value)
    if len(rows) != 1 or isinstance(value, list) or rows[0].keys() == {"value"}:
        return {CONTENT: rows[0]["value"] if len(rows) == 1 and not isinstance(value, list) else value}
    return rows[0]


def frame_of(
    outcomes: Sequence[Outcome | None], answers: Iterable[Any], index: Any, given: pd.DataFrame | None
) -> pd.DataFrame:
    """Return one row for each outcome: columns of `given`, the answers' fields, then the measures.

    A field that has a column's name already is `answer.NAME`. A row without an outcome yet is `pending`.
    """
    import pandas as pd

    fields = [answer_fields(answer) for answer in answers]
    names = list(dict.fromkeys(name for one in fields for name in one))
    taken = {*MEASURES, *(given.columns if given is not None else ())}
    columns: dict[str, Any] = {}
    for name in names:
        column = pd.Series([one.get(name) for one in fields], index=index, dtype=object)
        columns[f"answer.{name}" if name in taken else name] = column.infer_objects().convert_dtypes()
    statuses = [one.status if one is not None else RunStatus.pending.value for one in outcomes]
    occurring = [status for status in STATUSES if status in set(statuses)]
    columns["status"] = pd.Categorical(statuses, categories=occurring)
    for name, dtype in _DTYPES.items():
        field = _FIELDS.get(name, name)
        columns[name] = pd.array(
            [None if one is None else getattr(one, field) for one in outcomes], dtype=dtype
        )
    answered = pd.DataFrame(columns, index=index)
    if given is None:
        return answered
    # a table that has been through a batch already has measures of that one
    return pd.concat(
        [given.drop(columns=[name for name in MEASURES if name in given.columns]), answered], axis=1
    )


def with_raw_answers(frame: pd.DataFrame, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return rows that failed with what the model said to each: text as it came, None where nothing did."""
    import pandas as pd

    said = [
        one.content if one.content is None or isinstance(one.content, str) else json_of(one.content)
        for one in outcomes
    ]
    return frame.assign(**{RAW_ANSWER: pd.array(said, dtype="string")})


def json_of(value: Any) -> str:
    """Return plain data as JSON text."""
    return orjson.dumps(value, default=str).decode()


def given_frame(table: Any, count: int) -> pd.DataFrame | None:
    """Return what a batch was given as a DataFrame of its first `count` rows; None for a generator."""
    import pandas as pd

    if table is None:
        return None
    if isinstance(table, pd.DataFrame):
        return table.iloc[:count]
    if hasattr(table, "materialize"):  # a DuckDB relation
        relation: pd.DataFrame = table.df()
        return relation.iloc[:count]
    if isinstance(table, Mapping):
        return pd.DataFrame({name: list(values)[:count] for name, values in table.items()})
    rows = list(table[:count])
    if rows and all(isinstance(one, Mapping | Row) for one in rows):
        return pd.DataFrame([dict(one) for one in rows])
    return pd.DataFrame({"row": pd.Series(rows, dtype=object).infer_objects()})
