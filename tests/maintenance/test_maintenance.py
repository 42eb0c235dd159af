"""Looking after the record: answers as files, deleting and exporting runs, SQL that only reads, the doctor."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import nbagent as nb
from nbagent import Agent, runtime
from nbagent.errors import (
    ConfigurationError,
    QueryError,
    RecordingError,
    UnknownNameError,
    UnknownOptionError,
)
from nbagent.maintenance import to_clear
from nbagent.store import Store
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Silence, error
from tests.runtime.scripted_team import Cast, asks, team


def price(symbol: str) -> float:
    """Say what a share costs."""
    return 1.5 if symbol else 0.0


@pytest.fixture
def agent(provider: ScriptedProvider) -> Agent:
    """An agent whose model is the scripted provider; it makes no second try."""
    model = nb.OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=nb.Limits(model_retries=0))


def answered(agent: Agent, provider: ScriptedProvider, *prompts: str) -> None:
    """Ask each prompt once."""
    for prompt in prompts:
        provider.reply(text_reply(f"to {prompt}"))
        agent.start(prompt).result(timeout=60)


# ------------------------------------------------------------------------------------------ recorded answers


def test_answers_are_lines_in_a_stable_order_without_keys(
    agent: Agent, provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A versioned header, then a line for each answer by agent and prompt; a key that an answer said is taken out."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    answered(agent, provider, "b", "c sk-very-secret", "a")
    file = tmp_path / "answers.jsonl"
    assert nb.export_answers(file) == 3
    header, *lines = map(json.loads, file.read_text().splitlines())
    assert header == {"nbagent_answers": 1}
    assert [line["prompt"] for line in lines] == ["a", "b", "c [key]"]
    assert "sk-very-secret" not in file.read_text()
    before = file.read_bytes()
    agent.start("a", cache="use").result(timeout=60)
    assert nb.export_answers(file, everything=True) == 3
    assert file.read_bytes() == before


def test_imported_answers_are_given_with_tools_types_and_history(
    agent: Agent, provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another record the same runs are hits, equal to the first; a newer answer of that record gives way."""
    agent.tools = [price]
    provider.reply(tool_reply(("price", {"symbol": "A"})), text_reply("1.5"), text_reply("Bye"))
    first = [agent.start(prompt, session_id="s").result(timeout=60) for prompt in ("Price?", "Thanks")]
    file = tmp_path / "answers.jsonl"
    assert nb.export_answers(file) == 2
    monkeypatch.setenv("NBAGENT_STORE", str(tmp_path / "other.duckdb"))
    provider.reply(text_reply("cheap"))
    agent.start("Price?").result(timeout=60)
    for _ in range(2):
        assert nb.import_answers(file) == 2
        assert nb.sql("select count(*) as n from answers")["n"].tolist() == [3]
    again = [
        agent.start(prompt, session_id="t", cache="replay").result(timeout=60)
        for prompt in ("Price?", "Thanks")
    ]
    for one, other in zip(first, again, strict=True):
        assert (one.content, one.messages, one.tool_calls) == (
            other.content,
            other.messages,
            other.tool_calls,
        )
        assert other.cached_from == one.run_id
    assert nb.metrics.by_tool().empty
    runtime.current().store.close()


GOOD = {
    "cache_key": "a" * 64, "session_key": None, "run_id": "r", "agent_name": "agent", "kind": "agent",
    "provider": "p", "model": "m", "prompt": "Well?", "stop_reason": "end", "content": "yes", "content_type": "text",
    "output_valid": None, "finished_at": "2026-01-01T00:00:00Z", "messages": [{"role": "assistant", "content": "yes"}],
    "tool_calls": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("<<<<<<< HEAD", "it is no JSON"),
        ("[]", "it is no JSON object"),
        (json.dumps({**GOOD, "run_id": 3}), "its 'run_id' is 3"),
        (
            json.dumps({name: value for name, value in GOOD.items() if name != "messages"}),
            "it has no 'messages'",
        ),
        (json.dumps({**GOOD, "cache_key": "abc"}), "its 'cache_key' is 'abc'"),
        (json.dumps({**GOOD, "stop_reason": "error"}), "its 'stop_reason' is 'error'"),
        (json.dumps({**GOOD, "content": [1]}), "its 'content' is [1]"),
        (json.dumps({**GOOD, "finished_at": "soon"}), "soon"),
        (json.dumps({**GOOD, "messages": [{"role": "king"}]}), "a message's role is 'king'"),
        (json.dumps({**GOOD, "messages": [{"role": "user", "shell": "rm"}]}), "a message is"),
        (json.dumps({**GOOD, "messages": [{"role": "user", "content": 1}]}), "a message is"),
        (json.dumps({**GOOD, "tool_calls": [{"status": "completed"}]}), "a tool call lacks"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(tmp_path: Path, line: str, said: str) -> None:
    """Two lines with the line's number; the good lines around it are not imported either."""
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(['{"nbagent_answers":1}', json.dumps(GOOD), "", line, json.dumps(GOOD)]))
    with pytest.raises(RecordingError) as caught:
        nb.import_answers(file)
    assert len(str(caught.value).splitlines()) == 2
    assert "line 4" in caught.value.what
    assert said in caught.value.what
    assert "nothing was imported" in caught.value.todo
    assert runtime.current().store.read("select count(*) as n from answers") == [{"n": 0}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1 is no header"),
        ('{"a":1}\n', "line 1 is no header"),
        ('{"nbagent_answers":99}\n', "has version 99"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, content: str, said: str) -> None:
    """No header, or a newer version: two lines."""
    file = tmp_path / "answers.jsonl"
    file.write_text(content)
    with pytest.raises(RecordingError, match=said):
        nb.import_answers(file)
    with pytest.raises(RecordingError, match="No such file"):
        nb.import_answers(tmp_path / "nowhere")
    with pytest.raises(UnknownNameError, match="no completed run"):
        nb.export_answers(file)


# -------------------------------------------------------------------------------------------------- deleting


def test_clearing_says_first_what_goes_and_deletes_every_row(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """By status and age; a team goes with its members; nothing of what went is left in any table."""
    Cast(provider, leader=[asks(("ann", "think")), text_reply("done")], ann=text_reply("thought"))
    desk = team(provider.base_url, "ann").start("Well?")
    desk.result(timeout=60)
    provider.reply(error(400, "no"))
    kept = agent.start("fails")
    kept.wait(timeout=60)
    assert str(to_clear(older_than="1h")) == "no run to delete"
    assert len(to_clear(older_than=timedelta(0))) == len(to_clear(older_than=datetime.now(UTC))) == 2
    wish = to_clear(status="completed")
    assert str(wish).startswith("1 run to delete (1 completed), launched ")
    assert "with 1 run that they started" in str(wish)
    assert nb.clear_runs(status="completed") == 2
    for table in ("launches", "attempt_ends", "model_calls", "messages", "answers"):
        left = nb.sql(f"select distinct run_id from {table}")["run_id"].tolist()  # noqa: S608
        assert set(left) <= {kept.run_id}
    with pytest.raises(UnknownNameError):
        nb.get(desk.run_id)
    assert nb.get(kept.run_id).status.value == "error"
    with pytest.raises(UnknownOptionError, match="older_than is 'soon'"):
        nb.clear_runs(older_than="soon")


WORKS = """
import sys
from nbagent import Agent, OpenAIChat
run = Agent(model=OpenAIChat(id="m", base_url=sys.argv[1], api_key="k")).start("Well?", run_id="theirs")
print("launched", flush=True)
sys.stdin.read()
"""


def test_what_is_at_work_in_a_live_kernel_stays(agent: Agent, provider: ScriptedProvider) -> None:
    """A run of this process or of another one is not deleted while it works; once its process is gone it is."""
    provider.otherwise((*text("so"), Silence()))
    mine = agent.start("Mine")
    other = subprocess.Popen(
        [sys.executable, "-c", WORKS, provider.base_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "launched\n"
    assert str(to_clear()) == "no run to delete; 2 runs at work and stay"
    assert nb.clear_runs() == 0
    other.kill()
    other.communicate()
    mine.cancel()
    mine.wait(timeout=60)
    assert nb.clear_runs() == 2


# ------------------------------------------------------------------------------------------- tables and SQL


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_tables_are_written_in_each_format(
    agent: Agent, provider: ScriptedProvider, tmp_path: Path, form: str
) -> None:
    """Other programs read what was written: runs with their tokens, calls, messages."""
    answered(agent, provider, "a", "b")
    path = tmp_path / f"runs.{form}"
    assert nb.export_runs(path) == 2
    found = duckdb.sql(f"select total_tokens, status, created_at from '{path}' order by run_id").fetchall()  # noqa: S608
    assert [row[:2] for row in found] == [(18, "completed")] * 2
    other = tmp_path / "calls.txt"
    assert nb.export_runs(other, format=form, table="messages") == 4
    with pytest.raises(UnknownOptionError, match="format"):
        nb.export_runs(tmp_path / "runs.xls")
    with pytest.raises(ConfigurationError, match="does not exist"):
        nb.export_runs(tmp_path / "nowhere" / "runs.csv")
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_file()) == ["calls.txt", f"runs.{form}"]


@pytest.mark.parametrize(
    "query",
    [
        "delete from launches",
        "select 1; commit; delete from launches",
        "insert into launches select * from launches",
        "create table x as select 1",
        "drop view runs",
        "copy runs to 'x.csv'",
        "attach 'x.duckdb' as x",
        "set threads = 8",
        "use memory",
        "select 1; select 2",
        "",
    ],
)
def test_sql_only_reads(agent: Agent, provider: ScriptedProvider, query: str) -> None:
    """Whatever would write, or end the reading, is refused in two lines, and nothing changed."""
    answered(agent, provider, "a")
    with pytest.raises(QueryError) as caught:
        nb.sql(query)
    assert len(str(caught.value).splitlines()) == 2
    assert nb.sql("select prompt from runs where run_id <> ?", ["x"])["prompt"].tolist() == ["a"]
    assert len(nb.sql("describe runs")) > 10


def test_a_long_query_keeps_nobody_from_writing(agent: Agent, provider: ScriptedProvider) -> None:
    """It is asked of a private copy: runs are launched and end meanwhile, and the answer comes."""
    answered(agent, provider, "a")
    found: list[int] = []
    slow = (
        "select count(*) as n from range(30000) a, range(60000) b, runs where hash(a.range, b.range) % 7 = 1"
    )
    query = threading.Thread(target=lambda: found.append(int(nb.sql(slow)["n"][0])))
    query.start()
    runs = 0
    while query.is_alive() and runs < 5:
        answered(agent, provider, f"meanwhile {runs}")
        runs += 1
    query.join(60)
    assert runs >= 1
    assert found
    assert found[0] > 1_000_000
    assert not query.is_alive()


def test_the_record_can_be_read_by_the_command_line_after_all_this(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """An update and deletes leave a file that another program opens."""
    answered(agent, provider, "a", "b")
    agent.start("a", cache="use").result(timeout=60)
    store: Store = runtime.current().store
    store.flush()
    store.close()
    with duckdb.connect(str(store.path)) as con:
        rows = con.execute("select prompt, cached_from is not null from runs order by created_at").fetchall()
    assert rows == [("a", False), ("b", False), ("a", True)]


# -------------------------------------------------------------------------------------------------- doctor


def test_the_doctor_says_what_is_there_and_no_secret(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions, record, options, keys as set or not, the kernel; a record that cannot be read is said."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("NBAGENT_CACHE", "use")
    assert nb.doctor()["record"]["file"] == "not there yet: the first run makes it"
    answered(agent, provider, "a")
    found = nb.doctor()
    assert found["versions"]["duckdb"] == duckdb.__version__
    assert found["record"]["path"] == str(runtime.current().store.path)
    assert found["record"]["holds"].endswith("1 runs, 1 model calls, 1 answers")
    assert found["record"]["file"].startswith("-rw-------")
    assert found["options"]["cache"] == "'use' (environment)"
    assert found["providers"]["openai"] == "OPENAI_API_KEY is set, ready"
    assert "not set" in found["providers"]["groq"]
    assert "no Jupyter kernel" in found["kernel"]["here"]
    assert "sk-very-secret" not in repr(found)
    path = runtime.current().store.path
    runtime.current().store.close()
    path.write_bytes(b"no database")
    assert "sk-very-secret" not in repr(nb.doctor())


# ------------------------------------------------------------------------------------------ whole records


def test_a_whole_record_goes_to_a_file_that_is_a_record(
    agent: Agent, provider: ScriptedProvider, tmp_path: Path
) -> None:
    """With all its runs, calls and messages, private; nothing takes the place of a file that is there."""
    answered(agent, provider, "a", "b")
    path = tmp_path / "team copy.duckdb"
    assert nb.export_record(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {path.name, "store"}
    copied = Store(path)
    assert copied.read("select run_id from runs order by 1") == runtime.current().store.read(
        "select run_id from runs order by 1"
    )
    assert copied.read("select count(*) as n from messages")[0]["n"] > 0
    copied.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="is there already"):
        nb.export_record(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["nobody.duckdb", "no folder/x.duckdb"])
def test_a_file_takes_in_no_other_record(agent: Agent, tmp_path: Path, name: str) -> None:
    """It can be used as it is; a server's record takes it in. A folder that is not there is said for an export, too."""
    with pytest.raises(ConfigurationError, match="takes in no other record") as caught:
        nb.import_record(tmp_path / name)
    assert len(str(caught.value).splitlines()) == 2
    if "/" in name:
        with pytest.raises(ConfigurationError, match="does not exist"):
            nb.export_record(tmp_path / name)
