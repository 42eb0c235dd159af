"""A usage object in every form that providers give it: inclusive counts, and nothing that was known is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbagent.events import Usage
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.openai.responses_stream import ResponsesStreamParser
from nbagent.models.replies.usage import merged, usage_of
from nbagent.models.transport.errors import RequestTarget

TARGET = RequestTarget(provider="house", model="m", base_url="http://127.0.0.1:1/v1")
KNOWN = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
COUNTED = Usage(input_tokens=100, output_tokens=20, total_tokens=120)
ZEROS = dict.fromkeys(KNOWN, 0)


@pytest.mark.parametrize(
    "cached",
    [
        {"prompt_tokens_details": {"cached_tokens": 60}},
        {"prompt_tokens_details": {"cached_tokens": 0}, "cache_read_input_tokens": 60},
        {"prompt_tokens_details": {"cached_tokens": None}, "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40},
        {"cache_read_input_tokens": 60},
        {"cached_tokens": 60},
        {"num_cached_tokens": "60"},
        {"prompt_tokens_details": {"cache_read_input_tokens": 60}},
    ],
)  # fmt: skip
def test_cached_tokens_go_by_many_names(cached):
    """Whatever a provider calls what its cache gave, it is read; a zero beside it does not hide it."""
    usage = usage_of(KNOWN | cached)
    assert (usage.input_tokens, usage.cache_read_tokens, usage.total_tokens) == (100, 60, 120)


@pytest.mark.parametrize(
    ("given", "total"),
    [
        ({"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}, 120),
        (KNOWN | {"prompt_tokens": 10, "total_tokens": 30, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}, 120),
        (KNOWN | {"prompt_tokens": 10, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}, 120),
    ],
)  # fmt: skip
def test_cached_tokens_are_part_of_the_input(given, total):
    """Where a provider counts the cache beside its input, the two are added: input is inclusive here."""
    usage = usage_of(given)
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, total)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (60, 30)


@pytest.mark.parametrize(
    ("given", "made", "thoughts"),
    [
        (KNOWN | {"total_tokens": 150}, 50, 30),
        (KNOWN | {"total_tokens": 150, "completion_tokens_details": {"reasoning_tokens": 0}}, 50, 30),
        (KNOWN | {"total_tokens": 150, "completion_tokens_details": {"reasoning_tokens": 30}}, 50, 30),
        (KNOWN | {"completion_tokens_details": {"reasoning_tokens": 15}}, 20, 15),
        (KNOWN | {"completion_tokens_details": {"thinking_tokens": 15}}, 20, 15),
        (KNOWN | {"reasoning_tokens": 15}, 20, 15),
        (KNOWN, 20, None),
    ],
)
def test_thoughts_are_part_of_the_output(given, made, thoughts):
    """Thoughts that are only in the total, as Gemini counts them, are reasoning, and the output includes them."""
    usage = usage_of(given)
    assert (usage.output_tokens, usage.reasoning_tokens) == (made, thoughts)
    assert usage.total_tokens == 100 + made


@pytest.mark.parametrize(
    "later",
    [
        ZEROS,
        dict.fromkeys(KNOWN),
        {"prompt_tokens": 0, "completion_tokens": 20},
        {"prompt_tokens_details": {"cached_tokens": 0}},
        {},
    ],
)
def test_zeros_erase_nothing(later):
    """Numbers stay when zeros or nulls come after them, in chunks of both formats; larger ones take their place."""
    known = KNOWN | {"prompt_tokens_details": {"cached_tokens": 60}}
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}
    chunks = [{"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 1}}]
    chunks += [{"choices": [], "usage": one} for one in (known, later)]
    chat = ChatStreamParser(TARGET)
    chat.take([json.dumps(one).encode() for one in chunks])

    def event(kind: str, status: str, usage: Any) -> bytes:
        return json.dumps({"type": kind, "response": {"id": "r", "status": status, "usage": usage}}).encode()

    responses = ResponsesStreamParser(TARGET)
    responses.take(
        [event("response.in_progress", "in_progress", known), event("response.completed", "completed", later)]
    )
    for reply in (chat, responses):
        usage = reply.finished().usage
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
        assert usage.cache_read_tokens == 60


@pytest.mark.parametrize("given", [KNOWN, {name: str(value) for name, value in KNOWN.items()}, {name: float(value) for name, value in KNOWN.items()}])  # fmt: skip
def test_counts_as_text(given):
    """A count is a count, also as text or with a decimal point."""
    assert usage_of(given) == COUNTED
    assert usage_of(merged(ZEROS, given)) == usage_of(merged(given, ZEROS)) == COUNTED


@pytest.mark.parametrize(
    "given", [ZEROS, {}, None, {"prompt_tokens": -1}, {"prompt_tokens": "many"}, {"prompt_tokens": True}]
)
def test_what_counts_nothing_is_unknown(given):
    """Zeros all over, and what is no count, are not known."""
    assert usage_of(given) == Usage()
