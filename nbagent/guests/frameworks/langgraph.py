"""Compiled graphs of langgraph as guests: `astream_events`, its models' and tools' events told as ours."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from nbagent.errors import ConfigurationError
from nbagent.guests.guest_spec import Description, names_of
from nbagent.guests.reporter import usage_of
from nbagent.guests.task import GuestTask, as_dicts

FRAMEWORK = "langgraph"
_COUNTS = {
    "cache_read_tokens": "input_token_details.cache_read",
    "cache_write_tokens": "input_token_details.cache_creation",
    "reasoning_tokens": "output_token_details.reasoning",
}


def describe(graph: Any) -> Description:
    """Say what is known before a run."""
    tools = [names_of(getattr(node.bound, "tools_by_name", None)) for node in graph.nodes.values()]
    return Description(name=None if graph.name == "LangGraph" else graph.name, tools=sum(tools, ()))


def check(graph: Any, *, has_input: bool, has_output: bool) -> None:
    """Refuse a graph whose state nobody says how to fill and read. Raises ConfigurationError."""
    state = [name for name in graph.channels if not name.startswith(("__", "branch:", "join:"))]
    if "messages" not in state and not (has_input and has_output):
        raise ConfigurationError(
            f"the graph's state has no 'messages'; it has {', '.join(map(repr, state)) or 'no names'}",
            "say how it is filled and read: nb.guest(graph, input=lambda prompt: {...}, output=lambda state: ...)",
        )


async def run(graph: Any, task: GuestTask) -> Any:
    """Run it to its last state's answer; an interrupt is asked for, and it goes on where it keeps checkpoints."""
    from langgraph.types import Command

    usual = {"messages": [*as_dicts(task.history), {"role": "user", "content": task.prompt}]}
    asked: Any = task.called_with(lambda: usual)
    config = {"configurable": {"thread_id": task.run_id}}
    while True:
        state = await _follow(graph, asked, config, task)
        waiting = [] if graph.checkpointer is None else (await graph.aget_state(config)).interrupts
        if not waiting and isinstance(state, dict) and state.get("__interrupt__"):
            raise RuntimeError("the graph was interrupted, and without a checkpointer it cannot go on")
        if not waiting:
            return state if task.output is not None else _answer(state)
        asked = Command(resume={one.id: await _decide(one, task) for one in waiting})


async def _follow(graph: Any, asked: Any, config: dict[str, Any], task: GuestTask) -> Any:
    report, state, root = task.report, None, None
    asked_for, working = list[Any](), dict[str, str]()  # calls of tools, whose events have other ids
    async with aclosing(graph.astream_events(asked, config, version="v2")) as events:
        async for event in events:
            kind, key, data = event["event"], event["run_id"], event["data"]
            root = root or key
            if kind == "on_chat_model_start":
                told = event["metadata"]
                await report.call_started(key, told.get("ls_model_name"), told.get("ls_provider"))
            elif kind == "on_chat_model_stream":
                report.text(str(data["chunk"].text), key)
                if data["chunk"].tool_call_chunks:
                    report.first_token(key)
            elif kind == "on_chat_model_end":
                asked_for += data["output"].tool_calls
                _end_call(data["output"], key, task)
            elif kind == "on_tool_start":
                same = [call for call in asked_for if call["name"] == event["name"]]
                call = min(same, key=lambda one: one["args"] != data.get("input"), default=None)
                asked_for = [one for one in asked_for if one is not call]
                working[key] = call["id"] if call else key
                await report.tool_started(working[key], event["name"], data.get("input"))
            elif kind in {"on_tool_end", "on_tool_error"}:
                output = data.get("output", data.get("error"))
                failed = kind == "on_tool_error" or getattr(output, "status", "") == "error"
                said = getattr(output, "content", output)
                report.tool_finished(working.get(key, key), said, str(said) if failed else None)
            elif kind == "on_chain_end" and key == root:
                state = data["output"]
    return state


def _end_call(message: Any, key: str, task: GuestTask) -> None:
    for call in message.tool_calls:
        task.report.tool_requested(call["id"], call["name"], call["args"], key)
    told = message.response_metadata
    task.report.call_finished(
        usage_of(message.usage_metadata, **_COUNTS), key=key, text=str(message.text), response_id=told.get("id"),
        response_model=told.get("model_name"), finish_reason=told.get("finish_reason"),
    )  # fmt: skip


def _answer(state: Any) -> Any:
    """Return the state's structured answer, else its last message's text."""
    said = next((str(one.text) for one in state.get("messages", [])[-1:] if one.type != "human"), "")
    return state.get("structured_response") or said


async def _decide(waiting: Any, task: GuestTask) -> Any:
    """Ask a person; langchain's own form of a request for approval has a form of its own for what was decided."""
    value, decisions = waiting.value, list[dict[str, Any]]()
    if not (isinstance(value, dict) and "action_requests" in value):
        shown = value if isinstance(value, dict) else {"value": value}
        said = await task.report.approve(waiting.id, "interrupt", shown)
        changed = None if said.arguments is None else dict(said.arguments)
        return (True if changed is None else changed.get("value", changed)) if said.approved else False
    for number, action in enumerate(value["action_requests"]):
        name, args = action["name"], action.get("args", action.get("arguments"))
        said = await task.report.approve(f"{waiting.id}-{number}", name, args)
        if not said.approved:
            decisions.append({"type": "reject", "message": said.reason or "denied"})
        elif said.arguments is None:
            decisions.append({"type": "approve"})
        else:
            decisions.append({"type": "edit", "edited_action": {"name": name, "args": dict(said.arguments)}})
    return {"decisions": decisions}
