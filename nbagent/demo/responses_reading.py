"""Reads requests of the Responses API into the brain's form. Used by `responses.py`; pure."""

from __future__ import annotations

from typing import Any, Final

from nbagent.demo.jobs import Jobs
from nbagent.demo.reading import read_format, read_text, read_tool
from nbagent.demo.request import BadRequestError, Message, Request, Role, ToolCall
from nbagent.demo.response_plan import Item

_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def read_input(body: dict[str, Any], jobs: Jobs) -> tuple[list[Item], tuple[Message, ...]]:
    """Read the input: its items, and the conversation with what a previous response brings.

    Raises:
        BadRequestError: something is missing, malformed or not known.
    """
    given = body.get("input")
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise BadRequestError("'input' must be a text or a list of items", param="input")
    before: tuple[Message, ...] = ()
    if previous := body.get("previous_response_id"):
        job = jobs.find_previous(str(previous))
        before = (*job.messages, *messages_of(job.plan.items(), jobs))
    elif not given:
        raise BadRequestError("'input' must not be empty", param="input")
    return given, (*before, *messages_of(given, jobs))


def messages_of(items: list[Item], jobs: Jobs) -> list[Message]:
    """Turn items into messages; reasoning says nothing to the demo."""
    found = (_message(item, f"input[{index}]", jobs) for index, item in enumerate(items))
    return [message for message in found if message is not None]


def _message(item: Item, param: str, jobs: Jobs) -> Message | None:
    kind = item.get("type") or "message"
    match kind:
        case "message":
            role = _ROLES.get(str(item.get("role")))
            if role is None:
                raise BadRequestError(
                    f"{param} needs a role out of {', '.join(_ROLES)}", param=f"{param}.role"
                )
            return Message(role=role, text=read_text(item.get("content"), f"{param}.content"))
        case "function_call":
            call = ToolCall(
                call_id=_text(item, "call_id", param),
                name=_text(item, "name", param),
                arguments=_text(item, "arguments", param),
            )
            return Message(role="assistant", text="", tool_calls=(call,))
        case "function_call_output":
            text = read_text(item.get("output"), f"{param}.output")
            return Message(role="tool", text=text, tool_call_id=_text(item, "call_id", param))
        case "item_reference":
            referenced = jobs.find_item(str(item.get("id")))
            if referenced is None:
                raise BadRequestError(f"Item with id {item.get('id')!r} not found.", status=404, param=param)
            return _message(referenced, param, jobs)
        case "reasoning":
            return None
    raise BadRequestError(
        f"{param} has the type {kind!r}, which the demo does not know", param=f"{param}.type"
    )


def _text(item: Item, key: str, param: str) -> str:
    value = item.get(key)
    if not isinstance(value, str):
        raise BadRequestError(f"{param} needs a {key!r}", param=f"{param}.{key}")
    return value


def read_request(body: dict[str, Any], messages: tuple[Message, ...]) -> Request:
    """Read instructions, tools and output format around a conversation.

    Raises:
        BadRequestError: something in it is malformed.
    """
    instructions = body.get("instructions")
    if instructions is not None:
        messages = (Message(role="system", text=read_text(instructions, "instructions")), *messages)
    tools = body.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise BadRequestError("'tools' must be a list of objects", param="tools")
    offered = tuple(read_tool(tool, tool, index) for index, tool in enumerate(tools))
    text = body.get("text") or {}
    wanted = text.get("format") if isinstance(text, dict) else None
    schema, json_object = read_format(wanted, "text.format")
    return Request(
        messages=messages,
        tools=offered,
        tool_choice=_read_choice(body.get("tool_choice"), {tool.name for tool in offered}),
        schema=schema,
        json_object=json_object,
        parallel=body.get("parallel_tool_calls") is not False,
    )


def _read_choice(choice: Any, names: set[str]) -> str:
    if choice is None:
        return "auto"
    if isinstance(choice, str) and choice in ("auto", "none", "required"):
        return choice
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name") in names:
        return str(choice["name"])
    raise BadRequestError(f"'tool_choice' {choice!r} names no tool on offer", param="tool_choice")
