"""Marks of stale rows: what a name rebound since the launch makes stale, by identity, with no code of the notebook run."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbagent import Agent, runtime
from nbagent.models.protocol import ReplyFinished, ReplyStarted
from nbagent.panel.table import static_html
from nbagent.panel.table.widget import table_here
from nbagent.template import render
from tests.harness.waiting import until


class Model:
    """Answers at once."""

    provider, id = "scripted", "answers"

    def check(self) -> None:
        """Needs nothing."""

    async def stream(self, _request):
        """Give one answer."""
        yield ReplyStarted()
        yield ReplyFinished(text="Done.", finish_reason="stop")


class Hostile:
    """Whoever compares, prints, hashes or measures it runs code of the user's, which must not happen."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")

    def __sizeof__(self) -> int:
        raise AssertionError("measured")

    __repr__ = __bool__ = __len__ = __iter__ = __hash__  # type: ignore[assignment]


class Text(str):
    """A text of the user's own kind, which compares as it likes."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = Hostile.__hash__


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """The notebook's variables."""
    main = vars(sys.modules["__main__"])
    before = set(main)
    yield main
    for name in set(main) - before:
        del main[name]


def ask(names: dict[str, Any], template: str = "About {{ x }}", label: str = "asked", **given: Any) -> str:
    """Ask by a template as a cell does, and return the run's id."""
    run = Agent(model=Model(), name="guide").start(render(template, given or names), label=label)
    run.wait(timeout=60)
    return run.run_id


def marked(names: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names rebound since, by run."""
    current = runtime.current()
    return dict(current.registry.prompt_names.rebound(current.store, names))


def redefined() -> Callable[[], str]:
    """A function as a cell defines it, another one each time."""
    return lambda: "today"


FRAME = pd.DataFrame({"a": [1, 2]})
REBOUND: list[tuple[str, Any, Any, bool]] = [
    # what, before, after, whether it is marked
    ("another text", "Peru", "Chile", True),
    ("the same text, made anew", "Peru", "Peru!"[:4], False),
    ("numbers with one hash", -1, -2, True),
    ("large numbers", 10**5_000, 10**5_000 + 1, True),
    ("no number, made anew", float("nan"), float("-nan"), False),
    ("another type of the same value", 1, True, True),
    ("nothing", None, "", True),
    ("an equal list", ["ada", {"n": 1}], ["ada", {"n": 1}], False),
    ("another list", ["ada", {"n": 1}], ["ada", {"n": 2}], True),
    ("an equal day", date(2026, 11, 30), date(2026, 11, 30), False),
    ("another day", date(2026, 11, 30), date(2026, 12, 1), True),
    ("an equal number of numpy's", np.float64(0.5), np.float64(0.5), False),
    ("another frame, though equal", FRAME, FRAME.copy(), True),
    ("the same frame", FRAME, FRAME, False),
    ("a long list", list(range(5_000)), list(range(5_000)), True),
    ("a function that is defined anew", redefined(), redefined(), False),
    ("a text of its own kind", Text("a"), Text("a"), True),
]  # fmt: skip


def test_a_rebound_name_marks_the_runs_that_were_asked_with_it(names):
    """Another value under a name of its template marks a run, an equal plain one does not; its absence never does."""
    run_ids = {}
    for number, (_, before, _, _) in enumerate(REBOUND):
        names[f"x{number}"] = before
        run_ids[number] = ask(
            names, f"About {{{{ x{number} }}}}", label=str(number), **{f"x{number}": "given"}
        )
    names["other"] = 1
    assert marked(names) == {}
    for number, (what, _, after, is_marked) in enumerate(REBOUND):
        names[f"x{number}"] = after
        assert marked(names) == ({run_ids[number]: (f"x{number}",)} if is_marked else {}), what
        del names[f"x{number}"]
        assert marked(names) == {}, what


@pytest.mark.parametrize(("before", "after"), [("Peru", "Chile"), (FRAME, FRAME.copy()), (["ada"], ["bob"])])
def test_the_first_value_again_takes_the_mark_away(names, before, after):
    """What a run was asked with under its name again is what it would be asked with now."""
    names["x"] = before
    run_id = ask(names)
    names["x"] = after
    assert marked(names) == {run_id: ("x",)}
    names["x"] = before
    assert marked(names) == {}


def test_no_code_of_the_notebook_is_run(names):
    """Values that fail at whatever is done to them are told apart by identity; within a list, too."""
    names["x"], names["y"] = Hostile(), [Hostile()]
    run_id = ask(names, "{{ x }} and {{ y }}", x="a", y="b")
    assert marked(names) == {}
    names["x"] = Hostile()
    assert marked(names) == {run_id: ("x",)}
    names["y"] = [names["y"][0]]
    assert marked(names) == {run_id: ("x", "y")}


def test_a_frame_is_not_kept_alive(names):
    """What a run was asked with is let go of once its name stands for something else."""
    names["x"] = pd.DataFrame({"a": range(10)})
    kept = weakref.ref(names["x"])
    run_id = ask(names)
    names["x"] = None
    gc.collect()
    assert kept() is None
    assert marked(names) == {run_id: ("x",)}


def test_an_address_that_is_used_again_hides_nothing(names):
    """A list at the address of the first, after a second one, is a third value."""
    names["x"] = [1]
    run_id = ask(names)
    first = id(names["x"])
    for number in range(2, 200):
        names["x"] = [number]
        assert marked(names) == {run_id: ("x",)}
        if id(names["x"]) == first:
            break


def test_the_mark_is_gone_when_it_is_asked_again(names):
    """By its label with today's value; a retry of the same prompt stays marked, as the one that it asks again."""
    names["x"] = "Peru"
    ask(names)
    names["x"] = "Chile"
    (first,) = marked(names)
    retried = runtime.current().retry(first)
    assert marked(names) == {retried.run_id: ("x",)}
    again = ask(names)
    assert marked(names) == {}
    names["x"] = "Peru"
    assert marked(names) == {again: ("x",)}
    renewed = runtime.current().retry(again, prompt=render("About {{ x }}", names))
    assert marked(names) == {}
    for run in (retried, renewed):
        run.wait(timeout=60)


def test_a_plain_prompt_and_the_rows_of_a_batch_are_never_marked(names):
    """A prompt without a template knows no names; a batch's rows are asked by its own map."""
    names["x"] = "Peru"
    Agent(model=Model(), name="guide").start("About Peru", label="plain").wait(timeout=60)
    Agent(model=Model(), name="guide").map(["a"], "{{ row }} in {{ x }}", names={"x": "Peru"}).wait(60)
    names["x"] = "Chile"
    assert marked(names) == {}


def test_the_panel_says_it_live_and_saved(names):
    """The table tells which name it was within its next ticks, for pages that load later and in its static form too."""
    names["x"], names["df"] = "Peru", FRAME
    run_id = ask(names, "{{ x }} {{ df }}")
    table = table_here()
    table.begin()
    try:
        names["x"] = "Chile"
        until(lambda: table.model.stale == {run_id: "x was rebound since"})
        assert table.model.state()["stale"] == {run_id: "x was rebound since"}
        names["df"] = FRAME.copy()
        until(lambda: table.model.stale == {run_id: "df, x were rebound since"})
        html = static_html.html_of(table.model.rows(), 1, key="k", stale=table.model.stale)
        assert "stale: df, x were rebound since · Done." in html
        ask(names, "{{ x }} {{ df }}")
        until(lambda: table.model.stale == {})
    finally:  # it is looked after as long as it is on screen
        table.widget.close()
        until(lambda: table._task is None or table._task.done())
