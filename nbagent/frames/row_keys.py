"""A row's key as the user wrote it, as JSON data and back: a number stays a number, a timestamp a timestamp.

A batch writes keys with its runs; `nb.runs()` and a batch read from the record give them back, so that they
can be joined with the table that they came from. What has no form here becomes its text. Any thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from nbagent.core import load_json_each

if TYPE_CHECKING:
    import pandas as pd

ROWS = "rows"  # the keys of the rows of a group, which share a run


def key_data(key: Any) -> Any:
    """Return a key as JSON data; what JSON has no form for is a mapping of its kind to its text."""
    if key is None or isinstance(key, bool) or type(key) in (int, str):
        return key
    if isinstance(key, tuple):
        return {"tuple": [key_data(one) for one in key]}
    if isinstance(key, float):
        return float(key) if math.isfinite(key) else {"float": str(float(key))}
    for kind, written in _WRITTEN:
        if isinstance(key, kind):
            return written(key)
    return _of_library(key)


def _of_library(key: Any) -> Any:
    """Return a value of numpy or pandas, told by what it can do: neither is imported for it."""
    if type(key).__name__ in ("NaTType", "NAType"):
        return None
    if type(key).__name__ == "datetime64":
        return {"timestamp": str(key)}
    if type(key).__name__ == "timedelta64":
        return {"timedelta": int(key.astype("timedelta64[ns]").astype("int64"))}
    if hasattr(key, "item") and type(key).__module__.startswith("numpy"):
        return key_data(key.item())
    return {"text": str(key)}


def _timestamp(key: datetime) -> dict[str, Any]:
    zone = getattr(key.tzinfo, "key", None) or getattr(key.tzinfo, "zone", None)
    return {"timestamp": key.isoformat(), **({"zone": str(zone)} if zone else {})}


def _timedelta(key: timedelta) -> dict[str, Any]:
    nanoseconds = getattr(key, "value", None)  # pandas' own
    if nanoseconds is None:
        nanoseconds = (key // timedelta(microseconds=1)) * 1000
    return {"timedelta": int(nanoseconds)}


_WRITTEN: Sequence[tuple[type, Callable[[Any], Any]]] = (
    (int, int),  # an enum's member, too: as the number or text that it is
    (str, str),
    (datetime, lambda key: None if type(key).__name__ == "NaTType" else _timestamp(key)),
    (date, lambda key: {"date": key.isoformat()}),
    (time, lambda key: {"time": key.isoformat()}),
    (timedelta, _timedelta),
    (Decimal, lambda key: {"decimal": str(key)}),
    (UUID, lambda key: {"uuid": str(key)}),
    (bytes, lambda key: {"bytes": key.hex()}),
)


def key_of(data: Any) -> Any:
    """Return the key that `key_data` has made data of; a group's are a list."""
    if not isinstance(data, Mapping):
        return data
    if ROWS in data:
        return [key_of(one) for one in data[ROWS]]
    kind, value = next(iter(data.items()))
    read = _READ.get(kind)
    return read(value, data) if read is not None else str(data)


def _read_timestamp(value: str, data: Mapping[str, Any]) -> Any:
    import pandas as pd

    at = pd.Timestamp(value)
    zone = data.get("zone")
    return at.tz_convert(zone) if zone and at.tzinfo is not None else at


def _read_timedelta(value: int, _: Mapping[str, Any]) -> Any:
    import pandas as pd

    return pd.Timedelta(value, unit="ns")


_READ: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "tuple": lambda value, _: tuple(key_of(one) for one in value),
    "float": lambda value, _: float(value),
    "timestamp": _read_timestamp,
    "timedelta": _read_timedelta,
    "date": lambda value, _: date.fromisoformat(value),
    "time": lambda value, _: time.fromisoformat(value),
    "decimal": lambda value, _: Decimal(value),
    "uuid": lambda value, _: UUID(value),
    "bytes": lambda value, _: bytes.fromhex(value),
    "text": lambda value, _: value,
}


def keys_of(texts: Sequence[str | None]) -> pd.Series:
    """Return the keys of JSON texts in the dtype that fits all of them."""
    import pandas as pd

    keys = [None if data is None else key_of(data) for data in load_json_each(texts)]
    found = pd.Series(keys, dtype=object)
    return found.convert_dtypes() if _are_integers(keys) else found.infer_objects()


def _are_integers(keys: Sequence[Any]) -> bool:
    """Integers beside rows without a key stay integers."""
    known = [key for key in keys if key is not None]
    return 0 < len(known) < len(keys) and all(type(key) is int and abs(key) < 2**63 for key in known)
