"""The updates of an agent-framework stream as model calls, tool calls and text."""

from __future__ import annotations

from typing import Any

from nbagent.guests.reporter import Reporter, usage_of

_COUNTS = {
    "input_tokens": "input_token_count",
    "output_tokens": "output_token_count",
    "total_tokens": "total_token_count",
    "cache_read_tokens": "cache_read_input_token_count",
    "cache_write_tokens": "cache_creation_input_token_count",
    "reasoning_tokens": "reasoning_output_token_count",
}
_OF_A_REPLY = frozenset({"text", "text_reasoning", "function_call"})


class UpdateFollower:
    """Tells model calls from each other, which come as one stream of updates: a call begins with its first content.

    Ids do not tell them apart: not every server gives one, or another one to each.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self.text = ""
        self._awaits = True  # a request is on its way
        self._usage: Any = None  # of the whole run so far: updates sum it up
        self._counted: dict[str, int] = {}
        self._told: dict[str, Any] = {}
        self._calls: dict[str, list[str]] = {}  # a requested tool's name, then its arguments as they come
        self._last = ""

    @property
    def is_done(self) -> bool:
        """True once a whole reply is there, with its usage, that asks for no tool."""
        return self._usage is not None and bool(self._told.get("finish_reason")) and not self._calls

    async def take(self, update: Any) -> None:
        """Tell one update."""
        if self._awaits and any(one.type in _OF_A_REPLY for one in update.contents):
            await self._begin(update)
        for name in ("response_id", "finish_reason"):
            self._told[name] = getattr(update, name, None) or self._told.get(name)
        for content in update.contents:
            if content.type == "text":
                self.text += content.text or ""
                self._report.text(content.text or "")
            elif content.type == "text_reasoning":
                self._report.reasoning(content.text or "")
            elif content.type == "function_call":
                self._report.first_token()
                self._last = content.call_id or self._last
                given = content.arguments
                self._calls.setdefault(self._last, [content.name or ""]).append(
                    given if isinstance(given, str) else str(given or "")
                )
            elif content.type == "usage":
                self._usage = content.usage_details
                if self._calls and self._told["finish_reason"]:  # the whole reply is there
                    await self._start_tools()
            elif content.type == "function_result":
                await self._start_tools()
                failed = getattr(content, "exception", None)
                self._report.tool_finished(content.call_id, content.result, str(failed) if failed else None)
                self._awaits = True
                self._report.ready()

    async def end(self) -> None:
        """Tell the end of the stream."""
        if self._awaits and self._told.get("finish_reason"):  # a reply that said nothing
            await self._begin(None)
        self._end_call()

    async def _begin(self, update: Any) -> None:
        self._awaits = False
        await self._report.call_started(
            model=getattr(getattr(update, "raw_representation", None), "model", None)
        )

    async def _start_tools(self) -> None:
        asked, self._calls = self._calls, {}
        for call_id, (name, *pieces) in asked.items():
            self._report.tool_requested(call_id, name, "".join(pieces))
        if asked:
            self._end_call()
        for call_id, (name, *pieces) in asked.items():
            await self._report.tool_started(call_id, name, "".join(pieces))

    def _end_call(self) -> None:
        """End the call that goes on: its usage is what was added to the run's since the last one."""
        counts = {name: count for name, count in (self._usage or {}).items() if isinstance(count, int)}
        own = {name: count - self._counted.get(name, 0) for name, count in counts.items()}
        self._counted |= counts
        told, self._told = self._told, {}
        self._report.call_finished(usage_of(own, **_COUNTS), **told)
