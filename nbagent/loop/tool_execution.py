"""Run a tool's function: on which thread, for how long, how often; its result as text for the model.

Called by `tool_call.py` on the background loop. Async functions run there; sync ones each in a thread of
their own, with the launching cell's context, or on the main thread. A sync tool's result is rendered where it
was made: a large or odd one costs the other runs nothing.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nbagent.core import mask, masked_urls, run_in_daemon_thread, truncate_end
from nbagent.loop.tool_results import ToolResult, read_all, tool_result_of
from nbagent.tools import Tool, ToolArgumentsError

OnMainThread = Callable[[Callable[[], Any]], Awaitable[Any]]

RETRY_PAUSE_S = 0.1  # doubled for each further try
SAID_LIMIT = 4_000  # characters of an exception's text
_QUICK_TEXT = 100_000


@dataclass(slots=True, kw_only=True)
class Execution:
    """One call of a tool with its tries.

    `failures` are those that were tried again, `begun` is True once the function runs, `overtime` once a try
    took longer than the time limit and may still be at work.
    """

    tool: Tool
    arguments: Mapping[str, Any]
    timeout_s: float | None
    on_main_thread: OnMainThread
    failures: list[str] = field(default_factory=list)
    begun: bool = False
    overtime: bool = False

    async def told(self) -> ToolResult:
        """Return what the model is told of the result. Raises what the last try raised, whatever it is."""
        while True:
            try:
                return await self._one_try()
            except Exception as error:
                if len(self.failures) >= self.tool.options.retries or not self._may_be_repeated():
                    raise
                self.failures.append(tool_error_text(error))
            await asyncio.sleep(RETRY_PAUSE_S * 2 ** (len(self.failures) - 1))

    @property
    def at_work(self) -> bool:
        """True if a call that is cut now may have taken effect, or still be taking it."""
        return self.begun and (not self.tool.is_async or self.tool.options.kernel_bound)

    def _may_be_repeated(self) -> bool:
        """Only an idempotent tool is called again beside a try that may still be at work."""
        return self.tool.options.idempotent or not self.overtime

    async def _one_try(self) -> ToolResult:
        try:
            async with asyncio.timeout(self.timeout_s) as limit:
                return await self._call()
        except TimeoutError as error:
            if not limit.expired():
                raise
            name, seconds = self.tool.name, f"{self.timeout_s:g} s"
            if self.tool.options.main_thread and not self.begun:
                why = f"tool {name!r} waited {seconds} for the main thread, which was busy"
            else:
                why = f"tool {name!r} took longer than {seconds}"
            self.overtime = True
            raise TimeoutError(why) from error

    async def _call(self) -> ToolResult:
        if self.tool.is_async:
            self.begun = True
            return await self._told(await self.tool.function(**self.arguments))
        if self.tool.options.main_thread:
            told, coming = await self.on_main_thread(self._work)
        else:
            told, coming = await run_in_daemon_thread(self._work, name=f"nbagent-tool-{self.tool.name}")
        if isinstance(told, ToolResult):
            return told
        return await self._told(await coming if inspect.isawaitable(coming) else coming)

    def _work(self) -> tuple[ToolResult | None, Any]:
        """Call the function; return the text for the model, or what is to be awaited first."""
        self.begun = True
        result = self.tool.function(**self.arguments)
        if inspect.isawaitable(result) or isinstance(result, AsyncIterator):
            return None, result
        return tool_result_of(result, self.tool.name), None

    async def _told(self, result: Any) -> ToolResult:
        if isinstance(result, AsyncIterator):
            result = await read_all(result)
        if result is None or isinstance(result, bool | int | float):
            return tool_result_of(result, self.tool.name)
        if isinstance(result, str) and len(result) < _QUICK_TEXT:
            return tool_result_of(result, self.tool.name)
        return await run_in_daemon_thread(
            partial(tool_result_of, result, self.tool.name), name="nbagent-render"
        )


def tool_error_text(error: BaseException) -> str:
    """Return what an exception says, with its type; a broken or endless `__str__` is user code."""
    if isinstance(error, ToolArgumentsError):
        return str(error)
    try:
        text = mask(masked_urls(f"{type(error).__name__}: {error}"))
    except BaseException:  # noqa: BLE001 - it must not end the loop that all runs share
        return type(error).__name__
    return truncate_end(text, SAID_LIMIT)
