"""The raw events of a reply in openai-agents as a model call, its text and the tools that it asks for."""

from __future__ import annotations

from typing import Any

from nbagent.guests.reporter import Reporter, usage_of

_COUNTS = {
    "cache_read_tokens": "input_tokens_details.cached_tokens",
    "reasoning_tokens": "output_tokens_details.reasoning_tokens",
}


async def tell_reply(data: Any, report: Reporter) -> None:
    """Tell one event of a reply."""
    kind = data.type
    if kind == "response.created":
        await report.call_started(model=data.response.model)
    elif kind == "response.output_text.delta":
        report.text(data.delta)
    elif kind in {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}:
        report.reasoning(data.delta)
    elif kind == "response.output_item.added" and data.item.type == "function_call":
        report.first_token()
    elif kind == "response.output_item.done" and data.item.type == "function_call":
        report.tool_requested(data.item.call_id, data.item.name, data.item.arguments)
    elif kind in {"response.completed", "response.incomplete", "response.failed"}:
        own = [(getattr(one, "provider_data", None) or {}).get("response_id") for one in data.response.output]
        shown = data.response.id if data.response.id != "__fake_id__" else next(iter(own), None)
        why = getattr(data.response.incomplete_details, "reason", None)
        report.call_finished(usage_of(data.response.usage, **_COUNTS), response_id=shown, finish_reason=why)
