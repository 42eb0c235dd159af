"""R1, background execution: launch, poll, cancel in every phase, statuses, the record. On each wire format."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

import nbagent as nb
from nbagent import Agent, RunOutput, RunStatus, cancel_run
from nbagent.runtime import current
from nbagent.store.duckdb.lock_file import LockFile
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Gate, Silence, Wait, error
from tests.reference.wire_formats import Wire

pytestmark = pytest.mark.anyio

Polled = Callable[[Agent, RunOutput], Awaitable[RunOutput]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

QUESTION = "What is the capital of France? Answer in one sentence."


async def test_it_returns_at_once_and_polling_turns_completed(agent: Agent, polled: Polled) -> None:
    """`arun(background=True)` is pending at once; polling by run and session id ends completed, with the content."""
    out = await agent.arun(QUESTION, background=True)
    assert out.status == RunStatus.pending
    assert out.content is None
    out = await polled(agent, out)
    assert out.status == RunStatus.completed
    assert out.content == "The capital of France is Paris."
    assert out.metrics.total_tokens == (out.metrics.input_tokens or 0) + (out.metrics.output_tokens or 0) > 0


async def test_an_end_that_a_poll_shows_is_in_the_store(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """While the file is held by another, a run that has ended is not yet handed out; then it is, and its row is there."""
    gate = Gate()
    provider.reply((*wire.begun("half"), Wait(gate), Drop()))
    run = scripted.start(QUESTION)
    await until(lambda: run.text == "half")
    lock = LockFile(current().store.path)
    assert await asyncio.to_thread(lock.acquire)
    gate.open()
    await until(lambda: run.status.is_final)
    asked = asyncio.create_task(scripted.aget_run_output(run_id=run.run_id))
    await asyncio.sleep(0)
    assert not asked.done()
    lock.release()
    lock.forget()
    assert (await asked).status is RunStatus.error
    (row,) = current().store.read("select status from runs", flush=False)
    assert row["status"] == "error"


async def test_the_session_id_may_be_left_out(agent: Agent) -> None:
    """A run id is enough to find a run, while it goes on and after it has ended."""
    out = await agent.arun(QUESTION, background=True)
    assert (await agent.aget_run_output(run_id=out.run_id)).run_id == out.run_id
    await nb.get(out.run_id)
    assert (await agent.aget_run_output(run_id=out.run_id)).content == "The capital of France is Paris."


async def test_cancel_while_it_runs(agent: Agent, until: Until) -> None:
    """A long run is cancelled after it has begun: True, `cancelled`, and the partial text is kept."""
    out = await agent.arun("Write 5,000 words about the sea.", background=True)
    run = nb.get(out.run_id)
    await until(lambda: len(run.text) > 100)
    assert run.status is RunStatus.running
    assert await agent.acancel_run(run_id=out.run_id) is True
    assert run.status is RunStatus.cancelled
    out = await agent.aget_run_output(run_id=out.run_id, session_id=out.session_id)
    assert out.status == RunStatus.cancelled
    assert 100 < len(out.content) < 20_000
    assert [call.status for call in out.model_calls] == ["cancelled"]
    await asyncio.to_thread(run.wait, 5)
    assert current().stored(out.run_id).content == out.content


async def test_cancel_before_it_starts(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, polled: Polled
) -> None:
    """An id that is cancelled before it is launched ends cancelled, and no model call is made."""
    run_id = f"{wire.name}-not-started-yet"
    assert cancel_run(run_id) is True
    out = await scripted.arun(QUESTION, background=True, run_id=run_id)
    assert out.run_id == run_id
    out = await polled(scripted, out)
    assert out.status == RunStatus.cancelled
    assert (out.model_calls, provider.requests) == ((), [])
    assert current().store.read("select * from cancel_requests") == []


async def test_cancelling_a_finished_run(agent: Agent) -> None:
    """It is False, changes nothing, and leaves nothing behind."""
    before = await agent.arun(QUESTION)
    assert await agent.acancel_run(run_id=before.run_id) is False
    assert cancel_run(before.run_id) is False
    assert await agent.aget_run_output(run_id=before.run_id) == before
    assert current().store.read("select * from cancel_requests") == []
    assert (await agent.arun(QUESTION)).status == RunStatus.completed


def test_the_statuses() -> None:
    """Three that go on, five that are final; printing one shows `RunStatus.pending`."""
    assert [status.value for status in RunStatus if not status.is_final] == ["pending", "running", "paused"]
    assert [status.value for status in RunStatus if status.is_final] == [
        "completed", "error", "cancelled", "timeout", "interrupted",
    ]  # fmt: skip
    assert str(RunStatus.pending) == f"{RunStatus.pending}" == "RunStatus.pending"
    assert RunStatus.pending == "pending"


async def test_a_run_passes_through_its_statuses(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """Pending while it waits for its turn, running at work, and then how it ended: completed, error or timeout."""
    gate = Gate()
    provider.reply((Wait(gate), *wire.reply("one")), error(400, "no"), (*wire.begun("half"), Silence()))
    first = scripted.start("One", session_id="s")
    second = scripted.start("Two", session_id="s")
    third = scripted.start("Three", session_id="s", timeout=1.0)
    await until(lambda: first.status is RunStatus.running)
    assert [second.status, third.status] == [RunStatus.pending] * 2
    gate.open()
    outputs = [await run.finished() for run in (first, second, third)]
    assert [out.status for out in outputs] == [RunStatus.completed, RunStatus.error, RunStatus.timeout]
    assert outputs[2].content == "half"


READ = """
import json, sys
from nbagent.store import load_run, open_store
out = load_run(open_store(sys.argv[1]), sys.argv[2])
print(json.dumps([out.status.value, out.content, out.metrics.input_tokens]))
"""


async def test_the_record_is_written_while_other_runs_write(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """Twenty runs at once are all in the store when their results are; another process reads them meanwhile."""
    gate = Gate()
    provider.otherwise(
        lambda request: (*((Wait(gate),) if b"Late" in request.raw_body else ()), *wire.reply("yes"))
    )
    late = [scripted.start(f"Late {n}") for n in range(10)]
    early = [scripted.start(f"Early {n}") for n in range(10)]
    await asyncio.gather(*early)
    statuses = nb.sql("select status, count(*) n from runs group by all").set_index("status")["n"].to_dict()
    assert statuses.pop("completed") == 10
    assert sum(statuses.values()) == 10
    reading = [sys.executable, "-c", READ, current().store.name, early[0].run_id]
    read = await asyncio.to_thread(subprocess.run, reading, capture_output=True, text=True, check=True)
    assert json.loads(read.stdout) == ["completed", "yes", 11]
    gate.open()
    await asyncio.gather(*late)
    assert set(nb.runs()["status"]) == {"completed"}
    assert nb.sql("select sum(input_tokens) t from model_calls")["t"][0] == 20 * 11


def test_the_original_with_its_imports_changed(agent: Agent) -> None:
    """The original's own loop, as a script would run it."""

    async def main() -> RunOutput:
        out = await agent.arun(QUESTION, background=True)
        for _ in range(500):
            await asyncio.sleep(0.02)
            result = await agent.aget_run_output(run_id=out.run_id, session_id=out.session_id)
            if result is not None and result.status == RunStatus.completed:
                return result
        raise pytest.fail.Exception("it did not complete")

    assert "Paris" in asyncio.run(main()).content
