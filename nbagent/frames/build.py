"""Arrays of the store made into DataFrames of the documented columns, the same when empty. Caller's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from nbagent.frames.columns import STATUSES, Column, Columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def frame_of(columns: Columns, arrays: dict[str, np.ma.MaskedArray[Any, Any]]) -> pd.DataFrame:
    """Return the columns in their order and dtypes; whatever else the query gave is left out."""
    import pandas as pd

    return pd.DataFrame({column.name: _series(column, arrays[column.name]) for column in columns})


def _series(column: Column, found: Any) -> Any:
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
            moments[mask] = np.datetime64("NaT")
            return pd.DatetimeIndex(moments).tz_localize("UTC")
        case "object":
            return pd.Series(
                [None if gone else _plain(one) for one, gone in zip(data, mask, strict=True)], dtype=object
            )
        case "status":
            return pd.Categorical(_texts(data, mask), categories=list(STATUSES))
        case "category":
            texts = _texts(data, mask)
            return pd.Categorical(
                texts, categories=pd.Index(sorted({one for one in texts if one is not None}), dtype="string")
            )
        case _:
            return pd.array(_texts(data, mask), dtype="string")


def _texts(data: Any, mask: Any) -> list[str | None]:
    return [None if gone else str(one) for one, gone in zip(data.tolist(), mask.tolist(), strict=True)]


def _plain(text: str) -> Any:
    return orjson.loads(text)
