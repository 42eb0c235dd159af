"""What each API accepts of a conversation, by its documentation (looked up on 2026-11-30): a body in, its faults out.

https://platform.openai.com/docs/api-reference/chat/create, https://platform.openai.com/docs/api-reference/responses/create,
https://platform.claude.com/docs/en/api/messages/create and .../build-with-claude/thinking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

_ANTHROPIC_ID = re.compile(r"[A-Za-z0-9_-]+")
_BLOCKS = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
}
_THOUGHTS = {"thinking", "redacted_thinking"}


def chat_faults(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what Chat Completions refuses: calls without results, results without calls, nothing said, no JSON."""
    waiting: list[str] = []
    for number, message in enumerate(body["messages"]):
        role, calls = message["role"], message.get("tool_calls") or []
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                yield f"{number}: a result of no call {message['tool_call_id']!r}"
            else:
                waiting.remove(message["tool_call_id"])
            if not message["content"]:
                yield f"{number}: an empty result"
            continue
        if waiting:
            yield f"{number}: calls without results {waiting}"
        waiting = [call["id"] for call in calls]
        if role not in {"system", "user", "assistant"}:
            yield f"{number}: role {role!r}"
        if not calls and not message.get("content"):
            yield f"{number}: nothing is said"
        if len(set(waiting)) != len(waiting) or not all(waiting):
            yield f"{number}: ids {waiting}"
        for call in calls:
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                yield f"{number}: arguments {call['function']['arguments']!r}"
    if waiting:
        yield f"calls without results {waiting}"


def responses_faults(body: Mapping[str, Any], made: Collection[str] = ()) -> Iterator[str]:
    """Yield what the Responses API refuses: calls without outputs, outputs without calls, reasoning that leads nowhere.

    `made` are the ids of the reasoning items that the asked model made.
    """
    items = body["input"]
    called, answered = [], []
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "function_call":
            called.append(item["call_id"])
            if not isinstance(json.loads(item["arguments"]), dict):
                yield f"{number}: arguments {item['arguments']!r}"
            if len(item["call_id"]) > 64 or not item["call_id"]:
                yield f"{number}: id {item['call_id']!r}"
        elif kind == "function_call_output":
            if item["call_id"] not in called:
                yield f"{number}: an output of no call {item['call_id']!r}"
            answered.append(item["call_id"])
            if not item["output"]:
                yield f"{number}: an empty output"
        elif kind == "reasoning":
            yield from (f"{number}: {fault}" for fault in _reasoning_faults(items[number : number + 2], made))
        elif kind != "message":
            yield f"{number}: type {kind!r}"
        elif not item["content"]:
            yield f"{number}: nothing is said"
    if sorted(called) != sorted(answered):
        yield f"calls {called}, outputs {answered}"


def _reasoning_faults(pair: Sequence[Mapping[str, Any]], made: Collection[str]) -> Iterator[str]:
    if pair[0]["id"] not in made:
        yield f"reasoning {pair[0]['id']!r} of another"
    if len(pair) == 1 or pair[1].get("role") == "user" or pair[1].get("type") == "function_call_output":
        yield "reasoning without what it led to"


def messages_faults(body: Mapping[str, Any], made: Sequence[Mapping[str, Any]] = ()) -> Iterator[str]:
    """Yield what the Messages API refuses; `made` are the thoughts that the asked model made, as it sent them."""
    turns = body["messages"]
    if not body.get("max_tokens"):
        yield "no max_tokens"
    if not turns or turns[0]["role"] != "user":
        yield "the first turn is not the user's"
    if body.get("system") is not None and not _is_said(body["system"]):
        yield "an empty system prompt"
    ids: list[str] = []
    thoughts: list[Mapping[str, Any]] = []
    waiting: list[str] = []
    for number, turn in enumerate(turns):
        if number and turns[number - 1]["role"] == turn["role"]:
            yield f"{number}: two turns of one role"
        yield from (f"{number}: {fault}" for fault in _turn_faults(turn, waiting))
        thoughts += [block for block in turn["content"] if block["type"] in _THOUGHTS]
        waiting = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        ids += waiting
    if waiting:
        yield f"calls without results {waiting}"
    if len(set(ids)) != len(ids):
        yield f"an id twice: {ids}"
    yield from (f"id {one!r}" for one in ids if not _ANTHROPIC_ID.fullmatch(one))
    if thoughts != list(made):
        yield f"thoughts {thoughts}, made were {list(made)}"
    if body.get("thinking", {}).get("type") == "enabled":
        yield from _loop_faults(turns)


def _turn_faults(turn: Mapping[str, Any], waiting: Sequence[str]) -> Iterator[str]:
    blocks = turn["content"]
    kinds = [block["type"] for block in blocks]
    if not blocks:
        yield "nothing is said"
    if set(kinds) - _BLOCKS[turn["role"]]:
        yield f"blocks {kinds} of the {turn['role']}"
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if sorted(results) != sorted(waiting):
        yield f"calls {list(waiting)}, results {results}"
    if "tool_result" in kinds[len(results) :]:
        yield "results are not first"
    if turn["role"] == "assistant" and kinds[-1] in _THOUGHTS:
        yield "the last block is a thought"
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            yield "a blank text"
        if block["type"] == "tool_use" and not isinstance(block["input"], dict):
            yield f"input {block['input']!r}"
        if block["type"] == "tool_result" and not _is_said(block["content"]):
            yield "an empty result"


def _loop_faults(turns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the assistant's turns since the user last said something that do not begin with a thought."""
    since = max(
        number
        for number, turn in enumerate(turns)
        if turn["role"] == "user" and any(block["type"] != "tool_result" for block in turn["content"])
    )
    for turn in turns[since:]:
        if turn["role"] == "assistant" and turn["content"][0]["type"] not in _THOUGHTS:
            yield "thinking is enabled in the middle of a turn that has none"


def _is_said(content: Any) -> bool:
    if isinstance(content, str):
        return bool(content.strip())
    return bool(content) and all(block["type"] != "text" or block["text"].strip() for block in content)
