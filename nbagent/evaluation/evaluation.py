"""`nb.evaluate` and `Evaluation`. Any thread; whatever makes frames runs on the caller's.

An evaluation is a batch for each contender, at work in the background. Scorers run where a frame is asked for, once for
each answer; judges are batches too, launched by the background loop when a contender's answers are there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from nbagent.batch import Batch, RowResult, get
from nbagent.core import check_count, run_in_daemon_thread
from nbagent.errors import ConfigurationError
from nbagent.evaluation.cases import Expected, case_labels, expected_values, table_of
from nbagent.evaluation.columns import COLUMNS, LAST
from nbagent.evaluation.contenders import contenders_of
from nbagent.evaluation.judging import Judge, shown
from nbagent.evaluation.scorers import exact
from nbagent.evaluation.scoring import Scored, named_scorers, score
from nbagent.evaluation.summary import regressions_of, summary_of
from nbagent.runtime import current

if TYPE_CHECKING:
    import pandas as pd

_COMPARE = "give an earlier Evaluation, its to_frame(), or a batch's label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What every contender is asked: rows by position, their labels, what is expected of each, and how often."""

    rows: Sequence[Mapping[Any, Any]]
    labels: Sequence[Any]
    expected: Sequence[Any]
    repeat: int


@dataclass(slots=True)
class _Contender:
    """One agent's answers, their scores as far as they were asked for, and its judges' verdicts."""

    batch: Batch
    scored: dict[int, Scored] = field(default_factory=dict)
    judged: dict[str, tuple[list[int], Batch]] = field(
        default_factory=dict
    )  # the positions graded, by the judge


class Evaluation:
    """Cases put to agents in the background: `to_frame()`, `summary()`, `regressions()`, `wait()`, `await`, `cancel()`.

    >>> cases = [{"country": "Italy", "capital": "Rome"}, {"country": "Peru", "capital": "Lima"}]
    >>> checked = nb.evaluate(
    ...     "demo:assistant", cases, "What is the capital of {{ row.country }}?",
    ...     expected="capital", scorers=nb.contains)
    >>> checked.wait(timeout=30).summary()[["score", "cases", "mean"]]
          score  cases  mean
    0  contains      2   1.0
    """

    def __init__(
        self,
        batches: Mapping[str, Batch],
        cases: Cases,
        scorers: Mapping[str, Any],
        earlier: pd.DataFrame | None = None,
    ) -> None:
        self._contenders = {name: _Contender(batch) for name, batch in batches.items()}
        self._cases = cases
        self._judges = {name: one for name, one in scorers.items() if isinstance(one, Judge)}
        self._scorers = {name: one for name, one in scorers.items() if not isinstance(one, Judge)}
        self._earlier = earlier
        self._final: pd.DataFrame | None = None  # once all has ended it stays as it is
        self._judging = current().thread.submit(self._judge()) if self._judges else None

    # ----------------------------------------------------------------- state

    @property
    def batches(self) -> dict[str, Batch]:
        """The batch of each contender, by its name."""
        return {name: one.batch for name, one in self._contenders.items()}

    def done(self) -> bool:
        """Return True once every case has its end with every contender, and every verdict of a judge."""
        return all(batch.done() for batch in self.batches.values()) and (
            self._judging is None or self._judging.done()
        )

    def cancel(self) -> bool:
        """Stop what is at work; answers that are there stay. False if all had ended."""
        stopped = [batch.cancel() for batch in self._batches_of_all()]
        return any(stopped)

    def _batches_of_all(self) -> list[Batch]:
        verdicts = [batch for one in self._contenders.values() for _, batch in one.judged.values()]
        return [*self.batches.values(), *verdicts]

    # --------------------------------------------------------------- waiting

    def wait(self, timeout: float | None = None) -> Evaluation:
        """Wait for the end, at most `timeout` seconds for each contender, and return this evaluation.

        Raises WaitTimeout and BlockingCallError.
        """
        for batch in self.batches.values():
            batch.wait(timeout)
        if self._judging is not None:
            self._judging.result(timeout)
        return self

    def __await__(self) -> Generator[Any, None, Evaluation]:
        """Wait without blocking."""
        return self._awaited().__await__()

    async def _awaited(self) -> Evaluation:
        for batch in self.batches.values():
            await batch
        if self._judging is not None:
            await asyncio.shield(asyncio.wrap_future(self._judging))
        return self

    async def _judge(self) -> None:
        """Launch the judges of each contender when its answers are there, and wait for them; on the background loop."""
        for contender in self._contenders.values():
            await contender.batch
            for name, judge in self._judges.items():
                contender.judged[name] = await run_in_daemon_thread(
                    partial(self._launch_judge, contender, judge)
                )
        for contender in self._contenders.values():
            for _, batch in contender.judged.values():
                await batch

    def _launch_judge(self, contender: _Contender, judge: Judge) -> tuple[list[int], Batch]:
        results = contender.batch.row_results()
        good = [n for n, one in enumerate(results) if one is not None and one.status == "completed"]
        rows = [
            {
                "case": shown(dict(self._cases.rows[self._case_of(n)])),
                "expected": shown(self._cases.expected[self._case_of(n)]),
                "answer": shown(one.content if (one := results[n]) is not None else None),
            }
            for n in good
        ]
        return good, judge.grade(rows, tags={"evaluation": "judge"})

    def _case_of(self, position: int) -> int:
        return position // self._cases.repeat

    # --------------------------------------------------------------- results

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each contender, case and time asked, so far.

        Columns: `contender`, `case` (its index label), `repeat` (from 1), `expected`, `answer` (typed), a column for
        each score (boolean or number; NA: not scored, as the answer of a run that failed), `status`, `error`,
        `score_error` (what a scorer raised), `cost_usd` and `judge_cost_usd` (US dollars), `duration_s`, `run_id`.
        """
        if self._final is None:
            has_ended = self.done()
            frame = self._frame()
            if not has_ended:
                return frame
            self._final = frame
        return self._final.copy()

    def _frame(self) -> pd.DataFrame:
        import pandas as pd

        rows = [row for name, one in self._contenders.items() for row in self._rows_of(name, one)]
        names = dict.fromkeys(name for row in rows for name in row if name not in LAST)
        frame = pd.DataFrame(rows, columns=[*names, *LAST])
        frame["answer"] = pd.Series([row["answer"] for row in rows], dtype=object)  # None stays None
        for name in [name for name in frame.columns if name not in COLUMNS]:
            values = frame[name].dropna()
            if len(values) and all(isinstance(one, bool) for one in values):
                frame[name] = frame[name].astype("boolean")
            elif len(values) and all(isinstance(one, bool | float) for one in values):
                frame[name] = frame[name].astype("Float64")
        return frame.astype({name: kind for name, kind in COLUMNS.items() if kind is not None})

    def _rows_of(self, name: str, contender: _Contender) -> list[dict[str, Any]]:
        results = contender.batch.row_results()
        verdicts = {judge: self._verdicts(*judged) for judge, judged in contender.judged.items()}
        rows = []
        for position, result in enumerate(results):
            case = self._case_of(position)
            scored = self._scored(contender, position, result)
            row = {
                "contender": name,
                "case": self._cases.labels[case],
                "repeat": position % self._cases.repeat + 1,
                "expected": self._cases.expected[case],
                "answer": None if result is None else result.content,
                **scored.scores,
            }
            for judge, of_judge in verdicts.items():
                verdict, _ = of_judge.get(position, (None, None))
                row |= {judge: verdict and verdict.passed, f"{judge}.reason": verdict and verdict.reason}
            costs = [
                cost for of_judge in verdicts.values() if (cost := of_judge.get(position, (None, None))[1])
            ]
            rows.append(
                row
                | {
                    "status": "pending" if result is None else result.status,
                    "error": None if result is None else result.error,
                    "score_error": scored.error,
                    "cost_usd": None if result is None else result.cost_usd,
                    "judge_cost_usd": sum(costs) if costs else None,
                    "duration_s": None if result is None else result.duration_s,
                    "run_id": None if result is None else result.run_id,
                }
            )
        return rows

    def _scored(self, contender: _Contender, position: int, result: RowResult | None) -> Scored:
        if result is None or result.status != "completed":
            return Scored()
        if position not in contender.scored:
            case = self._case_of(position)
            expected, row = self._cases.expected[case], self._cases.rows[case]
            contender.scored[position] = score(self._scorers, result.content, expected, row)
        return contender.scored[position]

    @staticmethod
    def _verdicts(positions: list[int], batch: Batch) -> dict[int, tuple[Any, float | None]]:
        """Give each graded position's verdict (None: the judge failed, or has not come to it) and its cost."""
        results = zip(positions, batch.row_results(), strict=False)
        return {at: (None, None) if one is None else (one.content, one.cost_usd) for at, one in results}

    def summary(self) -> pd.DataFrame:
        """Return a row for each contender and score: its mean with a 95 % interval, what it cost, and what has changed.

        Columns: `contender`, `score`, `cases` (that have the score), `mean`, `low`, `high` (Wilson's interval for yes
        and no asked once, else the bootstrap over cases with a fixed seed), `failed` (answers that a run has not
        given), `cost_usd` and `judge_cost_usd` (US dollars), and with `compare_to` also `before`, `change`,
        `change_low`, `change_high` over the cases that both have (bootstrap of the differences).
        """
        return summary_of(self.to_frame(), self._earlier)

    def regressions(self) -> pd.DataFrame:
        """Return the cases whose score is lower than in `compare_to`, the largest loss first.

        Columns: `contender`, `case`, `score`, `before`, `after` (means over the times asked), `change`,
        `answer_before`, `answer_after`, `run_id`.

        Raises:
            ConfigurationError: there was nothing to compare with.
        """
        if self._earlier is None:
            raise ConfigurationError(
                "this evaluation has nothing to compare with", f"compare_to=: {_COMPARE}"
            )
        return regressions_of(self.to_frame(), self._earlier)

    def __repr__(self) -> str:
        parts = "; ".join(f"{name}: {batch.progress}" for name, batch in self.batches.items())
        judged = " (judged)" if self._judges and self.done() else ""
        return f"<Evaluation of {len(self._cases.rows)} cases{judged}: {parts}>"


def evaluate(
    agents: Any,
    cases: Any,
    prompt: str = "{{ row.prompt }}",
    *,
    expected: Expected = None,
    scorers: Any = None,
    repeat: int = 1,
    compare_to: Any = None,
    **options: Any,
) -> Evaluation:
    """Put each case to each agent, in the background, and return an `Evaluation` at once.

    `agents` are Agents, Teams, models or "provider:name" strings, one or several; a mapping names them. `cases` is
    what `Agent.map` takes, a CSV file's path, or a frame of past runs (`nb.runs(...)`, whose prompts are the default
    `prompt`). `prompt` is a template that knows `row`. `expected` is a column's name, a function of the row or a value
    for each case; by default the column `expected`. `scorers` are functions `f(answer, expected, row)` that return a
    bool, a number or a dict of these: one, a list, or a mapping that names them; `exact`, `contains`, `regex(...)`,
    `within(...)` and `judge(agent)` come along, and `exact` is taken where something is expected. A case of which
    nothing is expected (None, NaN) has no score by those that compare with it.
    Each case is asked `repeat` times. `compare_to` is an earlier evaluation, its frame, or the label of its batch.
    `options` are those of `Agent.map`: output_schema, label, max_concurrency, max_cost, ...

    >>> found = nb.evaluate("demo:assistant", [{"prompt": "What is 6 * 7?", "expected": 42}], scorers=nb.within(0))
    >>> found.wait(timeout=30).to_frame()[["answer", "within"]]
            answer  within
    0  6 * 7 = 42.   False

    Answers that an earlier batch of the same agent and prompts has are taken from the record, as after a killed
    kernel; `fresh=True` asks again. Raises the ConfigurationErrors of a launch.
    """
    contenders = contenders_of(agents, "evaluate")
    check_count("repeat", repeat, "give 1 or more")
    table, asked = table_of(cases)
    rows = table.to_dict("records")
    wanted = expected_values(expected, table, rows)
    if scorers is None:
        scorers = [exact] if any(one is not None for one in wanted) else []
    named = named_scorers(scorers)
    labels = case_labels(table)
    kept = Cases(rows=rows, labels=labels, expected=wanted, repeat=repeat)
    earlier = _earlier_frame(compare_to, kept, named)
    for name, agent in contenders.items():
        if not hasattr(agent, "map"):
            raise ConfigurationError(
                f"evaluate cannot put a table to {name!r}", "give an Agent, a Team or a model"
            )
    batches: dict[str, Batch] = {}
    try:
        for name, agent in contenders.items():
            batches[name] = agent.map(asked, prompt, repeat=repeat, **options)
    except BaseException:
        for batch in batches.values():
            batch.cancel()
        raise
    return Evaluation(batches, kept, named, earlier)


def _earlier_frame(given: Any, cases: Cases, scorers: Mapping[str, Any]) -> pd.DataFrame | None:
    """Give the frame of an earlier evaluation; a batch by its label is scored as this one is, but by judges.

    Raises:
        ConfigurationError: it is none, or the batch asked another number of cases.
    """
    if given is None:
        return None
    if isinstance(given, Evaluation):
        return given.to_frame()
    if hasattr(given, "columns"):
        if {"contender", "case"} <= set(given.columns):
            frame: pd.DataFrame = given
            return frame
        raise ConfigurationError("compare_to has no columns 'contender' and 'case'", _COMPARE)
    batch = get(given) if isinstance(given, str | Batch) else None
    if not isinstance(batch, Batch):
        raise ConfigurationError(f"evaluate cannot compare to {given!r:.80}", _COMPARE)
    if len(batch.row_results()) != len(cases.rows) * cases.repeat:
        count = len(batch.row_results())
        raise ConfigurationError(
            f"{batch!r} has {count} answers, these cases ask for {len(cases.rows) * cases.repeat}", _COMPARE
        )
    plain = {name: one for name, one in scorers.items() if not isinstance(one, Judge)}
    return Evaluation({batch.label or "earlier": batch}, cases, plain).to_frame()
