"""Agents of agent-framework as guests: `agent.run(stream=True)`, its updates told as our events."""

from __future__ import annotations

import copy
from typing import Any

from nbagent.guests.frameworks.agent_framework_authors import Authors
from nbagent.guests.frameworks.histories import agent_framework_messages
from nbagent.guests.frameworks.typed_answers import agent_framework_format
from nbagent.guests.guest_spec import Description, names_of
from nbagent.guests.task import GuestTask, arguments_of

FRAMEWORK = "agent-framework"


def describe(agent: Any) -> Description:
    """Say what is known before a run."""
    client, options = getattr(agent, "client", None), getattr(agent, "default_options", None) or {}
    schema, instructions = options.get("response_format"), options.get("instructions")
    return Description(
        name=agent.name,
        instructions=instructions if isinstance(instructions, str) else "",
        provider=getattr(client, "OTEL_PROVIDER_NAME", None),
        model=options.get("model") or getattr(client, "model", None),
        output_type=schema if isinstance(schema, type) else None,
        tools=names_of(options.get("tools")),
    )


async def run(agent: Any, task: GuestTask) -> Any:
    """Run it to its value or text; calls that wait for approval are asked for, and it goes on."""
    from agent_framework import Message as TheirMessage

    usual = [*agent_framework_messages(task.history), TheirMessage(role="user", contents=[task.prompt])]
    asked: Any = task.called_with(lambda: usual)
    schema = agent_framework_format(task.schema)
    options: dict[str, Any] = {} if schema is None else {"options": {"response_format": schema}}
    session = agent.create_session()  # which keeps what waits for approval
    agent = copy.copy(agent)
    agent.context_providers = [*getattr(agent, "context_providers", ())]  # a session adds one of its own
    while True:
        task.report.ready()
        stream = agent.run(asked, stream=True, session=session, **options)
        authors = Authors(agent, task, describe)
        async for update in stream:
            await authors.take(update)
        await authors.end()
        reply = await stream.get_final_response()
        if not reply.user_input_requests:
            return reply.text if reply.value is None else reply.value
        answers = [await _decide(request, task) for request in reply.user_input_requests]
        asked = [TheirMessage(role="user", contents=answers)]


async def _decide(request: Any, task: GuestTask) -> Any:
    call = request.function_call
    if call is None:
        raise RuntimeError(f"the agent waits for {request.type!r}, which nbagent cannot give it")
    said = await task.report.approve(call.call_id, call.name, arguments_of(call.arguments))
    if said.approved and said.arguments is not None:
        raise RuntimeError(
            "agent-framework calls the tool with the model's arguments; they cannot be changed"
        )
    return request.to_function_approval_response(said.approved)
