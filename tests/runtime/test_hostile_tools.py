"""A tool that does its worst harms no other run: one streams beside it, to its end, and the next one runs as well."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from nbagent import Agent, Limits
from nbagent.runtime import current
from nbagent.runtime.execution.run_context import MAX_DEPTH
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Wait

Until = Callable[[Callable[[], bool]], None]
Policy = asyncio.DefaultEventLoopPolicy


class Neighbour:
    """A run that streams beside a hostile one."""

    def __init__(self, agent: Agent, provider: ScriptedProvider) -> None:
        self.agent = agent
        self.provider = provider
        self.gate = Gate()
        provider.reply((*text("so "), Wait(self.gate), *text_reply("far ", "so good")))
        self.run = agent.start("Well?")
        provider.wait_for_requests(1)

    def ask(self, tool: Any, limits: Limits | None = None) -> Any:
        """Have another run call the hostile tool; return that run's output."""
        self.provider.reply(tool_reply((tool.__name__, {})))
        self.provider.otherwise(text_reply("went on"))
        return Agent(model=self.agent.model, tools=[tool], limits=limits).start("Go").wait(timeout=60)

    def is_unharmed(self) -> bool:
        """Whether the neighbour ends as it should, and a new run does."""
        self.gate.open()
        assert self.run.result(timeout=60).content == "so far so good"
        return self.agent.start("And now?").result(timeout=60).content == "went on"


@pytest.fixture
def neighbour(agent: Agent, provider: ScriptedProvider) -> Neighbour:
    """A run under way."""
    return Neighbour(agent, provider)


def test_a_tool_that_hangs(neighbour: Neighbour) -> None:
    """Sync or async, its run ends by its limits; the sync one is left behind."""
    leave = threading.Event()

    def hangs() -> None:
        """Never return."""
        leave.wait(60)

    async def hangs_awaiting() -> None:
        """Never return, not even when cancelled."""
        while not leave.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.5)

    outputs = [neighbour.ask(tool, Limits(timeout_s=0.3)) for tool in (hangs, hangs_awaiting)]
    assert [output.stop_reason for output in outputs] == ["timeout", "timeout"]
    assert neighbour.is_unharmed()
    leave.set()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("raw")])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_tool_that_raises_base_exceptions(
    neighbour: Neighbour, error: BaseException, *, is_async: bool
) -> None:
    """They go to the model as text, like any other."""

    def raises() -> None:
        """Raise."""
        raise error

    async def raises_async() -> None:
        """Raise."""
        raise error

    output = neighbour.ask(raises_async if is_async else raises)
    assert output.content == "went on"
    assert type(error).__name__ in output.tool_calls[0].error
    assert neighbour.is_unharmed()


def test_a_tool_that_leaves_a_task_which_raises_system_exit(neighbour: Neighbour) -> None:
    """A task of the tool's own ends the event loop's turn, not the loop."""

    async def leaves() -> str:
        """Start a task that wants to end the process."""

        async def quits() -> None:
            raise SystemExit(3)

        task = asyncio.get_running_loop().create_task(quits())
        with contextlib.suppress(BaseException):
            await task
        return "left"

    assert neighbour.ask(leaves).content == "went on"
    assert neighbour.is_unharmed()


def test_a_tool_that_stops_the_loop(neighbour: Neighbour) -> None:
    """The background loop starts again where it was."""

    async def stops() -> str:
        """Stop the event loop."""
        asyncio.get_running_loop().stop()
        return "stopped"

    assert neighbour.ask(stops).content == "went on"
    assert neighbour.is_unharmed()


class UnspeakableError(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Opaque:
    """A value that cannot be shown."""

    def __repr__(self) -> str:
        raise SystemExit(3)


def test_a_tool_whose_error_and_value_cannot_be_shown(neighbour: Neighbour) -> None:
    """A `__str__` or `__repr__` that raises is user code as well."""

    def fails() -> None:
        """Raise what cannot be shown."""
        raise UnspeakableError

    async def opaque() -> object:
        """Return what cannot be shown."""
        return Opaque()

    assert neighbour.ask(fails).tool_calls[0].error == "UnspeakableError"
    assert neighbour.ask(opaque).content == "went on"
    assert neighbour.is_unharmed()


def test_a_tool_that_returns_ten_megabytes(neighbour: Neighbour) -> None:
    """The model gets a cut text; the loop is not held up while it is made."""

    def text_of_ten_megabytes() -> str:
        """Return too much."""
        return "x" * 10_000_000

    async def rows_of_ten_megabytes() -> list[dict[str, int]]:
        """Return too much, in a shape that is slow to write."""
        return [{"number": number, "square": number * number} for number in range(300_000)]

    def fails_at_length() -> None:
        """Raise too much."""
        raise ValueError("y" * 10_000_000)

    for tool in (text_of_ten_megabytes, rows_of_ten_megabytes, fails_at_length):
        output = neighbour.ask(tool)
        assert output.content == "went on"
        assert len(output.tool_calls[0].result) < 200_000
    assert neighbour.is_unharmed()


def test_a_tool_that_prints(neighbour: Neighbour, capfd: pytest.CaptureFixture[str]) -> None:
    """Much output, and a stream that it closed or replaced, is the tool's own business."""

    def prints() -> str:
        """Print a lot."""
        for number in range(2_000):
            print(number, "x" * 50)
        print("to stderr", file=sys.stderr)
        return "printed"

    assert neighbour.ask(prints).content == "went on"
    assert neighbour.is_unharmed()
    assert "1999" in capfd.readouterr().out


def test_a_tool_that_recurses_into_start(neighbour: Neighbour) -> None:
    """Runs that launch runs wait for each other, and come to an end, while others go on."""
    outer = Agent(model=neighbour.agent.model)

    def recurses() -> str:
        """Run the agent whose tool this is."""
        return str(outer.start("Again", session_id="s").result(timeout=60).content)

    outer.tools = [recurses]
    neighbour.provider.reply(*[tool_reply(("recurses", {}))] * MAX_DEPTH)
    neighbour.provider.otherwise(text_reply("went on"))
    assert outer.start("Go", session_id="s").result(timeout=60).content == "went on"
    assert neighbour.is_unharmed()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_tool_that_changes_the_event_loop_policy(neighbour: Neighbour, *, is_async: bool) -> None:
    """Neither another policy nor a thread without a loop reaches the loop that runs already."""
    loop = current().thread.loop

    def mischief() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(Policy())
            asyncio.set_event_loop(None)
        return "changed"

    def changes() -> str:
        """Change the policy and the thread's loop."""
        return mischief()

    async def changes_awaiting() -> str:
        """Change the policy and the background thread's loop."""
        return mischief()

    try:
        assert neighbour.ask(changes_awaiting if is_async else changes).content == "went on"
        assert neighbour.is_unharmed()
        assert current().thread.loop is loop
    finally:
        asyncio.set_event_loop_policy(None)
