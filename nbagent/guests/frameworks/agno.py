"""Agents of agno as guests: `arun(stream=True)` with its events told as ours."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, cast

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
        provider=_lower(getattr(model, "provider", None)),
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
    ended, handed = None, list[Any]()  # calls that hand work to members who have not begun
    async with aclosing(stream) as events:
        async for event in events:
            kind = getattr(event, "event", None)
            if kind is None:
                ended = event  # agno's RunOutput, which comes last
            elif not event.parent_run_id or await _member(kind.removeprefix("Team"), event, task, handed):
                await _tell(kind.removeprefix("Team"), event, task, handed)
    return ended


async def _member(kind: str, event: Any, task: GuestTask, handed: list[Any]) -> bool:
    """Begin or end the run of a team's member; False for an event that is told by that."""
    members, key = task.members, event.run_id
    if kind == "RunCompleted":
        await members.end(key, event.content)
    elif kind in {"RunError", "RunCancelled"}:
        await members.fail(key, kind, str(event.content or "agno does not say why"))
    elif not members.is_at_work(key) and kind in {"RunStarted", "RunContinued", "ModelRequestStarted"}:
        name = getattr(event, "agent_name", "") or getattr(event, "team_name", "") or "member"
        known = {getattr(event, "agent_id", None), getattr(event, "team_id", None), name}
        call = next((one for one in handed if one.tool_args.get("member_id") in {None, *known}), None)
        if call is not None and "member_id" in call.tool_args:
            handed.remove(call)
        await members.begin(
            key, name, task.prompt if call is None else call.tool_args.get("task") or task.prompt,
            provider=_lower(getattr(event, "model_provider", None)), model=getattr(event, "model", None) or None,
            under=event.parent_run_id, tool_call=None if call is None else call.tool_call_id,
        )  # fmt: skip
    return members.is_at_work(key)


async def _tell(kind: str, event: Any, task: GuestTask, handed: list[Any]) -> None:
    """Tell whose run it is of an event."""
    key = event.run_id or ""
    report, tool = task.members.report_of(key), cast("Any", getattr(event, "tool", None))
    if kind == "ModelRequestStarted":
        await report.call_started(key, event.model, _lower(event.model_provider))
    elif kind == "ModelRequestCompleted":
        report.call_finished(usage_of(event), key=key, ttft_s=event.time_to_first_token)
    elif kind == "RunContent":
        report.reasoning(event.reasoning_content or "", key)
        report.text(event.content if isinstance(event.content, str) else "", key)
    elif kind == "ToolCallStarted":
        handed += [tool] if str(tool.tool_name).startswith("delegate_task_to_member") else []
        await report.tool_started(tool.tool_call_id, tool.tool_name, tool.tool_args)
    elif kind in {"ToolCallCompleted", "ToolCallError"}:
        failed = kind == "ToolCallError" or tool.tool_call_error
        report.tool_finished(tool.tool_call_id, tool.result, str(tool.result) if failed else None)
    elif kind == "RunError":
        raise AgnoRunError(event.content or "the run failed, and agno does not say why")


def _lower(name: str | None) -> str | None:
    return (name or "").lower() or None
