"""`Agent.map`: rows in, a DataFrame out; what a `Batch` says, gives and does while it is at work and afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pandas as pd
import pytest
from pydantic import BaseModel

import nbagent as nb
from nbagent import WaitTimeout
from nbagent.batch.waiting import WAKE_S
from nbagent.errors import ConfigurationError, PromptError, TemplateError, UnknownOptionError
from nbagent.runtime import current
from tests.batch.review_provider import SCHEMA, TEMPLATE, Reviews, answer_to, group_answer, prompt_of
from tests.provider.chat_wire import json_reply, text_reply
from tests.provider.server import Request
from tests.provider.steps import Gate, Wait, error


class Review(BaseModel):
    label: str
    words: int


def of_runs(batch: nb.Batch, sql: str) -> list[tuple[object, ...]]:
    """Ask the store about a batch's runs."""
    return [tuple(row) for row in nb.sql(sql.replace("$id", f"'{batch.batch_id}'")).itertuples(index=False)]


def test_the_result_is_the_table_with_typed_answers(agent, provider, table):
    """Index and columns are the table's, the answer's fields are columns, each row has its own; the store holds each."""
    provider.otherwise(Reviews().answer)
    batch = agent.map(
        table, TEMPLATE, output_schema=Review, max_concurrency=7, label="labels", tags={"x": "y"}
    )
    frame = batch.result(60)
    assert list(frame.columns) == [
        "text",
        "n",
        "label",
        "words",
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
    assert list(frame.index) == list(table.index)
    assert list(frame["label"]) == [answer_to(f"Classify: {text}")["label"] for text in table["text"]]
    assert (str(frame["words"].dtype), set(frame["status"])) == ("Int64", {"completed"})
    assert list(batch.to_frame(join=False).columns) == list(frame.columns[2:])
    runs = of_runs(
        batch, "select run_id, prompt, label, row_key from runs where batch_id = $id order by prompt"
    )
    assert sorted(run[0] for run in runs) == sorted(frame["run_id"])
    assert len({run[3] for run in runs}) == 20
    assert {run[2] for run in runs} == {"labels"}
    assert of_runs(batch, "select total, reused, label, agent_name from batches where batch_id = $id") == [
        (20, 0, "labels", "agent")
    ]
    assert nb.get(frame["run_id"].iloc[3]).content == Review(label="label of row number 3", words=3)
    assert str(batch.progress) == "20 of 20 done"


def test_rows_come_from_all_kinds_of_tables(agent, provider):
    """Series, list, dict of lists, DuckDB relation, generator: each row's own value, and an index that fits."""
    import duckdb

    provider.otherwise(Reviews().answer)
    series = pd.Series(["a", "b"], index=["x", "y"], name="letter")
    frame = agent.map(series, "{{ index }}={{ row }}").result(60)
    assert frame[["letter", "content"]].to_dict("index") == {
        "x": {"letter": "a", "content": "<x=a>"},
        "y": {"letter": "b", "content": "<y=b>"},
    }
    assert list(agent.map(["a", "b"], "{{ row }}!").result(60)["content"]) == ["<a!>", "<b!>"]
    assert list(agent.map([{"t": "a"}, {"t": "b"}], "{{ row.t }}").result(60)["t"]) == ["a", "b"]
    assert list(agent.map({"a": [1, 2], "b": [3, 4]}, "{{ row.a + row.b }}").result(60)["content"]) == [
        "<4>",
        "<6>",
    ]
    relation = duckdb.sql("select i, i * i as square from range(3) t(i)")
    frame = agent.map(relation, "{{ row.square }}").result(60)
    assert (list(frame["square"]), list(frame["content"])) == ([0, 1, 4], ["<0>", "<1>", "<4>"])
    assert list(agent.map((n for n in range(3)), "{{ row }}").result(60)["content"]) == ["<0>", "<1>", "<2>"]
    assert agent.map([], "{{ row }}").result(60).empty
    with pytest.raises(UnknownOptionError, match="a table, list or generator, not from int 3"):
        agent.map(3, "{{ row }}")
    with pytest.raises(UnknownOptionError, match="the columns differ in length"):
        agent.map({"a": [1], "b": [1, 2]}, "{{ row.a }}")


def test_a_generator_is_pulled_as_rows_can_be_asked(agent, provider):
    """No more rows are taken from it than are in flight; what it raises is the batch's own error."""
    gate, pulled = Gate(), []

    def rows() -> Iterator[int]:
        for n in range(50):
            pulled.append(n)
            yield n
        raise OSError("the file is cut")

    provider.otherwise(lambda request: (Wait(gate), *text_reply(prompt_of(request))))
    batch = agent.map(rows(), "{{ row }}", max_concurrency=4)
    provider.wait_for_requests(4)
    assert batch.progress.total is None
    assert len(pulled) <= 8, "the next rows may be on their way, no more"
    gate.open()
    frame = batch.wait(60)
    assert list(frame["content"].astype(int)) == list(range(50))
    assert batch.progress.total == 50
    with pytest.raises(OSError, match="the file is cut"):
        batch.result(60)


def test_the_frame_can_be_looked_at_while_rows_are_under_way(agent, provider, table):
    """Rows without an end yet are pending, with the index of the table; a wait that runs out leaves the batch alone."""
    gate = Gate()
    provider.otherwise(
        lambda request: (*([] if "number 0" in prompt_of(request) else [Wait(gate)]), *text_reply("yes"))
    )
    batch = agent.map(table, TEMPLATE, max_concurrency=3)
    assert next(iter(batch)).index == "r0"
    frame = batch.to_frame()
    assert list(frame.index) == list(table.index)
    assert list(frame["status"][:2]) == ["completed", "pending"]
    assert batch.progress.running == 3
    with pytest.raises(WaitTimeout, match=r"not done after 0.01 s: 1 of 20 done, 3 running"):
        batch.result(0.01)
    gate.open()
    assert set(batch.result(60)["content"]) == {"yes"}


def test_results_come_as_they_end(agent, provider, table):
    """Iteration, plain and async, gives each row once, typed, in the order of the ends; later iteration gives all again."""
    provider.otherwise(Reviews().answer)

    async def collect() -> list[str]:
        batch = agent.map(table, TEMPLATE, output_schema=Review)
        found = [result.index async for result in batch]
        assert list((await batch).index) == list(table.index)
        assert sorted(found) == sorted(result.index for result in batch)
        return found

    assert sorted(asyncio.run(collect())) == sorted(table.index)
    batch = agent.map(table, TEMPLATE, output_schema=Review)
    assert {type(result.content) for result in batch} == {Review}


def test_waiting_for_results_leaves_no_tasks(agent, provider, table):
    """However long no row ends, an iteration that waits for one has one task, and none when it is given up."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("late")))

    async def wait() -> list[int]:
        batch = agent.map(table, TEMPLATE)
        asked = asyncio.ensure_future(anext(aiter(batch)))
        await asyncio.wait({asked}, timeout=60 * WAKE_S)
        counts = [len(asyncio.all_tasks())]
        asked.cancel()
        await asyncio.wait({asked})
        batch.cancel()
        return [*counts, len(asyncio.all_tasks())]

    meanwhile, afterwards = asyncio.run(wait())
    assert meanwhile <= 3
    assert afterwards == 1


def test_cancel_stops_what_is_in_flight_and_asks_no_more(agent, provider, table):
    """Rows in flight end as cancelled, the others as not asked; no request comes after it. A second cancel is False."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("late")))
    batch = agent.map(table, TEMPLATE, max_concurrency=5)
    provider.wait_for_requests(5)
    assert batch.cancel()
    frame = batch.result(60)
    assert frame["status"].value_counts()[["cancelled", "not asked"]].to_list() == [5, 15]
    assert set(frame["error"].dropna()) == {"the batch was cancelled"}
    assert len(provider.requests) == 5
    assert not batch.cancel()
    assert str(batch.progress) == "0 of 20 done, 5 cancelled, 15 not asked"


def test_failed_rows_are_rows_and_can_be_asked_again(agent, provider, table):
    """A row that fails raises nothing; `failed()` lists them, `retry_failed()` asks these alone."""
    broken = {"Classify: row number 3", "Classify: row number 7"}
    reviews = Reviews(refuses=lambda prompt: error(400, "no") if prompt in broken else None)
    provider.otherwise(reviews.answer)
    batch = agent.map(table, TEMPLATE, output_schema=SCHEMA)
    frame = batch.result(60)
    assert list(batch.failed().index) == ["r3", "r7"]
    assert frame["error"].notna().sum() == 2
    assert frame.loc["r3", "label"] is pd.NA
    broken.clear()
    with pytest.raises(ConfigurationError, match="the table has 2 rows, the batch 20: these rows are asked"):
        batch.retry_failed(rows=table.head(2))
    again = batch.retry_failed().result(60)
    assert set(again["status"]) == {"completed"}
    assert again.loc["r3", "label"] == "label of row number 3"
    assert sum(reviews.asked.values()) == 22
    assert batch.failed().empty


def test_on_error_stop_asks_no_row_after_a_failed_one(agent, provider, table):
    """What is in flight ends, the rest is not asked and says which row it was."""
    provider.otherwise(
        Reviews(refuses=lambda prompt: error(400, "no") if "number 2" in prompt else None).answer
    )
    batch = agent.map(table, TEMPLATE, max_concurrency=1, on_error="stop")
    frame = batch.result(60)
    assert list(frame["status"][:3]) == ["completed", "completed", "error"]
    assert (frame["status"] == "not asked").sum() >= 15
    assert "row 'r2' failed" in frame["error"].iloc[-1]
    assert any("no further row is asked" in notice for notice in batch.notices)


def test_equal_prompts_are_asked_once_where_that_is_wished(agent, provider):
    """`dedupe` gives rows with one prompt one run, whose cost counts once; without it each is a run of its own."""
    reviews = Reviews()
    provider.otherwise(reviews.answer)
    words = ["a", "b", "a", "a", "b"]
    frame = agent.map(words, "Say {{ row }}", dedupe=True).result(60)
    assert dict(reviews.asked) == {"Say a": 1, "Say b": 1}
    assert list(frame["content"]) == [f"<Say {word}>" for word in words]
    assert frame["run_id"].nunique() == 2
    frame = agent.map(words, "Tell {{ row }}").result(60)
    assert (reviews.asked["Tell a"], reviews.asked["Tell b"]) == (3, 2)
    assert frame["run_id"].is_unique


def test_rows_share_a_prompt_and_a_mismatch_is_asked_alone(agent, provider, table):
    """`group` rows go out together, answers come back to their rows; a missing, doubled or wrong one is asked alone."""
    spoiled = {"r4", "r9", "r11"}

    def answer(request: Request) -> object:
        if "<task" not in prompt_of(request):
            return json_reply(answer_to(prompt_of(request)))
        answers = group_answer(request)
        missing = next(
            (n for n, one in enumerate(answers) if one["answer"]["label"].endswith("number 4")), None
        )
        doubled = next((one for one in answers if one["answer"]["label"].endswith("number 9")), None)
        wrong = next((one for one in answers if one["answer"]["label"].endswith("number 11")), None)
        if missing is not None:
            del answers[missing]
        if doubled is not None:
            answers.append(doubled)
        if wrong is not None:
            wrong["answer"] = {"label": 3}
        return json_reply({"answers": answers[::-1]})

    provider.otherwise(answer)
    agent.limits = nb.Limits(model_retries=0, output_retries=0)
    frame = agent.map(table, TEMPLATE, output_schema=Review, group=5, max_concurrency=2).result(60)
    assert list(frame["label"]) == [f"label of {text}" for text in table["text"]]
    prompts = [prompt_of(request) for request in provider.requests]
    grouped = [prompt for prompt in prompts if "<task" in prompt]
    alone = {f"r{prompt.rpartition(' ')[2]}" for prompt in prompts if "<task" not in prompt}
    assert len(grouped) == 4
    assert spoiled <= alone


def test_mistakes_are_told_before_anything_is_sent(agent, provider, table):
    """A wrong template, column or option is the launching cell's error, in two lines."""
    for template, kind, said in [
        ("", PromptError, "the template is ''"),
        ("Classify this", TemplateError, "the template does not use the row"),
        ("{{ row.txt }}", TemplateError, r"no column 'txt' \(did you mean 'text'\?\)"),
        ("{{ row.text }} {{ other }}", TemplateError, "'other' is not defined"),
        ("{{ row.text", TemplateError, "line 1"),
    ]:
        with pytest.raises(kind, match=said):
            agent.map(table, template)
    for options in (
        {"max_concurrency": 0},
        {"on_error": "raise"},
        {"group": 0},
        {"max_cost": -1},
        {"mode": "x"},
    ):
        with pytest.raises(UnknownOptionError):
            agent.map(table, TEMPLATE, **options)
    assert provider.requests == []


@pytest.mark.parametrize("template", ["Say {{ index }}", "Say {{ index | upper }}", "{{ row }}{{ index }}"])
def test_the_index_alone_makes_a_prompt(agent, provider, template):
    """Rows that are told apart by their labels need no column of theirs in the template."""
    provider.otherwise(Reviews().answer)
    frame = agent.map(pd.Series(["", ""], index=["ada", "bob"]), template).result(60)
    assert [text.lower().removeprefix("<say ") for text in frame["content"]] in (
        ["ada>", "bob>"],
        ["<ada>", "<bob>"],
    )


def test_a_column_may_have_any_name(agent, provider):
    """Columns named as a dict's or a row's own methods are the columns."""
    provider.otherwise(Reviews().answer)
    table = pd.DataFrame(
        {"items": ["i"], "values": ["v"], "a b": ["c"], "_x": ["u"], "status": ["s"], "content": ["d"]}
    )
    frame = agent.map(
        table, '{{ row.items }}{{ row["values"] }}{{ row["a b"] }}{{ row["_x"] }}{{ row.content }}'
    ).result(60)
    assert frame["answer.content"][0] == "<ivcud>"
    assert (frame["content"][0], frame["status"][0], frame["answer.status"][0]) == ("d", "s", "completed")


def test_a_multiindex_and_doubled_labels_stay_as_they_are(agent, provider):
    """The index is the table's own, whatever it is."""
    provider.otherwise(Reviews().answer)
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("a", 1)], names=["k", "n"])
    frame = agent.map(pd.DataFrame({"t": [1, 2, 3]}, index=index), "{{ index[1] }} {{ row.t }}").result(60)
    assert frame.index.equals(index)
    assert frame.index.names == ["k", "n"]
    assert list(frame["content"]) == ["<1 1>", "<2 2>", "<1 3>"]


def test_nothing_of_finished_rows_is_kept_by_the_runtime(agent, provider, table):
    """A batch's runs are in the store and in its frame; the kernel's list of runs holds none of them."""
    provider.otherwise(Reviews().answer)
    before = len(current().runs())
    batch = agent.map(table, TEMPLATE)
    batch.result(60)
    with batch._results.changed:
        assert batch._results.changed.wait_for(lambda: len(current().runs()) == before, 60)


def test_a_batch_can_be_made_where_the_loop_runs(agent, provider):
    """A tool may map over rows: its batch is awaited on the background loop."""
    provider.otherwise(Reviews().answer)

    async def inside() -> list[str]:
        frame = await agent.map(["a", "b"], "{{ row }}")
        return list(frame["content"])

    assert current().thread.submit(inside()).result(60) == ["<a>", "<b>"]
