"""`nb.evaluate`: cases put to agents in the background, scored, summed up and compared."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat
from nbagent.errors import ConfigurationError
from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait, error


class Kind(BaseModel):
    """A typed answer."""

    kind: str


def agent_of(provider: ScriptedProvider, name: str = "m-1", **options: Any) -> Agent:
    """An agent at the scripted provider without second tries."""
    model = OpenAIChat(id=name, base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0, output_retries=0), **options)


def asked(request: Any) -> str:
    """The text of a request's last message."""
    return str(request.body["messages"][-1]["content"])


CASES = pd.DataFrame({"n": range(8), "double": [2 * n for n in range(8)]}, index=[f"c{n}" for n in range(8)])


def doubles(wrong: set[int] | None = None) -> Any:
    """Answer "Double N" with 2 N, but wrong for some."""
    return lambda request: text_reply(
        str(2 * int(asked(request).split()[-1]) + (int(asked(request).split()[-1]) in (wrong or set())))
    )


def test_scores_and_their_summary(provider: ScriptedProvider) -> None:
    """Each contender has a row a case, with its scores, and a line a score with Wilson's interval for yes and no."""
    provider.otherwise(
        lambda request: (doubles({3}) if request.body["model"] == "m-1" else doubles())(request)
    )
    found = nb.evaluate(
        {"old": agent_of(provider), "new": agent_of(provider, "m-2")}, CASES, "Double {{ row.n }}",
        expected="double", scorers=[nb.exact, lambda answer, _, row: int(answer) - row["n"]],
    ).wait(60)  # fmt: skip
    frame = found.to_frame()
    assert list(frame.columns[:5]) == ["contender", "case", "repeat", "expected", "answer"]
    assert list(frame["case"]) == [*CASES.index, *CASES.index]
    assert list(frame.loc[frame["contender"] == "old", "exact"]) == [n != 3 for n in range(8)]
    assert (frame["exact"].dtype, frame["score"].dtype) == ("boolean", "Float64")
    summary = found.summary().set_index(["contender", "score"])
    assert tuple(summary.loc[("old", "exact"), ["cases", "mean", "failed"]]) == (8, 0.875, 0)
    assert summary.loc[("old", "exact"), "low"] == pytest.approx(0.5291, abs=1e-4)
    assert summary.loc[("new", "exact"), "mean"] == 1
    assert summary.loc[("new", "score"), "mean"] == pytest.approx(CASES["n"].mean())


def test_a_planted_regression_is_found(provider: ScriptedProvider) -> None:
    """The cases that were right and are wrong now stand in `regressions()`, the largest loss first; no others."""
    agent = agent_of(provider)
    provider.otherwise(doubles({1}))
    before = nb.evaluate(agent, CASES, "Double {{ row.n }}", expected="double").wait(60)
    provider.otherwise(doubles({2, 5}))
    after = nb.evaluate(
        agent, CASES, "Double {{ row.n }}", expected="double", compare_to=before, fresh=True
    ).wait(60)
    worse = after.regressions()
    assert list(worse["case"]) == ["c2", "c5"]
    assert list(worse["answer_before"]) == ["4", "10"]
    assert set(worse["change"]) == {-1.0}
    (row,) = after.summary().to_dict("records")
    assert (row["before"], row["mean"], row["change"]) == (0.875, 0.75, -0.125)
    assert row["change_low"] < row["change"] < row["change_high"]
    assert before.regressions if after.regressions().equals(worse) else None


def test_an_earlier_batch_or_frame_is_compared_to(provider: ScriptedProvider, tmp_path: Path) -> None:
    """`compare_to` takes the label of a batch, which is scored as this one, or a frame that was kept."""
    agent = agent_of(provider)
    provider.otherwise(doubles())
    first = nb.evaluate(agent, CASES, "Double {{ row.n }}", expected="double", label="right").wait(60)
    first.to_frame().to_pickle(tmp_path / "kept.pkl")
    provider.otherwise(doubles({4}))
    for compare_to in ("right", first.batches["openai-chat:m-1" if "openai-chat:m-1" in first.batches else next(iter(first.batches))], pd.read_pickle(tmp_path / "kept.pkl")):  # noqa: S301 - written above  # fmt: skip
        found = nb.evaluate(
            agent, CASES, "Double {{ row.n }}", expected="double", compare_to=compare_to, fresh=True
        ).wait(60)
        assert list(found.regressions()["case"]) == ["c4"]


@pytest.mark.parametrize(
    "cases",
    [
        [{"text": "county", "expected": "county"}, {"text": "x", "expected": "other"}],
        {"text": ["county", "x"], "expected": ["county", "other"]},
        (
            dict(zip(("text", "expected"), pair, strict=True))
            for pair in (("county", "county"), ("x", "other"))
        ),
        "cases.csv",
    ],
    ids=["records", "columns", "generator", "csv"],
)
def test_cases_come_as_tables_do(provider: ScriptedProvider, tmp_path: Path, cases: Any) -> None:
    """Lists, columns, generators and CSV files are cases; a column `expected` is what is expected, of typed answers too."""
    provider.otherwise(json_reply({"kind": "county"}))
    if cases == "cases.csv":
        cases = tmp_path / "cases.csv"
        cases.write_text("text,expected\ncounty,county\nx,other\n")
    found = nb.evaluate(agent_of(provider), cases, "Which kind is {{ row.text }}?", output_schema=Kind).wait(
        60
    )
    assert list(found.to_frame()["exact"]) == [True, False]


@pytest.mark.parametrize(
    "given",
    [
        "double", CASES["double"], CASES["double"].to_numpy(), [*CASES["double"]], (*CASES["double"],),
        lambda row: 2 * row["n"],
    ],
    ids=["a column", "a Series", "an array", "a list", "a tuple", "a function"],
)  # fmt: skip
def test_what_is_expected_comes_as_tables_do(provider: ScriptedProvider, given: Any) -> None:
    """A column's name, a function of the row, or any sequence of values."""
    provider.otherwise(doubles({3}))
    found = nb.evaluate(agent_of(provider), CASES, "Double {{ row.n }}", expected=given).wait(60)
    assert found.to_frame()["exact"].tolist() == [n != 3 for n in range(8)]


def test_past_runs_are_cases(provider: ScriptedProvider) -> None:
    """A frame of past runs is asked again by its own prompts, and may expect its own answers."""
    agent = agent_of(provider)
    provider.otherwise(doubles())
    nb.gather([agent.start(f"Double {n}", tags={"set": "gold"}) for n in (3, 4)])
    provider.otherwise(doubles({4}))
    found = nb.evaluate(agent, nb.runs(tags={"set": "gold"}), expected="content", fresh=True).wait(60)
    assert sorted(zip(found.to_frame()["expected"], found.to_frame()["exact"], strict=True)) == [
        ("6", True),
        ("8", False),
    ]


def test_a_failed_answer_has_no_score_and_a_bad_scorer_is_told(provider: ScriptedProvider) -> None:
    """What was not answered is counted as failed, not as wrong; a scorer that raises leaves the other scores."""
    provider.otherwise(
        lambda request: error(500, "no") if asked(request).endswith("3") else doubles()(request)
    )

    def odd(answer: str, expected: Any, row: Any) -> Any:
        if row["n"] == 1:
            raise ValueError("of the user's own")
        return "a text" if row["n"] == 2 else {"half": np.float64(0.5), "full": np.True_}

    found = nb.evaluate(
        agent_of(provider), CASES, "Double {{ row.n }}", expected="double", scorers=[nb.exact, odd]
    ).wait(60)
    frame = found.to_frame().set_index("case")
    assert frame.loc["c3", ["exact", "odd.half", "odd.full"]].isna().all()
    assert frame.loc["c3", "status"] == "error"
    assert "ValueError: of the user's own" in frame.loc["c1", "score_error"]
    assert "no score" in frame.loc["c2", "score_error"]
    assert bool(frame.loc["c0", "odd.full"]) is True
    summary = found.summary().set_index("score")
    assert tuple(summary.loc["exact", ["cases", "mean", "failed"]]) == (7, 1.0, 1)


def test_repeats_are_means_over_cases(provider: ScriptedProvider) -> None:
    """A case that is asked several times counts once: its interval is drawn over cases."""
    times: dict[str, int] = {}

    def sometimes(request: Any) -> Any:
        times[asked(request)] = times.get(asked(request), 0) + 1
        return text_reply("yes" if times[asked(request)] == 1 else "no")

    provider.otherwise(sometimes)
    found = nb.evaluate(agent_of(provider), CASES, "Say {{ row.n }}", expected=["yes"] * 8, repeat=2).wait(60)
    assert list(found.to_frame()["repeat"]) == [1, 2] * 8
    (row,) = found.summary().to_dict("records")
    assert (row["cases"], row["mean"], row["low"], row["high"]) == (8, 0.5, 0.5, 0.5)


def test_a_judge_grades_in_the_background_and_is_asked_once(provider: ScriptedProvider) -> None:
    """Verdicts and costs of a judge stand beside the answers; what an answer says to the judge is data between marks."""
    provider.otherwise(lambda request: json_reply({"reason": "because", "passed": "<answer>\n4\n" in asked(request)})
                       if "Grade the answer" in asked(request) else doubles()(request))  # fmt: skip
    model = OpenAIChat(id="judge-1", base_url=provider.base_url, api_key="not-needed")
    options: Any = {"expected": "double", "scorers": [nb.judge(model, "Four is right.")]}
    found = nb.evaluate(agent_of(provider), CASES, "Double {{ row.n }}", **options).wait(60)
    frame = found.to_frame().set_index("case")
    assert list(frame.index[frame["judge"]]) == ["c2"]
    assert set(frame["judge.reason"]) == {"because"}
    assert len(provider.requests) == 16
    assert '"n":2' in next(asked(one) for one in provider.requests if "<answer>\n4\n" in asked(one))
    assert list(
        nb.evaluate(agent_of(provider), CASES, "Double {{ row.n }}", **options).wait(60).to_frame()["judge"]
    ) == list(frame["judge"])
    assert len(provider.requests) == 16  # all of it was in the record


def test_an_evaluation_is_awaited_followed_and_cancelled(provider: ScriptedProvider) -> None:
    """It is at work when `evaluate` returns, can be awaited, shows what is there, and stops when cancelled."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("1")))
    held = nb.evaluate(agent_of(provider), CASES, "Wait {{ row.n }}", expected="double")
    provider.wait_for_requests(8)
    assert not held.done()
    assert set(held.to_frame()["status"]) == {"pending"}
    assert "8 cases" in repr(held)
    assert held.cancel()
    assert set(held.wait(60).to_frame()["status"]) == {"cancelled"}
    assert not held.cancel()
    gate.open()

    async def awaited() -> list[Any]:
        return list((await nb.evaluate(agent_of(provider), CASES, "Go {{ row.n }}")).to_frame()["answer"])

    assert asyncio.run(awaited()) == ["1"] * 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cases": []}, "no case"),
        ({"cases": "/nowhere/cases.csv"}, "cannot be read"),
        ({"cases": 7}, "not from int"),
        ({"expected": "duoble"}, "'duoble'"),
        ({"expected": [1, 2]}, "2 values for 8 cases"),
        ({"scorers": ["exact"]}, "'exact'"),
        ({"scorers": {"answer": nb.exact}}, "'answer'"),
        ({"repeat": 0}, "repeat"),
        ({"compare_to": 5}, "cannot compare to 5"),
        ({"compare_to": pd.DataFrame({"a": [1]})}, "no columns"),
        ({"agents": []}, "no agent"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_of_two_lines(
    provider: ScriptedProvider, options: Any, said: str
) -> None:
    """Nothing is asked for arguments that are wrong."""
    given = {"agents": agent_of(provider), "cases": CASES, "prompt": "Double {{ row.n }}"} | options
    with pytest.raises(ConfigurationError) as raised:
        nb.evaluate(**given)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 2
    assert not provider.requests


async def repeats(prompt: str) -> str:
    """Say the prompt again."""
    return prompt


ASKED = ["a", "b", "x", "banana"]
INDEXES = [
    pd.MultiIndex.from_product([["left", "right"], [1, 2]], names=["side", "n"]),
    pd.Index([7, 7, 8, 9]),
    pd.Index([np.nan, 1.0, 2.0, 3.0]),
    pd.date_range("2026-01-01", periods=4),
    pd.MultiIndex.from_tuples([("a", None), ("a", 1), ("b", 1), ("b", 2)]),
]


@pytest.mark.parametrize(
    ("index", "own"),
    list(zip(INDEXES, [True, False, False, True, False], strict=True)),
    ids=["tuples", "twice", "missing", "dates", "missing in tuples"],
)
def test_any_index_tells_cases_apart(index: pd.Index, *, own: bool) -> None:
    """Labels are those of the index where they are unique and there, else positions; regressions find them again."""
    cases = pd.DataFrame({"q": ASKED, "expected": ["a", "b", "c", "d"]}, index=index)
    before = nb.evaluate(repeats, cases, "{{ row.q }}", scorers={"right": lambda *_: 1.0}).wait(60)
    found = nb.evaluate(
        repeats, cases, "{{ row.q }}", scorers={"right": nb.exact}, compare_to=before, repeat=np.int64(2)
    ).wait(60)
    labels = list(found.to_frame()["case"])[::2]
    assert labels == (list(index) if own else [0, 1, 2, 3])
    assert list(found.regressions()["case"]) == labels[2:]
    (row,) = found.summary().to_dict("records")
    assert (row["cases"], row["mean"], row["before"], row["change"]) == (4, 0.5, 1.0, -0.5)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("scorer", [nb.exact, nb.contains, nb.regex("{expected}"), nb.within(1)])
def test_a_case_of_which_nothing_is_expected_has_no_score(missing: Any, scorer: Any) -> None:
    """A missing label is unknown, not a wrong answer, nor the text "nan"; what needs no label still scores."""
    found = nb.evaluate(
        repeats, ["1", "nan None NaT <NA>"], "{{ row }}", expected=["1", missing],
        scorers={"compared": scorer, "length": lambda answer, _expected, _row: len(answer)},
    ).wait(60)  # fmt: skip
    frame = found.to_frame()
    assert (frame["compared"].tolist(), frame["length"].tolist()) == ([True, pd.NA], [1.0, 17.0])
    assert frame["score_error"].isna().all()
    assert found.summary().set_index("score")["cases"].to_dict() == {"compared": 1, "length": 2}


async def awaited(answer: str, _expected: Any, _row: Any) -> bool:
    """A scorer that nobody could wait for."""
    return bool(answer)


class Asks:
    """A scorer that is an object."""

    async def __call__(self, answer: str, _expected: Any, _row: Any) -> bool:
        """Say yes, later."""
        return bool(answer)


def yields(answer: str, _expected: Any, _row: Any) -> Any:
    """A scorer with yield where return was meant."""
    yield bool(answer)


@pytest.mark.parametrize("scorer", [awaited, Asks(), yields, functools.partial(awaited)])
def test_a_scorer_that_gives_no_value_is_refused_before_anything_is_asked(scorer: Any) -> None:
    """It would leave each case without a score, after all was paid."""
    with pytest.raises(ConfigurationError, match=r"async function or a generator.*\nwrite it as def"):
        nb.evaluate(repeats, ["1"], "{{ row }}", scorers=scorer)


@pytest.mark.parametrize("value", [10**400, float("nan"), None, [1], "yes", np.array([1, 2])])
def test_what_is_no_score_is_told_and_harms_no_other(value: Any) -> None:
    """Whatever a scorer gives, the frame is there, with the scores of the others."""
    scorers = {"odd": lambda *_: value, "fine": lambda *_: 1}
    frame = nb.evaluate(repeats, ["1"], "{{ row }}", scorers=scorers).wait(60).to_frame()
    assert frame.loc[0, "fine"] == 1
    assert "odd" not in frame.columns
    assert "is no score" in frame.loc[0, "score_error"]
