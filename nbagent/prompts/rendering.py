"""Python values as text that a model reads, and Python types as JSON Schema.

Used for tool results, for values in prompts and for output schemas, on any thread. pandas and numpy objects
are known by their module's name, so neither is imported.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from nbagent.core import truncate

LIMIT = 20_000
_DEPTH = 40
_ROWS_HEAD, _ROWS_TAIL = 40, 10
_ARRAY_ITEMS = 1_000
_PROMPT_ITEMS = 20_000
_OF_ARRAYS = ("dtype", "shape", "size", "tolist")


_NEVER_MISSING = frozenset({str, int, bool, list, dict, tuple, bytes})


class _UntitledSchema(GenerateJsonSchema):
    """Leaves out the titles that only repeat the fields' names: each costs tokens in every request."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False


def json_schema_of(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """Return the JSON Schema of what `adapter` accepts, for a model to read."""
    return adapter.json_schema(schema_generator=_UntitledSchema)


def render_result(value: object, limit: int = LIMIT) -> str:
    """Return `value` as the text a model is shown, of at most `limit` characters; never raises.

    Text stays as it is; None, NaN and missing values are `null`; models, dataclasses and containers are JSON;
    dates are ISO text; bytes are their length; a DataFrame or Series is its shape and a CSV of its first and
    last rows; anything else is its `str()`. A long text loses its middle, and a note says how much.
    """
    try:
        text = value if type(value) is str else _text_of(value)
        text = truncate(text, limit)
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: no provider and no database takes one
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")[:limit]
    except Exception as error:  # noqa: BLE001 - a tool's result is anybody's object, and may fail at any touch
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"[:limit]
    return text


def json_text(value: object, indent: int | None = None) -> str:
    """Return `value` as JSON with the same rules as `render_result`; keys in their order."""
    return json.dumps(_plain(value, 0, ()), ensure_ascii=False, indent=indent)


class Missing:
    """What a template has of a missing value: nothing where it is shown, `null` in a list, a dict or JSON.

    It is false, equal to None, less and greater than nothing; what is made of it is missing too, so that
    `{{ row.day.strftime("%A") }}` is nothing where there is no day.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return "null"

    def __format__(self, spec: str) -> str:
        return ""

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __contains__(self, item: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return is_missing(other)

    def __hash__(self) -> int:
        return hash(None)

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __add__(self, other: Any) -> Any:
        return other if isinstance(other, str) else self

    __radd__ = __add__

    def _none(self, *_: Any) -> Missing:
        return self

    def _never(self, other: Any) -> bool:  # noqa: ARG002 - the signature of a comparison
        return False

    __getitem__ = __call__ = __round__ = __abs__ = __neg__ = __pos__ = _none
    __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _none
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _none
    __lt__ = __le__ = __gt__ = __ge__ = _never


MISSING = Missing()


def is_missing(value: object) -> bool:
    """Say whether a value stands for none: None, NaN, NaT and pandas' NA, whichever library's they are."""
    if value is None or value is MISSING:
        return True
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - only NaN is not itself
    cls = type(value)
    if cls in _NEVER_MISSING:
        return False
    if cls.__name__ in {"NAType", "NaTType"}:
        return True
    if cls.__name__ in {"float16", "float32", "longdouble", "datetime64", "timedelta64", "Decimal"}:
        try:
            return bool(value != value)  # noqa: PLR0124 - the same for NaN and NaT of these types
        except ArithmeticError:  # a signalling NaN
            return True
    return False


def frame_text(value: object) -> str | None:
    """Return a pandas DataFrame or Series as shape and CSV, or None for any other object."""
    kind = _pandas_kind(value)
    if kind is None:
        return None
    frame: Any = value
    rows, columns = len(frame), frame.shape[1] if kind == "DataFrame" else 1
    shape = f"{rows:,} rows x {columns:,} columns" if kind == "DataFrame" else f"{rows:,} values"
    keep_index = type(frame.index).__name__ != "RangeIndex"

    def csv(part: Any, *, header: bool) -> str:
        table = (
            part.to_frame(name=part.name if part.name is not None else "value") if kind == "Series" else part
        )
        return str(table.to_csv(index=keep_index, header=header, lineterminator="\n"))

    if rows <= _ROWS_HEAD + _ROWS_TAIL:
        return f"{kind} of {shape}\n{csv(frame, header=True)}".rstrip("\n")
    left_out = rows - _ROWS_HEAD - _ROWS_TAIL
    head, tail = csv(frame.iloc[:_ROWS_HEAD], header=True), csv(frame.iloc[-_ROWS_TAIL:], header=False)
    return f"{kind} of {shape}\n{head}[... {left_out:,} rows left out ...]\n{tail}".rstrip("\n")


def is_array(value: object) -> bool:
    """Say whether a value is an array of numpy, or an index or array of pandas: each shows itself with gaps."""
    home = type(value).__module__.partition(".")[0]
    if home == "numpy":
        return type(value).__name__ in {"ndarray", "MaskedArray", "recarray", "matrix"}
    return (
        home == "pandas" and _pandas_kind(value) is None and all(hasattr(value, name) for name in _OF_ARRAYS)
    )


def array_text(value: Any) -> str:
    """Return an array for a prompt: all of its values as JSON, or its shape where they are more than 20,000."""
    if not value.shape:
        return str(value)
    if value.size <= _PROMPT_ITEMS:
        return json_text(_items_of(value))
    return f"array of shape {value.shape}, {value.dtype}\n{value}"


def _items_of(array: Any) -> Any:
    """Return what an array holds, as values that are rendered one by one; `tolist()` makes numbers of numpy's dates."""
    if type(array).__module__.partition(".")[0] == "numpy" and array.dtype.kind in "mM":
        return list(array) if array.ndim else array[()]
    return array.tolist()


def _pandas_kind(value: object) -> str | None:
    for cls in type(value).__mro__:  # subclasses too: geopandas and the like
        if cls.__module__.partition(".")[0] == "pandas" and cls.__name__ in {"DataFrame", "Series"}:
            return cls.__name__
    return None


def _text_of(value: object) -> str:
    plain = _plain(value, 0, ())
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any, depth: int, above: tuple[int, ...]) -> Any:  # noqa: PLR0911 - one return a kind of value
    """Return `value` as JSON data; what has no JSON form becomes its text."""
    if isinstance(value, enum.Enum):  # before str and int, which an enum may be too
        return _plain(value.value, depth, above)
    if value is None or isinstance(value, bool):
        return value
    if (rendered := getattr(type(value), "__rendered__", None)) is not None:  # a row of ours
        return _plain(rendered(value), depth + 1, above)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value):,} bytes>"
    if depth > _DEPTH or id(value) in above:
        return "<nested too deep>" if depth > _DEPTH else "<refers to itself>"
    inner = (*above, id(value))

    def go(item: Any) -> Any:
        return _plain(item, depth + 1, inner)

    if (container := _container(value, go)) is not None:
        return container
    if isinstance(value, dt.datetime | dt.date | dt.time):
        text = value.isoformat()
        return None if text == "NaT" else text
    return _foreign(value, go)


def _container(value: Any, go: Callable[[Any], Any]) -> Any:
    if isinstance(value, BaseModel):
        return go(value.model_dump(mode="python"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: go(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {
            str(key.value if isinstance(key, enum.Enum) else key): go(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [go(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted((go(item) for item in value), key=str)  # an order that is the same every time
    return None


def _foreign(value: Any, go: Callable[[Any], Any]) -> Any:
    """Return numpy's and pandas' values as JSON data, anything else as its text."""
    if (table := frame_text(value)) is not None:
        return table
    cls = type(value)
    home = cls.__module__.partition(".")[0]
    if is_missing(value):
        return None
    if is_array(value):
        if value.size <= _ARRAY_ITEMS:
            return go(_items_of(value))
        return f"array of shape {value.shape}, {value.dtype}\n{value}"
    if home == "numpy" and cls.__name__ in {
        "datetime64",
        "timedelta64",
    }:  # item() of nanoseconds is a bare number
        return None if str(value) == "NaT" else str(value)
    if home == "numpy" and hasattr(value, "item"):
        plain = value.item()
        return str(value) if type(plain) is cls else go(plain)
    return str(value)
