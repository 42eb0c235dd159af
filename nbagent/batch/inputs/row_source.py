"""Where a batch's rows come from: tables, lists and generators as one lazy sequence, each row with its index label.

Made by `Agent.map` on the launching thread; pulled a few rows at a time by the runner, in a thread of its own
where pulling runs the user's code. What a template sees of a record is a `InputRow`: its columns, and nothing
else.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    Sized,
    ValuesView,
)
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

from nbagent.batch.inputs.snapshot import copied_frame, copied_values
from nbagent.batch.inputs.tables import frame_of_columns, frame_of_list, frame_of_typed
from nbagent.errors import UnknownOptionError
from nbagent.prompts import MISSING, is_missing, json_text
from nbagent.store import arrow_rows

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_S = 0.02  # a slow generator is not waited for once it has given a row: that row can go already


class InputRow:
    """One record of a table, as templates see it: `row.name` and `row["any name"]` are columns, whatever they are called."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[Any, Any]) -> None:
        self._values = values

    def __getitem__(self, name: Any) -> Any:
        values = object.__getattribute__(self, "_values")
        return templated(values[name]) if name in values else _under(name, values)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no column {name!r}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return json_text(self._values)

    __repr__ = __str__

    def __rendered__(self) -> Any:
        return self._values


def _under(name: Any, values: Mapping[Any, Any]) -> Any:
    """Return the columns below one of several levels: `row.price.high` is the column `("price", "high")`."""
    found = {key[1:]: value for key, value in values.items() if isinstance(key, tuple) and key[:1] == (name,)}
    if not found:
        raise KeyError(name)
    if len(found) == 1 and not any(next(iter(found))):
        return templated(next(iter(found.values())))
    return InputRow({key[0] if len(key) == 1 else key: value for key, value in found.items()})


def templated(value: Any) -> Any:
    """Return a value as a template has it: one that is missing is `MISSING`, also inside a list, dict or array."""
    if type(value) in _PLAIN:
        return value
    if is_missing(value):
        return MISSING
    if isinstance(value, list | tuple | dict):
        return _templated_parts(value)
    if type(value).__name__ == "ndarray" and value.ndim and value.dtype.kind in _CAN_MISS:
        return _templated_array(value)
    return value


_PLAIN = frozenset({str, int, bool})
_CAN_MISS = "fcO"  # numpy's kinds of arrays


def _templated_array(array: Any) -> Any:
    """Return an array with `MISSING` for what is missing in it: still an array, so that rows do not differ in kind."""
    made = array.astype(object, order="C")
    cells, is_other = made.reshape(-1), False
    for at, one in enumerate(cells):
        if (own := templated(one)) is not one:
            cells[at], is_other = own, True
    return made if is_other else array


def _templated_parts(value: Any) -> Any:
    """Return a container with `MISSING` for what is missing in it; the same object where nothing is."""
    try:
        parts = [templated(one) for one in (value.values() if isinstance(value, dict) else value)]
    except RecursionError:  # it holds itself, or is as deep
        return value
    if all(
        new is old
        for new, old in zip(parts, value.values() if isinstance(value, dict) else value, strict=True)
    ):
        return value
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    return tuple(parts) if isinstance(value, tuple) else parts


Numbered = tuple[Any, Any]  # the index label of a row, and the row as a template sees it


@dataclass(slots=True, kw_only=True)
class RowSource:
    """Rows in order, as they were when the source was made. `total` is how many, None where nobody knows before the end.

    `frame` gives them as a DataFrame to join results to, a new one with each call; None for a generator,
    whose rows are not kept. `runs_code` says that pulling runs code of the user's, which may take its time.
    `ended` is set once the last row was given.
    """

    rows: Iterator[Numbered]
    total: int | None
    frame: Callable[[], pd.DataFrame] | None = None
    runs_code: bool = False
    ended: bool = False
    given: int = 0
    _failure: Exception | None = None

    def peek(self) -> Numbered | None:
        """Return the first row and leave it where it is; None for no rows."""
        for numbered in self.rows:
            self.rows = chain([numbered], self.rows)
            return numbered
        return None

    @property
    def are_records(self) -> bool:
        """Say whether the rows have columns, by the first one."""
        first = self.peek()
        return first is None or isinstance(first[1], InputRow)

    def pull(self, most: int) -> list[Numbered]:
        """Return up to `most` further rows: fewer where they come slowly, none at the end. Raises what the user's code raises."""
        found: list[Numbered] = []
        until = time.monotonic() + ENOUGH_S
        if self._failure is not None:
            raise self._failure
        try:
            for numbered in islice(self.rows, most):
                found.append(numbered)
                if self.runs_code and time.monotonic() > until:
                    break
            else:
                self.ended = len(found) < most
        except Exception as error:
            if not found:
                raise
            self._failure = error  # after the rows that came before it
        self.given += len(found)
        self.ended = self.ended or self.given == self.total
        return found


def check_names(names: Sequence[Any]) -> None:
    """Refuse a table in which a name stands for two columns. Raises UnknownOptionError."""
    times = Counter(None if is_missing(name) else name for name in names)
    doubled = next((name for name in times if times[name] > 1), MISSING)
    if doubled is not MISSING:
        raise UnknownOptionError(
            f"the table has {times[doubled]} columns with the name {doubled!r}",
            "give each column a name of its own: a template and the answers' frame could mean any of them",
        )


def source_of(rows: Any) -> RowSource:
    """Return the rows of a table (pandas, polars, Arrow, DuckDB), Series, dict of lists, list or generator.

    A record is a `InputRow`, any other element is the row itself. Index labels are pandas' own, else 0, 1, 2,
    ... Raises UnknownOptionError.
    """
    for fits, make in _KINDS:
        if fits(rows):
            return make(rows)
    raise UnknownOptionError(
        f"rows come from a table, list or generator, not from {type(rows).__name__} {rows!r:.60}",
        "give a DataFrame, an Arrow table, a Series, a list, a dict of lists, a DuckDB relation or a generator",
    )


def _of_frame(frame: Any) -> RowSource:
    check_names(list(frame.columns))
    return _of_own_frame(copied_frame(frame))


def _of_own_frame(frame: Any) -> RowSource:
    """Return the rows of a frame that nobody else holds."""
    names = list(frame.columns)
    values = frame.itertuples(index=False, name=None)
    rows = (
        (label, InputRow(dict(zip(names, one, strict=True))))
        for label, one in zip(frame.index, values, strict=True)
    )
    return RowSource(rows=rows, total=len(frame), frame=partial(copied_frame, frame))


def _of_series(series: Any) -> RowSource:
    name = "row" if series.name is None else series.name
    frame = copied_frame(series.to_frame(name))
    rows = ((label, _template_value(one)) for label, one in frame.iloc[:, 0].items())
    return RowSource(rows=rows, total=len(frame), frame=partial(copied_frame, frame))


def _of_relation(relation: Any) -> RowSource:
    """Run the relation's query here, once: what the user does with the connection later changes no row."""
    check_names(list(relation.columns))
    own = relation.project("*")  # the user may be fetching from the other
    return _of_typed_rows(list(own.columns), [str(one) for one in own.types], own.fetchall())


def _of_arrow(table: Any) -> RowSource:
    """Return the rows of another package's table; its frame is pandas'."""
    return _of_typed_rows(*arrow_rows(table))


def _of_typed_rows(names: Sequence[str], types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> RowSource:
    check_names(names)
    columns: list[Any] = [list(values) for values in zip(*rows, strict=True)] or [[] for _ in names]
    return _of_own_frame(frame_of_typed(dict(zip(names, columns, strict=True)), types))


def _of_foreign_frame(frame: Any) -> RowSource:
    """Return the rows of a table that works as pandas' does, or that can become one."""
    convert = next(
        getattr(frame, name) for name in ("to_pandas", "_to_pandas", "compute") if hasattr(frame, name)
    )
    return _of_frame(convert())


def _of_columns(columns: Mapping[Any, Any]) -> RowSource:
    lengths = {str(name): len(values) for name, values in columns.items() if _is_list(values)}
    if len(lengths) < len(columns) or len(set(lengths.values())) > 1:
        odd = next((name for name, values in columns.items() if not _is_list(values)), None)
        what = f"column {odd!r} is no list" if odd is not None else f"the columns differ in length: {lengths}"
        raise UnknownOptionError(
            f"a dict of rows is a list for each column, but {what}", "give lists of one length"
        )
    own = {name: _own_column(values) for name, values in columns.items()}
    names = list(own)
    values = zip(*own.values(), strict=True)
    rows = (
        (label, InputRow(dict(zip(names, one, strict=True))))
        for label, one in zip(count(), values, strict=False)
    )
    return RowSource(rows=rows, total=next(iter(lengths.values()), 0), frame=partial(frame_of_columns, own))


def _own_column(values: Any) -> Any:
    """Return a copy of a column: pandas' and numpy's keep their types, anything else is a list."""
    if hasattr(values, "dtype") and hasattr(values, "copy"):
        copied = values.copy()
        return copied if copied.dtype != object else copied_values(copied)
    return copied_values(values)


def _of_list(values: Iterable[Any]) -> RowSource:
    own = values if isinstance(values, range) else copied_values(values)
    return RowSource(
        rows=((n, _template_value(one)) for n, one in enumerate(own)),
        total=len(own),
        frame=partial(frame_of_list, own),
    )


def _of_iterable(values: Iterable[Any]) -> RowSource:
    total = len(values) if isinstance(values, Sized) else None
    return RowSource(
        rows=((n, _template_value(one)) for n, one in enumerate(values)), total=total, runs_code=True
    )


def _template_value(value: Any) -> Any:
    return InputRow(value) if isinstance(value, Mapping) else templated(value)


def _is_list(values: Any) -> bool:
    return (
        isinstance(values, Sized)
        and isinstance(values, Iterable)
        and not isinstance(values, str | bytes | Mapping)
    )


def _of_foreign_series(series: Any) -> RowSource:
    return _of_columns_of_one(series.name or "row", copied_values(series.to_list()))


def _of_columns_of_one(name: Any, values: list[Any]) -> RowSource:
    rows = ((n, _template_value(one)) for n, one in enumerate(values))
    return RowSource(rows=rows, total=len(values), frame=partial(frame_of_columns, {name: values}))


def _is_pandas(rows: Any) -> bool:
    return any(cls.__module__.partition(".")[0] == "pandas" for cls in type(rows).__mro__)


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda rows: not isinstance(rows, type) and all(hasattr(rows, name) for name in names)


_HELD = (list, tuple, range, deque, set, frozenset, KeysView, ValuesView, ItemsView)
_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], RowSource]], ...] = (
    # by what they can do: no package is imported for it
    (lambda rows: _is_pandas(rows) and _has("itertuples", "columns", "index")(rows), _of_frame),
    (lambda rows: _is_pandas(rows) and _has("items", "to_frame", "index")(rows), _of_series),
    (_has("fetchall", "aggregate", "columns"), _of_relation),
    (_has("collect", "collect_schema"), lambda rows: source_of(rows.collect())),  # polars' plan of a table
    (lambda rows: _has("to_list", "name", "dtype")(rows) and not _is_pandas(rows), _of_foreign_series),
    (
        lambda rows: _has("to_pylist")(rows) and not hasattr(rows, "schema"),
        lambda rows: _of_list(rows.to_pylist()),
    ),
    (lambda rows: _has("__arrow_c_stream__")(rows) and not _is_pandas(rows), _of_arrow),
    (
        lambda rows: (
            hasattr(rows, "columns")
            and any(_has(name)(rows) for name in ("to_pandas", "_to_pandas", "compute"))
        ),
        _of_foreign_frame,
    ),
    (lambda rows: isinstance(rows, Mapping), _of_columns),
    (lambda rows: isinstance(rows, _HELD), _of_list),
    (_has("tolist", "dtype", "shape"), _of_list),  # an array, or an index
    # iterating over another package's table gives its columns, or anything
    (
        lambda rows: (
            isinstance(rows, Iterable) and not isinstance(rows, str | bytes) and not hasattr(rows, "columns")
        ),
        _of_iterable,
    ),
)


def known_columns(row: Any) -> list[str]:
    """Return the names that a template may use of a row, for a message; none for a row that is no record."""
    return [str(name) for name in row] if isinstance(row, InputRow) else []
