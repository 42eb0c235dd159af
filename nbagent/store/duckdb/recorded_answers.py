"""An answer as data that can stand in a file: a run's end, messages and tool calls, and back. Pure; any thread.

A recording holds what a later run is given, and names of what it came from; no owner, no address, no key, no
settings. The messages are those after the prompt: the prompt is the new run's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args

from nbagent.core import dump_json, load_json
from nbagent.events import CallStatus, FilePart, Message, Role, ToolCall, ToolRequest
from nbagent.run import STATUS_OF, RunOutput, RunStatus
from nbagent.store.commands import AnswerKeys
from nbagent.store.duckdb.codec import clean

Recording = dict[str, Any]

_NAMES = {
    "cache_key": str,
    "session_key": str | None,
    "run_id": str,
    "agent_name": str | None,
    "kind": str,
    "provider": str | None,
    "model": str | None,
    "prompt": str | None,
    "stop_reason": str,
    "content_type": str,
    "output_valid": bool | None,
    "finished_at": str | None,
    "messages": list,
    "tool_calls": list,
}  # beside `content`, which may be anything
_KEY_DIGITS = 64


def recording_of(keys: AnswerKeys, output: RunOutput) -> Recording:
    """Return a completed run as plain JSON data."""
    made = {
        "cache_key": keys.cache_key,
        "session_key": keys.session_key,
        "run_id": output.run_id,
        "agent_name": output.agent_name,
        "kind": output.kind,
        "provider": output.provider,
        "model": output.model,
        "prompt": output.prompt,
        "stop_reason": output.stop_reason,
        "content": output.content,
        "answer_json": output.answer_json,
        "content_type": output.content_type,
        "output_valid": output.output_valid,
        "finished_at": output.finished_at,
        "messages": [_spare(one) for one in output.messages[1:]],
        "tool_calls": [_spare(one) for one in output.tool_calls],
    }
    if output.answer_json is not None:
        made["content"] = load_json(output.answer_json)
    plain: Recording = load_json(dump_json(clean(made)))
    return plain


def recorded_output(recording: str | bytes | Mapping[str, Any]) -> RunOutput:
    """Return the run that a recording holds. Raises ValueError, in words, for what is no recording."""
    data = load_json(recording) if isinstance(recording, str | bytes) else recording
    if not isinstance(data, Mapping):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - one kind of error for whatever is wrong
    _check(data)
    finished_at = datetime.fromisoformat(data["finished_at"]) if data["finished_at"] else None
    output = RunOutput(
        run_id=data["run_id"],
        session_id="",
        status=RunStatus.completed,
        agent_name=data["agent_name"],
        kind=data["kind"],
        provider=data["provider"],
        model=data["model"],
        prompt=data["prompt"],
        content=data["content"],
        content_type=data["content_type"],
        output_valid=data["output_valid"],
        stop_reason=data["stop_reason"],
        finished_at=finished_at,
        messages=(
            Message(role="user", content=data["prompt"] or ""),
            *(_message(one) for one in data["messages"]),
        ),
        tool_calls=tuple(_tool_call(one) for one in data["tool_calls"]),
    )
    return output.with_answer_json(_answer_json(data))


def _answer_json(data: Mapping[str, Any]) -> str | None:
    """The answer as the model wrote it; a content that was edited in the file stands for itself."""
    text = data.get("answer_json")
    if not isinstance(text, str):
        return None
    try:
        unchanged = clean(load_json(text)) == data["content"]
    except ValueError:
        unchanged = False
    return text if unchanged else dump_json(data["content"]).decode()


def _check(data: Mapping[str, Any]) -> None:
    for name, kind in _NAMES.items():
        if name not in data:
            raise ValueError(f"it has no {name!r}")
        if not isinstance(data[name], kind):
            raise ValueError(f"its {name!r} is {data[name]!r:.60}")  # noqa: TRY004 - as above
    if "content" not in data:
        raise ValueError("it has no 'content'")
    if not data["output_valid"] and not isinstance(data["content"], str | None):
        raise ValueError(f"its 'content' is {data['content']!r:.60} and no text")
    for name in ("cache_key", "session_key"):
        key = data[name] or "0" * _KEY_DIGITS
        if len(key) != _KEY_DIGITS or set(key) - set("0123456789abcdef"):
            raise ValueError(f"its {name!r} is {key!r:.80}")
    if STATUS_OF.get(data["stop_reason"]) is not RunStatus.completed:
        raise ValueError(f"its 'stop_reason' is {data['stop_reason']!r}, not that of a completed run")


def _spare(record: Message | ToolCall) -> dict[str, Any]:
    """The fields of a record that say something."""
    found = {one.name: getattr(record, one.name) for one in fields(record)}
    return {name: value for name, value in found.items() if value not in (None, (), "")}


def _message(data: Any) -> Message:
    given = _given(data, Message, "message")
    if given.get("role") not in get_args(Role):
        raise ValueError(f"a message's role is {given.get('role')!r}")
    requests = tuple(
        ToolRequest(**_texts(one, ToolRequest, "tool request")) for one in given.pop("tool_requests", ())
    )
    files = tuple(FilePart(**_texts(one, FilePart, "file")) for one in given.pop("files", ()))
    items = tuple(given.pop("provider_items", ()))
    if not all(isinstance(item, Mapping) for item in items):
        raise ValueError("a message's provider_items are no objects")
    return Message(
        **_texts(given, Message, "message"), tool_requests=requests, files=files, provider_items=items
    )


def _tool_call(data: Any) -> ToolCall:
    given = _given(data, ToolCall, "tool call")
    if given.get("status") not in get_args(CallStatus):
        raise ValueError(f"a tool call's status is {given.get('status')!r}")
    try:
        return ToolCall(
            step=int(given.pop("step")),
            duration_s=float(given.pop("duration_s")),
            started_at=datetime.fromisoformat(given.pop("started_at")),
            **{"arguments": "", **_texts(given, ToolCall, "tool call")},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"a tool call lacks {error}") from None


def _given(data: Any, record: type[Message | ToolCall | ToolRequest | FilePart], what: str) -> dict[str, Any]:
    known = {one.name for one in fields(record)}
    if not isinstance(data, Mapping) or data.keys() - known:
        raise ValueError(f"a {what} is {data!r:.80}")
    return dict(data)


def _texts(data: Any, record: type[Message | ToolCall | ToolRequest | FilePart], what: str) -> dict[str, Any]:
    given = _given(data, record, what)
    if not all(isinstance(value, str) for value in given.values()):
        raise ValueError(f"a {what} is {data!r:.80}")
    return given
