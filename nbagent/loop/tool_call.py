"""One tool call: check the arguments, run the function (`tool_execution.py`), return result or failure.

On the background loop. Nothing a tool raises leaves this module but cancellation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from nbagent.core import run_in_daemon_thread, utc_now
from nbagent.errors import did_you_mean
from nbagent.events import (
    CallStatus,
    Event,
    FilePart,
    Message,
    NoticeGiven,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
)
from nbagent.loop.tool_execution import Execution, OnMainThread, tool_error_text
from nbagent.spec import AgentSpec
from nbagent.tools import Tool, ToolArgumentsError, expand_sources, parse_arguments

Emit = Callable[[Event], None]

_tool_call: ContextVar[tuple[int, str] | None] = ContextVar("nbagent_tool_call", default=None)
_approved: ContextVar[str | None] = ContextVar("nbagent_approved", default=None)


def current_tool_call() -> tuple[int, str] | None:
    """Return step and id of the tool call that the calling code belongs to, None outside of tools."""
    return _tool_call.get()


def approved_arguments() -> str | None:
    """Return the arguments, as JSON, with which a person approved the tool call that the calling code belongs to."""
    return _approved.get()


async def with_tools(spec: AgentSpec) -> AgentSpec:
    """Return `spec` with the tools of servers in place of their stand-ins. Raises what the servers raise."""
    tools = await expand_sources(spec.tools)
    return spec if tools is spec.tools else replace(spec, tools=tools)


async def call_tool(
    spec: AgentSpec,
    request: ToolRequest,
    step: int,
    emit: Emit,
    on_main_thread: OnMainThread = run_in_daemon_thread,
    *,
    read: Callable[[Tool, str], Mapping[str, Any]] = parse_arguments,
    note: str = "",
    approved: str | None = None,
) -> Message:
    """Call the tool that `request` names and return the message that tells the model how it went.

    `read` makes arguments of the request's text; the model is told `note` before the result; `approved` are the
    arguments that a person agreed to.
    """
    began, clock = utc_now(), time.perf_counter()
    _approved.set(approved)
    _tool_call.set((step, request.tool_call_id))  # each call has a task, and so a context, of its own
    emit(ToolCallStarted(step=step, request=request, started_at=began))
    execution: Execution | None = None
    files: tuple[FilePart, ...] = ()

    def finished(status: CallStatus, text: str | None, error: BaseException | None = None) -> None:
        call = ToolCall(
            step=step,
            tool_call_id=request.tool_call_id,
            name=request.name,
            arguments=request.arguments,
            status=status,
            started_at=began,
            duration_s=time.perf_counter() - clock,
            result=text,
            error_type=type(error).__name__ if error is not None else None,
            error=_errors(execution.failures if execution is not None else (), error),
        )
        emit(ToolCallFinished(call=call))

    try:
        tool = _tool_named(spec, request.name)
        own_limit, run_limit = tool.options.timeout_s, spec.limits.tool_timeout_s
        execution = Execution(
            tool=tool,
            arguments=read(tool, request.arguments),
            timeout_s=own_limit if own_limit is not None else run_limit,
            on_main_thread=on_main_thread,
        )
        told = await execution.told()
        text, files = note + told.text, told.files
        for notice in told.notices:
            emit(NoticeGiven(text=notice))
    except BaseException as error:  # the border of user code: a tool's failure is the model's to read
        if isinstance(error, asyncio.CancelledError) and _cancelled_from_outside():
            at_work = execution is not None and execution.at_work
            finished("abandoned" if at_work else "cancelled", None)
            raise
        text = f"{note}Error: {tool_error_text(error)}"
        finished("error", text, error)
    else:
        finished("completed", text)
    return Message(
        role="tool", content=text, tool_call_id=request.tool_call_id, name=request.name, files=files
    )


def _tool_named(spec: AgentSpec, name: str) -> Tool:
    for tool in spec.tools:
        if tool.name == name:
            return tool
    known = [tool.name for tool in spec.tools]
    raise ToolArgumentsError(
        f"there is no tool {name!r}{did_you_mean(name, known)}", f"the tools are: {', '.join(known)}"
    )


def _errors(failures: Sequence[str], last: BaseException | None) -> str | None:
    """Return what each try failed with; a completed call may have failed tries before its last."""
    tries = [*failures, *([tool_error_text(last)] if last is not None else [])]
    if not failures:
        return tries[0] if tries else None
    return "\n".join(f"try {number}: {text}" for number, text in enumerate(tries, start=1))


def _cancelled_from_outside() -> bool:
    """Tell the run's own cancellation from a CancelledError that the tool raised by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
