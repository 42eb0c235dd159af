"""A notebook run again with the cache: no request, the same outputs; offline with recorded answers; what misses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.kernel import RealKernel
from tests.harness.outputs import ExecResult
from tests.provider.chat_wire import json_reply, text_reply, tool_reply
from tests.provider.server import Request, ScriptedProvider
from tests.provider.steps import Script

pytestmark = pytest.mark.kernel

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TOOL = "def price(symbol: str) -> float:\n    'Say what a share costs.'\n    return 1.5"
NOTEBOOK = (
    "%load_ext nbagent\nimport nbagent as nb\n%config NBAgent.model = 'openai-chat:scripted-1'",
    "from pydantic import BaseModel\nclass City(BaseModel):\n    name: str\n    people: int",
    TOOL,
    "%%agent_bg -o cities --schema list[City]\nCities?",
    "%%agent_bg -o quote --tools price\nPrice of A?",
    "%%agent_bg -o first --session talk -q\nHello",
    "%%agent_bg -o second --session talk -q\nAnd again",
    "%agent wait",
    "cities.content",
    "cities.to_frame()",
    "quote.result()",
    "print([(call.name, call.arguments, call.result) for call in quote.result().tool_calls])",
    "print(first.content, second.content)",
    "%%agent\nIn the foreground?",
)
LAUNCHING = "%%agent"  # such cells carry the tag nbval-ignore-output: their card has times and ids


def play(request: Request) -> Script:
    """A model that answers each prompt of the notebook in its way, and tells repeated answers apart."""
    said = request.body["messages"]
    if said[-1]["role"] == "tool":
        return text_reply(f"It costs {said[-1]['content']}.")
    match said[-1]["content"]:
        case "Cities?":
            return json_reply({"items": [{"name": "Tokyo", "people": 37}]})
        case "Price of A?":
            return tool_reply(("price", {"symbol": "A"}))
    return text_reply(f"answer {len(said)} to ", said[-1]["content"])


def environment(url: str, store: Path, **more: str) -> dict[str, str]:
    """Where a kernel of this notebook finds its model and its record."""
    return {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-test-123456", "NBAGENT_STORE": str(store), **more}


def executed(folder: Path, env: Mapping[str, str], cells: Sequence[str] = NOTEBOOK) -> list[ExecResult]:
    """Restart & Run All."""
    with RealKernel(folder, env=env) as kernel:
        return [kernel.run(cell) for cell in cells]


def compared(cells: Sequence[str], results: Sequence[ExecResult]) -> list[Any]:
    """What nbval compares: of a cell that launches its text/plain and what it prints, of others everything."""
    found: list[Any] = []
    for cell, result in zip(cells, results, strict=True):
        texts = [output.get("text") or dict(output.get("data", {})) for output in result.outputs]
        if cell.startswith(LAUNCHING):
            texts = [{"text/plain": one["text/plain"]} if isinstance(one, dict) else one for one in texts]
        found.append(texts)
    return found


def test_a_notebook_run_again_asks_nothing_and_says_the_same(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    """With `use` the second execution makes no request and gives identical outputs.

    Its answers travel as a file: with `replay` it runs in a new record without a key, asks no server, and says the same.
    """
    provider.otherwise(play)
    file = tmp_path / "answers.jsonl"
    export = f"%agent record export {file}"
    env = environment(provider.base_url, tmp_path / "one.duckdb", NBAGENT_CACHE="use")
    *first, told = executed(tmp_path / "a", env, [*NOTEBOOK, export])
    asked, connected, exported = len(provider.requests), provider.connections_opened, file.read_text()
    assert asked == 6
    assert told.stdout == f"exported 5 answers to {file}\n"
    assert "sk-test" not in exported
    *again, _ = executed(tmp_path / "b", env, [*NOTEBOOK, export])
    assert file.read_text() == exported
    # the address says which model it was, and nobody is asked there
    nowhere = environment(
        provider.base_url, tmp_path / "two.duckdb", OPENAI_API_KEY="", NBAGENT_CACHE="replay"
    )
    cells = [NOTEBOOK[0], f"%agent record import {file}", *NOTEBOOK[1:], export]
    setup, imported, *rest, _ = executed(tmp_path / "c", nowhere, cells)
    offline = [setup, *rest]
    assert imported.stdout.startswith("imported 5 answers")
    assert file.read_text() == exported
    assert (len(provider.requests), provider.connections_opened) == (asked, connected)
    wanted = compared(NOTEBOOK, first)
    assert compared(NOTEBOOK, again) == wanted
    assert compared(NOTEBOOK, offline) == wanted
    assert "It costs 1.5." in str(wanted)
    # the cards of hits are marked, whole at once, and the same each time
    cards = [[results[number].displays[1]["text/html"] for number in (3, 4)] for results in (again, offline)]
    assert all("completed (from cache)" in card and "cost $0" in card for card in cards[0])
    ids = r"nbagent-of-\w+|[0-9a-f]{8}(-[0-9a-f]{4,12}){4}"
    assert [re.sub(ids, "", card) for card in cards[0]] == [re.sub(ids, "", card) for card in cards[1]]


def test_a_changed_tool_body_or_prompt_misses(tmp_path: Path, provider: ScriptedProvider) -> None:
    """`use` asks anew for what changed and only for that; `replay` fails the cell in two lines."""
    provider.otherwise(play)
    env = environment(provider.base_url, tmp_path / "runs.duckdb", NBAGENT_CACHE="use")
    setup, launch = NOTEBOOK[:3], "%%agent_bg -o quote --tools price\nPrice of A?"
    executed(tmp_path / "a", env, [*setup, launch, "quote.result()"])
    assert len(provider.requests) == 2
    with RealKernel(tmp_path / "b", env=env) as kernel:
        for cell in (*setup, launch, launch.replace("Price", "PRICE"), TOOL.replace("1.5", "2.5")):
            kernel.run(cell)
        kernel.run("%agent wait")
        assert len(provider.requests) == 3
        failed = kernel.execute(launch.replace("-o", "--cache replay -o"))
        assert failed.error is not None
        lines = [line for line in ANSI.sub("", "\n".join(failed.error.traceback)).splitlines() if line]
        assert len(lines) == 2
        assert lines[0].startswith("NoRecordedAnswerError: no recorded answer for the prompt 'Price of A?'")
        kernel.run(launch)
        assert "It costs 2.5." in kernel.run("print(quote.result().content)").stdout
        assert len(provider.requests) == 5
        kernel.run(launch.replace("-o", "--cache replay -o"))
        assert "cached from" in kernel.run("print(repr(quote))").stdout


def test_the_verbs_that_look_after_the_record(tmp_path: Path, provider: ScriptedProvider) -> None:
    """clear asks and deletes, export writes, sql reads and refuses to write, doctor says no key."""
    provider.otherwise(play)
    env = environment(provider.base_url, tmp_path / "runs.duckdb")
    with RealKernel(tmp_path / "a", env=env) as kernel:
        for cell in (
            NOTEBOOK[0],
            "%%agent_bg -o one --session s -q\nHello",
            "%%agent_bg -q\nHello",
            "%agent wait",
        ):
            kernel.run(cell)
        found = kernel.run("%agent sql select count(*) as \"n -- runs\" from runs where status = 'completed'")
        assert "n -- runs" in str(found.text)
        refused = kernel.execute("%agent sql select 1; commit; delete from launches")
        assert refused.error is not None
        assert refused.error.ename == "QueryError"
        assert "delete" not in str(kernel.run("nb.sql('select count(*) from runs')").text)
        table = tmp_path / "runs.csv"
        assert kernel.run(f"%agent export {table}").stdout == f"exported 2 rows of runs to {table}\n"
        assert len(table.read_text().splitlines()) == 3
        assert "say --older-than" in str(kernel.execute("%agent clear").error)
        asked = kernel.run("%agent clear --session s").stdout.splitlines()
        assert asked[0].startswith("1 run to delete (1 completed), launched ")
        assert asked[1] == "nothing is deleted: nobody can be asked here; say --yes"
        kernel.run("import nbagent.magics.maintenance as u; u.input = lambda prompt: print(prompt) or 'no'")
        assert kernel.run("%agent clear --session s").stdout.endswith(
            "delete them? [y/N] \nnothing is deleted\n"
        )
        kernel.run("u.input = lambda prompt: 'y'")
        assert kernel.run("%agent clear --session s").stdout.endswith("deleted 1 run\n")
        assert "no run" in str(kernel.execute("nb.get('one')").error)
        assert kernel.run("%agent clear --all --yes").stdout.endswith("deleted 1 run\n")
        assert kernel.run("print(len(nb.runs()))").stdout == "0\n"
        said = str(kernel.run("%agent doctor").text)
        assert "sk-test" not in said
        assert "OPENAI_API_KEY is set" in said
        assert "GROQ_API_KEY is not set" in said
        assert "control channel" in said
        assert str(tmp_path / "runs.duckdb") in said
