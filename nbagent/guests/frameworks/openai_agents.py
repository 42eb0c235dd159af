"""Agents of openai-agents as guests: `Runner.run_streamed`, its events told as ours."""

from __future__ import annotations

import contextlib
from typing import Any

from nbagent.guests.frameworks.histories import responses_items
from nbagent.guests.frameworks.typed_answers import openai_agents_type, own_output_type
from nbagent.guests.guest_spec import Description, names_of
from nbagent.guests.reporter import usage_of
from nbagent.guests.task import GuestTask, arguments_of

FRAMEWORK = "openai-agents"
_COUNTS = {
    "cache_read_tokens": "input_tokens_details.cached_tokens",
    "reasoning_tokens": "output_tokens_details.reasoning_tokens",
}


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
    while True:
        result = Runner.run_streamed(agent, asked, run_config=config)
        try:
            await _follow(result, task)
        finally:
            if not result.is_complete:
                result.cancel()
                if result.run_loop_task is not None:
                    result.run_loop_task.cancel()
        if not result.interruptions:
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


async def _follow(result: Any, task: GuestTask) -> None:
    report, at_work = task.report, set[str]()
    report.ready()
    async for event in result.stream_events():
        if event.type == "raw_response_event":
            await _reply(event.data, task)
        elif event.type == "run_item_stream_event" and event.name == "tool_called":
            item = event.item
            at_work.add(item.call_id or "")
            await report.tool_started(
                item.call_id or "", item.tool_name or "", getattr(item.raw_item, "arguments", "")
            )
        elif event.type == "run_item_stream_event" and event.name == "tool_output":
            at_work.discard(event.item.call_id or "")
            report.tool_finished(event.item.call_id or "", event.item.output)
            if not at_work:
                report.ready()


async def _reply(data: Any, task: GuestTask) -> None:
    report, kind = task.report, data.type
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
