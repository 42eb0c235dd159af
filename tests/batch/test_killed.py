"""A batch whose process is killed goes on where it stood when the same cell is run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nbagent as nb
from tests.batch.mapping_process import label
from tests.batch.review_provider import Reviews, group_answer
from tests.provider.chat_wire import json_reply
from tests.provider.server import ScriptedProvider

ROOT = Path(__file__).resolve().parents[2]


def run_and_kill(url: str, rows: int, store: Path, after: int) -> set[int]:
    """Run the program until it was given so many results, kill it, and return the rows that it was given."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.batch.mapping_process", url, str(rows)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NBAGENT_STORE": str(store), "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        seen: set[int] = set()
        for line in process.stdout:
            if line.strip() == "end":
                break
            seen.add(int(line))
            if len(seen) >= after:
                process.send_signal(signal.SIGKILL)
        process.wait(60)
    return seen


def survive(provider: ScriptedProvider, tmp_path: Path, rows: int, kills: list[int]) -> None:
    """Kill it after each number of results in turn, then let it end; hold what was asked and what came of it."""
    reviews, store = Reviews(), tmp_path / "store" / "runs.duckdb"
    provider.otherwise(reviews.answer)
    done: set[int] = set()
    for after in kills:
        before = dict(reviews.asked)
        seen = run_and_kill(provider.base_url, rows, store, after)
        assert len(seen) >= after, "it was killed in the middle"
        again = {n for n in done if reviews.asked[f"Classify: row {n}"] != before[f"Classify: row {n}"]}
        assert not again, "a row that was done is never asked again"
        done |= seen
    before = dict(reviews.asked)
    frame = label(provider.base_url, rows).result(60)
    assert set(frame["status"]) == {"completed"}
    assert list(frame["words"]) == [2] * rows
    assert all(reviews.asked[f"Classify: row {n}"] == before[f"Classify: row {n}"] for n in done)
    asked_again = sum(reviews.asked.values()) - rows
    print(
        f"{len(done)} of {rows} done before the last start, {asked_again} asked again after {len(kills)} kills"
    )
    assert len(reviews.asked) == rows
    assert max(reviews.asked.values()) <= 1 + len(kills), "once more for each kill in which it was in flight"
    completed = nb.sql("select prompt, count(*) n from runs where status = 'completed' group by prompt")
    assert (len(completed), set(completed["n"])) == (rows, {1})
    unfinished = nb.sql("select count(*) n from runs where status not in ('completed', 'interrupted')")["n"][
        0
    ]
    assert unfinished == 0


def test_a_killed_batch_asks_only_what_was_not_done(provider, tmp_path):
    """Killed at row 60 of 150: what was given out is in the store, and is not asked again."""
    survive(provider, tmp_path, 150, [60])


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_five_kills(provider, tmp_path):
    """SIGKILL in the middle five times over 1,000 rows, then finished."""
    survive(provider, tmp_path, 1_000, [150, 300, 450, 600, 800])


def test_a_changed_template_or_schema_starts_anew(provider, tmp_path):
    """Only the same agent, template and schema share answers; `fresh` shares none."""
    reviews = Reviews()
    provider.otherwise(reviews.answer)
    url = provider.base_url
    label(url, 10).result(60)
    frame = label(url, 12).result(60)
    assert (len(provider.requests), frame["status"].nunique()) == (12, 1)
    other = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
    assert label(url, 10, output_schema=other).result(60)["label"].notna().all()
    assert len(provider.requests) == 22
    label(url, 10, fresh=True).result(60)
    assert len(provider.requests) == 32
    batch = label(url, 10)
    batch.result(60)
    assert (batch.progress.reused, batch.progress.running, len(provider.requests)) == (10, 0, 32)
    assert str(batch.progress) == "10 of 10 done, 10 from earlier"


def test_answers_of_groups_are_found_again(provider, tmp_path):
    """Rows that shared a prompt are known by their own."""
    provider.otherwise(lambda request: json_reply({"answers": group_answer(request)}))
    url = provider.base_url
    assert set(label(url, 9, group=3).result(60)["status"]) == {"completed"}
    assert len(provider.requests) == 3
    batch = label(url, 9, group=4)
    assert list(batch.result(60)["label"]) == [f"label of row {n}" for n in range(9)]
    assert len(provider.requests) == 3
