"""One tool call: arguments checked, the function run, its result or its failure told to the model.

Async functions run on the background loop, sync ones each in a thread of their own, with the launching cell's
context, so that a print lands under that cell. Nothing a tool raises leaves this module but cancellation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nbagent.errors import close_match
from nbagent.events import (
    CallStatus,
    Event,
    Message,
    ToolCall,
    ToolCallFinished,
    ToolCallStarted,
    ToolRequest,
)
from nbagent.spec import AgentSpec
from nbagent.threads import in_own_thread
from nbagent.tools import Tool, ToolArgumentsError, parse_arguments, render_result

Emit = Callable[[Event], None]


async def call_tool(spec: AgentSpec, request: ToolRequest, step: int, emit: Emit) -> Message:
    """Call the tool that `request` names and return the message that tells the model how it went."""
    began, clock = datetime.now(UTC), time.perf_counter()
    emit(ToolCallStarted(step=step, request=request, started_at=began))

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
            error=_said(error) if error is not None else None,
        )
        emit(ToolCallFinished(call=call))

    tool = next((tool for tool in spec.tools if tool.name == request.name), None)
    try:
        if tool is None:
            known = [tool.name for tool in spec.tools]
            raise ToolArgumentsError(  # noqa: TRY301 - one place turns every failure into a message
                f"there is no tool {request.name!r}{close_match(request.name, known)}",
                f"the tools are: {', '.join(known)}",
            )
        text = render_result(
            await _run(tool, parse_arguments(tool, request.arguments), spec.limits.tool_timeout_s)
        )
    except asyncio.CancelledError as error:
        if _cancelled_from_outside():
            finished("cancelled" if tool is None or tool.is_async else "abandoned", None)
            raise
        text = f"Error: {_said(error)}"
        finished("error", text, error)
    except BaseException as error:  # noqa: BLE001 - the border of user code: a tool's failure is the model's to read
        text = f"Error: {_said(error)}"
        finished("error", text, error)
    else:
        finished("completed", text)
    return Message(role="tool", content=text, tool_call_id=request.tool_call_id, name=request.name)


def _cancelled_from_outside() -> bool:
    """Tell the run's own cancellation from a CancelledError that the tool raised by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _said(error: BaseException) -> str:
    if isinstance(error, ToolArgumentsError):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - a broken __str__ is user code
        return type(error).__name__


async def _run(tool: Tool, arguments: Mapping[str, Any], default_timeout_s: float | None) -> Any:
    timeout_s = tool.options.timeout_s if tool.options.timeout_s is not None else default_timeout_s
    try:
        async with asyncio.timeout(timeout_s) as limit:
            if tool.is_async:
                return await tool.function(**arguments)
            return await in_own_thread(partial(tool.function, **arguments), name=f"nbagent-tool-{tool.name}")
    except TimeoutError as error:
        if limit.expired():
            raise TimeoutError(f"tool {tool.name!r} took longer than {timeout_s:g} s") from error
        raise
