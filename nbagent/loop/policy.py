"""What the loop does next, as a pure function of its state. Tested as a table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from nbagent.events import Message, ToolRequest, TypedAnswer
from nbagent.loop.reply_ends import (
    content_filtered,
    cut_at_limit,
    cut_by_context,
    cut_call,
    ended_strangely,
    is_context_full,
    is_cut_value,
)
from nbagent.models import ReplyFinished, ResumePoint
from nbagent.run import StopReason
from nbagent.schemas import InvalidOutputError
from nbagent.spec import AgentSpec

MAX_PROBLEMS = 12


@dataclass(slots=True, kw_only=True)
class LoopState:
    """Where one attempt stands. Owned by one task.

    `step` counts model calls begun, `reply` is the last one not yet acted on, `repairs` how often an invalid
    answer was sent back, `total_tokens` and `cost_usd` what is spent, by an estimate where `estimated`;
    `cost_unknown`: of some of it nobody knows the price, although a limit is set on it.

    In a resumed run `step` goes on from the `steps_before` of earlier attempts, which no limit counts;
    `answered` holds the tools' messages that are known already, by their calls' ids; `held` are the ids of
    calls that waited for a person. Its first model call
    goes on from the `partial` text of the last attempt, or takes up the call at `attached`.

    `final` is an answer that a tool has given for the whole run: the model is not asked again. `checked` is
    what the check of the reply's text against the output schema has found, None before it.
    """

    messages: list[Message] = field(default_factory=list)
    step: int = 0
    reply: ReplyFinished | None = None
    repairs: int = 0
    total_tokens: int = 0
    cost_usd: float = 0.0
    cost_unknown: bool = False
    estimated: bool = False
    steps_before: int = 0
    answered: dict[str, Message] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    partial: str = ""
    attached: ResumePoint | None = None
    final: Finish | None = None
    checked: TypedAnswer | InvalidOutputError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskModel:
    """Ask the model; `repair` is what is wrong with its last answer, where it gave an invalid one."""

    repair: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTools:
    """Call these tools, at once, then ask again; the `guarded` ones may need a person's approval."""

    requests: tuple[ToolRequest, ...]
    guarded: tuple[ToolRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Check this text of a reply against the output schema, which may call the user's validators."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """End the attempt. `content` is the text, or plain data of a validated output; `typed` is its value.

    `answered_by` is the member's run whose answer it is, where it is not the model's own.
    """

    stop_reason: StopReason
    content: Any = None
    output_valid: bool | None = None
    error: str | None = None
    error_fields: str | None = None
    answered_by: str | None = None
    typed: TypedAnswer | None = None


Action = AskModel | CallTools | Check | Finish


def next_action(spec: AgentSpec, state: LoopState) -> Action:
    """Return what to do next."""
    reply = state.reply
    if state.final is not None:
        return state.final
    if reply is None:
        return limit_reached(spec, state) or AskModel()
    if reply.refusal is not None or reply.finish_reason == "refusal":
        return Finish(
            stop_reason="refusal",
            content=reply.text,
            error=f"the model refused: {reply.refusal or reply.text}",
        )
    if reply.finish_reason == "content_filter":
        return Finish(
            stop_reason="content_filter",
            content=reply.text,
            error=content_filtered(reply),
        )
    if (cut := cut_call(spec, reply)) is not None:
        return _cut(spec, reply, f"the model's call of tool {cut.name!r} was cut off")
    if reply.tool_requests:
        return CallTools(requests=reply.tool_requests, guarded=_guarded(spec, state, reply.tool_requests))
    if spec.output_schema is not None and not spec.output_schema.is_text:
        return _structured(spec, state, reply)
    return _text(spec, reply)


def _text(spec: AgentSpec, reply: ReplyFinished) -> Finish:
    """End with the text; where there is none, the end of the reply has to be a good one."""
    if reply.finish_reason == "length":
        if not reply.text:
            return _cut(spec, reply, "the model gave no answer: it was cut off")
        return Finish(stop_reason="max_output_tokens", content=reply.text)
    if reply.finish_reason == "error" or (reply.finish_reason == "unknown" and not reply.text):
        return Finish(stop_reason="error", content=reply.text, error=ended_strangely(reply))
    return Finish(stop_reason="end", content=reply.text)


def _cut(spec: AgentSpec, reply: ReplyFinished, what: str) -> Finish:
    """End with what was cut and is no answer: at the output limit, or since the model's context is full."""
    if is_context_full(reply):
        return Finish(stop_reason="context_exceeded", content=reply.text, error=cut_by_context(what))
    return Finish(stop_reason="max_output_tokens", content=reply.text, error=cut_at_limit(spec, reply, what))


def _guarded(spec: AgentSpec, state: LoopState, requests: tuple[ToolRequest, ...]) -> tuple[ToolRequest, ...]:
    """The unanswered requests whose tool may want approval, or that have waited for it before."""
    wary = {tool.name for tool in spec.tools if tool.options.requires_approval is not False}
    return tuple(
        request
        for request in requests
        if request.tool_call_id not in state.answered
        and (request.name in wary or request.tool_call_id in state.held)
    )


def limit_reached(spec: AgentSpec, state: LoopState) -> Finish | None:
    """Return the end that one of the run's own limits means before its next model call, None while it may go on."""
    limits = spec.limits
    steps = state.step - state.steps_before
    if steps >= limits.max_steps:
        return _stopped("max_steps", f"the run used up its max_steps of {limits.max_steps}", "max_steps")
    if limits.max_total_tokens is not None and state.total_tokens >= limits.max_total_tokens:
        what = f"the run used {state.total_tokens} tokens; its max_total_tokens is {limits.max_total_tokens}"
        return _stopped("max_total_tokens", what, "max_total_tokens")
    if limits.max_cost_usd is not None and state.cost_unknown:
        what = f"the provider did not say what a call cost, and no price is known: the max_cost of ${limits.max_cost_usd:.4f} cannot hold"
        return Finish(
            stop_reason="max_cost",
            error=f"{what}\ngive the model's price, or bound the run with max_total_tokens",
        )
    if limits.max_cost_usd is not None and state.cost_usd >= limits.max_cost_usd:
        what = f"the run cost ${state.cost_usd:.4f}; its max_cost is ${limits.max_cost_usd:.4f}"
        return _stopped("max_cost", what, "max_cost_usd")
    return None


def _stopped(stop_reason: StopReason, what: str, limit: str) -> Finish:
    todo = f"let it go on with run.resume(limits=Limits({limit}=...))"
    return Finish(stop_reason=stop_reason, error=f"{what}\n{todo}")


def _structured(spec: AgentSpec, state: LoopState, reply: ReplyFinished) -> Action:
    """Accept a valid answer, send an invalid one back as often as allowed, then give up and keep its text."""
    assert spec.output_schema is not None
    checked = state.checked
    if checked is None:
        if reply.finish_reason == "unknown" and not reply.text:
            return _text(spec, reply)
        return Check(text=reply.text)
    if isinstance(checked, TypedAnswer):
        if not is_cut_value(reply):
            return Finish(stop_reason="end", content=checked.data, output_valid=True, typed=checked)
        problems, repairable = "it may go on", False
    else:
        problems, repairable = "; ".join(checked.problems[:MAX_PROBLEMS]), checked.repairable
    if reply.finish_reason == "length":
        what = f"the answer does not fit {spec.output_schema.name}: it was cut off"
        return replace(_cut(spec, reply, what), output_valid=False)
    if not repairable or state.repairs >= spec.limits.output_retries:
        return Finish(
            stop_reason="invalid_output",
            content=reply.text,
            output_valid=False,
            error=f"the answer does not fit {spec.output_schema.name}: {problems}",
            error_fields=checked.fields if isinstance(checked, InvalidOutputError) else None,
        )
    return limit_reached(spec, state) or AskModel(repair=problems)


REPAIR_PROMPT = (
    "Your last answer does not fit the required JSON Schema:\n{problems}\n"
    "Answer again with the corrected JSON only, nothing around it."
)
