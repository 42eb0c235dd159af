"""Pictures: drawn for an empty record, one run, a team; what is unknown is said in words; clear ground."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

import nbagent as nb
from nbagent import runtime
from nbagent.errors import UnknownNameError, UnknownOptionError
from nbagent.events import ModelCall, ToolCall, Usage
from nbagent.store import Finish, Launch, Progress
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import error
from tests.runtime.scripted_team import Cast, asks, member, model, team

BEGIN = datetime(2026, 11, 21, tzinfo=UTC)
BY = ["model", "agent", "member", "session", "tool"]


def texts(figure: Any) -> str:
    """Every word in a picture."""
    axes = figure.axes[0]
    found = [one.get_text() for one in (*axes.texts, *axes.get_yticklabels(), axes.xaxis.label)]
    found += [one.get_text() for legend in figure.legends for one in legend.get_texts()]
    return "\n".join(found)


def drawn(figure: Any) -> Image.Image:
    """The picture as a notebook shows it."""
    return Image.open(io.BytesIO(figure._repr_png_())).convert("RGBA")


def call(at_s: float, **given: Any) -> ModelCall:
    """A model call of a second."""
    return ModelCall(
        **{
            "step": 1,
            "attempt": 1,
            "provider": "p",
            "request_model": "m",
            "status": "completed",
            "started_at": BEGIN + timedelta(seconds=at_s),
            "duration_s": 1.0,
            **given,
        }
    )


def run(
    run_id: str, agent: str, *calls: ModelCall, parent: str | None = None, status: str = "completed"
) -> None:
    """Write a run that waited for a second and worked for three, with a tool call in between."""
    store = runtime.current().store
    row = {
        "run_id": run_id,
        "session_id": "s",
        "agent_name": agent,
        "parent_run_id": parent,
        "created_at": BEGIN,
    }
    store.submit(Launch(row))
    started_at = BEGIN + timedelta(seconds=1)
    if status == "running":
        store.submit(Progress(run_id=run_id, started_at=started_at)).result(60)
        return
    tool = ToolCall(
        step=1, tool_call_id="c", name="price", arguments="{}", status="completed", started_at=started_at, duration_s=0.5
    )  # fmt: skip
    end = {
        "status": status,
        "stop_reason": "end",
        "started_at": started_at,
        "finished_at": started_at + timedelta(seconds=3),
    }
    store.submit(Finish(run_id=run_id, end=end, model_calls=calls, tool_calls=(tool,))).result(60)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("plot", [nb.plot_cost, nb.plot_latency])
def test_an_empty_record_makes_a_picture_that_says_so(plot: Callable[..., Any], by: str) -> None:
    """Nothing to draw is no error."""
    if (plot, by) == (nb.plot_cost, "tool"):
        return
    figure = plot(by)
    assert "no run fits" in texts(figure)
    assert drawn(figure).size[0] == 800


def test_cost_says_what_is_unknown() -> None:
    """Known, partly known and unknown costs are told apart in words."""
    run("a", "known", call(1, cost_usd=0.5))
    run("b", "part", call(1, cost_usd=0.25), call(2))
    run("c", "none", call(1))
    run("d", "idle")
    said = texts(nb.plot_cost("agent"))
    assert "$0.5000" in said
    assert "$0.2500, 50% of the calls unknown" in said
    assert "\nunknown\n" in said
    assert "no model call" in said


@pytest.mark.parametrize("by", BY)
def test_latency_of_one_run_without_usage(by: str) -> None:
    """A single run without usage, cost and first token is drawn."""
    run("a", "alone", call(1, usage=Usage()))
    assert "median (dot)" in texts(nb.plot_latency(by))
    drawn(nb.plot_latency(by))


def test_latency_says_where_nothing_completed() -> None:
    """A model whose calls all failed has no percentile."""
    run("a", "alone", call(1, status="error"), status="error")
    assert "none completed" in texts(nb.plot_latency())


def test_a_timeline_has_a_lane_for_each_run_and_keeps_the_queue_apart() -> None:
    """The leader, its members, and members of members; overlapping calls lie beside each other, nothing is hidden."""
    run("a", "leader", call(1), call(1.5), call(3, status="error"))
    run("b", "member", call(2), parent="a")
    run("c", "deeper", call(2), parent="b", status="error")
    run("d", "stranger", call(1))
    figure = nb.plot_timeline("a")
    said = texts(figure)
    for word in (
        "leader",
        "member",
        "deeper (error)",
        "in the queue",
        "model call",
        "tool call",
        "did not complete",
    ):
        assert word in said
    assert "stranger" not in said
    bars = [patch.get_bbox() for patch in figure.axes[0].patches]
    assert len(bars) == 3 + 5 + 3  # queue waits, model calls, tool calls
    crossing = [
        (one, other)
        for number, one in enumerate(bars)
        for other in bars[:number]
        if one.y0 == other.y0 and one.x0 < other.x1 - 1e-6 and other.x0 < one.x1 - 1e-6
    ]
    assert not crossing
    drawn(figure)


def test_a_timeline_names_calls_and_pauses_as_the_panel_does() -> None:
    """What the model did in a step, a tool as it was called, the time in which a person was waited for."""
    store = runtime.current().store
    store.submit(Launch({"run_id": "a", "session_id": "s", "agent_name": "payer", "created_at": BEGIN}))
    pay = ToolCall(
        step=1, tool_call_id="c", name="pay", arguments='{"to": "Eve", "dollars": "$5 to $10"}', status="completed",
        started_at=BEGIN + timedelta(seconds=4), duration_s=1.5,
    )  # fmt: skip
    end = {
        "status": "completed",
        "stop_reason": "end",
        "started_at": BEGIN,
        "finished_at": BEGIN + timedelta(seconds=8),
    }
    end |= {"paused_s": 3.0}
    calls = (call(0), call(6, step=2, duration_s=2.0))
    store.submit(Finish(run_id="a", end=end, model_calls=calls, tool_calls=(pay,))).result(60)
    figure = nb.plot_timeline("a")
    said = texts(figure)
    assert "1 · asks" in said
    assert "2 · answers" in said
    assert r"pay(to='Eve', " in said
    assert "waits for you" in said
    (pause,) = [patch.get_bbox() for patch in figure.axes[0].patches if patch.get_hatch()]
    assert (pause.x0, pause.x1) == (1.0, 4.0)
    drawn(figure)


def test_a_timeline_of_a_run_that_has_only_begun() -> None:
    """No call has ended: the queue wait is there, and the picture says why there is no more."""
    run("a", "slow", status="running")
    figure = nb.plot_timeline("a")
    assert "no call has ended yet" in texts(figure)
    assert "slow (running)" in texts(figure)


@pytest.mark.parametrize("ground", [(255, 255, 255), (17, 17, 17)], ids=["light", "dark"])
def test_marks_are_seen_on_a_light_and_on_a_dark_page(ground: tuple[int, int, int]) -> None:
    """The ground is clear, and every colour differs from both pages by a contrast of 3 to 1."""
    run("a", "alone", call(1, cost_usd=0.5))
    assert drawn(nb.plot_cost()).getpixel((1, 1))[3] == 0
    from nbagent.plots import COLOURS, INK

    for colour in (INK, *(colour for kind, colour in COLOURS.items() if kind != "queue")):
        rgb = tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
        light, dark = sorted((_luminance(rgb), _luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, colour


def _luminance(rgb: tuple[int, ...]) -> float:
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_mistakes_are_refused() -> None:
    """A wrong word and an unknown run are errors that say what there is."""
    with pytest.raises(UnknownOptionError, match="did you mean 'model'"):
        nb.plot_cost("modell")
    with pytest.raises(UnknownOptionError, match="cannot draw by 'tool'"):
        nb.plot_cost("tool")
    with pytest.raises(UnknownNameError):
        nb.plot_timeline("nobody")


def test_a_real_teams_run_is_drawn(provider: ScriptedProvider) -> None:
    """A team in a team with a member that failed: lanes in the order of the tree, indented, the legend whole."""
    url = provider.base_url
    Cast(
        provider,
        leader=[asks(("inner", "I"), ("ann", "A")), text_reply("all", usage=None)],
        chief=[asks(("bob", "B")), text_reply("mine")],
        ann=text_reply("a"),
        bob=error(400, "no"),
    )
    inner = team(url, "bob", name="inner", model=model(url, "chief"))
    output = team(url, members=[inner, member(url, "ann")]).start("Go").result(60)
    figure = nb.plot_timeline(output)
    lanes = [label for one in figure.axes[0].get_yticklabels() if (label := one.get_text())]
    assert sorted(lanes) == sorted(["desk", "└ inner", "└ └ bob (error)", "└ ann"])
    assert lanes.index("└ └ bob (error)") == lanes.index("└ inner") + 1
    picture = drawn(figure)
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= picture.size[0]
    for by in BY:
        assert "desk" in texts(nb.plot_latency(by)) or by in ("model", "session", "tool")
    assert "unknown" in texts(nb.plot_cost("member"))


@pytest.mark.parametrize("by", [by for by in BY if by != "tool"])
def test_cost_of_one_run_whose_usage_is_missing_is_unknown(by: str) -> None:
    """No usage, no price: the bar's label is a word, not a zero."""
    run("a", "alone", call(1, usage=Usage()))
    run("b", "member", call(1, usage=Usage()), parent="a")
    said = texts(nb.plot_cost(by))
    assert "unknown" in said
    assert "$" not in said
    drawn(nb.plot_cost(by))
