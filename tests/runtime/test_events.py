"""`run.events()`, `on_event=`, `on_text=` and `arun(stream=True)`: the past first, then what comes, delaying nobody."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from nbagent import Agent, RunStatus
from nbagent.errors import BlockingCallError
from nbagent.events import (
    Event,
    MessageAdded,
    ModelCallFinished,
    NoticeGiven,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCallFinished,
    ToolCallStarted,
)
from nbagent.run import RunRecord
from nbagent.runtime import Run, current
from nbagent.runtime.execution.event_stream import EventBuffer
from tests.provider.chat_wire import text, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Silence, Wait

Until = Callable[[Callable[[], bool]], None]


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


def said(events: list[Event]) -> str:
    """The text of the last step, as a listener puts it together."""
    last = max((event.step for event in events if isinstance(event, TextAdded)), default=0)
    return "".join(event.text for event in events if isinstance(event, TextAdded) and event.step == last)


def live_of(run: Run):
    """The live run behind a handle."""
    live = current().live(run.run_id)
    assert live is not None
    return live


def test_events_come_in_order_to_a_plain_for(agent: Agent, provider: ScriptedProvider) -> None:
    """Every fact of the run, RunFinished last; then the loop ends."""
    provider.reply(tool_reply(("price", {"symbol": "AAPL"})), text_reply("190", ".5"))
    agent.tools = [price]
    run = agent.start("Price of AAPL?")
    events = list(run.events())
    kinds = [type(event) for event in events]
    assert kinds[-1] is RunFinished
    assert kinds.index(RunStarted) < kinds.index(ToolCallFinished) < kinds.index(TextAdded)
    assert said(events) == "190.5"
    assert run.result(timeout=60).content == "190.5"


def test_events_come_to_async_for(agent: Agent, provider: ScriptedProvider) -> None:
    """The same on any event loop, as they happen: a piece of text is seen before the next one is sent."""
    gate = Gate()
    provider.reply((*text("Par"), Wait(gate), *text_reply("is.")))

    async def scenario() -> list[Event]:
        seen: list[Event] = []
        async for event in agent.start("Capital of France?").events():
            seen.append(event)
            if isinstance(event, TextAdded):
                gate.open()
        return seen

    assert said(asyncio.run(asyncio.wait_for(scenario(), 60))) == "Paris."


def test_a_late_listener_gets_the_past_first(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """The past, in short, and what comes fold to the run's own record; the text so far is one event."""
    gate = Gate()
    provider.reply(
        tool_reply(("price", {"symbol": "AAPL"})), (*text("19", "0", "."), Wait(gate), *text_reply("5"))
    )
    agent.tools = [price]
    run = agent.start("Price of AAPL?")
    until(lambda: run.text == "190.")
    events = run.events()
    late = iter(events)
    past: list[Event] = []
    while not (past and isinstance(past[-1], TextAdded)):
        past.append(next(late))
    assert [type(event).__name__ for event in past] == (
        "RunStarted ModelCallStarted ModelCallFinished ToolCallStarted ToolCallFinished "
        "MessageAdded MessageAdded MessageAdded ModelCallStarted TextAdded".split()
    )
    assert past[-1] == TextAdded("190.", 2)
    gate.open()
    folded = RunRecord(live_of(run).record.launch)
    for event in [*past, *late]:
        folded.apply(event)
    assert folded.snapshot() == run.result(timeout=60)
    again = RunRecord(live_of(run).record.launch)
    for event in events:
        again.apply(event)
    assert again.snapshot() == run.output


def test_running_tools_are_part_of_the_past(agent: Agent, provider: ScriptedProvider) -> None:
    """Who comes while a tool works sees that it has started."""
    gate = threading.Event()
    began = threading.Event()

    def slow() -> str:
        """Wait."""
        began.set()
        gate.wait(60)
        return "done"

    provider.reply(tool_reply(("slow", {})), text_reply("ok"))
    agent.tools = [slow]
    run = agent.start("Go")
    assert began.wait(60)
    events = iter(run.events())
    assert any(isinstance(event, ToolCallStarted) for event in (next(events) for _ in range(6)))
    gate.set()
    assert isinstance(list(events)[-1], RunFinished)


def test_each_end_is_an_event(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """A cancelled run's events end as well."""
    provider.reply((*text("Once"), Silence()))
    run = agent.start("Write a story")
    events = iter(run.events())
    until(lambda: run.text == "Once")
    run.cancel()
    last = list(events)[-1]
    assert isinstance(last, RunFinished)
    assert last.stop_reason == "cancelled"


def test_a_dropped_listener_leaves_nothing(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """An iteration that is left early is forgotten with its iterator; the run keeps no box, and no thread stays."""
    gate = Gate()
    provider.reply((*text("a"), Wait(gate), *text("b"), *text_reply("c")))
    run = agent.start("Well?")
    until(lambda: run.text == "a")
    threads = threading.active_count()

    async def look_in() -> None:
        async for _ in run.events():
            break

    for _ in run.events():
        break
    asyncio.run(look_in())
    gc.collect()
    assert not [box for box in gc.get_objects() if isinstance(box, EventBuffer)]
    gate.open()
    run.result(timeout=60)
    assert live_of(run)._listeners == ()
    assert threading.active_count() <= threads


def test_a_slow_listener_delays_nobody_and_gets_joined_text(agent: Agent, provider: ScriptedProvider) -> None:
    """The run ends while a listener has taken nothing; the text that it missed is one event."""
    provider.reply(text_reply(*"abcdefghij"))
    run = agent.start("Well?")
    slow = iter(run.events())
    run.result(timeout=60)
    events = list(slow)
    assert said(events) == "abcdefghij"
    assert sum(isinstance(event, TextAdded) for event in events) <= 2


def test_a_run_of_another_kernel_is_told_when_it_has_ended(agent: Agent, provider: ScriptedProvider) -> None:
    """Only the store knows it: its events come at once at its end, and fold to what it is."""
    provider.reply(text_reply("Paris."))
    run = agent.start("Capital of France?")
    run.result(timeout=60)
    stranger = Run(run.run_id, run.session_id, runtime=current())
    current().registry.forget([run.run_id])
    events = list(stranger.events())
    assert [type(event).__name__ for event in events] == (
        "RunStarted ModelCallStarted ModelCallFinished MessageAdded MessageAdded TextAdded RunFinished".split()
    )

    async def awaited() -> list[Event]:
        return [event async for event in stranger.events()]

    assert asyncio.run(awaited()) == events


def test_a_blocking_iteration_on_the_background_thread_raises(
    agent: Agent, provider: ScriptedProvider
) -> None:
    """There `for` would wait for itself; `async for` works."""
    seen: list[str] = []

    async def watch() -> str:
        """Start a run and listen to it."""
        run = agent.start("Inner?")
        with pytest.raises(BlockingCallError):
            list(run.events())
        seen.extend([type(event).__name__ async for event in run.events()])
        return "ok"

    provider.reply(tool_reply(("watch", {})), text_reply("inner"), text_reply("outer"))
    assert Agent(model=agent.model, tools=[watch]).start("Go").result(timeout=60).content == "outer"
    assert seen[-1] == "RunFinished"


# -------------------------------------------------------------------- callbacks


def test_callbacks_are_called_in_order_off_the_loop(agent: Agent, provider: ScriptedProvider) -> None:
    """on_event gets each event, on_text the whole text so far; neither on the background thread nor on this one."""
    events: list[Event] = []
    texts: list[str] = []
    threads: set[threading.Thread] = set()
    over = threading.Event()

    def on_event(event: Event) -> None:
        events.append(event)
        threads.add(threading.current_thread())

    def on_text(so_far: str) -> None:
        texts.append(so_far)
        threads.add(threading.current_thread())
        if so_far == "Paris.":
            over.set()

    provider.reply(text_reply("Par", "is."))
    agent.start("Capital of France?", on_event=on_event, on_text=on_text).result(timeout=60)
    assert over.wait(60)
    assert isinstance(events[0], MessageAdded | RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert texts == sorted(texts, key=len)
    (thread,) = threads
    assert thread not in {threading.current_thread(), current().thread._thread}
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.filterwarnings("ignore:.* on_(event|text) raised:RuntimeWarning")
def test_a_failing_callback_becomes_a_notice(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """It never hurts the run, is said once, and goes on being called; also where it fails at the very end."""
    calls: list[Event] = []

    def on_event(event: Event) -> None:
        calls.append(event)
        raise SystemExit("no")

    def on_text(_: str) -> None:
        raise ValueError("no text please")

    provider.reply(text_reply("Par", "is."))
    run = agent.start("Capital of France?", on_event=on_event, on_text=on_text)
    assert run.result(timeout=60).content == "Paris."
    record = live_of(run).record
    until(lambda: len(record.notices) == 2)
    assert sorted(record.notices) == [
        "on_event raised SystemExit: no",
        "on_text raised ValueError: no text please",
    ]
    until(lambda: any(isinstance(event, RunFinished) for event in calls))
    assert sum(isinstance(event, NoticeGiven) for event in calls) <= 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ValueError('no text please')", "on_text raised ValueError: no text please"),
        ("KeyError('city')", "on_text raised KeyError: 'city'"),
        ("SystemExit(3)", "on_text raised SystemExit: 3"),
    ],
)
def test_a_failing_callback_warns_a_script(provider: ScriptedProvider, error: str, told: str) -> None:
    """Which has no card to show a notice on: one warning names the run, and the run completes."""
    provider.reply(text_reply("Par", "is."))
    script = f"""
import nbagent as nb
def on_text(text):
    raise {error}
model = nb.OpenAIChat(id="scripted-1", base_url={provider.base_url!r}, api_key="not-needed")
run = nb.Agent(model=model).start("Capital of France?", run_id="r", on_text=on_text)
print(run.result(timeout=60).content)
import threading
[one.join(60) for one in threading.enumerate() if one.name == "nbagent-callbacks-r"]
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "Paris."
    assert done.stderr.count(f"RuntimeWarning: run r: {told}") == 1
    assert "Traceback" not in done.stderr


def test_a_slow_on_text_gets_the_latest_text(agent: Agent, provider: ScriptedProvider, until: Until) -> None:
    """Texts pass by while it is at work, the run does not wait for it, and the last text comes for sure."""
    go_on, began = threading.Event(), threading.Event()
    texts: list[str] = []

    def on_text(so_far: str) -> None:
        texts.append(so_far)
        began.set()
        go_on.wait(60)

    gate = Gate()
    provider.reply((*text("a"), Wait(gate), *text_reply(*"bcdefghij")))
    run = agent.start("Well?", on_text=on_text)
    assert began.wait(60)
    gate.open()
    run.result(timeout=60)
    go_on.set()
    until(lambda: len(texts) == 2)
    assert texts == ["a", "abcdefghij"]


def test_a_refused_launch_calls_nothing_back(agent: Agent, provider: ScriptedProvider) -> None:
    """A run id that is taken raises, and no callback hears of a run that never was."""
    provider.otherwise(text_reply("yes"))
    agent.start("First", run_id="mine").result(timeout=60)
    calls: list[Event] = []
    with pytest.raises(Exception, match="mine"):
        agent.start("Second", run_id="mine", on_event=calls.append)
    agent.start("Third").result(timeout=60)
    assert calls == []


# ----------------------------------------------------------------------- stream


def test_arun_streams_the_same_events(agent: Agent, provider: ScriptedProvider) -> None:
    """arun(stream=True) is an async iterator of the run's events."""
    provider.reply(text_reply("Par", "is."))

    async def scenario() -> list[Event]:
        return [event async for event in agent.arun("Capital of France?", stream=True)]

    events = asyncio.run(scenario())
    assert said(events) == "Paris."
    assert any(isinstance(event, ModelCallFinished) for event in events)


@pytest.mark.parametrize("background", [False, True])
def test_cancelling_a_streaming_arun_cancels_its_run(
    agent: Agent, provider: ScriptedProvider, *, background: bool
) -> None:
    """In the foreground the task that streams owns the run; in the background it does not."""
    provider.reply((*text("Once"), Silence()))

    async def stream() -> None:
        async for _ in agent.arun("Write a story", stream=True, background=background, run_id="mine"):
            pass

    async def scenario() -> None:
        task = asyncio.create_task(stream())
        await asyncio.to_thread(provider.wait_for_requests, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    run = current().get("mine")
    assert run.cancel() is background
    assert run.wait(timeout=60).status is RunStatus.cancelled
