"""R5, the provider half: `background=True` where the provider has none and where it has. On each wire format.

Events and callbacks, sessions as data and batches have scenarios of their own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, RunError, RunOutput, RunStatus
from nbagent.runtime import current
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Gate, Silence, Wait, error
from tests.reference.wire_formats import WIRES, Wire

pytestmark = pytest.mark.anyio

Polled = Callable[[Agent, RunOutput], Awaitable[RunOutput]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

QUESTION = "What is the capital of France?"
LONG = "Write 2,000 words about rivers."


def modes(run_id: str) -> tuple[str, str]:
    """The mode that was asked for and the one in effect, as recorded."""
    (row,) = current().store.read(
        "select mode_requested, mode_effective from runs where run_id = ?", [run_id]
    )
    return row["mode_requested"], row["mode_effective"]


PROVIDERS = (
    "openai",
    "openai-chat",
    "deepseek",
    "siliconflow",
    "ollama",
    "vllm",
    "groq",
    "openrouter",
    "demo",
)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_background_means_the_same_with_every_provider(
    provider: ScriptedProvider, polled: Polled, name: str
) -> None:
    """With each row of the table a run is a task in the notebook: pending at once, completed when polled, recorded."""
    wire = WIRES["responses" if name == "openai" else "chat"]
    made = wire.model(provider.base_url, provider=name)
    provider.otherwise(wire.reply("Paris."))
    agent = Agent(model=made)
    out = await agent.arun(QUESTION, background=True)
    assert out.status == RunStatus.pending
    out = await polled(agent, out)
    assert (out.status, out.content, out.provider) == (RunStatus.completed, "Paris.", name)
    assert modes(out.run_id) == ("notebook", "notebook")


async def test_it_may_also_live_at_the_provider(demo_url: str, polled: Polled) -> None:
    """`OpenAIResponses(..., background=True)` lives there: both modes and the response's id are recorded."""
    agent = Agent(model=WIRES["responses"].model(demo_url, "assistant", background=True))
    out = await agent.arun(QUESTION, background=True)
    assert out.status == RunStatus.pending
    out = await polled(agent, out)
    assert (out.status, out.content) == (RunStatus.completed, "The capital of France is Paris.")
    assert modes(out.run_id) == ("provider", "provider")
    (row,) = current().store.read("select response_id, last_sequence_number from runs")
    assert row["response_id"].startswith("resp_")
    assert row["last_sequence_number"] > 0


async def test_a_provider_that_ignores_it_is_not_passed_over_in_silence(provider: ScriptedProvider) -> None:
    """The reply's status says that the run is an ordinary one: completed in the notebook, recorded, and said once."""
    wire = WIRES["responses"]
    provider.otherwise(wire.reply("Paris."))
    run = Agent(model=wire.model(provider.base_url, background=True)).start(QUESTION)
    assert (await run).content == "Paris."
    assert provider.bodies[0]["background"] is True
    assert modes(run.run_id) == ("provider", "notebook")
    assert run.record is not None
    assert len([notice for notice in run.record.notices if "background" in notice]) == 1


async def test_the_text_grows_while_the_run_goes_on(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """Progress: what has come so far is there to be read at any time."""
    gate = Gate()
    provider.reply((*wire.begun("Par"), Wait(gate), Drop()))
    run = scripted.start(QUESTION)
    await until(lambda: run.text == "Par")
    assert (run.content, run.done()) == ("Par", False)
    gate.open()
    out = await run.finished()
    assert (out.status, out.content) == (RunStatus.error, "Par")


async def test_done(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> None:
    """`run.done()` is False until the run has ended and its end is committed."""
    gate = Gate()
    provider.reply((Wait(gate), *wire.reply("Paris.")))
    run = scripted.start(QUESTION)
    await asyncio.to_thread(provider.wait_for_requests, 1)
    assert run.done() is False
    gate.open()
    await run
    assert run.done() is True
    assert current().stored(run.run_id).status is RunStatus.completed


async def test_cancelling_a_task_that_awaits_arun_cancels_the_run(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """The run ends cancelled and its connection is closed; awaiting a background run's handle is shielded."""
    provider.otherwise((*wire.begun("Once"), Silence()))
    run_id = f"{wire.name}-mine"
    task = asyncio.create_task(scripted.arun("Write a story", run_id=run_id))
    await asyncio.to_thread(provider.wait_for_requests, 1)
    await until(lambda: nb.get(run_id).text == "Once")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nb.get(run_id).status is RunStatus.cancelled
    assert await asyncio.to_thread(provider.requests[0].disconnected.wait, 5)
    run = scripted.start("Write another")
    waiting = asyncio.ensure_future(run)
    await asyncio.to_thread(provider.wait_for_requests, 2)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert run.status in {RunStatus.pending, RunStatus.running}
    assert run.cancel() is True


async def test_a_timeout_keeps_the_partial_text(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """`timeout=` ends a run as `timeout`, and the message says which time ran out."""
    provider.reply((*wire.begun("so far"), Silence()))
    out = await scripted.arun("Write a story", timeout=1.0)
    assert (out.status, out.stop_reason, out.content) == (RunStatus.timeout, "timeout", "so far")
    assert "of 1 s" in (out.error or "")
    assert await asyncio.to_thread(provider.requests[0].disconnected.wait, 5)


async def test_tools_have_their_own_timeout(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> None:
    """A tool that takes too long is an error that the model reads; the run goes on."""

    async def slow() -> str:
        """Wait for ever."""
        await asyncio.Event().wait()
        return "never"

    scripted.tools = [slow]
    scripted.limits = Limits(tool_timeout_s=0.1)
    provider.reply(wire.calls("slow"), wire.reply("It did not answer."))
    out = await scripted.arun("Ask")
    assert (out.status, out.content) == (RunStatus.completed, "It did not answer.")
    assert "longer than 0.1 s" in (out.tool_calls[0].result or "")


async def test_a_queue_of_unlike_prompts_and_agents(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`max_concurrency` workers serve runs of any agent, in launch order; `nb.gather` waits and never raises."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "2")
    gate = Gate()

    def answer(request: Any) -> Any:
        ends = {"responses": "/responses", "messages": "/messages"}
        wire = WIRES[next((name for name, end in ends.items() if request.path.endswith(end)), "chat")]
        if b"Fail" in request.raw_body:
            return error(400, "no")
        return (Wait(gate), *wire.reply("yes"))

    provider.otherwise(answer)
    agents = [Agent(model=wire.model(provider.base_url)) for wire in WIRES.values()]
    prompts = ["One", "Two", "Three", "Fail", "Five"]
    runs = [agents[n % len(agents)].start(prompt) for n, prompt in enumerate(prompts)]
    await asyncio.to_thread(provider.wait_for_requests, 2)
    assert [run.status for run in runs[2:]] == [RunStatus.pending] * 3
    gate.open()
    outputs = await asyncio.to_thread(nb.gather, *runs, timeout=60)
    assert [out.status.value for out in outputs] == ["completed"] * 3 + ["error"] + ["completed"]
    started = nb.sql("select prompt from runs order by started_at")["prompt"]
    assert sorted(started[:2]) == ["One", "Two"]


async def test_an_exception_in_a_run_is_data(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> None:
    """It is on the run, with type and two lines, and raises only where the result is asked for."""
    provider.otherwise(error(401, "bad key"))
    run = scripted.start(QUESTION)
    out = await run.finished()
    assert (out.status, out.error_type) == (RunStatus.error, "ProviderRefusedError")
    assert len((run.error or "").splitlines()) == 2
    assert (await scripted.arun(QUESTION)).status is RunStatus.error
    results = await asyncio.gather(run, return_exceptions=True)
    assert isinstance(results[0], RunError)
    assert results[0].output == out
    with pytest.raises(RunError):
        run.result(timeout=60)


async def test_gather_over_runs(agent: Agent) -> None:
    """`asyncio.gather` and `nb.gather` give the outputs in the order of the runs."""
    runs = [agent.start(f"What is the capital of {country}?") for country in ("France", "Japan", "Italy")]
    outputs = await asyncio.gather(*runs)
    assert outputs == nb.gather(*runs)
    assert [out.content.rpartition(" ")[2] for out in outputs] == ["Paris.", "Tokyo.", "Rome."]


CHILD = """
import os, signal, sys, time
import nbagent as nb
from tests.reference.wire_formats import WIRES
agent = nb.Agent(model=WIRES[sys.argv[1]].model(sys.argv[2]))
agent.run("First", run_id="first-" + sys.argv[1])
run = agent.start("Second", run_id="second-" + sys.argv[1])
while not nb.sql("select count(*) n from attempt_progress where partial_text is not null")["n"][0]:
    time.sleep(0.05)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_what_a_killed_process_did_is_read_by_another(provider: ScriptedProvider, wire: Wire) -> None:
    """Finished runs are there whole, the one at work is interrupted with the text that had come by then."""
    provider.reply(wire.reply("Paris."), (*wire.begun("Once upon a time"), Silence()))
    command = [sys.executable, "-c", CHILD, wire.name, provider.base_url]
    child = await asyncio.to_thread(subprocess.run, command, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL
    first = nb.get(f"first-{wire.name}").output
    assert (first.status, first.content, first.metrics.total_tokens) == (RunStatus.completed, "Paris.", 18)
    second = nb.get(f"second-{wire.name}").output
    assert (second.status, second.stop_reason) == (RunStatus.interrupted, "kernel_died")
    assert second.content == "Once upon a time"
    assert json.loads(nb.runs()["status"].to_json(orient="values")) == ["completed", "interrupted"]


async def test_a_cut_off_answer_goes_on_from_its_partial_text(demo_url: str) -> None:
    """On a chat provider `resume(from_partial=True)` continues the text instead of asking for it again."""
    agent = Agent(model=nb.OpenAIChat(id="assistant", base_url=demo_url, api_key="not-needed"))
    uncut = agent.start(LONG)
    run = agent.start(LONG, timeout=1.0)
    partial = (await run.finished()).content
    whole = (await uncut).content
    assert run.status is RunStatus.timeout
    assert 0 < len(partial) < len(whole)
    output = await run.resume(from_partial=True, timeout=60)
    assert (output.status, output.attempt) == (RunStatus.completed, 2)
    assert output.content.startswith(partial)
    assert output.content == whole


IN_ANOTHER_KERNEL = """
import os, signal, sys, time
import nbagent as nb
model = nb.OpenAIResponses(id="assistant", base_url=sys.argv[1], api_key="not-needed", background=True)
nb.Agent(model=model, name="writer").start(sys.argv[2], run_id="long")
while not nb.sql("select count(*) n from attempt_progress where run_id = 'long' and length(partial_text) > 100")["n"][0]:
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_run_at_the_provider_survives_the_kernel(demo_url: str) -> None:
    """Killed in the middle, it is re-attached by id and sequence number: no text twice, nothing asked again."""
    model = nb.OpenAIResponses(id="assistant", base_url=demo_url, api_key="not-needed", background=True)
    agent = Agent(model=model, name="writer")
    asked = requests_of(demo_url)
    uncut = agent.start(LONG)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", IN_ANOTHER_KERNEL, demo_url, LONG)
    assert await killed.wait() == -signal.SIGKILL
    whole = (await uncut).content
    lost = await nb.get("long").finished()
    assert (lost.status, lost.stop_reason) == (RunStatus.interrupted, "kernel_died")
    assert whole.startswith(lost.content)
    output = await nb.resume("long", agent=agent)
    assert (output.status, output.content) == (RunStatus.completed, whole)
    assert modes("long") == ("provider", "provider")
    assert requests_of(demo_url) == asked + 2  # the one that was not cut, and the other kernel's


def requests_of(demo_url: str) -> int:
    """How many replies the demo server was asked for; looking at one again is no request."""
    with urllib.request.urlopen(demo_url.removesuffix("/v1") + "/demo/stats") as stats:  # noqa: S310 - loopback
        return int(json.load(stats)["requests"])
