"""A batch is a thing of the record: another kernel has all of it by its label, while it works, ended or died."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent.core.json_codec import dump_json, load_json
from nbagent.errors import ConfigurationError, UnknownNameError, UnknownOptionError
from nbagent.frames.row_keys import key_data, key_of
from tests.batch.other_kernel import INDEX, agent_at, table
from tests.batch.review_provider import SCHEMA, TEMPLATE, Reviews, answer_to, group_answer, prompt_of
from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.server import Request
from tests.provider.steps import Gate, Wait, error

ROOT = Path(__file__).resolve().parents[2]


class Review(BaseModel):
    label: str
    words: int


@contextmanager
def kernel(url: str, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another kernel with the batch `pass_a`, in the same record."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.batch.other_kernel", url, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            yield process
        finally:
            process.kill()
            process.wait(60)


def held(request: Request, gate: Gate, first: int) -> object:
    """Answer the first rows at once, the others once the gate opens."""
    number = int(prompt_of(request).rpartition(" ")[2])
    answer = json_reply(answer_to(prompt_of(request)))
    return answer if number < first else (Wait(gate), *answer)


def test_an_ended_batch_of_another_kernel(provider):
    """Its frame has the table's index and each answer; failed rows are asked again here, of this kernel's agent."""
    broken = {"Classify: row number 4"}
    provider.otherwise(Reviews(refuses=lambda prompt: error(400, "no") if prompt in broken else None).answer)
    with kernel(provider.base_url, "ends"):
        batch = nb.get("pass_a")
        assert isinstance(batch, nb.Batch)
        assert batch.done()
        frame = batch.to_frame()
        assert list(frame.index) == INDEX
        assert frame.index.name == "review"
        assert frame["label"].notna().sum() == 5
        assert list(batch.failed().index) == ["r4"]
        assert str(batch.progress) == "5 of 6 done, 1 failed"
        joined = table().join(frame[["label"]])
        assert joined.loc["r2", "label"] == "label of row number 2"
        assert [batch.cancel(), nb.cancel_run("pass_a")] == [False, False]
        with pytest.raises(
            ConfigurationError, match="given as an object, whose address and key are not in the"
        ):
            batch.retry_failed()
        broken.clear()
        again = batch.retry_failed(agent=agent_at(provider.base_url)).result(60)
        assert set(again["status"]) == {"completed"}
        assert len(provider.requests) == 7
    assert nb.get(batch.batch_id).to_frame()["label"].notna().all()
    assert len(nb.runs(batch="pass_a")) == 7


def test_a_batch_that_works_in_another_kernel_is_followed(provider):
    """Its rows come as they end there, a wait ends with it, and it can be iterated."""
    gate = Gate()
    provider.otherwise(lambda request: held(request, gate, 2))
    with kernel(provider.base_url, "works"):
        provider.wait_for_requests(4)
        batch = nb.get("pass_a")
        rows = iter(batch)
        assert {next(rows).index, next(rows).index} == {"r0", "r1"}
        assert not batch.done()
        with pytest.raises(nb.WaitTimeout):
            batch.wait(0.1)
        assert batch.retry_failed() is batch
        with pytest.raises(ConfigurationError, match="is at work in another kernel"):
            batch.set_limits(max_cost=1.0)
        gate.open()
        frame = batch.result(60)
        assert set(frame["status"]) == {"completed"}
        assert len(list(rows)) == 4


def test_a_batch_of_another_kernel_is_cancelled_through_the_record(provider):
    """What is in flight there ends as cancelled, and what was not asked is not asked."""
    gate = Gate()
    provider.otherwise(lambda request: held(request, gate, 1))
    with kernel(provider.base_url, "works"):
        provider.wait_for_requests(3)
        assert nb.cancel_run("pass_a")
        frame = nb.get("pass_a").result(60)
        assert frame["status"].to_list() == ["completed", "cancelled", "cancelled", *["not asked"] * 3]
        assert len(provider.requests) == 3
        resumed = nb.resume("pass_a", agent=agent_at(provider.base_url))
        gate.open()
        assert set(resumed.result(60)["status"]) == {"completed"}
        assert len(provider.requests) == 8


def test_a_batch_whose_kernel_died(provider):
    """Rows that were answered are there; rows that it never came to are asked once their table is given again."""
    gate = Gate()
    provider.otherwise(lambda request: held(request, gate, 2))
    with kernel(provider.base_url, "works") as process:
        provider.wait_for_requests(4)
        nb.get("pass_a")
        rows = iter(nb.get("pass_a"))
        assert {next(rows).index, next(rows).index} == {"r0", "r1"}
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        batch = nb.get("pass_a")
        frame = batch.wait(60)
        assert frame["status"].to_list() == [*["completed"] * 2, *["interrupted"] * 2, *["not asked"] * 2]
        assert list(frame.index) == INDEX
        gate.open()
        agent = agent_at(provider.base_url)
        with pytest.raises(ConfigurationError, match="2 rows of batch 'pass_a' were never asked"):
            batch.resume(agent=agent)
        assert set(batch.resume(rows=table(), agent=agent).result(60)["status"]) == {"completed"}
        assert len(provider.requests) == 8
    assert nb.get("pass_a").to_frame()["label"].to_list() == [f"label of row number {n}" for n in range(6)]


def reread(batch: nb.Batch) -> nb.Batch:
    """The batch as any other kernel has it."""
    from nbagent.batch.batch import _batches

    held_here = _batches.pop(batch.batch_id)
    try:
        return nb.get(batch.batch_id)
    finally:
        _batches[held_here.batch_id] = held_here


MEASURES = [
    "status",
    "stop_reason",
    "from_earlier",
    "error",
    "error_type",
    "error_fields",
    "cost_usd",
    "duration_s",
    "run_id",
]


@pytest.mark.parametrize("kind", ["plain", "failed", "dedupe", "group", "earlier", "cut", "limit", "repeat"])
def test_what_the_record_gives_back_is_what_was_there(agent, provider, kind):
    """Whatever became of its rows: the frame read from the record has the frame's answers and measures."""
    words = [f"w{n % 4}" for n in range(8)] if kind == "dedupe" else [f"w{n}" for n in range(8)]
    options = {
        "dedupe": {"dedupe": True},
        "group": {"group": 3, "output_schema": Review},
        "limit": {"max_tokens": 18 * 5, "max_concurrency": 1},
        "repeat": {"repeat": 2},
    }.get(kind, {})

    def answer(request: Request) -> object:
        prompt = prompt_of(request)
        if "<task" in prompt:
            return json_reply({"answers": group_answer(request)[:-1]})
        if kind == "failed" and "w3" in prompt:
            return error(400, "no")
        if "response_format" in request.body:
            return json_reply(answer_to(prompt))
        return text_reply(f"<{prompt}>", finish="length" if kind == "cut" else "stop")

    provider.otherwise(answer)
    if kind == "earlier":
        agent.map(words[:5], "Say: {{ row }}").wait(60)
    batch = agent.map(words, "Say: {{ row }}", **options)
    frame = batch.wait(60)
    found = reread(batch).to_frame()
    assert found is not frame
    shown = [name for name in ("content", "label", "words", "repeat") if name in frame.columns]
    pd.testing.assert_frame_equal(
        found[[*shown, *MEASURES]], frame[[*shown, *MEASURES]], check_index_type=False
    )
    before, after = batch.progress, reread(batch).progress
    assert (after.statuses, after.cost_usd, after.tokens) == (before.statuses, before.cost_usd, before.tokens)
    assert reread(batch).notices == batch.notices


def test_answers_are_of_their_class_where_it_is_known(agent, provider, monkeypatch):
    """Read from the record a typed answer is its class, or a plain dict where the class is not at hand."""
    provider.otherwise(Reviews().answer)
    batch = agent.map(["a: b"], "Say: {{ row }}", output_schema=Review)
    batch.wait(60)
    assert type(next(iter(reread(batch))).content) is Review
    monkeypatch.delattr(sys.modules[__name__], "Review")
    assert next(iter(reread(batch))).content == {"label": "label of a: b", "words": 2}


KEYS = [
    3,
    2**80,
    "03",
    "",
    True,
    2.5,
    ("a", 1),
    (dt.date(2026, 3, 1), ("x", None)),
    pd.Timestamp("2026-03-01 12:00:00.123456789"),
    pd.Timestamp("2026-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timedelta("1 days 00:00:00.000000001"),
    dt.date(2026, 3, 1),
    dt.time(12, 30),
    Decimal("1.10"),
    uuid.UUID(int=7),
    b"\x00\xff",
    float("inf"),
    None,
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_key_is_given_back_as_it_was(key):
    """Through JSON and back: value and kind."""
    found = key_of(load_json(dump_json(key_data(key), default=None)))
    assert found == key
    assert type(found) is type(key)


@pytest.mark.parametrize(
    ("rows", "key", "expected"),
    [
        (pd.DataFrame({"t": ["a", "b"]}, index=[10, 20]), None, [10, 20]),
        (pd.Series(["a", "b"], index=pd.date_range("2026-01-01", periods=2)), None, None),
        (
            pd.DataFrame({"t": ["a", "b"]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
            None,
            [("x", 1), ("y", 2)],
        ),
        (pd.DataFrame({"t": ["a", "b"], "id": [7, 8]}), "id", [7, 8]),
        (pd.DataFrame({"t": ["a", "b"], "id": [7, 8], "n": ["p", "q"]}), ["id", "n"], [(7, "p"), (8, "q")]),
        (["a", "b"], None, [0, 1]),
        ([{"t": "a", "id": "k1"}, {"t": "b", "id": "k2"}], "id", ["k1", "k2"]),
    ],
    ids=["int", "timestamps", "multiindex", "column", "columns", "list", "records"],
)
def test_runs_are_joined_by_the_rows_keys(agent, provider, rows, key, expected):
    """`row_key` in `nb.runs(batch=...)` holds the user's own keys, in their own type, so that a table can be joined."""
    provider.otherwise(text_reply("x"))
    batch = agent.map(rows, "Say {{ row }}", key=key, label="keyed")
    batch.wait(60)
    runs = nb.runs(batch=batch).sort_values("prompt", ignore_index=True)
    if expected is None:
        assert runs["row_key"].dtype.kind == "M"
        merged = rows.to_frame("t").merge(runs, left_index=True, right_on="row_key")
        assert len(merged) == 2
    else:
        assert sorted(runs["row_key"].to_list()) == expected
        assert [type(one) for one in sorted(runs["row_key"].to_list())] == [type(one) for one in expected]
    frame = reread(batch).to_frame()
    if isinstance(rows, pd.DataFrame) and isinstance(key, str):
        assert (
            rows.merge(runs[["row_key", "status"]], left_on=key, right_on="row_key")["status"].notna().all()
        )
        assert frame.index.name == key


def test_a_key_that_is_no_column_is_told(agent, provider):
    """In two lines, before anything is sent."""
    for rows, key in (
        (pd.DataFrame({"ident": [1], "t": ["a"]}), "idnt"),
        (["a"], "id"),
        ([{"a": 1}], ["a", "b"]),
    ):
        with pytest.raises(UnknownOptionError, match="given as their key"):
            agent.map(rows, "Say {{ row }}", key=key)
    assert provider.requests == []


def test_a_label_means_what_had_it_last(agent, provider):
    """A run after a batch, or a batch after a run; ids mean what they are of; what nobody had is told."""
    provider.otherwise(text_reply("x"))
    batch = agent.map(["a"], "Say {{ row }}", label="same")
    frame = batch.result(60)
    assert nb.get("same") is batch
    run = agent.start("Hello", label="same")
    run.wait(60)
    assert nb.get("same").run_id == run.run_id
    assert nb.get(batch.batch_id) is batch
    assert nb.get(frame["run_id"].iloc[0]).output.prompt == "Say a"
    later = agent.map(["a"], "Say {{ row }}", label="same")
    later.wait(60)
    assert later.progress.reused == 1, "it has no run of its own"
    assert nb.get("same") is later
    with pytest.raises(UnknownNameError):
        nb.get("sane")
    with pytest.raises(UnknownOptionError, match="names no run"):
        nb.get(3)


def test_each_row_is_asked_twice_for_test_and_retest(agent, provider):
    """`repeat`: rows of their own with a column that counts; answers of both are found again; it goes with no grouping."""
    reviews = Reviews()
    provider.otherwise(reviews.answer)
    rows = pd.DataFrame({"text": ["a", "b", "c"]}, index=["x", "y", "z"])
    frame = agent.map(rows, TEMPLATE, repeat=2).result(60)
    assert list(frame.index) == ["x", "x", "y", "y", "z", "z"]
    assert frame["repeat"].to_list() == [1, 2] * 3
    assert set(reviews.asked.values()) == {2}
    assert frame.groupby("repeat")["content"].nunique().to_list() == [3, 3]
    assert agent.map(rows, TEMPLATE, repeat=3).result(60)["from_earlier"].to_list() == [True, True, False] * 3
    for other in ({"dedupe": True}, {"group": 2}, {"repeat": 0}, {"repeat": True}):
        with pytest.raises(UnknownOptionError):
            agent.map(rows, TEMPLATE, **{"repeat": 2, **other})


def test_failed_rows_are_asked_in_another_way(agent, provider, table):
    """Another template, another agent, more money: into the same frame; later batches are not given these answers."""
    second = {"Again, as JSON: row number 3"}

    def answer(request: Request) -> object:
        prompt = prompt_of(request)
        bad = "number 3" in prompt or "number 5" in prompt
        if prompt in second or not bad or request.body["model"] == "scripted-2":
            return json_reply({"label": prompt, "words": 1})
        return text_reply("no JSON")

    provider.otherwise(answer)
    agent.limits = nb.Limits(model_retries=0, output_retries=0)
    batch = agent.map(table, TEMPLATE, output_schema=Review, max_tokens=10_000)
    batch.wait(60)
    batch.retry_failed(template="Again, as JSON: {{ row.text }}").wait(60)
    assert list(batch.failed().index) == ["r5"]
    model = nb.OpenAIChat(id="scripted-2", base_url=provider.base_url, api_key="not-needed")
    frame = batch.retry_failed(agent=nb.Agent(model=model, name="other")).result(60)
    assert set(frame["status"]) == {"completed"}
    assert list(frame.index) == list(table.index)
    assert frame.loc["r3", "label"] == "Again, as JSON: row number 3"
    assert set(nb.runs(batch=batch)["agent_name"]) == {"agent", "other"}
    asked = len(provider.requests)
    again = agent.map(table, TEMPLATE, output_schema=Review, max_tokens=10_000)
    again.wait(60)
    assert list(again.failed().index) == ["r3", "r5"]
    assert len(provider.requests) == asked + 2
    generated = agent.map((row for row in ["number 3"]), "Say: {{ row }}", output_schema=Review)
    generated.wait(60)
    with pytest.raises(ConfigurationError, match="for another template"):
        generated.retry_failed(template="Once more: {{ row }}")


@pytest.mark.parametrize(
    ("model", "template", "found_again"),
    [
        ("scripted-1", TEMPLATE, True),
        ("scripted-2", TEMPLATE, False),
        ("scripted-1", "Again: {{ row.text }}", False),
    ],
)
def test_a_recorded_batch_is_asked_again_of_any_agent(provider, model, template, found_again):
    """Answers of one that asks as the batch did stand for its rows later on; those asked in another way do not."""
    broken = {"Classify: row number 4"}
    provider.otherwise(Reviews(refuses=lambda prompt: error(400, "no") if prompt in broken else None).answer)
    with kernel(provider.base_url, "ends"):
        broken.clear()
        chosen = agent_at(provider.base_url)
        chosen.model = nb.OpenAIChat(id=model, base_url=provider.base_url, api_key="not-needed")
        way = {"template": template, "rows": table()} if template != TEMPLATE else {}
        frame = nb.get("pass_a").retry_failed(agent=chosen, **way).result(60)
        assert set(frame["status"]) == {"completed"}
        assert provider.bodies[-1]["model"] == model
    again = agent_at(provider.base_url).map(table(), TEMPLATE, output_schema=SCHEMA).result(60)
    assert again["from_earlier"].to_list() == [n != 4 or found_again for n in range(6)]
