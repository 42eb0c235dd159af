"""R5, progress: callbacks, events for `for` and `async for`, streams, and what a late subscriber sees. On each wire format."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from nbagent import Agent, RunStatus, get
from nbagent.events import Event, RunFinished, RunStarted, TextAdded, ToolCallFinished
from nbagent.run import RunRecord
from nbagent.runtime import Run, RunEvents
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Gate, Script, Silence, Step, Wait
from tests.reference.wire_formats import Wire

pytestmark = pytest.mark.anyio

Until = Callable[[Callable[[], bool]], Awaitable[None]]


def price(symbol: str) -> float:
    """Price of a ticker symbol."""
    return 190.5


def gated(script: Script, piece: bytes, gate: Gate) -> tuple[Step, ...]:
    """The script with a gate before the first step that holds `piece`."""
    at = next(n for n, step in enumerate(script) if piece in getattr(step, "data", b""))
    return (*script[:at], Wait(gate), *script[at:])


def kinds(events: list[Event]) -> list[str]:
    """What happened, without the pieces that the text came in."""
    return [type(event).__name__ for event in events if not isinstance(event, TextAdded)]


def said(events: list[Event]) -> str:
    """The text of the last step, put together."""
    texts = [event for event in events if isinstance(event, TextAdded)]
    return "".join(event.text for event in texts if event.step == texts[-1].step)


async def test_on_event_hears_everything_in_order(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """Each event of the run, from its first to `RunFinished`; they fold to the run itself."""
    provider.reply(wire.calls("price", symbol="AAPL"), wire.reply("190", ".5"))
    scripted.tools = [price]
    events: list[Event] = []
    over = threading.Event()

    def on_event(event: Event) -> None:
        events.append(event)
        if isinstance(event, RunFinished):
            over.set()

    run = scripted.start("Price of AAPL?", on_event=on_event)
    out = await run
    assert await asyncio.to_thread(over.wait, 5)
    assert isinstance(events[-1], RunFinished)
    assert said(events) == out.content == "190.5"
    assert run.record is not None
    folded = RunRecord(run.record.launch)
    for event in events:
        folded.apply(event)
    assert folded.snapshot() == out


async def test_on_text_hears_the_whole_text_and_delays_nobody(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """The text so far each time; while a slow callback is at work the run ends, and the last text comes for sure."""
    gate, slow = Gate(), threading.Event()
    began, over = threading.Event(), threading.Event()
    texts: list[str] = []

    def on_text(so_far: str) -> None:
        texts.append(so_far)
        began.set()
        assert slow.wait(60)
        if so_far == "The capital is Paris.":
            over.set()

    provider.reply(gated(wire.reply("The capital", " is", " Par", "is."), b"Par", gate), wire.reply("Rome."))
    run = scripted.start("Capital of France?", on_text=on_text)
    assert await asyncio.to_thread(began.wait, 5)
    gate.open()
    assert (await asyncio.wait_for(run, 60)).content == "The capital is Paris."
    assert (await scripted.arun("Capital of Italy?")).content == "Rome."
    assert len(texts) == 1
    slow.set()
    assert await asyncio.to_thread(over.wait, 5)
    assert all("The capital is Paris.".startswith(text) for text in texts)


async def test_a_callback_that_raises_hurts_only_itself(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """The run completes, and says once what the callback raised."""
    provider.reply(wire.reply("Par", "is."))

    def on_text(so_far: str) -> None:
        raise ValueError(so_far)

    run = scripted.start("Capital of France?", on_text=on_text)
    assert (await run).status is RunStatus.completed
    await until(lambda: run.record is not None and len(run.record.notices) == 1)


async def test_a_late_subscriber_gets_the_past_first(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """What was, in short and with the text as one piece, then what comes as it comes; each subscriber for itself."""
    gate = Gate()
    provider.reply(wire.calls("price", symbol="AAPL"), gated(wire.reply("19", "0.", "5"), b'"5"', gate))
    scripted.tools = [price]
    run = scripted.start("Price of AAPL?")
    await until(lambda: run.text == "190.")

    async def listen(opens: Gate | None = None) -> list[Event]:
        events: list[Event] = []
        async for event in run.events():
            events.append(event)
            if opens is not None and isinstance(event, TextAdded):
                opens.open()
        return events

    first, second = await asyncio.gather(listen(gate), listen())
    for events in (first, second, await listen()):
        assert isinstance(events[0], RunStarted)
        assert any(isinstance(event, ToolCallFinished) for event in events)
        assert said(events) == "190.5"
        assert isinstance(events[-1], RunFinished)
    assert next(event.text for event in first if isinstance(event, TextAdded)) == "190."


def test_events_come_to_a_plain_for(scripted: Agent, provider: ScriptedProvider, wire: Wire) -> None:
    """The same without an event loop: the cell blocks, the run does not."""
    gate = Gate()
    provider.reply(gated(wire.reply("Par", "is."), b"is.", gate))
    events: list[Event] = []
    for event in scripted.start("Capital of France?").events():
        events.append(event)
        if isinstance(event, TextAdded):
            gate.open()
    assert said(events) == "Paris."
    assert isinstance(events[-1], RunFinished)


async def test_a_stream_gives_the_same_events(
    scripted: Agent, provider: ScriptedProvider, wire: Wire
) -> None:
    """`arun(stream=True)` and `run.events()` tell of the same things in the same order."""
    scripted.tools = [price]
    gate = Gate()
    provider.otherwise(
        lambda request: (
            wire.reply("190", ".5")
            if b"190.5" in request.raw_body
            else (Wait(gate), *wire.calls("price", symbol="AAPL"))
        )
    )
    sources = [
        scripted.start("Price of AAPL?").events(),
        scripted.arun("Price of AAPL?", stream=True),
    ]
    await asyncio.to_thread(provider.wait_for_requests, 2)
    listening = [asyncio.Event() for _ in sources]

    async def listen(source: RunEvents, heard: asyncio.Event) -> list[Event]:
        events: list[Event] = []
        async for event in source:
            events.append(event)
            heard.set()
        return events

    tasks = [asyncio.create_task(listen(*pair)) for pair in zip(sources, listening, strict=True)]
    await asyncio.gather(*(heard.wait() for heard in listening))
    gate.open()
    first, second = await asyncio.gather(*tasks)
    assert kinds(first) == kinds(second)
    assert said(first) == said(second) == "190.5"
    assert kinds(first)[-1] == "RunFinished"


async def test_leaving_a_stream_early(
    scripted: Agent, provider: ScriptedProvider, wire: Wire, until: Until
) -> None:
    """Cancelling the task that streams in the foreground cancels the run; with `background=True` it goes on."""
    provider.otherwise((*wire.begun("Once"), Silence()))
    runs: list[Run] = []
    for background in (False, True):
        run_id = f"{wire.name}-{background}"

        async def stream(run_id: str = run_id, *, background: bool = background) -> None:
            async for _ in scripted.arun("Tell", stream=True, background=background, run_id=run_id):
                pass

        task = asyncio.create_task(stream())
        await asyncio.to_thread(provider.wait_for_requests, len(runs) + 1)
        task.cancel()
        await asyncio.wait({task})
        runs.append(get(run_id))
    await until(runs[0].done)
    assert [run.status for run in runs] == [RunStatus.cancelled, RunStatus.running]
    assert runs[1].cancel()
