"""Agents of agno as guests: `arun(stream=True)` with its events told as ours."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from nbagent.guests.frameworks.typed_answers import agno_schema
from nbagent.guests.guest_spec import Description, names_of
from nbagent.guests.reporter import usage_of
from nbagent.guests.task import GuestTask, as_dicts

FRAMEWORK = "agno"
_OPTIONS = {"stream": True, "stream_events": True, "yield_run_output": True}


class AgnoRunError(Exception):
    """agno ended the run with an error, which it tells as an event."""


def describe(agent: Any) -> Description:
    """Say what is known before a run."""
    model, schema = agent.model, agent.output_schema
    instructions = agent.instructions
    return Description(
        name=agent.name,
        instructions=instructions if isinstance(instructions, str) else "",
        provider=(getattr(model, "provider", None) or "").lower() or None,
        model=getattr(model, "id", None),
        output_type=schema if isinstance(schema, type | dict) else None,
        tools=names_of(agent.tools),
    )


async def run(agent: Any, task: GuestTask) -> Any:
    """Run it to its content; calls that wait for a confirmation are asked for, and it goes on."""
    from agno.models.message import Message

    def usual() -> Any:
        told = [Message(**one) for one in as_dicts(task.history)]
        return [*told, Message(role="user", content=task.prompt)] if told else task.prompt

    asked = agno_schema(task.schema)
    own = {} if asked is None else {"output_schema": asked}
    # a session of agno's that nobody shares: what was said before is among the messages
    stream = agent.arun(task.called_with(usual), session_id=task.run_id, **_OPTIONS, **own)
    while True:
        ended = await _follow(stream, task)
        if ended is None or not ended.is_paused:
            return None if ended is None else ended.content
        for waiting in ended.active_requirements:
            call = waiting.tool_execution
            if not waiting.needs_confirmation:
                raise AgnoRunError(
                    f"tool {call.tool_name!r} waits for more than a yes or no, which nbagent cannot ask for"
                )
            said = await task.report.approve(call.tool_call_id, call.tool_name, call.tool_args)
            if said.approved and said.arguments is not None:
                call.tool_args = dict(said.arguments)
            if said.approved:
                waiting.confirm()
            else:
                waiting.reject(said.reason or None)
        stream = agent.acontinue_run(run_response=ended, requirements=ended.requirements, **_OPTIONS)


async def _follow(stream: Any, task: GuestTask) -> Any:
    """Tell the events of one stream; return its run's output."""
    report, ended = task.report, None
    async with aclosing(stream) as events:
        async for event in events:
            kind = getattr(event, "event", None)
            if kind is None:
                ended = event  # agno's RunOutput, which comes last
                continue
            kind = kind.removeprefix("Team")
            if kind in {"ModelRequestStarted", "ModelRequestCompleted"}:
                await _model_call(kind, event, task)
            elif kind == "RunContent" and not event.parent_run_id:  # a member's text is no answer of its team
                report.reasoning(event.reasoning_content or "", event.run_id or "")
                report.text(event.content if isinstance(event.content, str) else "", event.run_id or "")
            elif kind == "ToolCallStarted":
                tool = event.tool
                await report.tool_started(tool.tool_call_id, tool.tool_name, tool.tool_args)
            elif kind in {"ToolCallCompleted", "ToolCallError"}:
                tool = event.tool
                failed = kind == "ToolCallError" or tool.tool_call_error
                report.tool_finished(tool.tool_call_id, tool.result, str(tool.result) if failed else None)
            elif kind == "RunError":
                raise AgnoRunError(event.content or "the run failed, and agno does not say why")
    return ended


async def _model_call(kind: str, event: Any, task: GuestTask) -> None:
    if kind == "ModelRequestStarted":
        await task.report.call_started(
            event.run_id or "", model=event.model, provider=(event.model_provider or "").lower() or None
        )
        return
    task.report.call_finished(
        usage_of(event),
        key=event.run_id or "",
        ttft_s=event.time_to_first_token,
    )
