"""A request larger than the model's context ends as `context_exceeded`, in whatever words its server says so, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

import nbagent as nb
from nbagent import Agent, Limits, OpenAIChat, OpenAIResponses
from nbagent.errors import ContextExceededError
from nbagent.models.transport.context_errors import is_context_exceeded
from tests.provider.chat_wire import chunk, data, end, json_reply, text_reply, tool_reply
from tests.provider.server import ScriptedProvider
from tests.provider.steps import Drop, Head, Raw, error

SAID: dict[str, tuple[int, Any]] = {
    "openai": (400, {"error": {"message": "This model's maximum context length is 4097 tokens. However, you requested 4120 tokens (3120 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}),
    "openai-later": (400, {"error": {"message": "Your input exceeds the context window of this model. Please adjust your input and try again.", "type": "invalid_request_error", "code": "context_length_exceeded"}}),
    "openai-limit": (400, {"error": {"message": "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300105 tokens.", "type": "invalid_request_error", "code": None}}),
    "azure": (400, {"error": {"message": "This model's maximum context length is 8192 tokens, however you requested 9000 tokens.", "type": "invalid_request_error", "param": None, "code": 400}}),
    "anthropic": (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 213462 tokens > 200000 maximum"}}),
    "anthropic-sum": (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}),
    "bedrock": (400, {"message": "Input is too long for requested model."}),
    "gemini": (400, [{"error": {"code": 400, "message": "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", "status": "INVALID_ARGUMENT"}}]),
    "vllm": (400, {"object": "error", "message": "This model's maximum context length is 6048 tokens. However, you requested 6616 tokens (568 in the messages, 6048 in the completion).", "type": "BadRequestError", "param": None, "code": 400}),
    "vllm-max-tokens": (400, {"error": {"message": "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 65536 tokens and your request has 57879 input tokens (8192 > 65536 - 57879).", "type": "BadRequestError", "code": 400}}),
    "sglang": (400, {"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).", "type": "BadRequest", "code": 400}),
    "llama.cpp": (400, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}}),
    "llama.cpp-500": (500, {"error": {"code": 500, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "server_error"}}),
    "llama-cpp-python": (500, {"error": {"message": "Requested tokens (2085) exceed context window of 2048", "type": "internal_server_error", "code": None}}),
    "ollama": (400, {"error": {"message": "prompt too long; exceeded max context length by 105 tokens", "type": "api_error"}}),
    "ollama-embed": (500, {"error": "input length exceeds the context length"}),
    "lm-studio": (400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length. Try to load the model with a larger context length"}),
    "mistral": (400, {"object": "error", "message": "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "type": "invalid_request_error", "code": "3051"}),
    "groq": (400, {"error": {"message": "Please reduce the length of the messages or completion.", "type": "invalid_request_error", "code": "context_length_exceeded"}}),
    "groq-no-code": (413, {"error": {"message": "Please reduce the length of the messages or completion.", "type": "invalid_request_error"}}),
    "openrouter": (400, {"error": {"message": "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens (140000 of text input).", "code": 400}}),
    "openrouter-raw": (400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": '{"message":"prompt is too long: 213462 tokens > 200000 maximum"}', "provider_name": "Anthropic"}}}),
    "xai": (400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens."}),
    "kimi": (400, {"error": {"message": "Invalid request: Your request exceeded model token limit: 8192", "type": "invalid_request_error"}}),
    "minimax": (400, {"error": {"message": "invalid params, context window exceeds limit", "type": "bad_request_error"}}),
    "zhipu": (400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}),
    "qwen": (400, {"error": {"code": "invalid_parameter_error", "message": "Range of input length should be [1, 30720]", "type": "invalid_request_error"}}),
    "tgi": (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens and 1000 `max_new_tokens`", "error_type": "validation"}),
    "copilot": (400, {"error": {"message": "prompt token count of 140000 exceeds the limit of 128000", "code": "model_max_prompt_tokens_exceeded"}}),
    "cohere": (400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292. Try using a shorter prompt, or enable prompt truncating."}),
    "cohere-size": (400, {"message": "size limit exceeded: total number of tokens in the prompt cannot exceed 8000 tokens - received 9216."}),
    "cohere-like": (422, {"error": {"message": "Too many tokens: the number of tokens in the messages must not exceed 128000, got 131072", "type": "invalid_request_error"}}),
    "litellm": (400, {"error": {"message": "litellm.ContextWindowExceededError: AnthropicException", "type": "ContextWindowExceededError", "code": "400"}}),
    "fastapi": (400, {"detail": "context length of 4096 tokens exceeded"}),
}  # fmt: skip

OTHERWISE: dict[str, tuple[int, Any]] = {
    "too-many": (429, {"error": {"message": "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.", "type": "tokens", "code": "rate_limit_exceeded"}}),
    "groq-rate": (413, {"error": {"message": "Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 7000, please reduce your message size and try again.", "type": "tokens", "code": "rate_limit_exceeded"}}),
    "a-parameter": (400, {"error": {"message": "Unsupported parameter: 'context_management'", "param": "context_management", "code": "unsupported_parameter"}}),
    "a-tool": (400, {"error": {"message": "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64", "code": "string_above_max_length"}}),
    "cohere-output": (400, {"message": "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 5000."}),
    "cohere-rate": (400, {"message": "too many tokens: the tokens of all requests cannot exceed 100000 per minute"}),
    "no-model": (404, {"error": {"message": "The model 'long-context-window' does not exist", "code": "model_not_found"}}),
    "no-key": (401, {"error": {"message": "invalid key: its maximum context length is no business of yours", "code": "invalid_api_key"}}),
}  # fmt: skip


def agent(provider: ScriptedProvider, **options: Any) -> Agent:
    """An agent on the scripted provider, which asks each thing once."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="k")
    return Agent(model=model, limits=Limits(model_retries=0), **options)


def check(output: nb.RunOutput) -> None:
    """The run has ended for this reason and says what helps."""
    assert (output.status.value, output.stop_reason) == ("error", "context_exceeded")
    assert output.error_type == "ContextExceededError"
    what, todo = (output.error or "").splitlines()
    assert "context" in what
    assert "history_runs=" in todo
    assert "history_tokens=" in todo
    assert "larger context" in todo


@pytest.mark.parametrize("server", SAID)
def test_an_error_of_a_status_is_understood(provider: ScriptedProvider, server: str) -> None:
    """The words of each server; none is asked the same again."""
    status, body = SAID[server]
    provider.otherwise(error(status, body))
    output = Agent(model=OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="k")).run("Well?")
    check(output)
    assert len(provider.requests) == 1
    assert nb.runs()["stop_reason"].tolist() == ["context_exceeded"]


@pytest.mark.parametrize("server", SAID)
def test_an_error_inside_a_stream_is_understood(provider: ScriptedProvider, server: str) -> None:
    """The same words where the reply began with HTTP 200."""
    _, body = SAID[server]
    provider.otherwise(
        (data(body if isinstance(body, dict) and "error" in body else {"error": body}), data("[DONE]"))
    )
    check(agent(provider).run("Well?"))


@pytest.mark.parametrize("why", OTHERWISE)
def test_other_errors_are_not_taken_for_it(provider: ScriptedProvider, why: str) -> None:
    """A rate of tokens, a name that is too long or a model of that name is no matter of the context."""
    status, body = OTHERWISE[why]
    provider.otherwise(error(status, body))
    output = agent(provider).run("Well?")
    assert (output.status.value, output.stop_reason) == ("error", "error")


@pytest.mark.parametrize(
    "text", ["x" * 5000 + " context length exceeded", "", {}, None, [[[[[["context length exceeded"]]]]]]]
)
def test_what_is_far_inside_is_not_read(text: Any) -> None:
    """An echo of a prompt, and anything that is no error, is none."""
    assert not is_context_exceeded({"error": {"message": text}})


# ------------------------------------------------------------------------------------------- replies


@pytest.mark.parametrize(
    "script",
    [(Head(),), (Head(), data("[DONE]")), (Head(), Raw(b": ping\n\n")), (Head(), Drop(reset=False))],
    ids=["nothing", "mark-only", "comment-only", "dropped"],
)
@pytest.mark.parametrize("server", ["llama-cpp-python", "openai", "ollama"])
def test_an_empty_stream_is_asked_once_more_to_learn_why(
    provider: ScriptedProvider, script: Any, server: str
) -> None:
    """Without streaming the server says its error, and that is the run's; it is said that it was asked again."""
    provider.reply(script, error(*SAID[server]))
    run = agent(provider).start("Well?")
    check(run.wait(60))
    assert [body.get("stream") for body in provider.bodies] == [True, None]
    assert provider.bodies[0]["messages"] == provider.bodies[1]["messages"]
    assert run.record is not None
    assert any("without streaming" in one for one in run.record.notices)


def test_an_empty_stream_whose_answer_comes_in_one_piece(provider: ScriptedProvider) -> None:
    """What the second request brings is the answer, with its usage."""
    whole = {"id": "1", "model": "scripted-1", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Paris."}}], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}  # fmt: skip
    provider.reply((Head(),), (Head(200, {"content-type": "application/json"}), Raw(nb_json(whole))))
    output = agent(provider).run("Capital of France?")
    assert (output.content, output.metrics.total_tokens, output.metrics.model_calls) == ("Paris.", 7, 1)


def nb_json(value: Any) -> bytes:
    """JSON as bytes."""
    import json

    return json.dumps(value).encode()


EMPTY = "its stream was empty, and so was its answer without one"


@pytest.mark.parametrize("kind", [OpenAIChat, OpenAIResponses])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ((Head(),), EMPTY),
        ((Head(), data("[DONE]")), EMPTY),
        ((Head(), Drop(reset=False)), "dropped the connection"),
    ],
    ids=["nothing", "mark-only", "dropped"],
)
def test_nothing_twice_is_an_error_that_says_so(
    provider: ScriptedProvider, kind: Any, script: Any, said: str
) -> None:
    """A server that answers nothing, streaming or not, is not asked for ever, in either wire format."""
    provider.otherwise(script)
    model = kind(id="scripted-1", base_url=provider.base_url, api_key="k")
    output = Agent(model=model, limits=Limits(model_retries=0)).run("Well?")
    assert (output.stop_reason, len(provider.requests)) == ("error", 2)
    assert said in (output.error or "")


@pytest.mark.parametrize(
    "word", ["model_context_window_exceeded", "context_length_exceeded", "ContextLength"]
)
def test_a_reply_that_the_context_cut_is_told_from_one_at_its_limit(
    provider: ScriptedProvider, word: str
) -> None:
    """No text, half a typed answer or half a call: the context is full; a text that had come is an answer that was cut."""
    begun = chunk({"role": "assistant", "content": ""})
    provider.reply(
        (begun, *end(word)), (begun, chunk({"content": '{"n": 1'}), *end(word)), (begun, chunk({"content": "Half"}), *end(word))
    )  # fmt: skip
    check(agent(provider).run("nothing"))
    check(agent(provider, output_schema={"type": "object", "required": ["n"]}).run("typed"))
    text = agent(provider).run("text")
    assert (text.status.value, text.stop_reason, text.content) == ("completed", "max_output_tokens", "Half")


# ------------------------------------------------------------------------------------------- what helps


@pytest.mark.parametrize(
    ("tokens", "kept"), [(None, 4), (1000, 4), (220, 4), (219, 3), (165, 3), (55, 1), (54, 0), (0, 0)]
)
def test_history_tokens_keeps_the_newest_whole_turns(
    provider: ScriptedProvider, tokens: int | None, kept: int
) -> None:
    """The newest turns that fit by the estimate, none in part; a turn of 55 tokens is 100 bytes asked and 120 answered."""
    provider.otherwise(text_reply("y" * 120))
    for number in range(4):
        agent(provider).run(f"{number}" * 100, session_id="s")
    agent(provider, history_tokens=tokens).run("Next", session_id="s")
    sent = [message["content"] for message in provider.bodies[-1]["messages"]]
    assert sent[-1] == "Next"
    asked = [text[0] for text in sent[:-1] if text[0] != "y"]
    assert asked == [str(number) for number in range(4 - kept, 4)]
    assert len(sent) == 1 + 2 * kept


def test_both_bounds_of_the_history_hold(provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """`history_runs` and `history_tokens` together, the option's default from the settings, and in the forecast."""
    provider.otherwise(text_reply("y" * 120))
    for number in range(4):
        agent(provider).run(f"{number}" * 100, session_id="s")
    agent(provider, history_tokens=220, history_runs=2).run("Next", session_id="s")
    assert len(provider.bodies[-1]["messages"]) == 5
    monkeypatch.setenv("NBAGENT_HISTORY_TOKENS", "60")
    # what the run before left is the newest turn, of 31 tokens
    agent(provider).run("Last", session_id="s")
    assert [one["content"][0] for one in provider.bodies[-1]["messages"]] == ["N", "y", "L"]
    assert agent(provider).forecast("Well?", session_id="s").input_tokens < 70


def test_a_turn_with_tools_is_kept_or_left_out_whole(provider: ScriptedProvider) -> None:
    """A tool's call and its result never part."""

    def look(place: str) -> str:
        """Look somewhere."""
        return place * 100

    provider.reply(
        tool_reply(("look", {"place": "here"})), text_reply("done"), text_reply("ok"), text_reply("ok")
    )
    agent(provider, tools=[look]).run("Look", session_id="s")
    agent(provider, tools=[look], history_tokens=50).run("Next", session_id="s")
    assert [one["role"] for one in provider.bodies[2]["messages"]] == ["user"]
    agent(provider, tools=[look], history_tokens=500).run("Again", session_id="s")
    roles = [one["role"] for one in provider.bodies[3]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant", "user"]


def test_a_conversation_that_was_too_long_goes_on(provider: ScriptedProvider) -> None:
    """The run that failed left nothing in its session, and the next one with a bound is answered."""
    provider.reply(text_reply("one"), error(*SAID["openai"]), json_reply({"n": 1}))
    agent(provider).run("First", session_id="s")
    check(agent(provider).run("Second", session_id="s"))
    assert agent(provider, history_tokens=0).run("Third", session_id="s").status.value == "completed"
    assert [one["content"] for one in provider.bodies[-1]["messages"]] == ["Third"]
    assert issubclass(ContextExceededError, nb.ModelError)
