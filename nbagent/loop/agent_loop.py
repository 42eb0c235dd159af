"""Do what `policy.next_action` says until the attempt ends: one coroutine a run, on the background loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from nbagent.core import run_in_daemon_thread, utc_now
from nbagent.errors import ModelError
from nbagent.events import (
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    Event,
    Message,
    MessageAdded,
    ModelCall,
    NoticeGiven,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCallFinished,
    ToolRequest,
)
from nbagent.loop.approval import Approve, Decision, GuardedCalls, denied, deny_all, guard
from nbagent.loop.gate import Charge, Gate
from nbagent.loop.model_call import call_model
from nbagent.loop.policy import (
    REPAIR_PROMPT,
    AskModel,
    CallTools,
    Check,
    Finish,
    LoopState,
    limit_reached,
    next_action,
)
from nbagent.loop.reply_ends import cut_call, cut_row
from nbagent.loop.resume_text import continuation_messages
from nbagent.loop.tool_call import call_tool, with_tools
from nbagent.loop.tool_execution import OnMainThread
from nbagent.models import (
    ESTIMATED,
    Model,
    ModelRequest,
    ReplyFinished,
    distinct_requests,
    is_free,
    prepare,
)
from nbagent.prompts import render_result
from nbagent.schemas import InvalidOutputError, check_text
from nbagent.spec import AgentSpec


async def _keep_nothing(*, wait: bool) -> None:
    """Commit to nowhere."""


def _no_limit() -> Finish | None:
    """Know of no limit."""
    return None


def _nothing_sent() -> tuple[Message, ...]:
    """Know of nobody who sends messages."""
    return ()


class Durability(Protocol):
    """Hands what was emitted over to whoever keeps it; with `wait` returns once it is kept."""

    async def __call__(self, *, wait: bool) -> None:
        """Hand over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopContext:
    """What a loop is given from outside: where events go, what lets calls through, whether to stop.

    `stopped()` turns True with the run's end, so that nothing starts after it, not even in a task that
    swallowed its cancellation. `commit` is called before tools start. `on_main_thread` calls a function
    there. `limit_reached` gives the end that a limit from outside means: that of a team on the sum over its
    runs. `approve` returns once a person has decided on a call, however long that takes. `take_sent` gives the
    messages that a person has sent since it was called last.
    """

    emit: Callable[[Event], None]
    gate: Gate
    stopped: Callable[[], bool]
    commit: Durability = _keep_nothing
    on_main_thread: OnMainThread = run_in_daemon_thread
    limit_reached: Callable[[], Finish | None] = _no_limit
    approve: Approve = deny_all
    take_sent: Callable[[], tuple[Message, ...]] = _nothing_sent

    def check(self) -> None:
        """Raise CancelledError once the run has ended."""
        if self.stopped():
            raise asyncio.CancelledError


async def run_loop(spec: AgentSpec, model: Model, state: LoopState, context: LoopContext) -> None:
    """Run one attempt of an agent to its end. `state.messages` holds the history and the new prompt.

    Emits everything, `RunFinished` last, unless it is cancelled: then whoever cancelled it emits the end.
    """
    spec = await with_tools(spec)
    loop = _Loop(spec, model, state, context)
    try:
        while True:
            context.check()
            action = next_action(spec, state)
            if not isinstance(action, Finish | Check):
                action = context.limit_reached() or action
            match action:
                case AskModel():
                    await loop.ask(action)
                case CallTools():
                    await loop.call_tools(action)
                case Check():
                    await loop.check(action)
                case Finish():
                    if not loop.goes_on(action):
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
                finished_at=utc_now(),
            )
        )


@dataclass(slots=True)
class _Loop:
    spec: AgentSpec
    model: Model
    state: LoopState
    context: LoopContext
    started: bool = False
    request: ModelRequest | None = None  # of the step under way

    async def ask(self, action: AskModel) -> None:
        await self.context.gate.yield_fairly()
        self.context.check()
        if action.repair is not None:
            self.state.repairs += 1
            self._add(Message(role="user", content=REPAIR_PROMPT.format(problems=action.repair)))
        self._add_sent()
        self.state.step += 1
        self.request = self._request()
        reply, call = await call_model(
            self.model,
            self.request,
            step=self.state.step,
            retries=self.spec.limits.model_retries,
            emit=self.context.emit,
            enter=self._enter,
            limited=self.context.gate.limited,
            current=self._current_request,
            partial=self.state.partial,
        )
        self.state.partial, self.state.attached = "", None
        self._take(reply, call)

    @asynccontextmanager
    async def _enter(self, model: Model, request: ModelRequest) -> AsyncIterator[Charge]:
        """Let one try through the gate; the first one is the start of the work."""
        async with self.context.gate.slot(model, request) as charge:
            await prepare(
                model
            )  # before the first clock starts: what is imported once is no work of this run
            self.context.check()
            self._begin()
            yield charge

    def _add_sent(self) -> bool:
        """Add what a person has sent; not to a call that was begun by an earlier attempt, whose answer goes on."""
        if self.state.partial or self.state.attached is not None:
            return False
        sent = self.context.take_sent()
        for message in sent:
            self._add(message)
        return bool(sent)

    def _current_request(self) -> ModelRequest:
        """Return the step's request, with what was sent while it waited: for the gate, or to be tried again."""
        if self.request is None or self._add_sent():
            self.request = self._request()
        return self.request

    def goes_on(self, action: Finish) -> bool:
        """Whether the run has one more step before this end: a person has sent something, and no limit is reached."""
        if action.error is not None or limit_reached(self.spec, self.state) or self.context.limit_reached():
            return False
        if not self._add_sent():
            return False
        self.state.reply = self.state.final = self.state.checked = None
        return True

    def _begin(self) -> None:
        if not self.started:
            self.started = True
            self.context.emit(RunStarted(started_at=utc_now()))

    def _take(self, reply: ReplyFinished, call: ModelCall) -> None:
        requests = distinct_requests(reply.tool_requests)
        if requests is not reply.tool_requests:
            reply = replace(reply, tool_requests=requests)
        self.state.reply, self.state.checked = reply, None
        self._count(call)
        # a call that was cut has no answer: no later run of the session may be sent it
        kept = cut_call(self.spec, reply) is None
        self._add(
            Message(
                role="assistant",
                content=reply.text,
                tool_requests=reply.tool_requests if kept else (),
                reasoning=reply.reasoning,
                provider_items=reply.provider_items if kept else (),
            )
        )

    def _count(self, call: ModelCall) -> None:
        """Count a call against the run's limits; what its server does not say is estimated, and said once."""
        limits, state = self.spec.limits, self.state
        state.total_tokens += call.bounded_tokens or 0
        state.cost_usd += call.bounded_cost_usd or 0.0
        if limits.max_cost_usd is not None and call.bounded_cost_usd is None and not is_free(call.provider):
            state.cost_unknown = True
        bounded = limits.max_cost_usd is not None or limits.max_total_tokens is not None
        if bounded and call.usage_source == "estimated" and not state.estimated:
            state.estimated = True
            self.context.emit(NoticeGiven(text=ESTIMATED.format(provider=call.provider)))

    async def check(self, action: Check) -> None:
        """Learn what a reply's text is by the output schema."""
        assert self.spec.output_schema is not None
        try:
            self.state.checked = await check_text(self.spec.output_schema, action.text)
        except InvalidOutputError as error:
            self.state.checked = error

    async def call_tools(self, action: CallTools) -> None:
        """Call the tools that have not answered yet.

        A tool that must not run twice starts only when the request for it is kept: a request without a
        finished call is then one whose outcome is unknown, however suddenly the process ended. A call that
        waits for a person is known as such before that: it is durable with the request.
        """
        self.state.reply = None
        self._begin()
        answered, self.state.answered = self.state.answered, {}
        open_requests = [request for request in action.requests if request.tool_call_id not in answered]
        guarded = await self._guard(action.guarded)
        waits = any(one.call is not None for one in guarded.values())
        await self.context.commit(wait=waits or any(map(self._runs_once, open_requests)))
        self.context.check()
        calls = [
            self._guarded_call(guarded[one.tool_call_id])
            if one.tool_call_id in guarded
            else call_tool(self.spec, one, self.state.step, self.context.emit, self.context.on_main_thread)
            for one in open_requests
        ]
        messages = iter(await asyncio.gather(*calls))
        for request in action.requests:
            self._add(answered.get(request.tool_call_id) or next(messages))

    async def _guard(self, requests: tuple[ToolRequest, ...]) -> dict[str, GuardedCalls]:
        """Find out which of these calls need a person, and say so."""
        held, self.state.held = self.state.held, frozenset()
        found = await asyncio.gather(
            *(guard(self.spec, one, self.state.step, held=one.tool_call_id in held) for one in requests)
        )
        self.context.check()
        for one in found:
            if one.call is not None:
                self.context.emit(ApprovalRequested(call=one.call))
        return {one.request.tool_call_id: one for one in found}

    async def _guarded_call(self, guarded: GuardedCalls) -> Message:
        """Call a tool, after a person's approval if it needs one; that is durable before the tool starts."""
        if guarded.call is not None:
            decision = await self.context.approve(guarded.call)
            self.context.check()
            if decision.approved and not guarded.is_as_shown:
                decision = Decision(approved=False, reason="it was changed after it had been shown")
            if not decision.approved:
                row, message = denied(guarded.call, guarded.request, decision.reason)
                self.context.emit(ApprovalDenied(call=guarded.call, reason=decision.reason))
                self.context.emit(ToolCallFinished(call=row))
                return message
            guarded = guarded.changed(decision.arguments)
            assert guarded.call is not None
            self.context.emit(ApprovalGiven(call=guarded.call))
            await self.context.commit(wait=self._runs_once(guarded.request))
            self.context.check()
        return await call_tool(
            self.spec,
            guarded.request,
            self.state.step,
            self.context.emit,
            self.context.on_main_thread,
            read=guarded.read,
            note=guarded.note,
            approved=guarded.shown or None,
        )

    def _runs_once(self, request: ToolRequest) -> bool:
        return any(tool.name == request.name and not tool.options.idempotent for tool in self.spec.tools)

    def finish(self, action: Finish) -> None:
        failed = action.error is not None
        reply = self.state.reply
        if reply is not None and (cut := cut_call(self.spec, reply)) is not None:
            self.context.emit(ToolCallFinished(call=cut_row(cut, self.state.step, action.error)))
        if action.answered_by is not None:  # a member's answer, said as the leader's own
            text = action.content if isinstance(action.content, str) else render_result(action.content)
            if action.typed is not None:
                text = action.typed.json
            self._add(Message(role="assistant", content=text))
            self.context.emit(TextAdded(text, self.state.step + 1))
        self.context.emit(
            RunFinished(
                stop_reason=action.stop_reason,
                content=action.content,
                output_valid=action.output_valid,
                error_type=_ERROR_TYPES.get(action.stop_reason, "ModelError") if failed else None,
                error=action.error,
                error_fields=action.error_fields,
                finished_at=utc_now(),
                answered_by=action.answered_by,
                typed=action.typed,
            )
        )

    def _add(self, message: Message) -> None:
        self.state.messages.append(message)
        self.context.emit(MessageAdded(message=message))

    def _request(self) -> ModelRequest:
        messages = continuation_messages(tuple(self.state.messages), self.state.partial)
        return ModelRequest.for_agent(self.spec, messages, resume=self.state.attached)


_ERROR_TYPES = {
    "refusal": "Refusal",
    "content_filter": "ContentFilter",
    "context_exceeded": "ContextExceededError",
    "invalid_output": "InvalidOutputError",
    "max_output_tokens": "LimitReached",
    "max_steps": "LimitReached",
    "max_total_tokens": "LimitReached",
    "max_cost": "LimitReached",
}
