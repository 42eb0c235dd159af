"""Perform what `decide.next_action` says until the attempt ends. One coroutine a run, on the background loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, assert_never

from nbagent.errors import ModelError
from nbagent.events import Event, Message, MessageAdded, ModelCall, RunFinished, RunStarted, ToolRequest
from nbagent.loop.ask import ask
from nbagent.loop.decide import REPAIR_PROMPT, Ask, CallTools, Finish, LoopState, next_action
from nbagent.loop.toolcalls import call_tool
from nbagent.models.protocol import Model, ModelRequest, ReplyFinished, SchemaOffer, ToolOffer
from nbagent.spec import AgentSpec


class Gate(Protocol):
    """What a model call passes: concurrency slots and rate limits. Held for one call, never while waiting for a run."""

    def slot(self, model: Model) -> AbstractAsyncContextManager[None]:
        """Wait for a free slot, in order of arrival, and hold it."""
        ...


class OpenGate:
    """A gate that lets every call through."""

    @asynccontextmanager
    async def slot(self, model: Model) -> AsyncIterator[None]:  # noqa: ARG002 - the protocol's signature
        """Let the call through."""
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopContext:
    """What a loop is given from outside: where events go, what lets calls through, whether to stop.

    `stopped()` turns True with the run's end, so that nothing starts after it, not even in a task that
    swallowed its cancellation.
    """

    emit: Callable[[Event], None]
    gate: Gate
    stopped: Callable[[], bool]

    def check(self) -> None:
        """Raise CancelledError once the run has ended."""
        if self.stopped():
            raise asyncio.CancelledError


async def run_loop(spec: AgentSpec, model: Model, state: LoopState, context: LoopContext) -> None:
    """Run one attempt of an agent to its end. `state.messages` holds the history and the new prompt.

    Emits everything, `RunFinished` last, unless it is cancelled: then whoever cancelled it emits the end.
    """
    loop = _Loop(spec, model, state, context)
    try:
        while True:
            context.check()
            match next_action(spec, state):
                case Ask() as action:
                    await loop.ask(action)
                case CallTools() as action:
                    await loop.call_tools(action.requests)
                case Finish() as action:
                    loop.finish(action)
                    return
                case unknown:
                    assert_never(unknown)
    except ModelError as error:
        context.emit(
            RunFinished(
                stop_reason=error.stop_reason,
                error_type=type(error).__name__,
                error=str(error),
                finished_at=datetime.now(UTC),
            )
        )


@dataclass(slots=True)
class _Loop:
    spec: AgentSpec
    model: Model
    state: LoopState
    context: LoopContext
    started: bool = False

    async def ask(self, action: Ask) -> None:
        if action.repair is not None:
            self.state.repairs += 1
            self._add(Message(role="user", content=REPAIR_PROMPT.format(problems=action.repair)))
        async with self.context.gate.slot(self.model):
            self.context.check()
            if not self.started:
                self.started = True
                self.context.emit(RunStarted(started_at=datetime.now(UTC)))
            self.state.step += 1
            reply, call = await ask(
                self.model,
                self._request(),
                step=self.state.step,
                retries=self.spec.limits.model_retries,
                emit=self.context.emit,
            )
        self._take(reply, call)

    def _take(self, reply: ReplyFinished, call: ModelCall) -> None:
        self.state.reply = reply
        self.state.total_tokens += call.usage.total_tokens or 0
        self.state.cost_usd += call.cost_usd or 0.0
        self._add(
            Message(
                role="assistant",
                content=reply.text,
                tool_requests=reply.tool_requests,
                reasoning=reply.reasoning,
                provider_items=reply.provider_items,
            )
        )

    async def call_tools(self, requests: tuple[ToolRequest, ...]) -> None:
        self.state.reply = None
        calls = [call_tool(self.spec, request, self.state.step, self.context.emit) for request in requests]
        for message in await asyncio.gather(*calls):
            self._add(message)

    def finish(self, action: Finish) -> None:
        failed = action.error is not None
        self.context.emit(
            RunFinished(
                stop_reason=action.stop_reason,
                content=action.content,
                output_valid=action.output_valid,
                error_type=_ERROR_TYPES.get(action.stop_reason) if failed else None,
                error=action.error,
                finished_at=datetime.now(UTC),
            )
        )

    def _add(self, message: Message) -> None:
        self.state.messages.append(message)
        self.context.emit(MessageAdded(message=message))

    def _request(self) -> ModelRequest:
        spec = self.spec
        system = (Message(role="system", content=spec.instructions),) if spec.instructions else ()
        schema = spec.output_schema
        return ModelRequest(
            messages=(*system, *self.state.messages),
            tools=tuple(
                ToolOffer(name=t.name, description=t.description, parameters=t.parameters) for t in spec.tools
            ),
            schema=SchemaOffer(name=schema.name, json_schema=schema.json_schema)
            if schema is not None
            else None,
            settings=spec.settings,
            idle_timeout_s=spec.limits.idle_timeout_s,
        )


_ERROR_TYPES = {
    "refusal": "Refusal",
    "content_filter": "ContentFilter",
    "invalid_output": "InvalidOutputError",
    "max_steps": "LimitReached",
    "max_total_tokens": "LimitReached",
    "max_cost": "LimitReached",
}
