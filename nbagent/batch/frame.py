"""A batch as a DataFrame: the rows that were given, what was answered, and what each row cost. Caller's thread.

pandas is imported with the first frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from nbagent.batch.inputs.snapshot import copied
from nbagent.batch.inputs.tables import names_of
from nbagent.batch.row_outcome import NOT_ASKED, RowOutcome
from nbagent.errors import BatchError
from nbagent.run import RunStatus
from nbagent.schemas import Column, Explode, Layout, OutputSchema, columns_of, layout_of

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "answer."  # before a column of ours whose name the user's table has
CONTENT = "content"  # the column of an answer that is no record
STATUSES = (*(status.value for status in RunStatus), NOT_ASKED)
RAW_ANSWER = "raw_answer"
_DTYPES: dict[str, Any] = {
    "stop_reason": "string",
    "from_earlier": "boolean",
    "error": "string",
    "error_type": "string",
    "error_fields": "string",
    "cost_usd": "Float64",
    "duration_s": "Float64",
    "run_id": "string",
}
# only where a server reported no usage
_ESTIMATES: dict[str, Any] = {"estimated_tokens": "Int64", "estimated_cost_usd": "Float64"}
TEXT = Layout((Column(CONTENT, "string"),))
_FIELDS = {"from_earlier": "reused"}


def frame_of(
    outcomes: Sequence[RowOutcome | None],
    given: pd.DataFrame,
    schema: OutputSchema | None,
    *,
    explode: Explode = False,
    raw_answers: bool = False,
    repeat: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return a row for each outcome: columns of `given`, the answers', then the measures. What it holds is nobody else's.

    The answers' columns are those of the schema. A row without an outcome yet is `pending`. `repeat` is which
    time each row was asked. `explode` as in `layout_of`:
    a row whose list has several elements is several rows, one whose list has none is one.
    """
    import pandas as pd

    layout = TEXT if schema is None else layout_of(schema, explode=explode, alone=CONTENT)
    answers = [None if one is None else copied(one.answer) for one in outcomes]
    columns, positions = columns_of(answers, layout, of_nothing=True)
    measures = measures_of(outcomes)
    if repeat is not None:
        measures = {"repeat": pd.array(list(repeat), dtype="Int64"), **measures}
    if raw_answers:
        measures[RAW_ANSWER] = pd.array([_raw_answer(one) for one in outcomes], dtype="string")
    if positions != list(range(len(outcomes))):
        given = given.take(positions)
        measures = {name: values.take(positions) for name, values in measures.items()}
    return join_answers(given, columns, measures)


def given_rows(
    table: Callable[[], pd.DataFrame] | None,
    count: int,
    repeat: int,
    labels: Sequence[Any],
    index_names: Sequence[Any],
    *,
    join: bool,
) -> pd.DataFrame:
    """Return the user's first `count` rows, each `repeat` times; an index alone without a table or with `join=False`.

    Without a table the index is made of the rows' labels: in another kernel these are the keys in the record.
    """
    import pandas as pd

    given = None if table is None else table()
    if given is not None and repeat > 1:
        given = given.iloc[[n // repeat for n in range(len(given) * repeat)]]
    index = _index_of(labels[:count], index_names) if given is None else given.iloc[:count].index
    if len(index) < count:
        index = pd.RangeIndex(count)
    return pd.DataFrame(index=index) if given is None or not join else given.iloc[:count]


def _index_of(labels: Sequence[Any], names: Sequence[Any]) -> pd.Index:
    import pandas as pd

    index: pd.Index
    if labels and all(isinstance(label, tuple) for label in labels):
        index = pd.MultiIndex.from_tuples(labels)
    else:
        index = pd.Index(labels)
    return index.set_names(names) if len(names) == index.nlevels else index


def _raw_answer(outcome: RowOutcome | None) -> str | None:
    """Return what the model said to a row: text as it came, None where nothing did."""
    content = None if outcome is None else outcome.content
    return content if content is None or isinstance(content, str) else json_of(content)


def json_of(value: Any) -> str:
    """Return plain data as JSON text."""
    return orjson.dumps(value, default=str).decode()


def measures_of(outcomes: Sequence[RowOutcome | None]) -> dict[str, Any]:
    """Return what became of each row, and what it cost, by column."""
    import pandas as pd

    statuses = [one.status if one is not None else RunStatus.pending.value for one in outcomes]
    occurring = [status for status in STATUSES if status in set(statuses)]
    measures: dict[str, Any] = {"status": pd.Categorical(statuses, categories=occurring)}
    guessed = any(one is not None and one.estimated_tokens is not None for one in outcomes)
    for name, dtype in (_DTYPES | (_ESTIMATES if guessed else {})).items():
        field = _FIELDS.get(name, name)
        values = [None if one is None else getattr(one, field) for one in outcomes]
        measures[name] = pd.array(values, dtype=dtype)
    return measures


def join_answers(given: pd.DataFrame, fields: Mapping[str, Any], measures: Mapping[str, Any]) -> pd.DataFrame:
    """Return the user's columns as they are, then the answer's fields and the measures.

    Ours give way: `PREFIX` stands before a measure whose name the user's table has, and before a field whose
    name the table or a measure has. Where columns have several levels, ours have "" in all but the first.
    """
    import pandas as pd

    labels, levels = list(given.columns), given.columns.nlevels
    taken: set[Any] = {label[0] for label in labels} if levels > 1 else set(labels)
    last, first = _free_names(measures, taken), _free_names(fields, taken)
    ours = [*first, *last]
    values = [*fields.values(), *measures.values()]
    theirs = given.reset_index(drop=True).set_axis(range(len(labels)), axis=1)
    answered = pd.DataFrame(dict(enumerate(values, start=len(labels))), index=theirs.index)
    joined = pd.concat([theirs, answered], axis=1)
    if levels > 1:
        below = ("",) * (levels - 1)
        tuples: list[Any] = [*labels, *((name, *below) for name in ours)]
        joined.columns = pd.MultiIndex.from_tuples(tuples, names=given.columns.names)
    else:
        joined.columns = names_of([*labels, *ours]).rename(given.columns.name)
    joined.index = given.index
    joined.attrs = given.attrs
    return joined


def _free_names(names: Iterable[str], taken: set[Any]) -> list[str]:
    """Return the names, with `PREFIX` before each as often as it takes for it to be free; they are taken then."""
    free = []
    for name in names:
        own = name
        while own in taken:
            own = PREFIX + own
        taken.add(own)
        free.append(own)
    return free


def checked(
    frame: pd.DataFrame, outcomes: Sequence[RowOutcome | None], label: str | None, total: int
) -> pd.DataFrame:
    """Return the frame of a batch that has ended; BatchError where rows of its `total` have no answer."""
    ended = [one for one in outcomes if one is not None]
    failed = [one for one in ended if one.has_failed]
    without = total - sum(one.is_good for one in ended)
    if not without:
        return frame
    kinds = Counter(one.error_type or one.status for one in failed)
    kinds.update(one.status for one in ended if not one.is_good and not one.has_failed)
    kinds["not asked"] += without - kinds.total()
    listed = ", ".join(f"{count} {kind}" for kind, count in (+kinds).most_common(4))
    what = "failed" if len(failed) == without else "have no answer"
    first = f"; the first: {(failed[0].error or failed[0].status).splitlines()[0]:.200}" if failed else ""
    todo = "batch.failed() shows them, batch.retry_failed() asks them again"
    raise BatchError(
        f"{without} of {total} rows of batch {label or 'without a label'!r} {what} ({listed}){first}",
        todo if failed else "raise the limit with batch.set_limits(...) and ask them with batch.resume()",
        frame=frame,
    )
