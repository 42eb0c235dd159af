"""`run.score`: what people and programs think of runs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import nbagent as nb
from nbagent.errors import NBAgentError, UnknownOptionError
from nbagent.runtime import current
from nbagent.store import ForgetRuns


@pytest.fixture
def run() -> Any:
    """A finished run."""
    done = nb.Agent(model="demo:assistant", name="scored").start("What is the capital of Japan?")
    done.result(timeout=60)
    return done


@pytest.mark.parametrize(
    ("value", "kept"),
    [(True, True), (False, False), (3, 3.0), (0.25, 0.25), (np.float64(2.5), 2.5), (np.True_, True), ("good", "good"), ("true", "true"), ("schön 😀", "schön 😀")],
)  # fmt: skip
def test_a_score_is_kept_as_it_was_given(run: Any, value: Any, kept: Any) -> None:
    """True stays True, numbers are floats, words stay words, also such as look like something else."""
    run.score("mine", value, "because", author="ada")
    (row,) = nb.metrics.scores(agent="scored").to_dict("records")
    assert (row["run_id"], row["score"], row["value"], row["comment"], row["author"]) == (
        run.run_id,
        "mine",
        kept,
        "because",
        "ada",
    )
    assert type(row["value"]) is type(kept)


def test_the_latest_of_a_name_and_an_author_counts(run: Any) -> None:
    """A second score of the same name and author replaces the first in counts; other authors' stand beside it."""
    for author, value in (("ada", False), ("bob", True), ("ada", True), ("cy", False)):
        run.score("right", value, author=author)
    run.score("length", 12.5, author="ada")
    run.score("mood", "good", author="ada")
    frame = nb.metrics.by_score(agent="scored").set_index("score")
    assert tuple(frame.loc["right", ["runs", "authors", "scores"]]) == (1, 3, 3)
    assert frame.loc["right", "mean"] == pytest.approx(2 / 3)
    assert frame.loc["length", "mean"] == 12.5
    assert frame["mean"].isna()["mood"]
    assert len(nb.sql("select * from scores")) == 6


def test_scores_are_of_who_is_logged_in(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an author the hub's user counts, else the system's."""
    run.score("a", 1)
    monkeypatch.setenv("JUPYTERHUB_USER", "grace")
    run.score("a", 1)
    authors = list(nb.metrics.scores()["author"])
    assert len(set(authors)) == 2
    assert authors[1] == "grace"


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [("", True, {}), (None, True, {}), ("a", None, {}), ("a", float("nan"), {}), ("a", [1], {}), ("a", 1, {"comment": 3}), ("a", 1, {"author": 3})],
)  # fmt: skip
def test_what_is_no_score_is_refused_in_two_lines(run: Any, name: Any, value: Any, more: Any) -> None:
    """Nothing is written for a score that is none."""
    with pytest.raises(UnknownOptionError) as raised:
        run.score(name, value, **more)
    assert len(str(raised.value).splitlines()) == 2
    assert nb.metrics.scores().empty


def test_a_deleted_run_has_no_scores(run: Any) -> None:
    """Scores go with their run, and one of a run that is gone is refused."""
    run.score("a", 1)
    current().store.write(ForgetRuns((run.run_id,)), "deleting", timeout_s=60)
    assert nb.metrics.scores().empty
    with pytest.raises(NBAgentError, match="not in the record"):
        run.score("a", 2)


KERNEL = """
import sys
import nbagent as nb
run = nb.get(sys.argv[1])
for number in range(20):
    run.score(f"s{number}", number, author=sys.argv[2])
"""


def test_scores_of_three_kernels_are_all_there(run: Any, tmp_path: Any) -> None:
    """Three processes score the same run at once: none is lost, each under its author, counts equal a plain count."""
    store = str(current().store.path)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", KERNEL, run.run_id, author], env={**os.environ, "NBAGENT_STORE": store}
        )
        for author in ("ada", "bob", "cy")
    ]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    frame = nb.metrics.by_score(agent="scored").set_index("score")
    assert len(frame) == 20
    assert (frame["authors"] == 3).all()
    assert all(frame.loc[f"s{number}", "mean"] == number for number in range(20))
