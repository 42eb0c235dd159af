"""How frames of many columns are shown: the few that one wants, their units readable; all columns stay as data.

A `ViewedFrame` is a DataFrame whose display is another, smaller one. What is made of it by pandas is shown in
the same way, in its own order, as long as it has exactly these columns; a choice of columns, or one more, is
shown as pandas shows it. Caller's thread; imported with the first frame, as pandas is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any, cast

import pandas as pd

from nbagent.core import format_seconds, format_usd, one_line, printable
from nbagent.errors import UnknownOptionError, did_you_mean
from nbagent.frames.columns import TABLES
from nbagent.models import can_cost

ROWS = 20
_CHARS = 48
Form = Callable[[Mapping[str, Any]], str]  # of a row, as a mapping of its columns


def _cut(text: str, chars: int) -> str:
    """Return the beginning of a text as one line, without what would turn or hide what stands beside it."""
    return one_line(printable(text), chars)


def _text(name: str, chars: int = _CHARS) -> Form:
    return lambda row: "" if row[name] is None else _cut(str(row[name]), chars)


def _count(name: str) -> Form:
    return lambda row: "?" if row[name] is None else f"{row[name]:,}"


def _seconds(name: str) -> Form:
    return lambda row: "" if row[name] is None else format_seconds(row[name])


def _share(name: str) -> Form:
    return lambda row: "" if row[name] is None else f"{row[name]:.1%}"


def _cost(row: Mapping[str, Any]) -> str:
    """Return a cost, marked where it is that of a part of the calls."""
    if row["cost_usd"] is None:
        return "?" if can_cost(row.get("provider") or "") else ""
    known = row.get("cost_known")
    return format_usd(row["cost_usd"]) + ("+?" if known is not None and known < 1 else "")


def _model(row: Mapping[str, Any]) -> str:
    return _cut(":".join(str(row[name]) for name in ("provider", "model") if row[name] is not None), 40)


def _when(name: str) -> Form:
    """Return a moment on a person's clock: the time of day in this year, the date alone before."""

    def told(row: Mapping[str, Any]) -> str:
        if row[name] is None:
            return ""
        at = row[name].to_pydatetime().astimezone()
        return f"{at:%m-%d %H:%M}" if at.year == datetime.now(UTC).year else f"{at:%Y-%m-%d}"

    return told


def _run(row: Mapping[str, Any]) -> str:
    return _cut(str(row["label"] or row["agent_name"] or row["run_id"]), 30)


def _status(row: Mapping[str, Any]) -> str:
    took = "" if row["duration_s"] is None else f" in {format_seconds(row['duration_s'])}"
    return f"{row['status']}{took}"


def _answer(row: Mapping[str, Any]) -> str:
    said = row["error"] or row["content"] or row["partial_text"]
    return "" if said is None else _cut(str(said), _CHARS)


_OF_CALLS: Mapping[str, Form] = {
    "errors": _count("errors"),
    "tokens": _count("total_tokens"),
    "cost": _cost,
}
VIEWS: Mapping[str, Mapping[str, Form]] = {
    "runs": {
        "launched": _when("created_at"),
        "run": _run,
        "model": _model,
        "status": _status,
        "tokens": _count("total_tokens"),
        "cost": _cost,
        "prompt": _text("prompt"),
        "answer": _answer,
    },
    "by_model": {
        "model": _model,
        "runs": _count("runs"),
        "calls": _count("model_calls"),
        **_OF_CALLS,
        "time, median": _seconds("duration_p50_s"),
        "first token, median": _seconds("ttft_p50_s"),
    },
    "by_tool": {
        "tool": _text("tool_name"),
        "runs": _count("runs"),
        "calls": _count("tool_calls"),
        "errors": _count("errors"),
        "failed": _share("error_rate"),
        "time, summed": _seconds("duration_s"),
        "time, median": _seconds("duration_p50_s"),
    },
    **{
        name: {
            **keys,
            "runs": _count("runs"),
            "calls": _count("model_calls"),
            **_OF_CALLS,
            "time, median": _seconds("duration_p50_s"),
            **({"last": _when("last_at")} if len(keys) == 1 else {}),
        }
        for name, keys in {
            "by_agent": {"agent": _text("agent_name")},
            "by_session": {"session": _text("session_id", 40)},
            "by_member": {"team": _text("team_name"), "member": _text("agent_name")},
        }.items()
    },
}
_VIEW_OF = {tuple(column.name for column in TABLES[name]): name for name in VIEWS}


_LONG = frozenset({"prompt", "answer"})  # texts that may take several lines
_TEXTS = (
    frozenset({"launched", "run", "model", "status", "tool", "agent", "session", "team", "member", "last"})
    | _LONG
)


def _table(small: pd.DataFrame) -> str:
    """Return texts as an HTML table: numbers flush right, the short ones on one line."""
    sides = ["text-align: left" if title in _TEXTS else "text-align: right" for title in small.columns]
    # JSON has no place to break: it would push what follows out of sight
    ways = [
        "; min-width: 9em; overflow-wrap: anywhere" if title in _LONG else "; white-space: nowrap"
        for title in small.columns
    ]

    def line(tag: str, first: object, cells: Iterable[object]) -> str:
        made = (
            f'<{tag} style="{side}{way if tag == "td" else ""}">{escape(str(cell))}</{tag}>'
            for side, way, cell in zip(sides, ways, cells, strict=True)
        )
        return f"<tr><th>{escape(str(first))}</th>{''.join(made)}</tr>"

    body = "".join(line("td", *row) for row in zip(small.index, small.to_numpy(), strict=True))
    return f"<table><thead>{line('th', '', small.columns)}</thead><tbody>{body}</tbody></table>"


def _made(data: Any = None, *args: Any, **options: Any) -> ViewedFrame:
    """Make what pandas has made of a view into one; before its release 3 it hands over its own blocks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Passing a BlockManager", DeprecationWarning)
        return ViewedFrame(data, *args, **options)


class ViewedFrame(pd.DataFrame):
    """A DataFrame that shows a few of its columns as a person reads them."""

    _newest_first = False  # how it is shown; rows that pandas has chosen or ordered are shown as they are

    @property
    def _constructor(self) -> Any:
        return _made

    def __reduce_ex__(self, _protocol: Any) -> Any:
        """Be stored as a plain frame: who reads it need not have nbagent."""
        return pd.DataFrame, (pd.DataFrame(self),)

    def __repr__(self) -> str:
        if (view := self._view()) is None:
            return super().__repr__()
        small, line = view
        return f"{small.to_string()}\n{line}" if len(small) else line

    def _repr_html_(self) -> str | None:
        if (view := self._view()) is None:
            found: str | None = pd.DataFrame(self)._repr_html_()  # type: ignore[operator]  # not in its stubs
            return found
        small, line = view
        table = _table(small) if len(small) else ""
        return f'<div class="tex2jax_ignore mathjax_ignore">{table}<p><small>{escape(line)}</small></p></div>'

    def _view(self) -> tuple[pd.DataFrame, str] | None:
        """Return what is shown, as texts, and the line below it; None where these are not the columns of a view."""
        name = _VIEW_OF.get(tuple(self.columns))
        if name is None:
            return None
        plain = pd.DataFrame(self)
        some = (plain.iloc[::-1] if self._newest_first else plain).iloc[:ROWS]
        rows = some.astype(object).where(some.notna(), None).to_dict(orient="records")
        cells = {
            title: [form(cast("Mapping[str, Any]", row)) for row in rows]
            for title, form in VIEWS[name].items()
        }
        total, way = len(self), "nb.runs" if name == "runs" else f"nb.metrics.{name}"
        parts = [
            f"{total:,} row{'' if total == 1 else 's'}",
            f"{ROWS} shown" if total > ROWS else "",
            "newest first" if self._newest_first and total > 1 else "",
        ]
        line = f'{", ".join(filter(None, parts))}; all {len(self.columns)} columns: {way}(columns="all")'
        return pd.DataFrame(cells, index=some.index), line


def viewed(frame: pd.DataFrame, columns: Any, *, newest_first: bool = False) -> pd.DataFrame:
    """Return the frame as one that shows its view; with columns "all" as it is, with names of columns these.

    Raises UnknownOptionError for a column that there is not.
    """
    if columns is None:
        made = ViewedFrame(frame)
        made._newest_first = newest_first  # noqa: SLF001 - of the class above
        return made
    if columns == "all":
        return frame
    names = [columns] if isinstance(columns, str) else list(columns)
    for name in names:
        if name not in frame.columns:
            raise UnknownOptionError(
                f"there is no column {name!r}{did_you_mean(str(name), [*map(str, frame.columns)])}",
                'give names of columns, or "all"; without it the main ones are shown, and all are there as data',
            )
    return frame[names]
