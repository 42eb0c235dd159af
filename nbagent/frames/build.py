"""Arrays of the store made into DataFrames of the documented columns, the same when empty. Caller's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbagent.core import load_json_each
from nbagent.frames.columns import STATUSES, Column, Columns
from nbagent.frames.row_keys import keys_of

if TYPE_CHECKING:
    import pandas as pd


def frame_of(columns: Columns, arrays: Mapping[str, Any], *, plain: bool = False) -> pd.DataFrame:
    """Return the columns in their order and dtypes; whatever else the query gave is left out.

    Objects are JSON text, or as they should be where `plain`.
    """
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: keys_of(_texts(*_parts(arrays[column.name])))
            if column.dtype == "key"
            else _series(column, arrays[column.name], plain=plain)
            for column in columns
        },
        copy=False,  # each was made here
    )


def frame_of_rows(
    columns: Columns, rows: Sequence[Mapping[str, Any]], *, more: Sequence[Mapping[str, Any]] = ()
) -> pd.DataFrame:
    """Return plain rows as a frame of the documented columns; `more` are further columns of each row, as they come."""
    import numpy as np
    import pandas as pd

    arrays = {}
    for column in columns:
        values = [row[column.name] for row in rows]
        data = np.empty(len(values), dtype=object)
        data[:] = values if column.dtype not in ("Int64", "Float64") else [value or 0 for value in values]
        arrays[column.name] = np.ma.MaskedArray(data, mask=[value is None for value in values])
    frame = frame_of(columns, arrays, plain=True)
    for name in dict.fromkeys(name for row in more for name in row):
        frame[name] = pd.Series([row.get(name) for row in more], index=frame.index)
    return frame


def _series(column: Column, found: Any, *, plain: bool) -> Any:
    import numpy as np
    import pandas as pd

    data, mask = np.ma.getdata(found), np.ma.getmaskarray(found)
    match column.dtype:
        case "Int64":
            filled = np.where(mask, 0, data).astype("int64") if mask.any() else data.astype("int64")
            return pd.arrays.IntegerArray(filled, mask.copy())
        case "Float64":
            values = data.astype("float64")
            return pd.arrays.FloatingArray(values, mask | np.isnan(values))
        case "boolean":
            return pd.arrays.BooleanArray(np.where(mask, 0, data).astype("bool"), mask.copy())
        case "utc":
            moments = data.astype("datetime64[us]")
            moments[mask] = np.datetime64("NaT", "us")
            return pd.DatetimeIndex(moments).tz_localize("UTC")
        case "object":
            values = _texts(data, mask)
            return pd.Series(list(values) if plain else load_json_each(values), dtype=object)
        case "status":
            return _categorical(_texts(data, mask), STATUSES)
        case "category":
            texts = _texts(data, mask)
            return _categorical(pd.array(texts, dtype="string") if plain else texts, None)
        case _:
            return pd.array(_texts(data, mask), dtype="string")


def _categorical(texts: Any, categories: Sequence[str] | None) -> pd.Categorical:
    """Return texts as a category of these, in their order, or of those that are there, sorted. Each is looked at once."""
    import numpy as np
    import pandas as pd

    codes, found = pd.factorize(texts)
    names = sorted(found) if categories is None else list(categories)
    places = {name: place for place, name in enumerate(names)}
    place_of = np.array([*(places.get(one, -1) for one in found), -1], dtype="int64")  # the last: of none
    return pd.Categorical.from_codes(
        place_of[codes], categories=pd.Index(names, dtype="string" if categories is None else None)
    )


def _parts(found: Any) -> tuple[Any, Any]:
    import numpy as np

    return np.ma.getdata(found), np.ma.getmaskarray(found)


def _texts(data: Any, mask: Any) -> Any:
    """Return values as an array of objects, None where there is none; pandas makes texts of them in C."""
    import numpy as np

    texts = np.array(data, dtype=object)
    texts[mask] = None
    return texts
