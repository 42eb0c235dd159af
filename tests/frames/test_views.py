"""Frames of many columns show the few that one wants; all of them stay as data."""

from __future__ import annotations

import copy
import pickle
from html.parser import HTMLParser

import pandas as pd
import pytest

import nbagent as nb
from nbagent.errors import UnknownOptionError
from nbagent.frames import TABLES
from nbagent.frames.views import ROWS, VIEWS, ViewedFrame

HOSTILE = "<script>alert(1)</script> $5 to $10 \u202e " + "w" * 500 + "\nsecond line"
VERBS = [
    "by_agent",
    "by_member",
    "by_model",
    "by_score",
    "by_session",
    "by_tool",
    "messages",
    "scores",
    "steps",
]


@pytest.fixture(autouse=True)
def _two_runs() -> None:
    """A record of two runs, the second one's prompt hostile."""
    agent = nb.Agent(model="demo:assistant", name="guide")
    agent.run("What is the capital of Kenya?", label="first")
    agent.run(HOSTILE, label="second")


class Titles(HTMLParser):
    """The titles of a table's columns, and every tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "th" and data.strip():
            self.titles.append(data)


@pytest.mark.parametrize("name", VIEWS)
def test_a_frame_shows_eight_columns_and_holds_all(name: str) -> None:
    """At most eight columns are seen, as text and as HTML; as data there are all, the same with `columns="all"`."""
    made = nb.runs if name == "runs" else getattr(nb.metrics, name)
    frame, whole = made(), made(columns="all")
    assert 6 <= len(VIEWS[name]) <= 8
    assert list(frame.columns) == list(whole.columns) == [column.name for column in TABLES[name]]
    assert type(whole) is pd.DataFrame
    pd.testing.assert_frame_equal(pd.DataFrame(frame), whole)
    if len(frame):
        shown = Titles(frame._repr_html_()).titles
        assert [title for title in shown if title in VIEWS[name]] == list(VIEWS[name])
        assert repr(frame).split("\n")[0].split() == " ".join(VIEWS[name]).split()
    assert (
        f'all {len(whole.columns)} columns: nb.{"" if name == "runs" else "metrics."}{name}(columns="all")'
        in repr(frame)
    )


def test_the_newest_run_is_seen_first_and_prompts_are_cut() -> None:
    """A hostile prompt is a short line of text; data keep the order and the whole prompt."""
    frame = nb.runs()
    lines = repr(frame).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["1", "0"]
    assert "second" in lines[1]
    assert "first" in lines[2]
    assert lines[3].startswith("2 rows, newest first; ")
    assert max(map(len, lines)) < 260
    assert "\u202e" not in repr(frame)
    assert list(frame["label"]) == ["first", "second"]
    assert frame["prompt"].iloc[1] == HOSTILE
    assert "script" not in Titles(frame._repr_html_()).tags
    assert "mathjax_ignore" in frame._repr_html_()  # prices are no mathematics


def test_many_rows_are_seen_in_part() -> None:
    """A long frame says how much of it is seen."""
    long = nb.runs().loc[[0, 1] * 30]
    assert len(repr(long).splitlines()) == ROWS + 2
    assert repr(long).splitlines()[-1].startswith(f"60 rows, {ROWS} shown; ")


def test_what_pandas_makes_of_it_is_shown_as_it_is() -> None:
    """Chosen or ordered rows keep the view in their own order; a choice of columns, or one more, is pandas' own."""
    frame = nb.runs()
    assert [line.split()[0] for line in repr(frame.head()).splitlines()[1:3]] == ["0", "1"]
    assert "launched" in repr(frame[frame["status"] == "completed"])
    some = frame[["label", "status"]]
    assert repr(some) == repr(pd.DataFrame(some))
    assert some._repr_html_() == pd.DataFrame(some)._repr_html_()
    more = frame.assign(mine=1)
    assert repr(more) == repr(pd.DataFrame(more))
    assert isinstance(frame["total_tokens"].sum(), int | float) or frame["total_tokens"].sum() > 0


def pickled(frame: pd.DataFrame) -> pd.DataFrame:
    return pickle.loads(pickle.dumps(frame))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("carry", [pickled, copy.deepcopy, lambda frame: frame.copy(), pd.DataFrame])
def test_it_travels_as_a_frame(carry: object) -> None:
    """Pickled, copied or wrapped it has the same data; pickled it asks for no nbagent where it is read."""
    frame = nb.runs()
    pd.testing.assert_frame_equal(pd.DataFrame(carry(frame)), nb.runs(columns="all"))  # type: ignore[operator]
    assert b"nbagent" not in pickle.dumps(nb.runs(limit=0))
    assert isinstance(frame, ViewedFrame)


@pytest.mark.parametrize(
    ("columns", "found"), [("label", ["label"]), (["status", "run_id"], ["status", "run_id"])]
)
def test_some_columns_can_be_asked_for(columns: object, found: list[str]) -> None:
    """A name or a list of names gives these columns, a wrong one is refused with a close match."""
    assert list(nb.runs(columns=columns).columns) == found
    with pytest.raises(UnknownOptionError, match="did you mean 'status'"):
        nb.runs(columns=["statis"])


def test_the_metrics_have_their_verbs_only() -> None:
    """`dir(nb.metrics)`, which Tab shows, holds what can be called, and all of it is documented."""
    assert dir(nb.metrics) == VERBS
    assert all(getattr(nb.metrics, verb).__doc__ for verb in VERBS)
