"""What the scripted server says in each script: a model's id names its part."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.provider.chat_wire import USAGE, text_reply, tool_reply
from tests.provider.server import Request
from tests.provider.steps import Script, answer

Said = tuple[str, list[tuple[str, Any]]]  # a text, and calls of tools


def play(request: Request) -> Script:
    """Answer as the model's part, streamed or whole, as it is asked."""
    body = request.body
    text, calls = PARTS[body["model"]](body)
    if body.get("stream"):
        words = [f"{word} " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]
        return (
            tool_reply(*calls, ids=[_id(body, n) for n in range(len(calls))]) if calls else text_reply(*words)
        )
    asked = [
        {"id": _id(body, n), "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for n, (name, given) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": text or None, **({"tool_calls": asked} if asked else {})}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if asked else "stop"}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "usage": USAGE}
    return answer(200, {**whole, "choices": [choice]})


def _id(body: Any, number: int) -> str:
    return f"c{len(body['messages'])}_{number}"


def _results(body: Any) -> list[str]:
    """Return what tools have said since the last prompt."""
    since: list[str] = []
    for one in body["messages"]:
        since = [] if one["role"] == "user" else [*since, one["content"]] if one["role"] == "tool" else since
    return since


def _prompt(body: Any) -> str:
    content = [one for one in body["messages"] if one["role"] == "user"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def _movie(_body: Any) -> Said:
    told = {"setting": "New York", "genre": "comedy", "characters": ["Ada", "Ben"]}
    return json.dumps(told), []


def _clerk(body: Any) -> Said:
    if said := _results(body):
        return f"{said[0]}; {said[1]}", []
    return "", [("price_of", {"article": "tea"}), ("opening_hours", {"day": "today"})]


def _weather(body: Any) -> Said:
    return ("It is sunny in Rome.", []) if _results(body) else ("", [("get_weather", {"city": "Rome"})])


def _shopper(body: Any) -> Said:
    system = next(one["content"] for one in body["messages"] if one["role"] in {"system", "developer"})
    known = system.partition("is: ")[2].partition("\n")[0]
    item = _prompt(body).removeprefix("Add ")
    return (f"It was {known}", []) if _results(body) else ("", [("add_item", {"item": item})])


def _parrot(body: Any) -> Said:
    return " / ".join(one["content"] for one in body["messages"] if one["role"] == "user"), []


def _router(body: Any) -> Said:
    names = [one["function"]["name"] for one in body["tools"]]
    if "delegate_task_to_member" in names:
        return "", [("delegate_task_to_member", {"member_id": "german", "task": _prompt(body)})]
    return "", [("delegate_to_German", {"task": _prompt(body)})]


def _panel(body: Any) -> Said:
    names = [one["function"]["name"] for one in body.get("tools", ())]
    if not _results(body) and "delegate_task_to_members" in names:
        return "", [("delegate_task_to_members", {"task": _prompt(body)})]
    return "Both greet", []


def _bank(body: Any) -> Said:
    said = _results(body)
    if not said:
        return "", [("transfer", {"amount": 5})]
    return ("Done: sent 5" if "sent 5" in said[0] else "Not done"), []


def _seer(body: Any) -> Said:
    parts = body["messages"][-1]["content"]
    pictures = [one for one in parts if one["type"] == "image_url" and "base64" in one["image_url"]["url"]]
    return f"{len(pictures)} pixel", []


PARTS: dict[str, Callable[[Any], Said]] = {
    "movie": _movie,
    "clerk": _clerk,
    "weather": _weather,
    "shopper": _shopper,
    "parrot": _parrot,
    "router": _router,
    "panel": _panel,
    "english": lambda _: ("Hello", []),
    "german": lambda _: ("Gut, danke", []),
    "bank": _bank,
    "seer": _seer,
}
