"""The output items of a response: their text, refusal and tool calls, whole or in parts.

Used by `responses_stream.py`; pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from nbagent.events import ToolRequest
from nbagent.models.replies.lenient import name_in, whole_number

_OWN = frozenset({"phase", "extra_content", "thought_signature"})  # fields that a message does not say


def output_text(items: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of all messages among `items`."""
    return "".join(part["text"] for part in _parts(items) if isinstance(part.get("text"), str))


def refusal_in(items: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the refusal of the messages among `items`, None where there is none."""
    said = [part["refusal"] for part in _parts(items) if isinstance(part.get("refusal"), str)]
    return "".join(said) or None


def tool_requests_in(items: Iterable[Mapping[str, Any]]) -> tuple[ToolRequest, ...]:
    """Return the function calls among `items`."""
    return tuple(
        _request(name_in(item.get("call_id")) or name_in(item.get("id")), item["name"], item.get("arguments"))
        for item in items
        if item.get("type") == "function_call" and item.get("name")
    )


def same_item(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where two items are the same one sent twice: by type, and by id or, without ids, content."""
    if one.get("type") != other.get("type"):
        return False
    for name in ("call_id", "id"):
        if one.get(name) and other.get(name):
            return bool(one[name] == other[name])
    return one.get("type") != "function_call" or one.get("arguments") == other.get("arguments")


def tagged(items: Iterable[Mapping[str, Any]], provider: str, model: str) -> tuple[Mapping[str, Any], ...]:
    """Return output items as a message keeps them: with who made them, for nobody else can read them."""
    kept = list(items)
    while kept and kept[-1].get("type") == "reasoning":
        kept.pop()  # alone it is refused: what it led to never came
    if all(item.get("type") in ("message", "function_call") and not _OWN & item.keys() for item in kept):
        return ()  # the message itself says all of that
    return tuple({"maker": f"{provider}:{model}", "item": item} for item in kept)


def _parts(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        if item.get("type", "message") == "message":
            content = item.get("content")
            for part in content if isinstance(content, list) else [content]:
                if isinstance(part, Mapping):
                    yield part
                elif isinstance(part, str):
                    yield {"text": part}


def _request(call_id: Any, name: Any, arguments: Any) -> ToolRequest:
    return ToolRequest(
        tool_call_id=str(call_id or f"call_{uuid4().hex[:24]}"), name=str(name), arguments=_text(arguments)
    )


def _text(arguments: Any) -> str:
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


@dataclass(slots=True)
class _Call:
    item_id: str
    call_id: str
    name: str
    arguments: list[str] = field(default_factory=list)


class ToolCallBuffer:
    """Function calls that come in parts, for servers whose last event does not have them whole.

    A part finds its call by output index, else by item id, else it is the last one's.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def begin(self, event: Mapping[str, Any]) -> bool:
        """Take an added item; True where it is a function call."""
        item = event.get("item")
        if not isinstance(item, Mapping) or item.get("type") != "function_call":
            return False
        call = _Call(name_in(item.get("id")), name_in(item.get("call_id")), name_in(item.get("name")))
        if item.get("arguments"):
            call.arguments.append(_text(item["arguments"]))
        self._calls.append(call)
        index = whole_number(event.get("output_index"))
        if index is not None:
            self._by_index[index] = call
        return True

    def add(self, event: Mapping[str, Any]) -> None:
        """Take a part of a call's arguments."""
        call = self._find(event)
        if call is not None:
            call.arguments.append(_text(event.get("delta")))

    def settle(self, event: Mapping[str, Any]) -> None:
        """Take a call's whole arguments."""
        call = self._find(event)
        if call is not None:
            call.name = call.name or name_in(event.get("name"))
            if event.get("arguments") is not None:
                call.arguments = [_text(event["arguments"])]

    def requests(self) -> tuple[ToolRequest, ...]:
        """Return the calls as they are now."""
        return tuple(
            _request(call.call_id or call.item_id, call.name, "".join(call.arguments))
            for call in self._calls
            if call.name
        )

    def _find(self, event: Mapping[str, Any]) -> _Call | None:
        index, item_id = whole_number(event.get("output_index")), name_in(event.get("item_id"))
        found = self._by_index.get(index) if index is not None else None
        if found is None and item_id:
            found = next((call for call in self._calls if call.item_id == item_id), None)
        return found or (self._calls[-1] if self._calls else None)
