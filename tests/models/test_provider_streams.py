"""Streams that differ in kind from OpenAI's, byte by byte as each provider's documentation shows them.

Each is read whole, in blocks and byte by byte, by the parser as the provider's row sets it; where the page is
stands in the row (`nbagent/models/catalog/`) or here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from nbagent.errors import (
    ContextExceededError,
    EarlyEndError,
    ModelError,
    OutOfQuotaError,
    ProviderOverloadedError,
    ProviderRefusedError,
    ProviderUnreachableError,
)
from nbagent.events import Message
from nbagent.models import ModelRequest, ReasoningDelta, ReplyFinished, TextDelta, provider_row
from nbagent.models.capabilities import CapabilityMemory
from nbagent.models.openai.chat import chat_body
from nbagent.models.openai.chat_stream import ChatStreamParser
from nbagent.models.transport.errors import RequestTarget
from nbagent.models.transport.sse import SSEDecoder


def events(*payloads: Any, done: bool = True) -> bytes:
    """Return an event stream of these payloads, text as it is, and its mark."""
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in payloads]
    return "".join(f"data: {text}\n\n" for text in [*texts, *(["[DONE]"] if done else [])]).encode()


def chunk(delta: Any = None, finish: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk with one choice; `fields` stand beside the choices."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    } | fields


def read(name: str, stream: bytes, size: int) -> tuple[ReplyFinished, str, str]:
    """Return the whole reply of a provider's stream, and the text and reasoning as they were shown."""
    row = provider_row(name)
    assert row is not None
    target = RequestTarget(
        provider=name,
        model="m",
        base_url="http://127.0.0.1:1/v1",
        sends_finish_reason=row.sends_finish_reason,
        reasoning_tag=row.reasoning_tag,
    )
    reply, decoder, shown = ChatStreamParser(target), SSEDecoder(10_000_000), []
    for start in range(0, len(stream), size):
        shown += reply.take(decoder.feed(stream[start : start + size]))
    shown += reply.take(decoder.close())
    finished = reply.finished()
    text = "".join(one.text for one in shown if isinstance(one, TextDelta))
    return finished, text, "".join(one.text for one in shown if isinstance(one, ReasoningDelta))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A provider's stream and what it says."""

    provider: str
    data: bytes
    text: str = ""
    reasoning: str | None = None
    calls: tuple[tuple[str, Any], ...] = ()
    finish: str = "stop"
    usage: tuple[int | None, int | None, int | None] = (None, None, None)  # input, output, reasoning
    cached: int | None = None
    cost: float | None = None


USED = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Two and"}]}
MORE = {"type": "thinking", "thinking": [{"type": "text", "text": " three."}]}
SOURCES = {
    "citations": ["https://a.example/1"],
    "search_results": [{"title": "A", "url": "https://a.example/1", "date": None}],
}
SAID = "The Seine flows through Paris, and through Rouen."
COST = {"input_tokens_cost": 0.0, "output_tokens_cost": 0.0002, "request_cost": 0.005, "total_cost": 0.0052}


def sonar(piece: str, so_far: str, finish: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk of Perplexity's full mode: the whole message so far beside its delta."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "delta": {"role": "assistant", "content": piece},
        "message": {"role": "assistant", "content": so_far},
    }
    body = {"id": "s", "model": "sonar-pro", "object": "chat.completion", "created": 1, "choices": [choice]}
    return body | SOURCES | fields


def signed(call_id: str, name: str, arguments: str, signature: str | None = None) -> dict[str, Any]:
    """Return a tool call as Gemini's compatible endpoint sends it: whole, without an index."""
    call: dict[str, Any] = {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    if signature:
        call["extra_content"] = {"google": {"thought_signature": signature}}
    return call


def piece(index: int, arguments: str, name: str | None = None, call_id: str | None = None) -> dict[str, Any]:
    """Return a part of a tool call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": call_id, "type": "function"} if call_id else {})


STREAMS = {
    # https://docs.mistral.ai/capabilities/reasoning (2026-11-30): parts while it thinks, plain text after
    "mistral thinks": Stream(
        provider="mistral",
        data=events(
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": [THINKING]}),
            chunk({"content": [MORE]}),
            chunk({"content": "It is"}),
            chunk({"content": [{"type": "text", "text": " 5."}]}),
            chunk({"content": ""}, "stop", usage=USED | {"num_cached_tokens": 4}),
        ),
        text="It is 5.",
        reasoning="Two and three.",
        usage=(10, 5, None),
        cached=4,
    ),
    "mistral thinks and answers in one chunk": Stream(
        provider="mistral",
        data=events(chunk({"content": [THINKING, MORE, {"type": "text", "text": "5"}]}, "stop", usage=USED)),
        text="5",
        reasoning="Two and three.",
        usage=(10, 5, None),
    ),
    # https://docs.mistral.ai/capabilities/citations (2026-11-30)
    "mistral cites": Stream(
        provider="mistral",
        data=events(
            chunk(
                {"content": [{"type": "text", "text": "Paris"}, {"type": "reference", "reference_ids": [0]}]}
            ),
            chunk({"content": "."}, "model_length", usage=USED),
        ),
        text="Paris.",
        finish="length",
        usage=(10, 5, None),
    ),
    "mistral calls": Stream(
        provider="mistral",
        data=events(
            chunk({"role": "assistant", "content": ""}),
            chunk(
                {
                    "content": "",
                    "tool_calls": [
                        {"id": "D681PevKs", "function": {"name": "add", "arguments": '{"a": 1}'}, "index": 0},
                        {"id": "abcDEF123", "function": {"name": "add", "arguments": '{"a": 2}'}, "index": 1},
                    ],
                },
                "tool_calls",
                usage=USED,
            ),
        ),
        calls=(("add", {"a": 1}), ("add", {"a": 2})),
        finish="tool_calls",
        usage=(10, 5, None),
    ),
    # https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11-30)
    "gemini calls without an index": Stream(
        provider="gemini",
        data=events(
            chunk({"role": "assistant", "tool_calls": [signed("function-call-1", "add", '{"a":1}', "c2ln")]}),
            chunk({"role": "assistant", "tool_calls": [signed("function-call-2", "add", '{"a":2}')]}),
            chunk({"role": "assistant"}, "stop", usage=USED | {"total_tokens": 40}),
        ),
        calls=(("add", {"a": 1}), ("add", {"a": 2})),
        finish="tool_calls",
        usage=(10, 30, 25),
    ),
    "gemini calls with the same index and no ids": Stream(
        provider="gemini",
        data=events(
            chunk({"tool_calls": [signed("", "add", '{"a":1}') | {"index": 0}]}),
            chunk({"tool_calls": [signed("", "add", '{"a":2}') | {"index": 0}]}, "tool_calls"),
        ),
        calls=(("add", {"a": 1}), ("add", {"a": 2})),
        finish="tool_calls",
    ),
    "gemini ends without a word": Stream(
        provider="gemini",
        data=events(chunk({"content": "Par"}), chunk({"content": "is"})),
        text="Paris",
        finish="missing",
    ),
    # https://ai.google.dev/gemini-api/docs/openai#thinking (2026-11-30), with include_thoughts
    "gemini thinks in tags": Stream(
        provider="gemini",
        data=events(
            chunk({"content": "<thought>Two and", "extra_content": {"google": {"thought": True}}}),
            chunk({"content": " three.", "extra_content": {"google": {"thought": True}}}),
            chunk({"content": "</thought>It is 5."}, "stop"),
        ),
        text="It is 5.",
        reasoning="Two and three.",
    ),
    # https://docs.x.ai/docs/guides/reasoning (2026-11-30): the completion leaves the thoughts out, the total does not
    "xai counts thoughts apart": Stream(
        provider="xai",
        data=events(
            chunk({"role": "assistant", "reasoning_content": "First"}),
            chunk({"reasoning_content": ", add."}),
            chunk({"content": "3"}),
            chunk({}, "stop"),
            chunk(
                choices=[],
                usage={
                    "prompt_tokens": 32,
                    "completion_tokens": 9,
                    "total_tokens": 135,
                    "prompt_tokens_details": {"text_tokens": 32, "cached_tokens": 6},
                    "completion_tokens_details": {"reasoning_tokens": 94},
                },
            ),
        ),
        text="3",
        reasoning="First, add.",
        usage=(32, 103, 94),
        cached=6,
    ),
    # https://platform.kimi.ai/docs/api/chat (2026-11-30): the usage stands in the choice
    "moonshot tells usage in the choice": Stream(
        provider="moonshot",
        data=events(
            chunk({"role": "assistant", "content": ""}),
            chunk({"reasoning_content": "Add."}),
            chunk({"content": "3"}),
            chunk(
                choices=[
                    {
                        "index": 0,
                        "delta": {},
                        "finish_reason": "stop",
                        "usage": USED | {"cached_tokens": 8},
                    }
                ]
            ),
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, None),
        cached=8,
    ),
    # https://help.aliyun.com/en/model-studio/stream (2026-11-30): empty choices, then the usage
    "dashscope tells usage last": Stream(
        provider="dashscope",
        data=events(
            chunk({"content": None, "reasoning_content": "Add."}, usage=None, system_fingerprint=None),
            chunk({"content": "3", "reasoning_content": None}, usage=None),
            chunk({"content": "", "reasoning_content": None}, "stop", usage=None),
            chunk(
                choices=[],
                usage=USED
                | {
                    "completion_tokens_details": {"reasoning_tokens": 2, "text_tokens": 3},
                    "prompt_tokens_details": {"cached_tokens": 0},
                },
            ),
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, 2),
        cached=0,
    ),
    # https://help.aliyun.com/en/model-studio/qwen-function-calling (2026-11-30): later parts have an empty id and name
    "dashscope calls in parts": Stream(
        provider="dashscope",
        data=events(
            chunk({"content": None, "tool_calls": [piece(0, "", "add", "call_1")]}),
            chunk({"content": None, "tool_calls": [piece(0, '{"a": ') | {"id": "", "type": "function"}]}),
            chunk({"tool_calls": [{"index": 0, "id": "", "function": {"name": None, "arguments": "1}"}}]}),
            chunk({"content": None}, "tool_calls"),
        ),
        calls=(("add", {"a": 1}),),
        finish="tool_calls",
    ),
    # https://docs.z.ai/guides/capabilities/stream-tool (2026-11-30): with tool_stream arguments come in parts
    "zai streams a tool call": Stream(
        provider="zai",
        data=events(
            chunk({"role": "assistant", "reasoning_content": "\nAdd"}),
            chunk({"role": "assistant", "reasoning_content": " them."}),
            chunk({"role": "assistant", "tool_calls": [piece(0, "{", "add", "call_-8")]}),
            chunk({"role": "assistant", "tool_calls": [piece(0, '"a"')]}),
            chunk({"role": "assistant", "tool_calls": [piece(0, ":1}")]}),
            chunk({"role": "assistant", "content": ""}, "tool_calls", usage=USED),
        ),
        reasoning="\nAdd them.",
        calls=(("add", {"a": 1}),),
        finish="tool_calls",
        usage=(10, 5, None),
    ),
    "zai runs out of context": Stream(
        provider="zai",
        data=events(chunk({"content": "Par"}), chunk({"content": ""}, "model_context_window_exceeded")),
        text="Par",
        finish="length",
    ),
    "zai is stopped by its review": Stream(
        provider="zai",
        data=events(chunk({"content": "Par"}), chunk({"content": ""}, "sensitive", usage=USED)),
        text="Par",
        finish="content_filter",
        usage=(10, 5, None),
    ),
    # https://platform.minimax.io/docs/api-reference/text-openai-api (2026-11-30), as servers send it: in parts (its
    # issue tracker, MiniMax-AI/MiniMax-M2 #95)
    "minimax thinks in details": Stream(
        provider="minimax",
        data=events(
            chunk(
                {"role": "assistant", "reasoning_details": [{"type": "reasoning.text", "text": "The user"}]}
            ),
            chunk({"role": "", "reasoning_details": [{"type": "reasoning.text", "text": " asks."}]}),
            chunk({"content": "Hi", "role": "assistant"}),
            chunk({"content": "!"}, "stop", usage=USED, base_resp={"status_code": 0, "status_msg": ""}),
        ),
        text="Hi!",
        reasoning="The user asks.",
        usage=(10, 5, None),
    ),
    # the same page's example reads each text as the whole so far
    "minimax repeats its thoughts": Stream(
        provider="minimax",
        data=events(
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "The user asks"}]}),
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "The user asks for"}]}),
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "The user asks for a sum."}]}),
            chunk({"content": "3"}, "stop"),
        ),
        text="3",
        reasoning="The user asks for a sum.",
    ),
    "minimax thinks in tags": Stream(
        provider="minimax",
        data=events(
            chunk({"content": "<think>\nA"}),
            chunk({"content": "dd.</thi"}),
            chunk({"content": "nk>\n\n3"}, "stop"),
        ),
        text="3",
        reasoning="\nAdd.",
    ),
    "minimax ends with the whole once more": Stream(
        provider="minimax",
        data=events(
            chunk({"role": "assistant", "content": "The Seine flows"}),
            chunk({"content": " through Paris."}),
            {
                "id": "c-1",
                "object": "chat.completion",
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "The Seine flows through Paris."},
                    }
                ],
                "usage": USED,
                "base_resp": {"status_code": 0, "status_msg": ""},
            },
        ),
        text="The Seine flows through Paris.",
        usage=(10, 5, None),
    ),
    # https://docs.perplexity.ai/docs/sonar/features and .../pro-search/stream-mode (2026-11-30): full mode
    "perplexity repeats the message": Stream(
        provider="perplexity",
        data=events(
            sonar(SAID[:10], SAID[:10]),
            sonar(SAID[10:30], SAID[:30], usage=USED | {"cost": COST | {"total_cost": 0.0051}}),
            sonar(SAID[30:], SAID, "stop", usage=USED | {"search_context_size": "low", "cost": COST}),
            done=False,
        ),
        text=SAID,
        usage=(10, 5, None),
        cost=0.0052,
    ),
    "perplexity ends with an empty delta": Stream(
        provider="perplexity",
        data=events(sonar(SAID, SAID), sonar("", SAID, "stop", usage=USED | {"reasoning_tokens": 3})),
        text=SAID,
        usage=(10, 5, 3),
    ),
    # https://docs.perplexity.ai/docs/sonar/pro-search/stream-mode (2026-11-30): concise mode
    "perplexity is concise": Stream(
        provider="perplexity",
        data=events(
            chunk({"role": "assistant", "content": ""}, object="chat.reasoning"),
            chunk({"content": "Pa"}),
            chunk({"content": "ris"}),
            chunk(
                {"content": ""}, "stop", object="chat.completion.done", usage=USED | {"cost": COST}, **SOURCES
            ),
        ),
        text="Paris",
        usage=(10, 5, None),
        cost=0.0052,
    ),
    # https://inference-docs.cerebras.ai/api-reference/chat-completions (2026-11-30)
    "cerebras tells its times": Stream(
        provider="cerebras",
        data=events(
            chunk({"role": "assistant"}),
            chunk({"reasoning": "Add."}),
            chunk({"content": "3"}),
            chunk({}, "stop", usage=USED, time_info={"queue_time": 0.1, "total_time": 0.2}),
            done=False,
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, None),
    ),
    # https://docs.together.ai/reference/chat-completions-1 (2026-11-30): the text stands in the choice too
    "together says it twice": Stream(
        provider="together",
        data=events(
            {
                "id": "t",
                "object": "chat.completion.chunk",
                "model": "m",
                "usage": None,
                "choices": [
                    {
                        "index": 0,
                        "text": "Par",
                        "logprobs": None,
                        "finish_reason": None,
                        "seed": None,
                        "delta": {"token_id": 1, "role": "assistant", "content": "Par", "tool_calls": None},
                    }
                ],
            },
            {
                "id": "t",
                "object": "chat.completion.chunk",
                "model": "m",
                "usage": USED,
                "choices": [
                    {
                        "index": 0,
                        "text": "is",
                        "logprobs": None,
                        "finish_reason": "eos",
                        "seed": 7,
                        "delta": {"token_id": 2, "role": "assistant", "content": "is", "tool_calls": None},
                    }
                ],
            },
        ),
        text="Paris",
        usage=(10, 5, None),
    ),
    # https://docs.fireworks.ai/guides/querying-text-models (2026-11-30): usage and metrics in the last chunk
    "fireworks tells usage unasked": Stream(
        provider="fireworks",
        data=events(
            chunk({"role": "assistant"}),
            chunk({"reasoning_content": "Add."}),
            chunk({"content": "3"}),
            chunk({}, "stop", usage=USED, perf_metrics={"prompt-tokens": 10}),
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, None),
    ),
    # https://huggingface.co/docs/inference-providers/tasks/chat-completion (2026-11-30): as the host behind it sends it
    "huggingface's host counts as it goes": Stream(
        provider="huggingface",
        data=events(
            chunk(
                {"role": "assistant", "content": "Par"},
                "",
                usage={"prompt_tokens": 10, "completion_tokens": 1},
            ),
            chunk(
                {"content": "is", "tool_call_id": None},
                "",
                usage={"prompt_tokens": 10, "completion_tokens": 2},
            ),
            chunk({"content": ""}, "eos_token", usage=USED),
        ),
        text="Paris",
        usage=(10, 5, None),
    ),
    # https://docs.api.nvidia.com/nim/reference/llm-apis (2026-11-30)
    "nvidia counts as it goes": Stream(
        provider="nvidia",
        data=events(
            chunk(
                {"role": "assistant", "content": None, "reasoning_content": "Add."},
                usage={"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
            ),
            chunk(
                {"content": "3", "reasoning_content": None},
                usage={"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
            ),
            chunk({"content": None}, "stop", usage=USED),
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, None),
    ),
    # https://docs.github.com/en/rest/models/inference (2026-11-30): Azure's first chunk, without a choice
    "github filters the prompt first": Stream(
        provider="github",
        data=events(
            {
                "choices": [],
                "created": 0,
                "id": "",
                "model": "",
                "object": "",
                "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
            },
            chunk({"role": "assistant", "content": "", "refusal": None}, content_filter_results={}),
            chunk({"content": "Paris"}),
            chunk({}, "stop"),
            chunk(choices=[], usage=USED),
        ),
        text="Paris",
        usage=(10, 5, None),
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html (2026-11-30)
    "bedrock's gpt-oss thinks in a tag": Stream(
        provider="bedrock",
        data=events(
            chunk({"role": "assistant", "content": "<reasoning>Add.</reasoning>3"}),
            chunk({}, "stop", usage=USED, service_tier="default"),
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, None),
    ),
    # https://docs.sglang.io/docs/advanced_features/separate_reasoning (2026-11-30)
    "sglang writes empty words": Stream(
        provider="sglang",
        data=events(
            chunk(
                {"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
                None,
                usage=None,
            ),
            chunk({"content": None, "reasoning_content": "Add."}, ""),
            chunk({"content": "3", "reasoning_content": None}, ""),
            chunk({"content": None}, "stop") | {"matched_stop": 151645},
            chunk(choices=[], usage=USED | {"reasoning_tokens": 2}),
        ),
        text="3",
        reasoning="Add.",
        usage=(10, 5, 2),
    ),
    # https://lmstudio.ai/docs/developer/openai-compat/tools (2026-11-30)
    "lm studio calls": Stream(
        provider="lm-studio",
        data=events(
            chunk({"role": "assistant", "tool_calls": [piece(0, "", "add", "778")]}),
            chunk({"tool_calls": [piece(0, '{"a"')]}),
            chunk({"tool_calls": [piece(0, ":1}")]}),
            chunk({}, "tool_calls"),
            chunk(choices=[], usage=USED),
        ),
        calls=(("add", {"a": 1}),),
        finish="tool_calls",
        usage=(10, 5, None),
    ),
}


@pytest.mark.parametrize("size", [1, 37, 1_000_000], ids=["bytes", "blocks", "whole"])
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_providers_stream_is_read(stream, size):
    """Text, thoughts, calls, end and counts are what the provider means, however the bytes arrive."""
    finished, text, reasoning = read(stream.provider, stream.data, size)
    assert (finished.text.strip("\n"), text.strip("\n")) == (stream.text, stream.text)
    assert (finished.reasoning or "").strip() == (stream.reasoning or "").strip()
    assert reasoning.strip() == (stream.reasoning or "").strip()
    assert tuple((one.name, json.loads(one.arguments)) for one in finished.tool_requests) == stream.calls
    assert finished.finish_reason == stream.finish
    usage = finished.usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == stream.usage
    assert (usage.cache_read_tokens, usage.cost_usd) == (stream.cached, stream.cost)
    ids = [one.tool_call_id for one in finished.tool_requests]
    assert all(ids)
    assert len(set(ids)) == len(ids)


BUSY = {"message": "busy", "type": "server_error", "code": 503}
FAULTS = {
    # https://console.groq.com/docs/errors (2026-11-30), and groq-python's _streaming.py: `event: error`
    "groq, an event named error": ("groq", b'event: error\ndata: {"error": {"message": "busy", "type": "internal_server_error"}}\n\n', ProviderOverloadedError),
    "groq, a call that it could not read": ("groq", events(chunk({"content": ""}), {"error": {"message": "Failed to call a function.", "type": "invalid_request_error", "code": "tool_use_failed", "failed_generation": "<function=add>", "status_code": 400}}), ProviderRefusedError),
    "groq, in x_groq": ("groq", events(chunk({}, None, x_groq={"id": "req", "error": "over capacity"})), ModelError),
    "cerebras, in the stream": ("cerebras", events(chunk({"content": ""}), {"message": "Queue is full", "type": "too_many_requests_error", "param": "queue", "code": "queue_exceeded"}), ProviderOverloadedError),
    "cerebras, an error object": ("cerebras", events({"error": BUSY, "status_code": 503}), ProviderOverloadedError),
    "minimax, the key": ("minimax", events({"base_resp": {"status_code": 1004, "status_msg": "login fail: invalid api key"}, "choices": None}), ModelError),
    "minimax, the rate": ("minimax", events({"base_resp": {"status_code": 1002, "status_msg": "rate limit exceeded"}, "choices": []}), ProviderOverloadedError),
    "zai, it broke off": ("zai", events(chunk({"content": "P"}), chunk({}, "network_error")), ProviderUnreachableError),
    "zai, an error in the stream": ("zai", events({"error": {"code": "1302", "message": "Rate limit reached for requests"}}), ProviderOverloadedError),
    "dashscope, an error in the stream": ("dashscope", events({"error": {"code": "data_inspection_failed", "message": "Output data may contain inappropriate content.", "type": "data_inspection_failed", "param": None}}), ModelError),
    "huggingface, the host's text": ("huggingface", events({"error": "Model is overloaded", "error_type": "overloaded"}), ProviderOverloadedError),
    "huggingface, the context": ("huggingface", events({"error": {"message": "`inputs` tokens + `max_new_tokens` must be <= 4096. This model's maximum context length is 4096 tokens", "http_status_code": 422}}), ContextExceededError),
    "together, an error in the stream": ("together", events({"error": {"message": "upstream busy", "type": "server_error", "code": 503}}), ProviderOverloadedError),
    "openrouter, beside a finish": ("openrouter", events(chunk({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"})), ModelError),
    "xai, no credit": ("xai", events({"error": {"message": "out of credits", "code": "insufficient_quota"}}), OutOfQuotaError),
    "sglang, cut off": ("sglang", events(chunk({"content": "P"}), chunk({"content": ""}, "abort")), ProviderUnreachableError),
    "mistral, an end without a word": ("mistral", events(chunk({"content": "Par"})), EarlyEndError),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 1_000_000], ids=["bytes", "whole"])
@pytest.mark.parametrize(("name", "data", "kind"), FAULTS.values(), ids=FAULTS)
def test_an_error_in_a_providers_stream_is_told(name, data, kind, size):
    """An error that comes after HTTP 200 is the call's error, in the provider's words."""
    with pytest.raises(kind) as raised:
        read(name, data, size)
    assert len(str(raised.value).splitlines()) == 2
    assert name in str(raised.value)


def test_gemini_gets_its_signatures_back():
    """The signature of a call goes back with that call, as it came: without it the next turn is refused."""
    finished, _, _ = read("gemini", STREAMS["gemini calls without an index"].data, 1_000_000)
    row = provider_row("gemini")
    turn = Message(
        role="assistant",
        content="",
        tool_requests=finished.tool_requests,
        provider_items=finished.provider_items,
    )
    results = [
        Message(role="tool", content="1", tool_call_id=one.tool_call_id) for one in finished.tool_requests
    ]
    request = ModelRequest(messages=(Message(role="user", content="Add"), turn, *results))
    sent = chat_body(request, "m", row, CapabilityMemory(row).plan(request))["messages"][1]["tool_calls"]
    assert sent[0]["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert "extra_content" not in sent[1]


def test_minimax_gets_its_thoughts_back():
    """Its details go back with the calls that they led to, joined as one, and not twice over."""
    data = events(
        chunk({"reasoning_details": [{"type": "reasoning.text", "id": "r-1", "format": "MiniMax-response-v1", "index": 0, "text": "The user asks"}]}),
        chunk({"reasoning_details": [{"type": "reasoning.text", "id": "r-1", "format": "MiniMax-response-v1", "index": 0, "text": " for a sum."}]}),
        chunk({"tool_calls": [piece(0, '{"a":1}', "add", "call_1")]}, "tool_calls"),
    )  # fmt: skip
    finished, _, _ = read("minimax", data, 1_000_000)
    row = provider_row("minimax")
    turn = Message(
        role="assistant",
        content="",
        reasoning=finished.reasoning,
        tool_requests=finished.tool_requests,
        provider_items=finished.provider_items,
    )
    request = ModelRequest(
        messages=(
            Message(role="user", content="Add"),
            turn,
            Message(role="tool", content="1", tool_call_id="call_1"),
        )
    )
    sent = chat_body(request, "m", row, CapabilityMemory(row).plan(request))["messages"][1]
    (detail,) = sent["reasoning_details"]
    assert detail["text"] == "The user asks for a sum."
