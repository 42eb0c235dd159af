"""A model that plays a script, through the public `Model` protocol: each call takes the next list of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from nbagent.errors import ModelError
from nbagent.events import Event, ToolRequest, Usage
from nbagent.loop import LoopContext, LoopState, OpenGate, run_loop
from nbagent.models.protocol import ModelEvent, ModelRequest, ReplyFinished, ReplyStarted, TextDelta
from nbagent.spec import AgentSpec

Step = ModelEvent | ModelError | asyncio.Event
USAGE = Usage(input_tokens=10, output_tokens=5, total_tokens=15)


class ScriptedModel:
    """Yields the script's events; raises its errors; waits for its asyncio events."""

    provider = "scripted"
    id = "one"

    def __init__(self, *calls: Sequence[Step]) -> None:
        self.calls = list(calls)
        self.requests: list[ModelRequest] = []

    def check(self) -> None:
        """Nothing is needed."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Play the next call."""
        self.requests.append(request)
        for step in self.calls.pop(0):
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, ModelError):
                raise step
            else:
                yield step


def says(text: str) -> list[Step]:
    """A whole reply of plain text."""
    return [
        ReplyStarted(),
        TextDelta(text),
        ReplyFinished(text=text, finish_reason="stop", usage=USAGE, usage_source="reported"),
    ]


def wants(*calls: tuple[str, str]) -> list[Step]:
    """A reply that asks for tools: (name, arguments as JSON text)."""
    requests = tuple(
        ToolRequest(tool_call_id=f"call_{n}", name=name, arguments=text)
        for n, (name, text) in enumerate(calls)
    )
    return [
        ReplyStarted(),
        ReplyFinished(text="", finish_reason="tool_calls", tool_requests=requests, usage=USAGE),
    ]


def perform(
    spec: AgentSpec, model: ScriptedModel, stopped: Callable[[], bool] = lambda: False
) -> list[Event]:
    """Run a loop to its end and return everything it emitted."""
    events: list[Event] = []
    context = LoopContext(emit=events.append, gate=OpenGate(), stopped=stopped)
    asyncio.run(run_loop(spec, model, LoopState(), context))
    return events
