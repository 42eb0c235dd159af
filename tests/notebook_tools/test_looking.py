"""What a model is shown of variables: exact types by their own methods, nobody's code run, secrets masked by value."""

from __future__ import annotations

import datetime as dt
import decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbagent.notebook_tools.changes import Variables
from nbagent.notebook_tools.safe_tables import shape_of, table_text
from nbagent.notebook_tools.safe_text import safe_text, type_name
from nbagent.notebook_tools.secrets_here import Secrets, is_hidden_column, is_hidden_name


class Touched(list[str]):
    """What was asked of the objects below, once it is `armed`: frames touch what they are made of."""

    armed = False

    def tell(self, what: str) -> None:
        """Note it, and fail, as an object does that explodes."""
        if self.armed:
            self.append(what)
            raise RuntimeError(what)


TOUCHED = Touched()


class Meta(type):
    """A type that tells when it is asked anything."""

    def __getattribute__(cls, name: str) -> Any:
        TOUCHED.tell(f"type.{name}")
        return super().__getattribute__(name)


class Lazy(metaclass=Meta):
    """An object that tells when it is asked anything: a lazy frame, a proxy, one whose `repr` explodes."""

    def __getattribute__(self, name: str) -> Any:
        TOUCHED.tell(name)
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        TOUCHED.tell("repr")
        return "lazy"

    def __hash__(self) -> int:
        TOUCHED.tell("hash")
        return 1

    def __eq__(self, other: object) -> bool:
        TOUCHED.tell("eq")
        return self is other

    def __bool__(self) -> bool:
        TOUCHED.tell("bool")
        return True

    def _tell(self, *_: object) -> Any:
        TOUCHED.tell("called")
        return NotImplemented

    __format__ = __dir__ = __reduce__ = __sizeof__ = __lt__ = _tell  # type: ignore[assignment]


class Text(str):
    """A text with a `repr` of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        TOUCHED.tell("repr")
        return "x"

    __str__ = __repr__


class Zone(dt.tzinfo):
    """A time zone of a user's own."""

    def utcoffset(self, _when: dt.datetime | None) -> dt.timedelta:
        TOUCHED.tell("utcoffset")
        return dt.timedelta()

    def dst(self, _when: dt.datetime | None) -> dt.timedelta:
        TOUCHED.tell("dst")
        return dt.timedelta()

    def tzname(self, _when: dt.datetime | None) -> str:
        TOUCHED.tell("tzname")
        return "Z"


class Column(pd.arrays.IntegerArray):
    """A column's array of somebody's own."""

    def __getitem__(self, item: Any) -> Any:
        TOUCHED.tell("array.getitem")
        return super().__getitem__(item)

    def __len__(self) -> int:
        TOUCHED.tell("array.len")
        return super().__len__()


def hostile() -> dict[str, Any]:
    """Values with such objects in each place where they can stand."""
    lazy = Lazy()
    objects = np.empty(2, dtype=object)
    objects[:] = [lazy, 1]
    frame = pd.DataFrame({"a": [1, 2]})
    frame["o"] = pd.Series([lazy, None], dtype=object)
    return {
        "itself": lazy,
        "a column of its own": pd.DataFrame(
            {"m": Column(np.array([1, 2]), np.zeros(2, dtype=bool)), "password": ["p", "q"]}
        ),
        "in a list": [lazy, [lazy], (lazy,)],
        "in a dict": {"k": lazy},
        "in a frame": frame,
        "in a series": frame["o"],
        "in an index": pd.Series([1, 2], index=pd.Index([lazy, "b"], dtype=object)),
        "in an array": objects,
        "in polars": pl.DataFrame({"o": pl.Series([lazy, lazy], dtype=pl.Object)}),
        "a text of its own": Text("a"),
        "a frame of its own": type("Mine", (pd.DataFrame,), {"__repr__": Lazy._tell})({"a": [1]}),
        "a lazy frame": pl.LazyFrame({"a": [1]}),
        "a zone of its own": dt.datetime(2026, 1, 1, tzinfo=Zone()),
    }


@pytest.mark.parametrize("place", list(hostile()))
def test_looking_runs_no_code_of_a_users(place: str) -> None:
    """An object that explodes at any touch is named by its type, wherever it stands; nothing of it is called."""
    value = hostile()[place]
    names = {"password": value, "x": value}
    TOUCHED.armed = True
    try:
        text = table_text(value, is_hidden_column) or safe_text(value)
        shape_of(value)
        Secrets().look(names)
        Secrets().hidden_names(names)
        before = Variables(names)
        before.changes({"x": value, "y": [value]})
    finally:
        TOUCHED.armed = False
    told, TOUCHED[:] = list(TOUCHED), []
    assert told == []
    assert text


def test_known_values_are_shown_as_they_are() -> None:
    """Builtins, dates, numbers, frames of pandas and polars, arrays: their values, bounded, with what was left out."""
    shown = {
        "'a'": "a", "1": 1, "[1, 'b', None]": [1, "b", None], "{'a': {1}}": {"a": {1}}, "1.50": decimal.Decimal("1.50"),
        "2026-01-02": dt.date(2026, 1, 2), "2026-01-02T03:00:00+00:00": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
        "<bytes, 3 bytes>": b"abc", "7": np.int64(7), "<SimpleNamespace>": SimpleNamespace(a=1),
    }  # fmt: skip
    assert {safe_text(value).replace("types.", ""): value for value in shown.values()} == shown
    assert safe_text(list(range(1000))).endswith("... 950 more]")
    assert safe_text(10**5000) == "<int of 16,610 bits>"
    frame = pd.DataFrame(
        {"n": range(100), "when": pd.date_range("2026", periods=100), "c": pd.Categorical(["x"] * 100)}
    )
    text = table_text(frame, is_hidden_column, rows=2, first=3)
    assert text is not None
    assert "pandas.DataFrame 100 x 3" in text
    assert "rows 3 to 4 of 100:\n,n,when,c\n3,3,2026-01-04 00:00:00,x" in text
    assert (
        table_text(pl.DataFrame({"a": [1, None]}), is_hidden_column)
        == ("polars.DataFrame 2 x 1; columns:\n  a: Int64\nrows 0 to 1 of 2:\na\n1\n").rstrip("\n") + '\n""'
    )
    assert (table_text(np.zeros((2, 3)), is_hidden_column) or "").startswith(
        "numpy.ndarray 2 x 3 of float64\n0.0, 0.0"
    )
    assert [shape_of(one) for one in (frame, [1], "abc", np.zeros((2, 3)), 5)] == [
        "100 x 3",
        "1 item",
        "3 characters",
        "2 x 3",
        "",
    ]
    assert type_name(frame) == "pandas.DataFrame"
    wide = pd.DataFrame(np.zeros((10_000, 300)))
    assert len(table_text(wide, is_hidden_column) or "") < 20_000


SECRETS = {
    "api_key": "sk-live-0123456789abcdef",
    "db_password": "pa55 'w\"ord\n",
    "token": b"bytes-token-1",
    "aws_credentials": {"user": "root", "keys": ["nested-secret"]},
    "PIN_SECRET": 48291734,
    "key": "tiny",
    "password": "abc",
}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("sk-live-0123456789abcdef!", "[secret]!"),
        (repr(SECRETS["db_password"]), r"'[secret]\n'"),
        ("c2stbGl2ZS0wMTIzNDU2Nzg5YWJjZGVm", "[secret]"),
        ("a table with sk-live-0123456789ab... in it", "a table with [secret] in it"),
        ("bytes-token-1 nested-secret 48291734 tiny", "[secret] [secret] [secret] [secret]"),
        ("abc abcd", "[secret] abcd"),
        (
            "cut off: sk-liv… (300 characters), sk-live-012 ... end",
            "cut off: [secret]… (300 characters), [secret]... end",
        ),
        ("https://x/?k=pa55%20%27w%22ord", "https://x/?k=[secret]"),
    ],
)
def test_hidden_values_are_masked_however_they_stand(said: str, left: str) -> None:
    """Values of variables named like keys: whole, escaped, in base64, cut off, inside of containers, short ones as words."""
    secrets = Secrets()
    secrets.look(SECRETS)
    assert secrets.masked(said) == left


def test_what_is_hidden() -> None:
    """Names like a key's, the same object under another name, an equal text; a loop's `key` masks no column."""
    client = object()
    names = {
        "api_key": "long-enough-value",
        "copy": "long-enough-value",
        "secret_client": client,
        "c": client,
        "n": 1,
    }
    secrets = Secrets()
    assert secrets.hidden_names(names) == {"api_key", "copy", "secret_client", "c"}
    frame = pd.DataFrame({"price": [1], "password": ["hunter22"]})
    secrets.look({"key": "price", "df": frame})
    assert secrets.masked("price hunter22") == "price [secret]"
    secrets.look_at_code("connect(api_key='in-the-code')\nD['token_secret'] = 'second one'\n%magic")
    secrets.look_at_code("connect(api_key='third one')")
    assert secrets.masked("in-the-code, second one, third one") == "[secret], [secret], [secret]"
    assert [
        is_hidden_name(name) for name in ("openai_key", "OPENAI_API_KEY2", "keyboard", "monkey", "df")
    ] == [True, True, False, False, False]
