"""Random batches against a server that counts: what a batch cost is one number, wherever it is read, and limits hold.

Tables are mapped over with retries, groups, repeats and shared answers, mapped over again as they grow, cancelled at
work, asked again in other ways, read back from the record and killed. After each of these, for every batch:

- the frame's `cost_usd`, `progress`, `batch.metrics`, `nb.runs` and `nb.metrics.by_model(batch=)` add up to the server's
  count times the price, and tokens likewise; a row has what its requests cost, one from earlier 0, unknown is None
- no more calls were in flight than `max_concurrency`, and `max_cost` and `max_tokens` are passed by no more than these
- what an earlier batch has answered is not asked again
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import nbagent as nb
from nbagent import settings as options
from nbagent.loop import model_call
from tests.batch.counting_provider import FATES, PRICES, Given, Till, by_row, known
from tests.batch.paid_mapping_process import agent_at, start
from tests.harness.waiting import PATIENCE_S, until
from tests.provider.server import ScriptedProvider

ROOT = Path(__file__).resolve().parents[2]
POOL = 7  # rows that tables are made of
AGAIN = "Once more: {{ row.text }}"
COUNT = itertools.count()


@pytest.fixture(autouse=True)
def _set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two models have prices; a call that failed is tried again at once."""
    monkeypatch.setattr(model_call, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setenv("NBAGENT_PRICES", json.dumps(PRICES))
    yield
    options.configure("prices", None)


@dataclass
class Kept:
    """A batch of the example, and what must be true of it."""

    name: str
    batch_id: str
    rows: list[str]
    options: dict[str, Any]
    handle: nb.Batch | None
    limits: dict[str, float] = field(default_factory=dict)
    estimated: dict[str, float] = field(default_factory=lambda: {"max_cost": 0.0, "max_tokens": 0.0})
    died: bool = False  # with calls in flight, whose cost nobody knows
    varied: bool = False  # some of its rows were asked in another way

    @property
    def batch(self) -> nb.Batch:
        """The handle, or the batch as the record has it."""
        if self.handle is None:
            self.handle = nb.get(self.batch_id)
        return self.handle

    @property
    def names(self) -> list[str]:
        """The name of each row of the frame."""
        return [row for row in self.rows for _ in range(self.options.get("repeat", 1))]


fates = st.lists(st.sampled_from([*sorted(FATES), *["good"] * 5]), min_size=1, max_size=3).map(tuple)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
tables = st.lists(
    st.integers(0, POOL - 1), min_size=1, max_size=8
)  # places in the pool of rows; some come twice


@st.composite
def ways(draw: st.DrawFn) -> dict[str, Any]:
    """Options of a batch that go together."""
    made: dict[str, Any] = {"max_concurrency": draw(st.integers(1, 4))}
    kind = draw(st.sampled_from(["plain", "plain", "group", "repeat", "dedupe", "group and dedupe"]))
    if "group" in kind:
        made["group"] = draw(st.integers(2, 3))
    if "dedupe" in kind:
        made["dedupe"] = True
    if kind == "repeat":
        made["repeat"] = 2
    return made


limits = st.none() | st.tuples(st.sampled_from(["max_cost", "max_tokens"]), st.floats(0.3, 6))
stops = st.none() | st.none() | st.integers(0, 4)  # requests that are answered before the batch is cancelled


whiches = st.integers(0, 99)
hows = st.sampled_from(["as before", "as before", "template", "agent"])
starts = st.fixed_dictionaries({"places": tables, "way": ways(), "limit": limits, "stop": stops})
# a day is drawn as a whole, before anything of it happens: what is drawn depends on nothing that was measured
days = st.tuples(
    st.lists(st.tuples(fates, sizes), min_size=POOL, max_size=POOL),
    starts,
    st.lists(
        st.one_of(
            st.tuples(st.just("start"), starts),
            st.tuples(
                st.just("retry"),
                st.fixed_dictionaries({"which": whiches, "stop": stops, "limit": limits, "how": hows}),
            ),
            st.tuples(
                st.just("resume"), st.fixed_dictionaries({"which": whiches, "stop": stops, "limit": limits})
            ),
            st.tuples(st.just("forget"), st.fixed_dictionaries({"which": whiches})),
        ),
        min_size=3,
        max_size=7,
    ),
)


class Spending:
    """One pool of rows, and the batches made of it."""

    looks = 0  # at a batch, in all machines of this process

    def __init__(self, provider: ScriptedProvider) -> None:
        self.url = provider.base_url
        self.salt = f"s{next(COUNT)}x"
        self.till = Till()
        self.batches: list[Kept] = []
        self.answered: Counter[str] = Counter()  # so many rows with this name need no later batch ask
        provider.otherwise(self.till.answer)

    # -------------------------------------------------------------------- rules

    def pool_of(self, drawn: Iterable[tuple[tuple[str, ...], tuple[int, int]]]) -> None:
        """The rows that tables are made of, and what becomes of each."""
        for number, (words, size) in enumerate(drawn):
            self.till.fates[f"{self.salt}{number}"] = words
            self.till.sizes[f"{self.salt}{number}"] = size

    def start(self, places: list[int], way: dict[str, Any], limit: Any, stop: int | None) -> None:
        """Map over a table, of rows that were asked before and others."""
        self.map_over([f"{self.salt}{place}" for place in places], way, self.bound(limit), stop)

    def map_over(
        self, names: list[str], way: dict[str, Any], bound: dict[str, Any], stop: int | None
    ) -> None:
        """Start a batch; what an earlier one has answered is not asked, where the row comes once."""
        name = f"{self.salt}-b{len(self.batches)}"
        self.till.begin(name, stop)
        times = 1 if way.get("dedupe") else way.get("repeat", 1)
        spared = {row for row, count in Counter(names).items() if count * times <= self.answered[row]}
        batch = start(self.url, names, label=name, **way, **bound)
        kept = Kept(name, batch.batch_id, names, way, batch, bound)
        self.batches.append(kept)
        self.finish(kept, 0, stop)
        assert not {row for one in self.till.log(name) for row in one.rows} & spared
        frame = batch.to_frame()
        if not way.get("dedupe"):
            assert frame.loc[[row in spared for row in kept.names], "from_earlier"].all()

    def bound(self, limit: tuple[str, float] | None) -> dict[str, Any]:
        """A limit of so many usual rows."""
        if limit is None:
            return {}
        which, times = limit
        count = len(self.till.sizes)
        if which == "max_tokens":
            return {which: int(times * sum(map(sum, self.till.sizes.values())) / count) + 1}
        price = PRICES["openai-chat:scripted-1"]
        mean = sum(a * price["input"] + b * price["output"] for a, b in self.till.sizes.values()) / count
        return {which: times * mean / 1e6}

    def retry(self, which: int, stop: int | None, limit: Any, how: str) -> None:
        """Ask what failed again, as before or in another way."""
        kept = self.batches[which % len(self.batches)]
        way: dict[str, Any] = {}
        kept.varied |= how != "as before"
        if how == "template":
            way = {"template": AGAIN, "rows": self.table(kept)}
        if how == "agent":
            way = {"agent": agent_at(self.url, "scripted-2")}
        elif kept.batch._plan is None:
            way["agent"] = agent_at(self.url)  # the record cannot hold it
        bound = self.bound(limit)
        if "max_cost" in bound:
            kept.limits |= bound
            way |= bound
        self.ask_again(kept, stop, lambda batch: batch.retry_failed(**way))

    def resume(self, which: int, stop: int | None, limit: Any) -> None:
        """Go on with what was cancelled or not asked, with another limit or none."""
        kept = self.batches[which % len(self.batches)]
        bound = self.bound(limit)
        kept.limits = bound
        kept.batch.set_limits(**{"max_cost": None, "max_tokens": None, **bound})
        way: dict[str, Any] = {"rows": self.table(kept)}
        if kept.batch._plan is None:
            way["agent"] = agent_at(self.url)
        self.ask_again(kept, stop, lambda batch: batch.resume(**way))

    def forget(self, which: int) -> None:
        """From now on the batch is what the record has of it, as in another kernel."""
        kept = self.batches[which % len(self.batches)]
        before = kept.batch.to_frame()
        kept.handle = None
        gc.collect()
        pd.testing.assert_frame_equal(
            kept.batch.to_frame(join=False)[NUMBERS].reset_index(drop=True),
            before[NUMBERS].reset_index(drop=True),
        )
        self.look(kept)

    def teardown(self) -> None:
        """No batch has changed another's numbers, and together they are all that was paid."""
        for one in self.batches:
            self.look(one)
        if self.batches:
            together = nb.metrics.by_model(batch=[one.batch_id for one in self.batches])
            assert together["cost_usd"].sum() == pytest.approx(known(self.till.log(), "cost_usd") or 0)
            assert together["model_calls"].sum() == len(self.till.log())

    # -------------------------------------------------------------------- checks

    def table(self, kept: Kept) -> pd.DataFrame:
        return pd.DataFrame({"text": [f"row {name}." for name in kept.rows]})

    def ask_again(self, kept: Kept, stop: int | None, how: Callable[[nb.Batch], object]) -> None:
        before = len(self.till.log(kept.name))
        self.till.begin(kept.name, stop)
        how(kept.batch)
        self.finish(kept, before, stop)

    def finish(self, kept: Kept, before: int, stop: int | None) -> None:
        """Wait for a batch, or cancel it once all that was given out has come in; then look at all of them."""
        batch = kept.batch
        if stop is not None:
            until(lambda: batch.done() or self.stands_still(kept), lambda: (batch, self.till.log(kept.name)))
            batch.cancel()
        batch.wait(PATIENCE_S)
        self.till.let_go()
        given = self.till.log(kept.name)
        assert self.till.peak <= kept.options["max_concurrency"]
        self.check_limits(kept, given[:before], given[before:])
        kept.estimated = self.estimated(kept)
        self.look(kept)
        self.learn(kept)

    def stands_still(self, kept: Kept) -> bool:
        """Whether every call in flight is held by the server, so that all that it gave out has come in."""
        return kept.batch.progress.running == self.till.held > 0

    def estimated(self, kept: Kept) -> dict[str, float]:
        """What the batch counts for calls whose usage the server kept to itself."""
        progress = kept.batch.progress
        return {"max_cost": progress.estimated_cost_usd or 0.0, "max_tokens": progress.estimated_tokens}

    def check_limits(self, kept: Kept, before: list[Given], now: list[Given]) -> None:
        """What was spent is within the limit, but for what was in flight when the last was asked.

        A call without usage counts with its estimate; which share of all estimates one has is not looked at.
        """
        for limit, of in (("max_cost", "cost_usd"), ("max_tokens", "total_tokens")):
            if limit not in kept.limits or not now:
                continue
            guessed = self.estimated(kept)[limit] - kept.estimated[limit]
            assert guessed >= 0
            runs: Counter[str] = Counter()
            for one in now:
                runs[one.prompt] += getattr(one, of) or (guessed if getattr(one, of) is None else 0)
            in_flight = sum(spent for _, spent in runs.most_common(kept.options["max_concurrency"]))
            known_now = sum(getattr(one, of) or 0 for one in now)
            spent = kept.estimated[limit] + sum(getattr(one, of) or 0 for one in before)
            assert spent < kept.limits[limit], "nothing may be asked any more"
            assert spent + known_now + guessed < kept.limits[limit] + in_flight

    def learn(self, kept: Kept) -> None:
        """Keep what later batches need not ask: whole answers to the table's own prompts."""
        frame = kept.batch.to_frame()
        whole = (frame["status"] == "completed") & (frame["stop_reason"] == "end")
        if not kept.varied:
            for name, rows in itertools.groupby(
                sorted(zip(kept.names, whole, strict=True), key=first), first
            ):
                answered = itertools.takewhile(bool, (good for _, good in rows))
                several = sum(answered)
                self.answered[name] = max(
                    self.answered[name], min(several, 1) if "dedupe" in kept.options else several
                )

    def look(self, kept: Kept) -> None:
        """All numbers of a batch are those of the server."""
        Spending.looks += 1
        batch, given = kept.batch, self.till.log(kept.name)
        frame = batch.to_frame()
        cost, tokens = known(given, "cost_usd"), known(given, "total_tokens")
        if kept.died and not given:
            cost = tokens = None
        metrics, by_model = batch.metrics, nb.metrics.by_model(batch=batch)
        assert metrics.model_calls == by_model["model_calls"].sum() == len(given)
        assert metrics.cost_usd == pytest.approx(cost)
        assert metrics.total_tokens == tokens
        assert batch.progress.cost_usd == pytest.approx(cost)
        assert batch.progress.tokens == (tokens or 0)
        assert frame["cost_usd"].sum() == pytest.approx(cost or 0)
        assert nb.runs(batch=batch)["cost_usd"].sum() == pytest.approx(cost or 0)
        for row in by_model.itertuples():
            of_model = [one for one in given if one.model == row.model]
            assert row.model_calls == len(of_model)
            for name in ("input_tokens", "output_tokens", "total_tokens", "cost_usd"):
                value = getattr(row, name)
                assert (None if pd.isna(value) else value) == pytest.approx(known(of_model, name))
        self.look_at_rows(kept, frame, given)

    def look_at_rows(self, kept: Kept, frame: pd.DataFrame, given: list[Given]) -> None:
        """Each row has what its own requests cost."""
        assert (frame.loc[frame["from_earlier"].fillna(value=False), "cost_usd"] == 0).all()
        costs = by_row(given)
        rows = pd.Series(kept.names, index=frame.index)
        for name, several in frame.groupby(rows):
            paid = several["cost_usd"].sum(min_count=1)
            free = (several["cost_usd"] == 0).any()
            expected = costs.get(name)
            if expected is None:
                assert pd.isna(paid) or (free and paid == 0), (name, several)
            else:
                assert paid == pytest.approx(expected), (name, several)


first = itemgetter(0)
NUMBERS = ["status", "stop_reason", "from_earlier", "cost_usd", "run_id"]


def play(provider: ScriptedProvider, examples: int) -> None:
    """Let so many random days pass."""
    Spending.looks = 0

    @settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.generate],  # the steps of a failure are few enough to read
        suppress_health_check=list(HealthCheck),
    )
    @given(day=days)
    def pass_day(day: Any) -> None:
        pool, first, steps = day
        spending = Spending(provider)
        spending.pool_of(pool)
        spending.start(**first)
        for name, drawn in steps:
            getattr(spending, name)(**drawn)
        spending.teardown()

    pass_day()
    assert Spending.looks > examples


@pytest.mark.timeout(300)
def test_a_batch_costs_what_the_server_gave_out(provider):
    """Twelve random days of batches: every number is the server's, and no limit is passed."""
    play(provider, 12)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_batches_cost_what_the_server_gave_out(provider):
    """The same for hundreds of days."""
    examples = int(os.environ.get("NBAGENT_BATCH_EXAMPLES", "300"))
    play(provider, examples)
    print(f"{examples} days, {Spending.looks} looks: all numbers are the server's")


@contextmanager
def killed(url: str, names: list[str], seen: int, **given: Any) -> Iterator[None]:
    """A kernel that maps over rows, killed once it was given `seen` of them."""
    told = json.dumps({"names": names, "options": given})
    command = [sys.executable, "-m", "tests.batch.paid_mapping_process", url, told]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert len(list(itertools.islice(process.stdout, seen))) == seen
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(60)


@pytest.mark.parametrize(
    ("words", "seen", "at_a_time"),
    [
        (["good"] * 5, 2, 2),
        (["good", "invalid", "cut", "silent", "good", "refused"], 4, 1),
        (["invalid", "silent", "good", "good"], 0, 3),
    ],
)
def test_a_killed_batch_costs_what_the_server_gave_out(provider, words, seen, at_a_time):
    """In the kernel that finds it: as it was left, once it has gone on, and where its table is mapped over again."""
    days = Spending(provider)
    days.pool_of([((word, "good"), (10 + n, 20 + n)) for n, word in enumerate(words)])
    names = list(days.till.fates)
    days.till.begin("died", seen)
    with killed(provider.base_url, names, seen, label="died", max_concurrency=at_a_time):
        until(lambda: days.till.held == min(at_a_time, len(names) - seen), days.till.log)
    days.till.lose()
    kept = Kept("died", nb.get("died").batch_id, names, {"max_concurrency": at_a_time}, None, died=True)
    days.batches.append(kept)
    days.look(kept)
    assert kept.batch.done()
    days.learn(kept)
    days.map_over(names, {"max_concurrency": at_a_time}, {}, None)
    days.ask_again(kept, None, lambda batch: batch.resume(rows=days.table(kept), agent=agent_at(provider.base_url)))  # fmt: skip
    days.ask_again(kept, None, lambda batch: batch.retry_failed(agent=agent_at(provider.base_url)))
    assert set(kept.batch.to_frame()["status"]) == {"completed"}
    days.teardown()


@pytest.mark.parametrize(
    ("names", "seen", "repeat"),
    [("aaaa", 1, 1), ("abab", 2, 1), ("ab", 1, 2)],
    ids=["same", "pairs", "repeat"],
)
def test_equal_prompts_that_a_later_kernel_asked_are_found_again(provider, names, seen, repeat):
    """Rows that a dead kernel never came to have the number among equal prompts that they had in their table."""
    till = Till()
    provider.otherwise(till.answer)
    till.fates, till.sizes = dict.fromkeys(names, ("good",)), dict.fromkeys(names, (3, 4))
    till.begin("died", seen)
    way = {"repeat": repeat, "max_concurrency": 1}
    with killed(provider.base_url, list(names), seen, label="died", **way):
        until(lambda: till.held == 1, till.log)
    till.begin("resumed")
    table = [{"text": f"row {name}."} for name in names]
    assert set(nb.get("died").resume(rows=table, agent=agent_at(provider.base_url)).result(PATIENCE_S)["status"]) == {"completed"}  # fmt: skip
    assert len(till.log("resumed")) == len(names) * repeat - seen
    till.begin("again")
    assert start(provider.base_url, list(names), **way).result(PATIENCE_S)["from_earlier"].all()
    assert not till.log("again")
