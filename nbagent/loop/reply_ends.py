"""What the end of a reply means: whether it is whole enough to be the answer, what the person is told.

Pure; read by `policy.py` and `model_call.py`. A run is completed only where the text came whole enough to be
the answer: a tool call or typed answer that the output limit cut is an error with that limit, at once.
"""

from __future__ import annotations

from typing import TypeGuard

import orjson

from nbagent.core import utc_now
from nbagent.events import ToolCall, ToolRequest
from nbagent.models import ReplyFinished
from nbagent.spec import AgentSpec

_MORE = "allow more with run.resume(limits=Limits(max_output_tokens=...)), or ask for less at a time"
_LESS = "show it less with history_runs= or history_tokens=, send a shorter prompt, or ask a model with a larger context"

INTERRUPTED = "provider {provider!r} ended a stream early when another request came: it is asked again"


def cut_call(spec: AgentSpec, reply: ReplyFinished) -> ToolRequest | None:
    """Return the tool call that the output limit cut, None where there is none."""
    if reply.finish_reason != "length":
        return None
    return next((one for one in reply.tool_requests if not _is_whole(spec, one)), None)


def cut_row(request: ToolRequest, step: int, error: str | None) -> ToolCall:
    """Return the row of a call that was cut: its tool never began."""
    return ToolCall(
        step=step,
        tool_call_id=request.tool_call_id,
        name=request.name,
        arguments=request.arguments,
        status="error",
        started_at=utc_now(),
        duration_s=0.0,
        error_type="LimitReached",
        error=error,
    )


def cut_at_limit(spec: AgentSpec, reply: ReplyFinished, what: str) -> str:
    """Return the two lines for `what` was cut, with the number of the limit."""
    limit, made = spec.settings.max_output_tokens, reply.usage.output_tokens
    if limit is not None:
        number = f"max_output_tokens of {limit}"
    else:
        after = f", after {made} tokens" if made is not None else ""
        said = reply.server_finish_reason or "length"
        number = f"model's own output limit (finish_reason {said!r}{after})"
    return f"{what} at the {number}\n{_MORE}"


def is_context_full(reply: ReplyFinished) -> bool:
    """True where the server says that the model's context, and not its output limit, cut the reply."""
    return reply.finish_reason == "length" and "context" in (reply.server_finish_reason or "").lower()


def cut_by_context(what: str) -> str:
    """Return the two lines for `what` was cut since the model's context was full."""
    return f"{what}: the model's context is full\n{_LESS}"


def content_filtered(reply: ReplyFinished) -> str:
    """Return what a reply that a filter stopped is called, with the server's word where that says more."""
    word = reply.server_finish_reason
    more = f" ({word})" if word not in {None, "content_filter"} else ""
    return f"the provider's content filter stopped the answer{more}"


def is_cut_value(reply: ReplyFinished) -> bool:
    """True where a typed answer was cut and does not show that it is whole: 12 may be the half of 1234."""
    text = reply.text.rstrip()
    closed = text.startswith(("{", "[", '"', "`")) or text.endswith(("}", "]", "`"))
    return reply.finish_reason == "length" and not closed


def ended_strangely(reply: ReplyFinished) -> str:
    """Return the two lines for an empty answer whose end no table knows."""
    word = reply.server_finish_reason
    return (
        f"the model gave no text and ended with finish_reason {word!r}\n"
        "look that word up at the provider; another model or prompt may help"
    )


def end_notice(provider: str, reply: ReplyFinished) -> str | None:
    """Return what the person is told of an answer whose end is no plain one."""
    if reply.finish_reason == "missing":
        return f"provider {provider!r} ended its stream without a finish_reason: the text that came is taken as whole"
    if reply.finish_reason == "unknown":
        return f"provider {provider!r} ended its reply with finish_reason {reply.server_finish_reason!r}, which is not known here"
    return None


def is_same_reply(reply: ReplyFinished | None, before: ReplyFinished | None) -> TypeGuard[ReplyFinished]:
    """True where two tries ended early with the same text and tool calls, and not with nothing."""
    if reply is None or before is None or not (reply.text or reply.tool_requests):
        return False
    return reply.text == before.text and _calls(reply) == _calls(before) and None not in _calls(reply)


def _calls(reply: ReplyFinished) -> list[tuple[str, str] | None]:
    """The calls without their ids, which differ from try to try; None for one whose arguments are no JSON."""
    return [
        (one.name, one.arguments) if _is_json(one.arguments or "{}") else None for one in reply.tool_requests
    ]


def _is_whole(spec: AgentSpec, request: ToolRequest) -> bool:
    if request.arguments:
        return _is_json(request.arguments)
    tool = next((tool for tool in spec.tools if tool.name == request.name), None)
    return tool is not None and not tool.parameters.get("required")


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
