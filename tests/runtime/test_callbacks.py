"""A user's callbacks: on threads of their own, so that one that sleeps delays nobody and one that asks is answered."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent
from nbagent.runtime import current
from tests.provider.chat_wire import text, text_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait

T = 60
ROOT = Path(__file__).parents[2]

Hang = Callable[[nb.Run, Callable[[Any], None]], None]


def of_the_future(run: nb.Run, callback: Callable[[Any], None]) -> None:
    """Hang a callback on the run's future."""
    run.future().add_done_callback(callback)


def of_another_future(run: nb.Run, callback: Callable[[Any], None]) -> None:
    """Hang it on one of two futures of the run."""
    run.future()
    run.future().add_done_callback(callback)


def of_a_reader(run: nb.Run, callback: Callable[[Any], None]) -> None:
    """Hang it on the future of a handle that `nb.get` gave."""
    nb.get(run.run_id).future().add_done_callback(callback)


@pytest.mark.parametrize("hang", [of_the_future, of_another_future, of_a_reader])
def test_a_callback_that_sleeps_delays_nobody(agent: Agent, provider: ScriptedProvider, hang: Hang) -> None:
    """While it is at work other runs are launched, end, and are committed."""
    gate, entered, go_on = Gate(), threading.Event(), threading.Event()

    def sleep(_: Any) -> None:
        entered.set()
        go_on.wait(T)

    provider.reply((Wait(gate), *text_reply("one")), text_reply("two"))
    run = agent.start("One?")
    hang(run, sleep)
    gate.open()
    assert entered.wait(T)
    assert agent.start("Two?").result(timeout=T).content == "two"
    assert list(nb.sql("select count(*) as n from runs where status = 'completed'").n) == [2]
    go_on.set()


@pytest.mark.parametrize("hang", [of_the_future, of_another_future, of_a_reader])
def test_a_callback_that_asks_the_store_gets_its_answer(
    agent: Agent, provider: ScriptedProvider, hang: Hang
) -> None:
    """It may read frames, launch runs and wait for them."""
    answer: concurrent.futures.Future[list[Any]] = concurrent.futures.Future()

    def ask(future: concurrent.futures.Future[nb.RunOutput]) -> None:
        try:
            status = list(nb.runs().status)
            again = agent.start("Two?").result(timeout=T).content
            answer.set_result([future.result().content, status, again])
        except BaseException as error:  # noqa: BLE001 - the test shows it
            answer.set_exception(error)

    gate = Gate()
    provider.reply((Wait(gate), *text_reply("one")), text_reply("two"))
    run = agent.start("One?")
    hang(run, ask)
    gate.open()
    assert answer.result(T) == ["one", ["completed"], "two"]


def test_on_event_may_ask_the_store(agent: Agent, provider: ScriptedProvider) -> None:
    """Each event's callback can read the record, at the run's end too."""
    asked: list[int] = []
    provider.reply(text_reply("one"))
    done = threading.Event()

    def hear(event: object) -> None:
        asked.append(len(nb.runs()))
        if type(event).__name__ == "RunFinished":
            done.set()

    agent.start("One?", on_event=hear).result(timeout=T)
    assert done.wait(T)
    assert set(asked) == {1}


def test_a_cancelled_run_is_done(agent: Agent, provider: ScriptedProvider) -> None:
    """`done()` is true when `cancel()` has returned: a run at work, one that waits in its session, one of many."""
    provider.otherwise((*text("Once "), Silence()))
    runs = [agent.start("Write.", session_id=session) for session in ("a", "a", "b", "c")]
    provider.wait_for_requests(3)
    for run in reversed(runs):
        assert run.cancel()
        assert run.done()
        assert run.wait(timeout=T).status is nb.RunStatus.cancelled
        assert current().stored(run.run_id).status is nb.RunStatus.cancelled


SCRIPT = """
import sys
import nbagent as nb
agent = nb.Agent(model=nb.OpenAIChat(id="m", base_url=sys.argv[1], api_key="x"))
run = agent.start("Write.")
next(event for event in run.events() if type(event).__name__ == "TextAdded")
{cancel}
print(run.run_id)
"""


@pytest.mark.parametrize(
    "cancel",
    [
        "assert run.cancel() and run.done()",
        "assert nb.cancel_run(run.run_id)",
        "import asyncio; assert asyncio.run(agent.acancel_run(run_id=run.run_id))",
        "nb.get(run.run_id).cancel()",
    ],
)
def test_a_script_that_ends_after_a_cancel_says_nothing(provider: ScriptedProvider, cancel: str) -> None:
    """The run is cancelled, not interrupted by the script's end."""
    provider.otherwise((*text("Once "), Silence()))
    child = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(cancel=cancel), provider.base_url],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert child.stderr == ""
    assert nb.get(child.stdout.strip()).status is nb.RunStatus.cancelled
