"""Pictures of runs with matplotlib (extra `plot`): a run over time, cost and latency by model, agent and the like.

On the caller's thread. Each function returns its Figure, which a notebook shows as a PNG. The background is
clear and every mark is of a middle lightness, so that one picture is readable on a light page and on a dark
one.
"""

from __future__ import annotations

import functools
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbagent.core import call_text, format_usd, one_line
from nbagent.errors import ConfigurationError, UnknownOptionError, did_you_mean
from nbagent.frames import family, metrics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#7f848e"  # 4:1 on white and on a dark page
# those of the panel's trace on a light page, which are seen on a dark one too
COLOURS = {
    "queue": "#9aa0a6",
    "model": "#1976d2",
    "tool": "#388e3c",
    "pause": "#d97706",
    "failed": "#d32f2f",
}
_HATCHED = {"queue": "////", "pause": "////"}
_PAUSE_S = 0.1  # a shorter gap between a request and its tool is no person's
_LABELLED = 0.09  # of the whole span: a shorter bar has no room for its name
_KEYS = {
    "model": ("provider", "model"),
    "agent": ("agent_name",),
    "member": ("team_name", "agent_name"),
    "session": ("session_id",),
    "tool": ("tool_name",),
}
_MOST_BARS = 30
_LONGEST = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """One bar of a timeline, in seconds from the launch of the first run."""

    lane: int
    kind: str
    start_s: float
    length_s: float
    label: str = ""


def plot_timeline(run: Any) -> Figure:
    """Draw a run over time: a lane for it and one for each run below it; model calls, tool calls and queue wait as bars.

    `run` is a handle, an output, a run id or a label; x is seconds from the launch. Calls of one lane that
    overlap stand in rows of their own. Raises UnknownNameError for a run that nobody launched.

    >>> run = Agent(model="demo:assistant").start("What is the capital of Japan?")
    >>> _ = run.wait(timeout=30)
    >>> figure = nb.plot_timeline(run)
    >>> figure.axes[0].get_xlabel()
    'seconds since the launch'
    """
    runs = family(run)
    steps = metrics.steps(run, members=True)
    begin = runs["created_at"].min()
    bars, lanes = _bars(runs, steps, begin)
    figure, axes = _canvas(height=1.2 + 0.42 * max(len(lanes), 1))
    for bar in bars:
        _draw_bar(axes, bar, max(one.start_s + one.length_s for one in bars))
    axes.set_yticks(range(len(lanes)), lanes)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds since the launch")
    if not [bar for bar in bars if bar.kind not in _HATCHED]:
        _write_note(axes, "no call has ended yet" if not len(steps) else "nothing to show")
    _legend(figure, [kind for kind in COLOURS if any(bar.kind == kind for bar in bars)])
    return figure


def plot_cost(by: str = "model", **filters: Any) -> Figure:
    """Draw what runs cost in US dollars by model, agent, member or session; filters as in `nb.metrics.by_model`.

    A bar stands for the known part; where some or all of the cost is unknown, its label says so.

    >>> figure = nb.plot_cost(by="agent")
    >>> figure.axes[0].get_xlabel()
    'cost in US dollars'
    """
    frame = _frame(by, filters, but_not="tool").sort_values(
        ["cost_usd", "total_tokens"], ascending=False, na_position="last"
    )
    frame, left_out = frame.head(_MOST_BARS), len(frame) - _MOST_BARS
    figure, axes = _canvas(height=1.4 + 0.34 * max(len(frame), 1))
    dollars = frame["cost_usd"].fillna(0).astype(float)
    axes.barh(range(len(frame)), dollars, height=0.62, color=COLOURS["model"])
    for place, (cost, known) in enumerate(zip(frame["cost_usd"], frame["cost_known"], strict=True)):
        axes.annotate(
            _cost_text(cost, known),
            (dollars.iloc[place], place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    _name_bars(axes, frame, by, left_out)
    axes.set_xlabel("cost in US dollars")
    axes.set_xlim(0, max(dollars.max() * 1.35 if len(frame) else 0, 1e-9))
    if not dollars.any():
        axes.set_xticks([0] if len(frame) else [])
    return figure


def plot_latency(by: str = "model", **filters: Any) -> Figure:
    """Draw how long completed calls or runs took by model, agent, member, session or tool: median to 95th percentile.

    By model and tool these are calls, else whole runs. A mark in the other colour is the median time to first
    token.

    >>> nb.plot_latency(by="model").savefig("latency.png")
    """
    frame = _frame(by, filters).sort_values("duration_p50_s", na_position="last")
    frame, left_out = frame.head(_MOST_BARS), len(frame) - _MOST_BARS
    figure, axes = _canvas(height=1.4 + 0.34 * max(len(frame), 1))
    for place, row in enumerate(frame.to_dict("records")):
        middle, late = _number(row["duration_p50_s"]), _number(row["duration_p95_s"])
        if middle is None or late is None:
            _note(axes, place, "none completed")
            continue
        axes.plot([middle, late], [place, place], color=COLOURS["model"], linewidth=3, solid_capstyle="butt")
        axes.plot(middle, place, "o", color=COLOURS["model"], markersize=8)
        axes.plot(late, place, "|", color=COLOURS["model"], markersize=13, markeredgewidth=2)
        first = _number(row.get("ttft_p50_s"))
        if first is not None:
            axes.plot(first, place, "D", color=COLOURS["tool"], markersize=6)
    _name_bars(axes, frame, by, left_out)
    axes.set_xlim(left=0)
    if frame.empty:
        axes.set_xticks([])
    what = "call" if by in ("model", "tool") else "run"
    diamond = "" if by == "tool" else ", first token (diamond)"
    axes.set_xlabel(f"seconds of a {what}: median (dot), 95th percentile (bar){diamond}")
    return figure


def _draw_bar(axes: Axes, bar: _Bar, span_s: float) -> None:
    """Draw one bar, with its name in it where there is room."""
    axes.barh(
        bar.lane,
        max(bar.length_s, 0.001),
        left=bar.start_s,
        height=0.62,
        color="none" if bar.kind in _HATCHED else COLOURS[bar.kind],
        edgecolor=COLOURS[bar.kind],
        linewidth=0.8,
        hatch=_HATCHED.get(bar.kind),
    )
    room = bar.length_s / span_s if span_s else 0.0
    if bar.label and room >= _LABELLED:
        told = one_line(bar.label, max(4, int(room * 95)))
        axes.text(
            bar.start_s + bar.length_s / 2, bar.lane, _as_text(told), ha="center", va="center", color="white",
            fontsize=7, clip_on=True,
        )  # fmt: skip


def _as_text(text: str) -> str:
    """Keep dollar signs from being read as mathematics."""
    return text.replace("$", r"\$")


def _names(steps: Sequence[Mapping[Any, Any]]) -> list[str]:
    """Name a run's calls as the panel's trace does: what the model did in this step, the tool as it was called."""
    asked: dict[tuple[Any, Any], Counter[str]] = {}
    for one in steps:
        if one["kind"] == "tool":
            asked.setdefault((one["attempt"], one["step"]), Counter())[one["name"]] += 1
    names = []
    for one in steps:
        tools = asked.get((one["attempt"], one["step"]))
        if one["kind"] == "tool":
            names.append(call_text(one["name"], _known(one["arguments"]) or ""))
        elif one["status"] != "completed":
            names.append(f"{one['step']} · {one['name']}")
        elif tools:
            each = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in tools.items())
            names.append(f"{one['step']} · asks for {each}")
        else:
            names.append(f"{one['step']} · answers")
    return names


def _pauses(steps: Sequence[Mapping[Any, Any]], begin: Any) -> Iterator[tuple[float, float]]:
    """Yield when a person was waited for, and for how long: between a step's request and the first of its tools."""
    requested: dict[Any, float] = {}
    first: dict[Any, float] = {}
    for one in steps:
        key, start = (one["attempt"], one["step"]), _seconds(one["started_at"], begin) or 0.0
        if one["kind"] == "tool":
            first[key] = min(first.get(key, start), start)
        else:
            requested[key] = max(requested.get(key, 0.0), start + float(one["duration_s"]))
    for key, until in first.items():
        since = requested.get(key, until)
        if until - since >= _PAUSE_S:
            yield since, until - since


def _bars(runs: pd.DataFrame, steps: pd.DataFrame, begin: Any) -> tuple[list[_Bar], list[str]]:
    """Return the bars of all runs, and the names of the lanes they lie in; overlapping calls take further lanes."""
    bars: list[_Bar] = []
    lanes: list[str] = []
    for depth, run in _tree(runs.to_dict("records")):
        mine = steps[steps["run_id"] == run["run_id"]]
        first = len(lanes)
        name = "└ " * depth + _short(_known(run["agent_name"]) or "agent")
        lanes.append(name if run["status"] == "completed" else f"{name} ({run['status']})")
        free: list[float] = [0.0]
        launched = _seconds(run["created_at"], begin)
        began = _seconds(run["started_at"], begin)
        if began is not None and launched is not None and began - launched > 0:
            bars.append(_Bar(lane=first, kind="queue", start_s=launched, length_s=began - launched))
        calls = mine.to_dict("records")
        if (_number(run["paused_s"]) or 0) > 0:
            bars += [
                _Bar(lane=first, kind="pause", start_s=since, length_s=waited)
                for since, waited in _pauses(calls, begin)
            ]
        for step, label in zip(calls, _names(calls), strict=True):
            start, length = _seconds(step["started_at"], begin) or 0.0, float(step["duration_s"])
            row = next((place for place, end in enumerate(free) if end <= start + 1e-6), len(free))
            if row == len(free):
                free.append(0.0)
                lanes.append("")
            free[row] = start + length
            kind = step["kind"] if step["status"] == "completed" else "failed"
            bars.append(_Bar(lane=first + row, kind=kind, start_s=start, length_s=length, label=label))
    return bars, lanes


def _tree(runs: Sequence[Mapping[Any, Any]]) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    """Yield each run and its depth, those that it started right after it, in launch order among themselves."""
    known = {run["run_id"] for run in runs}

    def below(parent: str | None, depth: int) -> Iterator[tuple[int, Mapping[Any, Any]]]:
        for run in runs:
            if (run["parent_run_id"] if _known(run["parent_run_id"]) in known else None) == parent:
                yield depth, run
                yield from below(run["run_id"], depth + 1)

    return below(None, 0)


def _frame(by: str, filters: dict[str, Any], *, but_not: str = "") -> pd.DataFrame:
    words = [word for word in _KEYS if word != but_not]
    if by not in words:
        raise UnknownOptionError(
            f"cannot draw by {by!r}{did_you_mean(by, words)}", f"by is one of: {', '.join(words)}"
        )
    by_frame: Callable[..., pd.DataFrame] = getattr(metrics, f"by_{by}")
    return by_frame(**filters)


def _canvas(*, height: float) -> tuple[Figure, Axes]:
    """Return an empty picture on a clear ground; its size is in inches."""
    figure = _picture_class()(figsize=(8, min(height, 14)), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.tick_params(colors=INK, labelcolor=INK)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.label.set_color(INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    axes.grid(axis="x", color=INK, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


@functools.cache
def _picture_class() -> type[Figure]:
    """Return a Figure that shows itself as a PNG in a notebook in which nothing has set matplotlib up."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError(
            "pictures need matplotlib, which is not installed", 'pip install "nbagent-jupyter[plot]"'
        ) from None

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=100)
            return buffer.getvalue()

    return Picture


def _name_bars(axes: Axes, frame: pd.DataFrame, by: str, left_out: int) -> None:
    names = [
        _short(":".join(filter(None, (_known(row[key]) for key in _KEYS[by]))) or "unnamed")
        for row in frame.to_dict("records")
    ]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    if not names:
        _write_note(axes, "no run fits")
    elif left_out > 0:
        axes.set_title(f"{left_out} more are not shown", color=INK, fontsize=9, loc="right")


def _legend(figure: Figure, kinds: list[str]) -> None:
    from matplotlib.patches import Patch

    words = {
        "queue": "in the queue",
        "model": "model call",
        "tool": "tool call",
        "pause": "waits for you",
        "failed": "did not complete",
    }
    patches = [
        Patch(
            facecolor="none" if kind in _HATCHED else COLOURS[kind],
            edgecolor=COLOURS[kind],
            hatch=_HATCHED.get(kind),
            label=words[kind],
        )
        for kind in kinds
    ]
    if patches:
        figure.legend(
            handles=patches,
            loc="outside upper center",
            ncols=len(patches),
            frameon=False,
            labelcolor=INK,
        )


def _write_note(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK)


def _note(axes: Axes, place: int, text: str) -> None:
    axes.annotate(text, (0, place), xytext=(5, 0), textcoords="offset points", va="center", color=INK)


def _cost_text(cost: Any, known: Any) -> str:
    dollars, share = _number(cost), _number(known)
    if share is None:
        return "no model call"
    if dollars is None:
        return "unknown"
    text = f"${dollars:.4f}" if dollars < 1 else format_usd(dollars)  # bars of one picture have equal digits
    return text if share == 1 else f"{text}, {1 - share:.0%} of the calls unknown"


def _known(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except TypeError:  # NA
        return None
    return None if number != number else number  # noqa: PLR0124 - NaN


def _seconds(at: Any, begin: Any) -> float | None:
    return _number((at - begin).total_seconds()) if at == at else None  # noqa: PLR0124 - NaT


def _short(name: str) -> str:
    """Return the end of a long name, which tells more than its beginning: ids differ there."""
    return name if len(name) <= _LONGEST else "..." + name[3 - _LONGEST :]
