"""What a guest's file tells of a run as its framework tells it, as the run's events. On the background loop."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nbagent.core import dump_json, mask, utc_now
from nbagent.events import (
    ApprovalDenied,
    ApprovalGiven,
    ApprovalRequested,
    CallStatus,
    Message,
    MessageAdded,
    ModelCall,
    ModelCallFinished,
    ModelCallStarted,
    NoticeGiven,
    PendingApproval,
    ReasoningAdded,
    RunFinished,
    RunStarted,
    TextAdded,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
    Usage,
)
from nbagent.loop import Decision, Finish, LoopContext, LoopState, next_action
from nbagent.models import Model, ModelRequest, is_free, price_usd
from nbagent.prompts import render_result
from nbagent.run import TOKEN_FIELDS
from nbagent.spec import AgentSpec

_CUT = frozenset({"length", "max_tokens", "max_output_tokens"})


class LimitReachedError(Exception):
    """A limit of the run is used up; `end` says which."""

    def __init__(self, end: RunFinished) -> None:
        super().__init__(end.error)
        self.end = end


@dataclass(slots=True)
class _OpenCall:
    """A model call that goes on: whom it asks, since when, and what came of it."""

    call: ModelCall
    clock: float
    ttft_s: float | None = None
    text: list[str] = field(default_factory=list)
    requests: tuple[ToolRequest, ...] = ()


class Reporter:
    """One guest's run as it goes. `begun` is True once anything was told: then nothing is tried again.

    A slot of the concurrency limits is held from the start of the run and of each model call until a tool works,
    so that a tool that waits for another run holds none. Limits are looked at before a tool and before a call.
    A member's run has slot and limits of the one `above`, which pays for it.
    """

    def __init__(
        self,
        spec: AgentSpec,
        model: Model,
        state: LoopState,
        context: LoopContext,
        above: Reporter | None = None,
    ) -> None:
        self.begun = False
        self.step = 0
        self.texts = 0
        self._spec, self._model, self._state, self._context = spec, model, state, context
        self._above = above
        self._was_cut = False  # the last reply, by a limit on what the model may write
        self._slot = AsyncExitStack()
        self._holds = self._started = False
        self._ready: tuple[datetime, float] | None = None
        self._calls: dict[str, _OpenCall] = {}
        self._unsaid: _OpenCall | None = None  # a reply whose message may still get requests for tools
        self._tools: dict[str, tuple[ToolCall, float]] = {}

    # ------------------------------------------------------------------ the run

    async def hold(self) -> None:
        """Wait for a slot, unless one is held; the first one is the start of the work."""
        if self._above is not None:
            await self._above.hold()
        elif not self._holds:
            request = ModelRequest(messages=tuple(self._state.messages), settings=self._spec.settings)
            await self._slot.enter_async_context(self._context.gate.slot(self._model, request))
            self._holds = True
        self._context.check()
        if not self._started and self._above is None:
            self._started = True
            self._context.emit(RunStarted(started_at=utc_now()))

    async def release(self) -> None:
        """Let go of the slot."""
        if self._above is not None:
            await self._above.release()
        elif self._holds:
            self._holds = False
            await self._slot.aclose()

    def notice(self, text: str) -> None:
        """Say something that a person should know."""
        self._context.emit(NoticeGiven(text=text))

    def cut(self, status: CallStatus, error_type: str | None = None, error: str | None = None) -> None:
        """End what is open: the run was cancelled or has failed."""
        told: dict[str, Any] = {}
        if error_type is not None:
            told = {"error_type": error_type, "error": mask(error or "")}
        if self._ready is not None and not self._calls and not self._tools:
            self._begin_call("")  # its request is on its way, and nothing of it has come
        for key in list(self._calls):
            self._end_call(key, status, **told)
        for call_id in list(self._tools):
            self._end_tool(call_id, None, status, told.get("error"))

    # ----------------------------------------------------------------- model calls

    def ready(self) -> None:
        """The framework sends its next request now; of some that is all that is known until its answer comes."""
        self._ready = utc_now(), time.perf_counter()

    def pass_on(self, member: Reporter) -> None:
        """The request that is on its way is a member's."""
        member._ready, self._ready = self._ready, None

    async def call_started(
        self, key: str = "", model: str | None = None, provider: str | None = None
    ) -> None:
        """A request goes out; `key` tells requests apart where several are on their way at once.

        Raises LimitReachedError.
        """
        if key in self._calls:
            self._end_call(key, "completed")
        self._check_limits()
        self._say_reply()
        await self.hold()
        self._begin_call(key, model, provider)

    def _begin_call(self, key: str, model: str | None = None, provider: str | None = None) -> None:
        (started_at, clock), self._ready = self._ready or (utc_now(), time.perf_counter()), None
        self.begun = True
        self.step += 1
        call = ModelCall(
            step=self.step, attempt=1, provider=provider or self._model.provider,
            request_model=model or self._model.id, status="completed", started_at=started_at, duration_s=0.0,
        )  # fmt: skip
        self._calls[key] = _OpenCall(call, clock)
        self._context.emit(
            ModelCallStarted(
                step=call.step, attempt=1, provider=call.provider, request_model=call.request_model,
                started_at=started_at,
            )
        )  # fmt: skip

    def first_token(self, key: str = "") -> None:
        """Text, reasoning or a tool call has begun to come."""
        opened = self._calls.get(key)
        if opened is not None and opened.ttft_s is None:
            opened.ttft_s = time.perf_counter() - opened.clock

    def text(self, piece: str, key: str = "") -> None:
        """A piece of the answer has come; of several calls at once the latest one's is the run's text."""
        if not piece:
            return
        self.begun = True
        self.first_token(key)
        opened = self._calls.get(key)
        if opened is not None:
            opened.text.append(piece)
        if opened is None or opened.call.step == self.step:
            self.texts += 1
            self._context.emit(TextAdded(piece, max(1, self.step)))

    def reasoning(self, piece: str, key: str = "") -> None:
        """A piece of reasoning has come."""
        if piece:
            self.first_token(key)
            self._context.emit(ReasoningAdded(piece, max(1, self.step)))

    def tool_requested(self, call_id: str, name: str, arguments: Any, key: str = "") -> None:
        """A call asks for a tool."""
        opened = self._calls.get(key)
        if opened is not None and all(one.tool_call_id != call_id for one in opened.requests):
            opened.requests += (ToolRequest(tool_call_id=call_id, name=name, arguments=_as_json(arguments)),)

    def call_finished(
        self, usage: Usage | None = None, *, key: str = "", text: str | None = None, **told: Any
    ) -> None:
        """A request has ended: `told` are fields of a ModelCall that the framework tells, None where it does not."""
        opened = self._calls.get(key)
        if opened is None:
            return
        if text and not opened.text:
            self.text(text, key)  # the framework told the whole alone
        self._end_call(key, "completed", usage=usage, **told)

    def _end_call(self, key: str, status: CallStatus, *, usage: Usage | None = None, **told: Any) -> None:
        opened = self._calls.pop(key)
        known = {name: value for name, value in told.items() if value is not None}
        call = replace(
            opened.call,
            **{
                "status": status,
                "duration_s": time.perf_counter() - opened.clock,
                "ttft_s": opened.ttft_s,
                "usage": usage or Usage(),
                "usage_source": "missing" if usage is None or usage.total_tokens is None else "reported",
                **known,
            },
        )
        if call.cost_usd is None and usage is not None:
            names = dict.fromkeys([call.response_model or call.request_model, call.request_model])
            costs = (price_usd(call.provider, name, usage) for name in names)
            call = replace(call, cost_usd=next((cost for cost in costs if cost is not None), None))
        self._was_cut = call.finish_reason in _CUT
        self._state.step += 1
        self._pay(call)
        self._context.emit(ModelCallFinished(call=call))
        self._say_reply()
        if status == "completed":
            self._unsaid = opened

    def _pay(self, call: ModelCall) -> None:
        """Count what a call used and cost, here and above."""
        self._state.total_tokens += call.bounded_tokens or 0
        self._state.cost_usd += call.cost_usd or 0.0
        self._state.cost_unknown |= call.cost_usd is None and not is_free(call.provider)
        if self._above is not None:
            self._above._pay(call)  # noqa: SLF001 - of this class

    def _say_reply(self) -> None:
        """Add the message of the last reply, which nothing can be added to any more."""
        reply, self._unsaid = self._unsaid, None
        if reply is not None and (reply.text or reply.requests):
            self._add(Message(role="assistant", content="".join(reply.text), tool_requests=reply.requests))

    def _check_limits(self) -> None:
        """Raise LimitReachedError where the call that follows from this one must not be made."""
        if self._above is not None:
            self._above._check_limits()  # noqa: SLF001 - of this class
        action = next_action(self._spec, replace(self._state, reply=None, final=None, steps_before=0))
        end = self._context.limit_reached() or (action if isinstance(action, Finish) else None)
        if end is not None:
            raise LimitReachedError(
                RunFinished(
                    stop_reason=end.stop_reason,
                    error=(end.error or "").replace(
                        "let it go on with run.resume(limits=Limits", "start it anew with Agent(limits=Limits"
                    ),
                    error_type="LimitReached",
                    finished_at=utc_now(),
                )
            )

    # ----------------------------------------------------------------------- tools

    async def tool_started(self, call_id: str, name: str, arguments: Any) -> None:
        """A tool begins to work; nothing a second time. Raises LimitReachedError: no call may follow it."""
        if call_id in self._tools:
            return
        self.begun = True
        self._check_limits()
        await self.release()
        self._context.check()
        request = ToolRequest(tool_call_id=call_id, name=name, arguments=_as_json(arguments))
        reply = self._unsaid
        if reply is not None and all(one.tool_call_id != call_id for one in reply.requests):
            reply.requests += (request,)
        call = ToolCall(
            step=max(1, self.step), tool_call_id=call_id, name=name, arguments=request.arguments,
            status="completed", started_at=utc_now(), duration_s=0.0,
        )  # fmt: skip
        self._tools[call_id] = (call, time.perf_counter())
        self._context.emit(ToolCallStarted(step=call.step, request=request, started_at=call.started_at))

    def tool_finished(self, call_id: str, result: Any, error: str | None = None) -> None:
        """A tool has ended; one that nobody said had begun is passed over."""
        if call_id in self._tools:
            self._end_tool(call_id, result, "error" if error else "completed", error)

    def _end_tool(self, call_id: str, result: Any, status: CallStatus, error: str | None) -> None:
        call, clock = self._tools.pop(call_id)
        text = None if result is None and status != "completed" else render_result(result)
        ended = replace(
            call, status=status, duration_s=time.perf_counter() - clock, result=text, error=error,
            error_type="ToolError" if status == "error" else None,
        )  # fmt: skip
        self._context.emit(ToolCallFinished(call=ended))
        if status in {"completed", "error"}:
            self._say_reply()
            self._add(
                Message(role="tool", content=text or f"Error: {error}", tool_call_id=call_id, name=call.name)
            )

    async def approve(self, call_id: str, name: str, arguments: Any) -> Decision:
        """Ask a person whether a tool may be called, however long that takes."""
        await self.release()
        plain = arguments if isinstance(arguments, Mapping) else {"value": arguments}
        call = PendingApproval(step=max(1, self.step), tool_call_id=call_id, name=name, arguments=dict(plain))
        self._context.emit(ApprovalRequested(call=call))
        decision = await self._context.approve(call)
        self._context.check()
        if decision.approved:
            changed = (
                call if decision.arguments is None else replace(call, arguments=dict(decision.arguments))
            )
            self._context.emit(ApprovalGiven(call=changed))
        else:
            self._context.emit(ApprovalDenied(call=call, reason=decision.reason))
        return decision

    # ---------------------------------------------------------------------- the end

    def _add(self, message: Message) -> None:
        self._state.messages.append(message)
        self._context.emit(MessageAdded(message=message))

    def finish(self, end: RunFinished, text: str) -> None:
        """End the run; an answer that nobody has seen as text is said now."""
        for key in list(self._calls):
            self._end_call(key, "completed")
        self._say_reply()
        if text and not self.texts:
            self._context.emit(TextAdded(text, max(1, self.step)))
        last = self._state.messages[-1] if self._state.messages else None
        if text and (last is None or last.role != "assistant" or last.tool_requests):
            self._add(Message(role="assistant", content=text))
        if self._was_cut and end.stop_reason == "end":
            end = replace(end, stop_reason="max_output_tokens")
        self._context.emit(end)


def _as_json(arguments: Any) -> str:
    """Return arguments as JSON text, also those that are it already."""
    return arguments if isinstance(arguments, str) else dump_json(arguments or {}, default=str).decode()


def usage_of(used: Any, **theirs: str) -> Usage | None:
    """Return the usage that an object or a mapping tells; None where it counts nothing.

    `theirs` are its names where they are not ours, with a dot for what is inside another. A total is made where
    there is none.
    """
    counts = {name: _count(used, theirs.get(name, name).split(".")) for name in TOKEN_FIELDS}
    if not any(counts.values()):
        return None
    read, written = counts["input_tokens"], counts["output_tokens"]
    if counts["total_tokens"] is None and read is not None and written is not None:
        counts["total_tokens"] = read + written
    return Usage(**counts)


def _count(used: Any, path: Sequence[str]) -> int | None:
    for name in path:
        used = used.get(name) if isinstance(used, Mapping) else getattr(used, name, None)
    return used if isinstance(used, int) else None
