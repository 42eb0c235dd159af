"""Launch, wait, fail: what a `Run` is from its launch to its committed end. Real store, real server."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, RunError, RunIdInUseError, RunStatus, WaitTimeout
from nbagent.errors import BlockingCallError, ConfigurationError, PromptError
from nbagent.runtime import current
from nbagent.spec import Limits
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait, answer, error

Until = Callable[[Callable[[], bool]], None]


def stored_status(run_id: str) -> str:
    """The run's status as another process would read it."""
    (row,) = current().store.read("select status from runs where run_id = ?", [run_id])
    return str(row["status"])


def test_a_launch_is_durable_and_pending_and_ends_completed(agent: Agent, provider: ScriptedProvider) -> None:
    """The row is committed when start() returns; the end is committed when result() does."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("Par", "is.")))
    run = agent.start("Capital of France?", label="capital")
    assert run.durable
    assert stored_status(run.run_id) in {"pending", "running"}
    assert not run.done()
    gate.open()
    output = run.result(timeout=60)
    assert (output.status, output.content, output.stop_reason) == (RunStatus.completed, "Paris.", "end")
    assert stored_status(run.run_id) == "completed"
    assert (output.metrics.input_tokens, output.metrics.output_tokens, output.metrics.model_calls) == (
        11,
        7,
        1,
    )
    assert nb.get("capital").run_id == run.run_id
    assert nb.get(run.run_id).content == "Paris."


def test_the_stored_run_equals_the_live_one(agent: Agent, provider: ScriptedProvider) -> None:
    """Read back from the file a run is what it was: text, messages, calls and metrics."""

    def price(symbol: str) -> float:
        """Price of a ticker symbol."""
        return 190.5

    agent.tools = [price]
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), text_reply("190.5"))
    live = agent.start("Price of AAPL?").result(timeout=60)
    assert current().stored(live.run_id) == live


def test_the_text_grows_while_the_run_goes_on(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """`content` is the text so far."""
    gate = Gate()
    provider.reply((*text("Par"), Wait(gate), *text_reply("is.")))
    run = agent.start("Capital of France?")
    until(lambda: run.content == "Par")
    assert run.status is RunStatus.running
    gate.open()
    assert run.result(timeout=60).content == "Paris."


def test_a_wait_that_runs_out_leaves_the_run_alone(agent: Agent, provider: ScriptedProvider) -> None:
    """result(timeout) raises WaitTimeout, a TimeoutError that is not the run's own; the run goes on."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("yes")))
    run = agent.start("Well?")
    with pytest.raises(WaitTimeout, match="is still"):
        run.result(timeout=0.05)
    with pytest.raises(TimeoutError):
        run.wait(timeout=0.05)
    assert nb.gather(run, timeout=0.05)[0].status in {RunStatus.pending, RunStatus.running}
    gate.open()
    assert run.result(timeout=60).content == "yes"


def test_awaiting_is_shielded(agent: Agent, provider: ScriptedProvider) -> None:
    """A cancelled or timed-out `await run` never cancels the run; handles work in gather and wait_for."""
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("yes")))

    async def impatient() -> list[Any]:
        run, other = agent.start("Well?"), agent.start("And?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run, 0.05)
        task = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        run.future().cancel()
        gate.open()
        return await asyncio.wait_for(asyncio.gather(run, other), 5)

    assert [output.status for output in asyncio.run(impatient())] == [RunStatus.completed] * 2


def test_a_failed_run_raises_only_where_its_result_is_asked_for(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """A failure is data on the run; result() and await raise RunError with the output on it, nothing else does."""
    provider.reply(error(404, "no such model"))
    run = agent.start("Well?")
    output = run.wait(timeout=60)
    assert (output.status, output.stop_reason) == (RunStatus.error, "error")
    assert run.error is not None
    assert len(run.error.splitlines()) == 2
    with pytest.raises(RunError) as caught:
        run.result(timeout=60)
    assert caught.value.output == output
    assert str(caught.value) == run.error


def test_a_server_that_is_not_there_ends_the_run_with_two_lines() -> None:
    """The message names the address and what to do; the row is kept."""
    model = nb.OpenAIChat(id="x", base_url="http://127.0.0.1:9/v1", api_key="not-needed")
    run = Agent(model=model, limits=nb.Limits(model_retries=0)).start("Well?")
    output = run.wait(timeout=60)
    assert output.status is RunStatus.error
    assert "http://127.0.0.1:9/v1" in (output.error or "")
    assert len((output.error or "").splitlines()) == 2
    assert stored_status(run.run_id) == "error"


def test_html_instead_of_json_ends_the_run_with_two_lines(agent: Agent, provider: ScriptedProvider) -> None:
    """A proxy's page is no reply; the message says what came and from where."""
    provider.reply(answer(200, "<html><body>Sign in</body></html>"))
    output = agent.start("Well?").wait(timeout=60)
    assert output.status is RunStatus.error
    assert "web page" in (output.error or "")
    assert len((output.error or "").splitlines()) == 2


@pytest.mark.parametrize("prompt", ["", "   \n"])
def test_an_empty_prompt_is_refused(agent: Agent, prompt: str) -> None:
    """Nothing is launched for nothing."""
    with pytest.raises(PromptError):
        agent.start(prompt)


@pytest.mark.parametrize("model", ["gpt-5", "nowhere:gpt", "openai-chat:gpt-5"])
def test_a_model_that_cannot_be_asked_is_refused_at_launch(model: str) -> None:
    """Unknown providers and missing keys raise at once and leave no row."""
    with pytest.raises(ConfigurationError):
        Agent(model=model).start("Well?")
    assert nb.runs().empty


def test_a_run_id_is_used_once(agent: Agent, provider: ScriptedProvider) -> None:
    """A second launch of an id raises, while the first is live and after it ended; the first stays as it was."""
    gate = Gate()
    provider.reply((Wait(gate), *text_reply("first")))
    first = agent.start("First", run_id="mine")
    with pytest.raises(RunIdInUseError):
        agent.start("Second", run_id="mine")
    gate.open()
    assert first.result(timeout=60).content == "first"
    with pytest.raises(RunIdInUseError, match="mine"):
        agent.start("Third", run_id="mine")
    assert nb.get("mine").content == "first"
    assert len(provider.requests) == 1


def test_a_timeout_keeps_the_partial_text(agent: Agent, provider: ScriptedProvider) -> None:
    """A run past its timeout ends `timeout` with what it had."""
    provider.reply((*text("so far"), Silence()))
    output = agent.start("Well?", timeout=1.0).wait(timeout=60)
    assert (output.status, output.stop_reason, output.content) == (RunStatus.timeout, "timeout", "so far")
    assert "of 1 s" in (output.error or "")


def test_a_blocking_wait_on_the_background_thread_raises(agent: Agent, provider: ScriptedProvider) -> None:
    """There a blocking wait would wait for itself: an async tool that calls result() is told to await."""
    provider.otherwise(text_reply("inner"))

    async def nested() -> str:
        """Start a run and block on it."""
        return str(agent.start("Inner?").result(timeout=60).content)

    outer = Agent(model=agent.model, tools=[nested])
    provider.reply(tool_reply(("nested", {})))
    output = outer.start("Go").wait(timeout=60)
    assert BlockingCallError.__name__ in (output.tool_calls[0].result or "")


def test_a_tool_may_launch_a_run_and_await_it(agent: Agent, provider: ScriptedProvider) -> None:
    """On the background thread a launch returns at once, and the run can be awaited there."""

    async def nested() -> str:
        """Start a run and await it."""
        run = agent.start("Inner?")
        assert await run.launched()
        return str((await run).content)

    provider.reply(tool_reply(("nested", {})), text_reply("inner"), text_reply("outer"))
    output = Agent(model=agent.model, tools=[nested]).start("Go").result(timeout=60)
    assert (output.tool_calls[0].result, output.content) == ("inner", "outer")


def test_a_sync_tool_may_wait_for_a_run(agent: Agent, provider: ScriptedProvider) -> None:
    """A sync tool has a thread of its own, where result() works as in a cell."""

    def nested() -> str:
        """Start a run and wait for it."""
        return str(agent.start("Inner?").result(timeout=60).content)

    provider.reply(tool_reply(("nested", {})), text_reply("inner"), text_reply("outer"))
    output = Agent(model=agent.model, tools=[nested]).start("Go").result(timeout=60)
    assert output.tool_calls[0].result == "inner"


def test_no_more_calls_at_a_time_than_allowed(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """max_concurrency bounds the model calls under way; the others wait, pending, in launch order."""
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "2")
    gate = Gate()
    provider.otherwise((Wait(gate), *text_reply("yes")))
    runs = [agent.start(f"Question {n}") for n in range(5)]
    provider.wait_for_requests(2)
    assert sum(run.status is RunStatus.pending for run in runs) >= 3
    gate.open()
    assert [output.status for output in nb.gather(*runs, timeout=60)] == [RunStatus.completed] * 5


def test_an_option_that_does_not_fit_fails_the_launch(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the launching cell's error, and no run is left that never begins."""
    agent.limits = Limits()
    monkeypatch.setenv("NBAGENT_MAX_CONCURRENCY", "many")
    with pytest.raises(ConfigurationError, match="NBAGENT_MAX_CONCURRENCY"):
        agent.start("Well?")
    assert current().unfinished() == []


def test_launches_from_many_threads_are_all_kept(agent: Agent, provider: ScriptedProvider) -> None:
    """Threads may launch at the same time; every run is recorded once."""
    provider.otherwise(text_reply("yes"))
    runs: list[nb.Run] = []
    threads = [threading.Thread(target=lambda: runs.append(agent.start("Well?"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    nb.gather(*runs, timeout=60)
    assert len(nb.runs()) == 8
    assert set(nb.runs()["status"]) == {"completed"}


def test_the_reference_calls(agent: Agent, provider: ScriptedProvider) -> None:
    """arun(background=True) is pending whatever happened since; polling finds the end; arun alone waits."""
    provider.otherwise(text_reply("Paris."))

    async def scenario() -> None:
        out = await agent.arun("Capital of France?", background=True)
        assert out.status == RunStatus.pending
        assert str(out.status) == "RunStatus.pending"
        await nb.get(out.run_id)
        out = await agent.aget_run_output(run_id=out.run_id, session_id=out.session_id)
        assert (out.status, out.content) == (RunStatus.completed, "Paris.")
        assert await agent.acancel_run(run_id=out.run_id) is False
        assert (await agent.arun("Again?")).content == "Paris."

    asyncio.run(scenario())
    assert agent.run("And again?").content == "Paris."
    assert agent.get_session_metrics().input_tokens == 11


def test_a_run_is_known_at_every_moment(agent: Agent, provider: ScriptedProvider) -> None:
    """While runs end, are forgotten as unfinished and remembered as finished, another thread finds each all the time."""
    provider.otherwise(text_reply("yes"))
    known, stop, missed = [], threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            missed.extend(run_id for run_id in known[-20:] if current().live(run_id) is None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(200):
        run = agent.start("Well?")
        known.append(run.run_id)
        run.wait(timeout=60)
    stop.set()
    looking.join()
    sys.setswitchinterval(interval)
    assert missed == []


def test_a_run_whose_id_another_store_has_used_is_remembered(
    agent: Agent, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, until: Until
) -> None:
    """Of the runs that a kernel remembers the ones that ended first go, and an id used again ended last."""
    monkeypatch.setattr("nbagent.runtime.registry.REMEMBERED", 3)
    provider.otherwise(text_reply("yes"))
    for run_id in ("a", "b", "c"):
        agent.start("Well?", run_id=run_id).wait(timeout=60)
    monkeypatch.setenv("NBAGENT_STORE", str(tmp_path / "another.duckdb"))
    for run_id in ("a", "d"):
        agent.start("Well?", run_id=run_id).wait(timeout=60)
    until(lambda: current().live("b") is None or current().live("a") is None)
    assert [run_id for run_id in "abcd" if current().live(run_id) is not None] == ["a", "c", "d"]
    current()._stores.pop(tmp_path / "another.duckdb").close()
