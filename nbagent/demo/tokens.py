"""Token counts and streaming pieces of the demo model. Pure functions, any thread.

The tokenizer is the demo's own and deliberately simple: a token is up to six letters or three
digits with the blank before them, one other sign, or a run of white space. Counts are therefore
stable and plausible (about 1.4 tokens an English word) and equal to no real model's.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

import orjson

from nbagent.demo.request import Message, Reply, Request

_TOKEN: Final = re.compile(r" ?[^\W\d]{1,6}| ?\d{1,3}| ?[^\w\s]|\s+")
_PIECE: Final = re.compile(r"\s*[^\s]{1,14}|\s+")
_PER_MESSAGE = 4  # role and separators, as real chat formats have them


def count_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def cut_tokens(text: str, limit: int) -> tuple[str, bool]:
    """Cut a text to at most `limit` tokens; say whether something was cut off."""
    last = next(islice(_TOKEN.finditer(text), limit, None), None)
    return (text, False) if last is None else (text[: last.start()], True)


def split_pieces(text: str) -> list[str]:
    """Split a text into the word-like pieces that are streamed; they join to the text exactly."""
    return _PIECE.findall(text)


def prompt_tokens(request: Request) -> int:
    """Count the input: every message, its tool calls, the tools on offer and the schema."""
    total = sum(_message_tokens(message) for message in request.messages)
    for tool in request.tools:
        total += count_tokens(f"{tool.name} {tool.description}") + _json_tokens(tool.parameters)
    if request.schema is not None:
        total += _json_tokens(request.schema)
    return total


def reply_tokens(reply: Reply) -> int:
    """Count the output: the text, or the names and arguments of the tool calls."""
    calls = sum(count_tokens(call.name) + count_tokens(call.arguments) for call in reply.tool_calls)
    return count_tokens(reply.text) + calls


def _message_tokens(message: Message) -> int:
    calls = sum(count_tokens(c.name) + count_tokens(c.arguments) for c in message.tool_calls)
    return _PER_MESSAGE + count_tokens(message.text) + calls


def _json_tokens(value: object) -> int:
    return count_tokens(orjson.dumps(value).decode())
