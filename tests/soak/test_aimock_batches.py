"""A provider's batch files against a server that somebody else wrote: aimock's /v1/files and /v1/batches, in both wire formats.

It answers every line with the same words and has no schema; it is there for the protocol. Needs node and npm, as
`test_aimock.py`, whose server it uses.
"""

from __future__ import annotations

import pytest

from nbagent import Agent
from nbagent.models import OpenAIChat, OpenAIResponses
from tests.soak.test_aimock import pytestmark as _marks
from tests.soak.test_aimock import url

pytestmark = _marks
__all__ = ["url"]


@pytest.mark.parametrize("kind", [OpenAIChat, OpenAIResponses])
def test_rows_go_through_a_foreign_batch_api(url, kind):
    """Uploaded, created, polled, downloaded: every row has its answer, and a second start finds it in the store."""
    agent = Agent(model=kind(id="gpt-5-mini", base_url=url, api_key="sk-test"))
    rows = [f"row {n}" for n in range(120)]
    batch = agent.map(rows, "Classify: {{ row }}", mode="provider-batch")
    frame = batch.result(60)
    assert set(frame["status"]) == {"completed"}, frame["error"].dropna().unique()
    assert set(frame["content"]) == {"Mock batch completion"}
    assert frame["run_id"].is_unique
    again = agent.map(rows, "Classify: {{ row }}", mode="provider-batch")
    assert again.result(60)["run_id"].equals(frame["run_id"])
    assert again.progress.reused == 120
