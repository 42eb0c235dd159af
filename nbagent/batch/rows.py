"""Where a batch's rows come from: tables, lists and generators as one lazy sequence, each row with its index label.

Made by `Agent.map` on the launching thread; pulled a few rows at a time by `feed.py`, in a thread of its own where
pulling runs the user's code. What a template sees of a record is a `Row`: its columns, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any

from nbagent.errors import UnknownOptionError

ENOUGH_S = 0.02  # a slow generator is not waited for once it has given a row: that row can go already
_FETCH = 1000  # rows of a DuckDB result at a time


class Row:
    """One record of a table, as templates see it: `row.name` and `row["any name"]` are columns, whatever they are called."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[Any, Any]) -> None:
        self._values = values

    def __getitem__(self, name: Any) -> Any:
        return self._values[name]

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        try:
            return object.__getattribute__(self, "_values")[name]
        except KeyError:
            raise AttributeError(f"no column {name!r}") from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return str(dict(self._values))

    __repr__ = __str__


Numbered = tuple[Any, Any]  # the index label of a row, and the row as a template sees it


@dataclass(slots=True, kw_only=True)
class Source:
    """Rows in order. `total` is how many there are, None where nobody knows before the end.

    `table` is what a frame of results is joined to: a DataFrame, or None. `runs_code` says that pulling runs code
    of the user's, which may take its time. `ended` is set once the last row was given.
    """

    rows: Iterator[Numbered]
    total: int | None
    table: Any = None
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


def source_of(rows: Any) -> Source:
    """Return the rows of a DataFrame, Series, DuckDB relation, dict of lists, list or generator. Raises UnknownOptionError.

    A record is a `Row`, any other element is the row itself. Index labels are pandas' own, else 0, 1, 2, ...
    """
    for fits, make in _KINDS:
        if fits(rows):
            return make(rows)
    raise UnknownOptionError(
        f"rows come from a table, list or generator, not from {type(rows).__name__} {rows!r:.60}",
        "give a DataFrame, a Series, a list, a dict of lists, a DuckDB relation or a generator",
    )


def _of_frame(frame: Any) -> Source:
    names = list(frame.columns)
    values = frame.itertuples(index=False, name=None)
    rows = (
        (label, Row(dict(zip(names, one, strict=True))))
        for label, one in zip(frame.index, values, strict=True)
    )
    return Source(rows=rows, total=len(frame), table=frame)


def _of_series(series: Any) -> Source:
    rows = ((label, _seen(one)) for label, one in series.items())
    return Source(
        rows=rows, total=len(series), table=series.to_frame("row" if series.name is None else series.name)
    )


def _of_relation(relation: Any) -> Source:
    """The relation's query is run here, once: what the user does with the connection later changes no row."""
    names = list(relation.columns)
    if hasattr(relation, "materialize"):
        relation = relation.materialize()
        values = relation.iter_rows()
    else:  # before DuckDB 2
        relation.execute()
        values = _fetched(relation)
    rows = ((n, Row(dict(zip(names, one, strict=True)))) for n, one in enumerate(values))
    return Source(
        rows=rows, total=len(relation), table=relation if hasattr(relation, "materialize") else None
    )


def _fetched(relation: Any) -> Iterator[Any]:
    while found := relation.fetchmany(_FETCH):
        yield from found


def _of_columns(columns: Mapping[Any, Any]) -> Source:
    lengths = {str(name): len(values) for name, values in columns.items() if _is_list(values)}
    if len(lengths) < len(columns) or len(set(lengths.values())) > 1:
        odd = next((name for name, values in columns.items() if not _is_list(values)), None)
        what = f"column {odd!r} is no list" if odd is not None else f"the columns differ in length: {lengths}"
        raise UnknownOptionError(
            f"a dict of rows is a list for each column, but {what}", "give lists of one length"
        )
    names = list(columns)
    values = zip(*columns.values(), strict=True)
    rows = (
        (label, Row(dict(zip(names, one, strict=True)))) for label, one in zip(count(), values, strict=False)
    )
    return Source(rows=rows, total=next(iter(lengths.values()), 0), table=dict(columns))


def _of_list(values: Sequence[Any]) -> Source:
    return Source(rows=((n, _seen(one)) for n, one in enumerate(values)), total=len(values), table=values)


def _of_iterable(values: Iterable[Any]) -> Source:
    total = len(values) if isinstance(values, Sized) else None
    return Source(rows=((n, _seen(one)) for n, one in enumerate(values)), total=total, runs_code=True)


def _seen(value: Any) -> Any:
    return Row(value) if isinstance(value, Mapping) else value


def _is_list(values: Any) -> bool:
    return (
        isinstance(values, Sized)
        and isinstance(values, Iterable)
        and not isinstance(values, str | bytes | Mapping)
    )


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda rows: not isinstance(rows, type) and all(hasattr(rows, name) for name in names)


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Source]], ...] = (
    (
        _has("itertuples", "columns", "index"),
        _of_frame,
    ),  # by what they can do: neither package is imported for it
    (_has("items", "to_frame", "index"), _of_series),
    (_has("fetchall", "aggregate", "columns"), _of_relation),
    (lambda rows: isinstance(rows, Mapping), _of_columns),
    (lambda rows: isinstance(rows, list | tuple | range), _of_list),
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
    return [str(name) for name in row] if isinstance(row, Row) else []
