"""A record that an earlier commit made, as its users have it: it opens, reads right and goes on (`earlier_record.py`)."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, runtime
from nbagent.errors import NoRecordedAnswerError
from nbagent.runtime.recovery.load import answer_of
from nbagent.schemas import OutputSchema, Stored, read_stored
from nbagent.store import all_answers, answered_rows
from nbagent.store.duckdb.schema import VERSION
from tests.provider.chat_wire import text_reply
from tests.provider.server import ScriptedProvider
from tests.store.earlier_types import TYPED, City, Dog, Login, Poll, Price, Scratch, pay, price
from tests.store.processes import logs_of

RECORD = Path(__file__).parent / "records" / "a86bf71.tar.gz"
SCRATCH = Scratch(reasoning="2+2", answer=4)
CONTENTS: dict[str, Any] = {
    "text": "It is.",
    "again": "It is.",
    "poll": Poll.model_construct(share=0.5),
    "price": Price.model_construct(price=1200.5),
    "scratch": SCRATCH,
    "login": Login(user="ann", password=SecretStr("hunter2")),
    "cities": [City(name="Rome", population=3)],
    "pet": Dog(kind="dog", legs=4),
    "counts": {"a": 1},
    "plain": {"a": 1},
    "stopped": "half",
    "tools": "It costs 1.5.",
    "desk": Poll.model_construct(share=0.4),
    "left": "so far",
}


@pytest.fixture
def clerk(provider: ScriptedProvider) -> Agent:
    """The agent that everything in the record was asked of, in a kernel that has the record."""
    folder = Path(os.environ["NBAGENT_STORE"]).parent
    folder.mkdir(parents=True)
    with tarfile.open(RECORD) as tar:
        tar.extractall(folder, filter="data")
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0), name="clerk")


@pytest.mark.parametrize(("label", "content"), CONTENTS.items(), ids=CONTENTS)
def test_an_earlier_answer_reads_as_it_was_meant(clerk: Agent, label: str, content: Any) -> None:
    """Text, and typed answers made anew from the reply: their rows hold dumps, which validators would change again."""
    run = nb.get(label)
    assert run.content == content
    assert type(run.content) is type(content)
    assert run.done()


def test_everything_in_an_earlier_record_is_there(clerk: Agent) -> None:
    """Statuses, errors, tool calls, members, turns, tags, a launch that only the log held; the schema is today's."""
    frame = nb.runs(limit=100)
    assert frame["status"].astype(str).value_counts().to_dict() == {
        "completed": 19,
        "interrupted": 2,
        "error": 1,
        "cancelled": 1,
        "paused": 1,
    }
    assert nb.get("logged").status.value == "interrupted"
    assert logs_of(Path(os.environ["NBAGENT_STORE"])) == []
    assert "no such thing" in (nb.get("failed").error or "")
    (call,) = nb.get("tools").output.tool_calls
    assert (call.name, call.result) == ("price", "1.5")
    (member,) = nb.get("desk").member_responses
    assert member.content == Poll.model_construct(share=0.4)
    assert nb.get("again").cached_from == nb.get("text").run_id
    assert [str(one) for one in nb.get("paying").pending_approvals] == ["pay(amount=5)"]
    assert nb.metrics.by_session()["total_tokens"].sum() > 0
    (row,) = runtime.current().store.read("select max(version) as version from schema_version")
    assert row["version"] == VERSION


def test_an_earlier_session_goes_on(clerk: Agent, provider: ScriptedProvider) -> None:
    """The next turn is shown the three before it, and is the fourth."""
    provider.reply(text_reply("Answer 4."))
    run = clerk.start("Question 4?", session_id="chat")
    assert run.result(timeout=60).content == "Answer 4."
    said = [message["content"] for message in provider.requests[0].body["messages"]]
    assert said == [
        *(text for number in (1, 2, 3) for text in (f"Question {number}?", f"Answer {number}.")),
        "Question 4?",
    ]
    turns = runtime.current().store.read("select turn from runs where run_id = ?", [run.run_id])
    assert turns == [{"turn": 4}]


def test_an_earlier_run_is_resumed(clerk: Agent, provider: ScriptedProvider) -> None:
    """A run that was cut off goes on after its tool call; a launch that never began begins."""
    clerk.tools = [price]
    provider.reply(text_reply("It costs 1.5."), text_reply("Logged."))
    run = nb.get("left").resume(agent=clerk)
    assert run.result(timeout=60).content == "It costs 1.5."
    assert (run.output.attempt, len(run.output.tool_calls)) == (2, 1)
    clerk.tools = []
    assert nb.get("logged").resume(agent=clerk).result(timeout=60).content == "Logged."


def test_an_earlier_pause_is_decided(clerk: Agent, provider: ScriptedProvider) -> None:
    """A call that waited for a person runs once it is approved, and its run ends."""
    clerk.tools = [pay]
    provider.reply(text_reply("Paid."))
    run = nb.get("paying")
    run.approve(agent=clerk)
    assert run.result(timeout=60).content == "Paid."
    assert run.output.tool_calls[0].result == "paid 5 dollars"


def test_earlier_rows_and_answers_are_asked_again(
    clerk: Agent, provider: ScriptedProvider, tmp_path: Path
) -> None:
    """Where a model was is not in that record: its answers are not taken for another server's, in no way."""
    provider.reply(*(text_reply(f'{{"share": {share}}}') for share in (10, 20, 30, 40)))
    frame = clerk.map(
        ["a", "b", "c", "d"], "Share of {{ row }}?", output_schema=Poll, max_concurrency=1
    ).result(60)
    assert list(frame["share"]) == [0.1, 0.2, 0.3, 0.4]
    assert not frame["from_earlier"].any()
    assert len(provider.requests) == 4
    path = tmp_path / "answers.jsonl"
    assert nb.export_answers(path, everything=True) > 0
    nb.import_answers(path)
    for label, (schema, _) in TYPED.items():
        with pytest.raises(NoRecordedAnswerError):
            clerk.start(f"A {label}?", output_schema=schema, cache="replay")


def test_earlier_rows_and_answers_read_as_they_were_meant(clerk: Agent, tmp_path: Path) -> None:
    """Whoever finds a batch's row or an answer by its key, in the record or in a file of it, reads the reply's value."""
    store = runtime.current().store
    poll = OutputSchema.of(Poll)
    (batch,) = store.read("select batch_key from batches where label = 'labels'")
    rows = [
        Stored(json=row.answer_json, data=row.content, said=row.said)
        for row in answered_rows(store, batch["batch_key"])
    ]
    assert [read_stored(poll, one).value.share for one in rows] == [0.1, 0.2, 0.3]
    path = tmp_path / "answers.jsonl"
    assert nb.export_answers(path, everything=True) > 0
    os.environ["NBAGENT_STORE"] = str(tmp_path / "other" / "runs.duckdb")
    nb.import_answers(path)
    for source in (store, runtime.current().store):
        found = {answer.output.prompt: answer.output for answer in all_answers(source)}
        for label, (schema, _) in TYPED.items():
            stored = answer_of(found[f"A {label}?"])
            assert read_stored(OutputSchema.of(schema), stored).value == CONTENTS[label]


def test_the_record_is_of_its_commit() -> None:
    """It stays as it was made: small, and nothing of the machine that made it in it."""
    assert RECORD.stat().st_size < 200_000
    with tarfile.open(RECORD) as tar:
        names = tar.getnames()
        content = b"".join(tar.extractfile(name).read() for name in names)  # type: ignore[union-attr]
    assert [name.partition(".launches")[0] for name in names] == ["runs.duckdb", "runs.duckdb"]
    assert b"/work" not in content
    assert sys.prefix.encode() not in content
