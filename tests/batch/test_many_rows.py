"""Many rows against the demo server: all right, in order, each in the store. The figures are `benchmarks/batch.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import nbagent as nb
from nbagent import Agent, OpenAIChat, settings
from nbagent.demo.process import DemoProcess

ROOT = Path(__file__).resolve().parents[2]
ROWS = 300


def test_three_hundred_rows_sixty_four_at_a_time():
    """Each row has the answer that the demo model gives to its text, under its own label, and a run of its own."""
    server = DemoProcess(speed=1000)
    try:
        agent = Agent(model=OpenAIChat(id="assistant", base_url=server.start(), api_key="not-needed"))
        words = ("wonderful", "terrible")
        table = pd.DataFrame({"text": [f"It is {words[n % 2]}, number {n}." for n in range(ROWS)]})
        table.index = [f"r{n}" for n in range(ROWS)]
        batch = agent.map(
            table,
            "Classify the review: {{ row.text }}",
            output_schema={
                "type": "object",
                "properties": {"sentiment": {"enum": ["positive", "negative"]}},
                "required": ["sentiment"],
            },
            max_concurrency=64,
        )
        frame = batch.result(60)
    finally:
        server.stop()
    assert list(frame.index) == list(table.index)
    assert set(frame["status"]) == {"completed"}, frame["error"].dropna().unique()
    assert list(frame["sentiment"]) == ["positive", "negative"] * (ROWS // 2)
    (batch_id,) = nb.sql("select distinct batch_id from runs")["batch_id"]
    assert batch_id == batch.batch_id
    stored = nb.sql("select run_id, prompt, status from runs")
    assert set(stored["status"]) == {"completed"}
    by_run = dict(zip(stored["run_id"], stored["prompt"], strict=True))
    assert [by_run[run] for run in frame["run_id"]] == [
        f"Classify the review: {text}" for text in table["text"]
    ]
    calls = nb.sql("select count(*) n from model_calls")
    assert calls["n"][0] == ROWS
    assert settings.get("max_concurrency") == 64


@pytest.mark.soak
@pytest.mark.timeout(1_200)
def test_ten_thousand_rows():
    """Within the budgets: CPU of a row 0.6x of the bare SDK, 300 MB over the start, a cell beside it 1.25x."""
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "benchmarks" / "batch.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    print(done.stdout)
    ratio, memory, cell = (
        float(re.search(pattern, done.stdout)[1])
        for pattern in (r"ratio ([\d.]+)", r"MB at the peak ([\d.]+)", r"cell beside / alone ([\d.]+)")
    )
    assert ratio <= 0.6
    assert memory <= 300
    assert cell <= 1.25
