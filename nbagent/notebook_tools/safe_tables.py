"""Frames and arrays as a model is shown them: shape, columns with types, first rows. Exact types alone, bounded.

pandas, numpy, polars (eager) and pyarrow, each by its own methods and only where they run nothing of a user's: the
values of a column whose type somebody else has defined are not read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
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
    if _is_frame(value):
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
    if is_exactly(value, "numpy", "ndarray"):
        return _array(known, rows)
    return None


def column_texts(frame: Any, chosen: Callable[[str], bool], rows: int) -> Iterator[str]:
    """Yield the texts in the first rows of those columns of a pandas or polars frame whose name is `chosen`."""
    pandas = is_exactly(frame, "pandas", "DataFrame")
    for at, label in enumerate(islice(frame.columns, COLUMNS)):
        if type(label) is str and chosen(label):
            part = frame.iloc[:rows, at] if pandas else frame.to_series(at).slice(0, rows)
            if not pandas or _is_own_dtype(part.dtype):
                yield from (one for one in (part.array if pandas else part.to_list()) if type(one) is str)


def _is_frame(value: object) -> bool:
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
    labels = [_label(label) for label in islice(_index_values(frame.columns, 0, shown), shown)]
    parts = [frame.iloc[first : first + rows, at] for at in range(shown)]
    columns = [_pandas_values(part, hidden(label)) for part, label in zip(parts, labels, strict=True)]
    described = [
        f"  {label}: {_dtype_name(part.dtype)}{', hidden' if hidden(label) else ''}"
        for part, label in zip(parts, labels, strict=True)
    ]
    if width > shown:
        described.append(f"  ... {width - shown:,} more columns")
    index = [cell_text(one) for one in _index_values(frame.index, first, rows)]
    body = _csv(["", *labels], [index, *columns])
    head = f"pandas.DataFrame {count:,} x {width:,}; columns:\n" + "\n".join(described)
    return f"{head}\n{_rows_line(first, len(index), count)}\n{body}"


def _pandas_series(series: Any, hidden: Callable[[str], bool], rows: int, first: int) -> str:
    name = _label(series.name)
    part = (
        series[first : first + rows]
        if not is_exactly(series, "pandas", "Series")
        else series.iloc[first : first + rows]
    )
    values = _pandas_values(part, hidden(name))
    head = f"{type_name(series)} {name!r} of {_dtype_name(series.dtype)}, {len(series):,} values"
    return f"{head}\n{_rows_line(first, len(values), len(series))}\n{_lines(values)}"


def _pandas_values(part: Any, is_hidden: bool) -> list[str]:  # noqa: FBT001
    """Return the cells of a piece of a column; of a type that pandas does not define itself only that."""
    if is_hidden:
        return ["[hidden]"] * len(part)
    if not _is_own_dtype(part.dtype):
        return [f"<{_dtype_name(part.dtype)}>"] * len(part)
    values = part.array if hasattr(type(part), "array") else part
    return [cell_text(one) for one in values]


def _index_values(index: Any, first: int, count: int) -> list[Any]:
    """Return labels as they are; those of several levels as tuples."""
    if type(index) in {class_of("pandas", name) for name in ("MultiIndex", "RangeIndex")} or _is_own_dtype(
        index.dtype
    ):
        return list(index[first : first + count])
    return list(range(first, min(first + count, len(index))))


def _label(label: object) -> str:
    cls: Any = type(label)
    text: Any = label
    return text if cls is str else "" if label is None else safe_text(label, depth=1)


def _is_own_dtype(dtype: object) -> bool:
    """Say whether numpy or pandas itself has made a type: one of somebody else's runs his code."""
    return _home(type(dtype)) in {"numpy", "pandas"} and not _is_arrow_extension(dtype)


def _is_arrow_extension(dtype: Any) -> bool:
    if not is_exactly(dtype, "pandas", "ArrowDtype"):
        return False
    extension = class_of("pyarrow", "BaseExtensionType")
    return extension is None or issubclass(type(dtype.pyarrow_dtype), extension)


def _home(cls: type) -> str:
    module = type.__dict__["__module__"].__get__(cls)
    return module.partition(".")[0] if type(module) is str else ""


def _dtype_name(dtype: object) -> str:
    return str(dtype) if _is_own_dtype(dtype) else type_name(dtype)


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
    return type_name(kind) if _is_extension(kind) else str(kind)


def _is_extension(kind: object) -> bool:
    extension = class_of("pyarrow", "BaseExtensionType")
    return extension is None or issubclass(type(kind), extension)


def _arrow_values(column: Any, first: int, rows: int) -> list[str]:
    part = column.slice(first, rows)
    if _is_extension(part.type):
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
