"""Agents of pydantic-ai as guests: `agent.iter`, node by node, told as events."""

from __future__ import annotations

from typing import Any

from nbagent.guests.frameworks.histories import pydantic_ai_messages
from nbagent.guests.frameworks.typed_answers import own_output_type, pydantic_ai_output
from nbagent.guests.guest_spec import Description, names_of
from nbagent.guests.reporter import usage_of
from nbagent.guests.task import GuestTask, arguments_of

FRAMEWORK = "pydantic-ai"
_FAILED = frozenset({"failed", "retried", "interrupted"})


def describe(agent: Any) -> Description:
    """Say what is known before a run."""
    model, output = agent.model, agent.output_type
    provider, _, name = model.partition(":") if isinstance(model, str) else (None, "", None)
    return Description(
        name=agent.name,
        provider=getattr(model, "system", provider),
        model=getattr(model, "model_name", name),
        output_type=own_output_type(output),
        tools=tuple(name for one in agent.toolsets for name in names_of(getattr(one, "tools", None))),
    )


async def run(agent: Any, task: GuestTask) -> Any:
    """Run it to its output; calls that wait for a person are asked for, and it goes on with what was decided."""
    from pydantic_ai import Agent, DeferredToolRequests

    asked = pydantic_ai_output(agent, task.schema)
    prompt: Any = task.called_with(lambda: task.prompt)
    history, decided = pydantic_ai_messages(task.history), None
    while True:
        async with agent.iter(
            prompt,
            message_history=history,
            deferred_tool_results=decided,
            **asked,
        ) as running:
            async for node in running:
                if Agent.is_model_request_node(node):
                    await _model_call(node, running, task)
                elif Agent.is_call_tools_node(node):
                    await _tools(node, running, task)
        output = running.result.output
        if not isinstance(output, DeferredToolRequests):
            return output
        decided = await _decide(output, task)
        history, prompt = running.result.all_messages(), None


async def _model_call(node: Any, running: Any, task: GuestTask) -> None:
    report = task.report
    await report.call_started()
    async with node.stream(running.ctx) as stream:
        async for event in stream:
            if event.event_kind == "part_start":
                kind, piece = event.part.part_kind, getattr(event.part, "content", "")
            elif event.event_kind == "part_delta":
                kind, piece = event.delta.part_delta_kind, getattr(event.delta, "content_delta", "")
            else:
                continue
            report.first_token()
            if kind == "text":
                report.text(piece)
            elif kind == "thinking":
                report.reasoning(piece or "")
        reply = stream.response
    for part in reply.tool_calls:
        report.tool_requested(part.tool_call_id, part.tool_name, part.args)
    known = not getattr(reply.usage, "unmeasured_requests", 0)
    report.call_finished(
        usage_of(reply.usage, reasoning_tokens="output_reasoning_tokens") if known else None,
        response_model=reply.model_name,
        response_id=reply.provider_response_id,
        finish_reason=reply.finish_reason,
        provider=reply.provider_name,
    )


async def _tools(node: Any, running: Any, task: GuestTask) -> None:
    async with node.stream(running.ctx) as stream:
        async for event in stream:
            part: Any = getattr(event, "part", None)
            if event.event_kind == "function_tool_call":
                await task.report.tool_started(part.tool_call_id, part.tool_name, part.args)
            elif event.event_kind == "function_tool_result":
                retried = part.part_kind == "retry-prompt"  # a part of its own in earlier releases
                failed = retried or getattr(part, "outcome", "") in _FAILED
                said = (
                    part.content
                    if not failed
                    else part.model_response()
                    if retried
                    else part.model_response_str()
                )
                task.report.tool_finished(part.tool_call_id, said, said if failed else None)


async def _decide(waiting: Any, task: GuestTask) -> Any:
    from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied

    if waiting.calls:
        names = ", ".join(repr(call.tool_name) for call in waiting.calls)
        raise RuntimeError(
            f"the agent waits for results of {names} from outside, which nbagent cannot give it"
        )
    decided = DeferredToolResults()
    for call in waiting.approvals:
        said = await task.report.approve(call.tool_call_id, call.tool_name, arguments_of(call.args))
        changed = None if said.arguments is None else dict(said.arguments)
        yes = ToolApproved(override_args=changed)
        decided.approvals[call.tool_call_id] = yes if said.approved else ToolDenied(said.reason or "denied")
    return decided
