"""Agents of openai-agents as guests: `Runner.run_streamed`, its events told as ours."""

from __future__ import annotations

import contextlib
from typing import Any

from nbagent.guests.frameworks.histories import responses_items
from nbagent.guests.frameworks.openai_agents_handoffs import Handoffs
from nbagent.guests.frameworks.openai_agents_replies import tell_reply
from nbagent.guests.frameworks.typed_answers import openai_agents_type, own_output_type
from nbagent.guests.guest_spec import Description, names_of
from nbagent.guests.task import GuestTask, arguments_of

FRAMEWORK = "openai-agents"

_CALLED, _ANSWERED = {"tool_called", "handoff_requested"}, {"tool_output", "handoff_occured"}  # its spelling


def describe(agent: Any) -> Description:
    """Say what is known before a run."""
    model, output = agent.model, agent.output_type
    prefix, _, name = model.rpartition("/") if isinstance(model, str) else ("", "", None)
    return Description(
        name=agent.name,
        instructions=agent.instructions if isinstance(agent.instructions, str) else "",
        provider=prefix or "openai",
        model=name or getattr(model, "model", None),
        output_type=own_output_type(output),
        tools=names_of(agent.tools),
    )


def prepare(agent: Any) -> Any:
    """Return the agent with what finds its models by name, its HTTP client made: that is shared by all loops."""
    from agents import MultiProvider

    provider = MultiProvider()
    with contextlib.suppress(Exception):  # no key: then no model is found by name
        provider.get_model(None)
    return [agent, provider]


async def run(prepared: Any, task: GuestTask) -> Any:
    """Run it to its final output; tool calls that need approval are asked for, and it goes on."""
    from agents import ModelSettings, RunConfig, Runner

    agent, provider = prepared
    if task.schema is not None:
        agent = agent.clone(output_type=openai_agents_type(task.schema))
    told = ModelSettings(include_usage=agent.model_settings.include_usage is not False)
    config = RunConfig(model_provider=provider, model_settings=told)
    asked: Any = task.called_with(
        lambda: [*responses_items(task.history), {"role": "user", "content": task.prompt}]
    )
    team = Handoffs(task, agent, describe)
    while True:
        result = Runner.run_streamed(agent, asked, run_config=config)
        try:
            await _follow(result, team)
        finally:
            if not result.is_complete:
                result.cancel()
                if result.run_loop_task is not None:
                    result.run_loop_task.cancel()
        if not result.interruptions:
            await team.end(result.final_output)
            return result.final_output
        asked = result.to_state()
        for item in result.interruptions:
            given = arguments_of(getattr(item.raw_item, "arguments", None))
            said = await task.report.approve(item.call_id or item.tool_name, item.tool_name, given)
            if said.approved and said.arguments is not None:
                raise RuntimeError(
                    "openai-agents calls the tool with the model's arguments; they cannot be changed"
                )
            if said.approved:
                asked.approve(item)
            else:
                asked.reject(item, rejection_message=said.reason or None)


async def _follow(result: Any, team: Handoffs) -> None:
    report, at_work = team.report, set[str]()
    report.ready()
    async for event in result.stream_events():
        if event.type == "agent_updated_stream_event":
            report = await team.go_to(event.new_agent)
        elif event.type == "raw_response_event":
            await tell_reply(event.data, report)
        elif event.type == "run_item_stream_event" and event.name in _CALLED:
            item, call_id = event.item, _call_id(event.item)
            at_work.add(call_id)
            name = getattr(item, "tool_name", None) or str(getattr(item.raw_item, "name", ""))
            await report.tool_started(call_id, name, getattr(item.raw_item, "arguments", ""))
            team.call_id = call_id
        elif event.type == "run_item_stream_event" and event.name in _ANSWERED:
            item, call_id = event.item, _call_id(event.item)
            at_work.discard(call_id)
            said = item.output if event.name == "tool_output" else item.raw_item["output"]
            report.tool_finished(call_id, said)
            if not at_work:
                report.ready()


def _call_id(item: Any) -> str:
    raw = item.raw_item
    return str((raw.get("call_id") if isinstance(raw, dict) else getattr(raw, "call_id", None)) or "")
