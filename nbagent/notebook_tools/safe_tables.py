"""Frames and arrays as a model is shown them: shape, columns with types, first rows. Exact types alone, bounded.

pandas, numpy, polars (eager) and pyarrow, each by its own methods and only where they run nothing of a user's: the
values of a column whose type somebody else has defined are not read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from nbagent.notebook_tools.safe_text import cell_text, class_of, is_exactly, safe_text, type_name

CELLS = 2_000  # of a table that are read at once
COLUMNS = 200
ROWS = 40


def shape_of(value: object) -> str:
    """Return how large a value is: `1,200 x 5`, `30 items`; empty where that says nothing or cannot be known safely."""
    known: Any = value
    cls = type(value)
    if cls in (list, tuple, set, frozenset, dict):
        return f"{len(known):,} item{'' if len(known) == 1 else 's'}"
    if cls is str:
        return f"{len(known):,} characters"
    if cls in (bytes, bytearray):
        return f"{len(known):,} bytes"
    if is_exactly(value, "numpy", "ndarray"):
        return " x ".join(f"{size:,}" for size in known.shape) or "0-dimensional"
    if is_table(value):
        rows, columns = (
            known.shape if not is_exactly(value, "pyarrow", "RecordBatch") else _batch_shape(known)
        )
        return f"{rows:,} x {columns:,}"
    if _is_series(value) or is_exactly(value, "pyarrow", "ChunkedArray"):
        return f"{len(known):,} values"
    return ""


def _batch_shape(batch: Any) -> tuple[int, int]:
    return batch.num_rows, batch.num_columns


def table_text(value: object, hidden: Callable[[str], bool], rows: int = ROWS, first: int = 0) -> str | None:
    """Return a frame, series or array as text; None for any other value.

    `rows` of them are read from the row `first` on; columns that are `hidden` by their name are not.
    """
    known: Any = value
    if is_exactly(value, "pandas", "DataFrame"):
        return _frame(known, hidden, rows, first)
    if _is_pandas_series(value):
        return _pandas_series(known, hidden, rows, first)
    if is_exactly(value, "polars", "DataFrame") or is_exactly(value, "pyarrow", "Table", "RecordBatch"):
        return _columnar(known, hidden, rows, first)
    if is_exactly(value, "polars", "Series"):
        kind = f"{type_name(value)} {known.name!r} of {known.dtype}, {len(known):,} values"
        return f"{kind}\n{_lines(_polars_values(known, first, rows))}"
    if is_exactly(value, "pyarrow", "ChunkedArray"):
        kind = f"{type_name(value)} of {_arrow_kind(known.type)}, {len(known):,} values"
        return f"{kind}\n{_lines(_arrow_values(known, first, rows))}"
    if is_exactly(value, "numpy", "ndarray"):
        return _array(known, rows)
    return None


def column_texts(frame: Any, chosen: Callable[[str], bool], rows: int) -> Iterator[str]:
    """Yield the texts in the first rows of those columns of a table whose name is `chosen`."""
    pandas = is_exactly(frame, "pandas", "DataFrame")
    places = [
        at for at, label in enumerate(column_labels(frame)[:COLUMNS]) if type(label) is str and chosen(label)
    ]
    foreign = _foreign_columns(frame) if pandas and places else {}
    for at in places:
        if pandas:
            values = frame.iloc[:rows, at].array if at not in foreign else ()
        elif is_exactly(frame, "polars", "DataFrame"):
            values = frame.to_series(at).slice(0, rows).to_list()
        else:
            column = frame.column(at)
            values = () if _is_foreign_arrow(column.type) else column.slice(0, rows).to_pylist()
        yield from (one for one in values if type(one) is str)


def is_table(value: object) -> bool:
    """Say whether a value is a frame of pandas or polars, or a table of pyarrow, itself."""
    return (
        is_exactly(value, "pandas", "DataFrame")
        or is_exactly(value, "polars", "DataFrame")
        or is_exactly(value, "pyarrow", "Table", "RecordBatch")
    )


def _is_series(value: object) -> bool:
    return _is_pandas_series(value) or is_exactly(value, "polars", "Series")


def _is_pandas_series(value: object) -> bool:
    return is_exactly(value, "pandas", "Series", "Index", "RangeIndex", "DatetimeIndex", "CategoricalIndex")


# --------------------------------------------------------------------- pandas


def _frame(frame: Any, hidden: Callable[[str], bool], rows: int, first: int) -> str:
    count, width = frame.shape
    shown = min(width, COLUMNS)
    rows = min(rows, max(1, CELLS // max(1, shown)))
    left = max(0, min(rows, count - first))
    labels = [_label(label) for label in column_labels(frame)[:shown]]
    foreign = _foreign_columns(frame)
    columns, described = [], []
    for at, label in enumerate(labels):
        if at in foreign:
            kind, values = foreign[at], [f"<{foreign[at]}>"] * left
        else:
            part = frame.iloc[first : first + rows, at]
            kind, values = str(part.dtype), [cell_text(one) for one in part.array]
        described.append(f"  {label}: {kind}{', hidden' if hidden(label) else ''}")
        columns.append(["[hidden]"] * left if hidden(label) else values)
    if width > shown:
        described.append(f"  ... {width - shown:,} more columns")
    index = [cell_text(one) for one in _index_values(frame.index, first, rows)]
    body = _csv(["", *labels], [index, *columns])
    head = f"pandas.DataFrame {count:,} x {width:,}; columns:\n" + "\n".join(described)
    return f"{head}\n{_rows_line(first, len(index), count)}\n{body}"


def _pandas_series(series: Any, hidden: Callable[[str], bool], rows: int, first: int) -> str:
    name, count = _label(series.name), len(series)
    is_series = is_exactly(series, "pandas", "Series")
    values = series._mgr.blocks[0].values if is_series else None  # noqa: SLF001 - as above
    own = _is_own_array(values) if is_series else _is_own_index(series)
    if not own:
        return f"{type_name(series)} {name!r} of {type_name(values)}, {count:,} values"
    part = series.iloc[first : first + rows] if is_series else series[first : first + rows]
    shown = [cell_text(one) for one in part.array] if not hidden(name) else ["[hidden]"] * len(part)
    head = f"{type_name(series)} {name!r} of {series.dtype}, {count:,} values"
    return f"{head}\n{_rows_line(first, len(shown), count)}\n{_lines(shown)}"


def column_labels(frame: Any) -> list[Any]:
    """Return the labels of a pandas, polars or pyarrow table's columns; their places where they are somebody else's."""
    if is_exactly(frame, "pandas", "DataFrame"):
        return _index_values(frame.columns, 0, frame.shape[1])
    return list(frame.columns if is_exactly(frame, "polars", "DataFrame") else frame.schema.names)


def _index_values(index: Any, first: int, count: int) -> list[Any]:
    """Return labels as they are; those of several levels as tuples."""
    if _is_own_index(index):
        return list(index[first : first + count])
    return list(range(first, min(first + count, len(index))))


def _label(label: object) -> str:
    cls: Any = type(label)
    text: Any = label
    return text if cls is str else "" if label is None else safe_text(label, depth=1)


def _is_own_array(values: Any) -> bool:
    """Say whether numpy or pandas itself has made an array: one of somebody else's runs their code when it is sliced."""
    home = _home(type(values))
    if home == "pandas" and is_exactly(values, "pandas.core.arrays.arrow", "ArrowExtensionArray"):
        return not _is_foreign_arrow(values.__arrow_array__().type)
    return home in {"numpy", "pandas"}


def _is_own_index(index: Any) -> bool:
    if is_exactly(index, "pandas", "RangeIndex"):
        return True
    if is_exactly(index, "pandas", "MultiIndex"):
        return all(_is_own_index(level) for level in index.levels)
    return _home(type(index)) == "pandas" and _is_own_array(getattr(index, "_data", None))


def _foreign_columns(frame: Any) -> dict[int, str]:
    """Return the places of columns whose arrays somebody else has defined, with the names of their types.

    The blocks of a frame are asked, for a column is sliced by its array's own code.
    """
    found: dict[int, str] = {}
    for block in frame._mgr.blocks:  # noqa: SLF001 - there is no public way that does not run the array's code
        if not _is_own_array(block.values):
            found |= dict.fromkeys(block.mgr_locs.as_array.tolist(), type_name(block.values))
    return found


def _home(cls: type) -> str:
    module = type.__dict__["__module__"].__get__(cls)
    return module.partition(".")[0] if type(module) is str else ""


# ---------------------------------------------------------- polars and pyarrow


def _columnar(table: Any, hidden: Callable[[str], bool], rows: int, first: int) -> str:
    names = list(table.columns) if is_exactly(table, "polars", "DataFrame") else list(table.schema.names)
    count = table.height if is_exactly(table, "polars", "DataFrame") else table.num_rows
    shown = names[:COLUMNS]
    rows = min(rows, max(1, CELLS // max(1, len(shown))))
    columns: list[list[str]] = []
    described = []
    for at, name in enumerate(shown):
        if is_exactly(table, "polars", "DataFrame"):
            column = table.to_series(at)
            kind, read = str(column.dtype), _POLARS
        else:
            column = table.column(at)
            kind, read = _arrow_kind(column.type), _ARROW
        described.append(f"  {name}: {kind}{', hidden' if hidden(name) else ''}")
        left = max(0, min(rows, count - first))
        columns.append(["[hidden]"] * left if hidden(name) else read(column, first, rows))
    if len(names) > len(shown):
        described.append(f"  ... {len(names) - len(shown):,} more columns")
    head = f"{type_name(table)} {count:,} x {len(names):,}; columns:\n" + "\n".join(described)
    return f"{head}\n{_rows_line(first, len(columns[0]) if columns else 0, count)}\n{_csv(shown, columns)}"


def _polars_values(series: Any, first: int, rows: int) -> list[str]:
    # objects of a user's come out as they are, and go by their type's name
    return [cell_text(one) for one in series.slice(first, rows).to_list()]


def _arrow_kind(kind: Any) -> str:
    return type_name(kind) if _is_foreign_arrow(kind) else str(kind)


def _is_foreign_arrow(kind: Any) -> bool:
    """Say whether a type is, or holds, an extension of somebody's: its scalars run their code."""
    extension = class_of("pyarrow", "BaseExtensionType")
    if extension is None or issubclass(type(kind), extension):
        return True
    inner = [kind.field(at).type for at in range(kind.num_fields)]
    if is_exactly(kind, "pyarrow", "DictionaryType"):
        inner.append(kind.value_type)
    return any(map(_is_foreign_arrow, inner))


def _arrow_values(column: Any, first: int, rows: int) -> list[str]:
    part = column.slice(first, rows)
    if _is_foreign_arrow(part.type):
        return [f"<{_arrow_kind(part.type)}>"] * len(part)
    return [cell_text(one) for one in part.to_pylist()]


_Reader = Callable[[Any, int, int], list[str]]
_POLARS: _Reader = _polars_values
_ARROW: _Reader = _arrow_values

# ---------------------------------------------------------------------- numpy


def _array(array: Any, rows: int) -> str:
    flat = array.reshape(-1)[: min(CELLS, rows * 25)] if array.size else array.reshape(-1)
    own = _home(type(array.dtype)) == "numpy"
    values = [cell_text(one) for one in flat.tolist()] if own else [f"<{type_name(array.dtype)}>"]
    shape = " x ".join(f"{size:,}" for size in array.shape) or "0-dimensional"
    more = f" ... {array.size - len(values):,} more" if array.size > len(values) else ""
    return f"numpy.ndarray {shape} of {array.dtype if own else type_name(array.dtype)}\n{', '.join(values)}{more}"


# ----------------------------------------------------------------------- text


def _rows_line(first: int, read: int, count: int) -> str:
    if not count:
        return "no rows"
    return f"rows {first:,} to {first + max(read, 1) - 1:,} of {count:,}:"


def _csv(header: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=False))
    return out.getvalue().rstrip("\n")


def _lines(values: Iterable[str]) -> str:
    return "\n".join(values)
