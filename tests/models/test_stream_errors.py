"""Errors inside a stream that began well, and refusals of content filters, on both wire formats: told as the server did."""

from __future__ import annotations

import pytest

from nbagent import Agent
from nbagent.errors import ContentFilterError, ModelError
from nbagent.models import OpenAIChat, OpenAIResponses
from nbagent.models.transport.stream_errors import error_in
from nbagent.spec import Limits
from tests.models.single_call import chat, responses, stream
from tests.provider import chat_wire, responses_wire
from tests.provider.chat_wire import begun, data, text
from tests.provider.steps import Raw, answer

WIRES = {"chat": (chat_wire, chat), "responses": (responses_wire, responses)}
BROKEN = {
    "detail": b'data: {"detail": "model qwen3 is not loaded"}\n\n',
    "detail as a list": b'data: {"detail": [{"loc": ["body"], "msg": "model qwen3 is not loaded"}]}\n\n',
    "event": b'event: error\ndata: {"message": "model qwen3 is not loaded"}\n\n',
    "event with an error object": b'event: error\ndata: {"error": {"message": "model qwen3 is not loaded"}}\n\n',
    "event with plain text": b"event: error\ndata: model qwen3 is not loaded\n\n",
    "event without a space": b'event:error\ndata:{"message":"model qwen3 is not loaded"}\n\n',
    "line": b'error: {"code": 500, "message": "model qwen3 is not loaded", "type": "server_error"}\n\n',
    "line of text": b"error: model qwen3 is not loaded\n\n",
    "line without an end": b'error: {"message": "model qwen3 is not loaded"}',
    "bare JSON": b'{"error": "model qwen3 is not loaded"}\n',
    "message": b'data: {"message": "model qwen3 is not loaded"}\n\n',
    "error as text": b'data: {"error": "model qwen3 is not loaded"}\n\n',
    "errors": b'data: {"errors": [{"message": "model qwen3 is not loaded"}]}\n\n',
    "error in an error": b'data: {"error": {"error": {"message": "model qwen3 is not loaded"}}}\n\n',
    "base_resp": b'data: {"base_resp": {"status_code": 1004, "status_msg": "model qwen3 is not loaded"}}\n\n',
    "error_msg": b'data: {"error_code": 17, "error_msg": "model qwen3 is not loaded"}\n\n',
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("first", [True, False], ids=["first", "after text"])
def test_the_servers_words_are_the_error(provider, wire, broken, first):
    """Whatever form a server's error has, its words are the error's, also after text."""
    words, model = WIRES[wire]
    provider.reply((*(() if first else (*words.begun(), *words.text("Par"))), Raw(broken)))
    with pytest.raises(ModelError, match="model qwen3 is not loaded"):
        stream(model(provider))


@pytest.mark.parametrize("finish", ["error", "stop", None])
@pytest.mark.parametrize("first", [True, False], ids=["first", "after text"])
@pytest.mark.parametrize(
    "error", [{"code": 502, "message": "model qwen3 is not loaded"}, "model qwen3 is not loaded"]
)
def test_an_error_in_the_choice(provider, error, first, finish):
    """An error that stands beside the delta is told as the server did, whatever the finish reason says."""
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": finish, "error": error}
    provider.reply(
        (*chat_wire.begun(), *(() if first else text("Par")), data({"id": "c", "choices": [choice]}))
    )
    with pytest.raises(ModelError, match="model qwen3 is not loaded"):
        stream(chat(provider))


@pytest.mark.parametrize(
    ("error", "status", "retried"),
    [
        ('{"type": "overloaded_error", "message": "Overloaded"}', 529, True),
        ('{"type": "rate_limit_error", "message": "slow"}', 429, True),
        ('{"message": "Rate limit reached for requests"}', 429, True),
        ('{"code": 503, "message": "loading"}', 503, True),
        ('{"message": "CUDA out of memory"}', None, True),
        ('{"type": "invalid_request_error", "message": "no"}', None, False),
        ('{"message": "The model `x` does not exist"}', None, False),
        ('{"code": "context_length_exceeded", "message": "too long"}', None, False),
        ('{"code": "unsupported_value", "message": "no such effort"}', None, False),
        ('{"code": 401, "message": "revoked"}', 401, False),
    ],
)
@pytest.mark.parametrize("wire", WIRES)
def test_kinds(provider, wire, error, status, retried):
    """An error in a stream is tried again, and slows a batch down, by what it says it is."""
    words, model = WIRES[wire]
    provider.reply((*words.begun(), Raw(f"event: error\ndata: {error}\n\n".encode())))
    with pytest.raises(ModelError) as raised:
        stream(model(provider))
    assert (raised.value.status_code, raised.value.retryable) == (status, retried)


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "ping"},
        {"type": "ping", "message": "still here"},
        {"choices": [], "usage": {"total_tokens": 1}, "message": "x"},
        {"id": "c", "object": "chat.completion.chunk", "model": "m"},
        {"base_resp": {"status_code": 0, "status_msg": ""}, "choices": []},
        {"type": "response.steer.pending", "message": "x"},
        {"choices": [], "prompt_filter_results": [{"content_filter_results": {}}]},
        {"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": False},
        {"type": "message_start", "message": {"role": "assistant", "content": []}},
        {"finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text"}]}},
    ],
)
def test_what_is_no_error(chunk):
    """Pings, usage and filters' findings are no errors."""
    assert error_in(chunk) is None


def test_an_error_is_tried_again(provider):
    """A failure that may pass is tried again by the run, one that cannot is told at once."""
    broken = (*begun(), *text("Par"), Raw(BROKEN["line"]))
    provider.reply(broken, chat_wire.text_reply("Paris"))
    output = Agent(model=chat(provider)).start("Where?").wait(60)
    assert (output.content, [call.status for call in output.model_calls]) == (
        "Paris",
        ["error", "completed"],
    )


AZURE = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": True, "severity": "high"},
                "jailbreak": {"filtered": True, "detected": True},
                "violence": {"filtered": False, "severity": "safe"},
            },
        },
    }
}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, AZURE, "(hate: high, jailbreak)"),
        (400, {"error": {"message": "no", "code": "content_policy_violation"}}, "no"),
        (400, {"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}, "Content Exists Risk"),
        (400, {"error": {"message": "Input data may contain inappropriate content.", "code": "data_inspection_failed"}}, "inappropriate"),
        (403, {"error": {"message": "flagged", "code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}, "(violence)"),
        (400, {"error": {"message": "unsafe", "code": "1301"}}, "unsafe"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [OpenAIChat, OpenAIResponses])
def test_a_filtered_prompt(provider, kind, status, body, says):
    """A request that the provider's filter refuses ends as `content_filter`, at once, with what was found."""
    provider.reply(answer(status, body))
    model = kind(id="m", provider="azure", base_url=provider.base_url, api_key="k")
    output = Agent(model=model, limits=Limits(model_retries=3)).start("Do harm.").wait(60)
    assert (output.status.value, output.stop_reason) == ("error", "content_filter")
    assert says in output.error
    assert "what is filtered is set at the provider" in output.error
    assert len(provider.requests) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_a_filter_in_the_stream(provider, wire):
    """The same where it is said in the stream."""
    words, model = WIRES[wire]
    provider.reply((*words.begun(), Raw(b'data: {"error": {"code": "content_filter", "message": "no"}}\n\n')))
    with pytest.raises(ContentFilterError, match="stopped the request"):
        stream(model(provider))


def test_other_refusals_are_none_of_a_filter(provider):
    """A 400 that names something else stays what it was."""
    provider.reply(answer(400, {"error": {"message": "bad filter in tools", "code": "invalid_value"}}))
    output = Agent(model=chat(provider)).start("Go.").wait(60)
    assert output.stop_reason == "error"
