"""What of earlier turns goes back to a provider: as it came, repaired where servers parse it, left out where refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbagent as nb
from nbagent.errors import ProviderRefusedError
from nbagent.events import Message, ToolRequest
from nbagent.models import ModelRequest, OpenAIChat, OpenAIResponses, provider_row
from nbagent.models.capabilities import RequestOptions
from nbagent.models.openai.chat import chat_body
from nbagent.models.openai.responses import responses_body
from nbagent.models.wire.request_content import sent_arguments
from tests.models.single_call import chat, reply_of, request, stream
from tests.provider import responses_wire
from tests.provider.chat_wire import chunk, end, text_reply
from tests.provider.steps import error

ROW = provider_row("openai-chat")
ASKED = Message(role="user", content="1 + 2?")
SIGNED = {"google": {"thought_signature": "SIG"}}


def turn(content: str = "", arguments: str = "{}", result: str = "3", **fields: Any) -> tuple[Message, ...]:
    """Return a question, a call of a tool, and its result."""
    asked = ToolRequest(tool_call_id="c1", name="add", arguments=arguments)
    return (
        ASKED,
        Message(role="assistant", content=content, tool_requests=(asked,), **fields),
        Message(role="tool", content=result, tool_call_id="c1", name="add"),
    )


def sent_in_chat(*messages: Message, provider: str = "openai-chat", **plan: Any) -> list[dict[str, Any]]:
    """Return the messages of a Chat Completions request."""
    return chat_body(ModelRequest(messages=messages), "m", provider_row(provider), RequestOptions(**plan))[
        "messages"
    ]


def sent_as_items(*messages: Message) -> list[dict[str, Any]]:
    """Return the input of a Responses request."""
    return responses_body(ModelRequest(messages=messages), "m", ROW, RequestOptions())["input"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("null", {}),
        (' \n{"a": [1, {"b": null}]} ', {"a": [1, {"b": None}]}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}),
        ('{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        ('{"a": 1, "b": ', {"unreadable_arguments": '{"a": 1, "b": '}),
        ("[1, 2]", {"unreadable_arguments": "[1, 2]"}),
        ("5", {"unreadable_arguments": "5"}),
        ('"Paris"', {"unreadable_arguments": '"Paris"'}),
        ("{'a': 1}", {"unreadable_arguments": "{'a': 1}"}),
        ("city=Paris", {"unreadable_arguments": "city=Paris"}),
    ],
)
def test_arguments_are_sent_as_one_object(written, sent):
    """Whatever a model wrote as arguments, the history that is sent has a JSON object there, in both formats."""
    messages = turn(arguments=written)
    chat_text = sent_in_chat(*messages)[1]["tool_calls"][0]["function"]["arguments"]
    item_text = sent_as_items(*messages)[1]["arguments"]
    assert json.loads(chat_text) == json.loads(item_text) == sent
    replayed = {
        "maker": "openai-chat:m",
        "item": {"type": "function_call", "call_id": "c1", "arguments": written},
    }
    (item,) = sent_as_items(Message(role="assistant", provider_items=(replayed,)))
    assert json.loads(item["arguments"]) == sent


@given(st.text() | st.sampled_from(['{"a":', "\ud800", '{"\ud800": "\udfff"}', "[" * 2000, '{"a":' * 2000]))
def test_any_arguments_can_be_sent(written):
    """There is no text of which no object can be made that strict parsers take."""
    sent = sent_arguments(written)
    assert isinstance(json.loads(sent), dict)
    sent.encode()


@pytest.mark.parametrize("content", ["", " ", "\n"])
@pytest.mark.parametrize("result", ["", " ", "\n\t"])
def test_nothing_is_sent_as_empty_text(content, result):
    """Beside tool calls stands null, for a result without text a word: strict gateways refuse empty text."""
    _, called, told = sent_in_chat(*turn(content=content, result=result))
    assert called["content"] is None
    assert told["content"] == "(no output)"
    assert sent_as_items(*turn(content=content, result=result))[-1]["output"] == "(no output)"
    silent = Message(role="assistant", content="")
    assert (
        sent_in_chat(ASKED, silent)[1]["content"] == sent_as_items(ASKED, silent)[1]["content"] == "(no text)"
    )


def call(**fields: Any) -> dict[str, Any]:
    """Return a delta with a whole tool call."""
    return {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{}"}} | fields]}


def sent_back(server, *deltas: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return a reply of these deltas as the model is sent it with the result of its tool."""
    server.reply((*(chunk(delta) for delta in deltas), *end("tool_calls")), text_reply("3"))
    model = chat(server, **options)
    reply = reply_of(model)
    answer = Message(
        role="assistant",
        content=reply.text,
        tool_requests=reply.tool_requests,
        reasoning=reply.reasoning,
        provider_items=reply.provider_items,
    )
    stream(model, request(messages=(ASKED, answer, Message(role="tool", content="3", tool_call_id="c1"))))
    return server.bodies[-1]["messages"][1]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
@pytest.mark.parametrize("model", ["kimi-k2.5", "qwen3", "deepseek-v4"])
def test_reasoning_goes_back_in_the_field_it_came_in(provider, field, model):
    """A model by base_url alone that streams reasoning is sent it back with the tool turn, in the same field."""
    sent = sent_back(provider, {field: "I "}, {field: "add."}, call(), id=model)
    assert sent[field] == "I add."


@pytest.mark.parametrize(
    "details",
    [
        [[{"type": "reasoning.text", "text": "I ", "index": 0}], [{"type": "reasoning.text", "text": "add.", "index": 0}]],
        [[{"type": "reasoning.text", "text": "I add.", "index": 0}], [{"type": "reasoning.text", "signature": "S", "index": 0}]],
        [[{"type": "reasoning.text", "text": "I add."}, {"type": "reasoning.encrypted", "data": "X", "id": "c1"}]],
    ],
)  # fmt: skip
def test_reasoning_details_go_back_whole(provider, details):
    """OpenRouter's details go back joined, signatures and encrypted parts with them, instead of the text."""
    sent = sent_back(
        provider,
        *({"reasoning": "hm", "reasoning_details": one} for one in details),
        call(),
        provider="openrouter",
    )
    assert "reasoning" not in sent
    assert "".join(one.get("text", "") for one in sent["reasoning_details"]) == "I add."
    for name in ("signature", "data"):
        given_ = [one[name] for pieces in details for one in pieces if name in one]
        assert [one[name] for one in sent["reasoning_details"] if name in one] == given_


@pytest.mark.parametrize(
    ("deltas", "of_call", "of_message"),
    [
        ([call(extra_content=SIGNED)], SIGNED, None),
        ([call(), {"content": "", "extra_content": SIGNED}], None, SIGNED),
        ([{"content": "I add.", "extra_content": {"google": {"thought": True}}}, call(extra_content=SIGNED)], SIGNED, None),
        ([call(), {"tool_calls": [{"index": 0, "extra_content": SIGNED}]}], SIGNED, None),
    ],
)  # fmt: skip
def test_thought_signatures_go_back(provider, deltas, of_call, of_message):
    """Gemini's signatures go back where they came, on the call or on the message; its mark of a thought does not."""
    sent = sent_back(provider, *deltas, id="gemini-3-pro")
    assert sent["tool_calls"][0].get("extra_content") == of_call
    assert sent.get("extra_content") == of_message


def test_what_another_model_made_is_not_sent():
    """Reasoning and signatures of one provider are nothing to another; Gemini's go from one of its models to the next."""
    made = {
        "maker": "openai-chat:other",
        "chat": {"reasoning_field": "reasoning", "calls": {"c1": {"extra_content": SIGNED}}},
    }
    messages = turn(reasoning="I add.", provider_items=(made,))
    here, elsewhere = sent_in_chat(*messages)[1], sent_in_chat(*messages, provider="openrouter")[1]
    assert "reasoning" not in here | elsewhere
    assert here["tool_calls"][0]["extra_content"] == SIGNED
    assert "extra_content" not in elsewhere["tool_calls"][0]
    assert sent_as_items(*messages)[1]["type"] == "function_call"


@pytest.mark.parametrize("provider_name", ["groq"])
def test_providers_that_refuse_reasoning_are_sent_none(provider, provider_name):
    """Groq refuses a message with reasoning: it is not sent any, also not its own."""
    assert "reasoning" not in sent_back(provider, {"reasoning": "I add."}, call(), provider=provider_name)


@pytest.mark.parametrize("reasoning", ["I add.", None])
def test_deepseek_always_gets_the_field(reasoning):
    """DeepSeek refuses a tool turn without the field, also one that had no reasoning."""
    sent = sent_in_chat(*turn(reasoning=reasoning), provider="deepseek")[1]
    assert sent["reasoning_content"] == (reasoning or " ")


@pytest.mark.parametrize(
    ("field", "refusal"),
    [
        ("reasoning_content", error(400, "'messages.1' : property 'reasoning_content' is unsupported")),
        ("reasoning", error(400, "for 'role:assistant' the following must be satisfied: property 'reasoning' is unsupported")),
        ("reasoning_content", error(422, [{"type": "extra_forbidden", "loc": ["body", "messages", 1, "reasoning_content"]}])),
        ("extra_content", error(400, "Unrecognized request argument supplied: extra_content")),
    ],
)  # fmt: skip
def test_a_server_that_refuses_the_field_is_not_sent_it_again(provider, field, refusal):
    """Where a server refuses what it sent itself, the request is put without it, now and from then on."""
    own = {"reasoning_field": field} if "reasoning" in field else {"extra": {field: SIGNED}}
    made = {"maker": "openai-chat:scripted", "chat": own}
    messages = turn(reasoning="I add.", provider_items=(made,))
    provider.reply(refusal, text_reply("3"), text_reply("3"))
    model = chat(provider)
    for _ in range(2):
        stream(model, request(messages=messages))
    assert [field in body["messages"][1] for body in provider.bodies] == [True, False, False]


@pytest.mark.parametrize(
    "said",
    [
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
        "The reasoning_content in the thinking mode must be passed back to the API.",
        "Missing reasoning_content field in the assistant message at message index 2.",
    ],
)
def test_a_server_that_misses_the_field_gets_it(provider, said):
    """Where a turn's reasoning is not known to be this server's, and it asks for it, it is sent: a blank for none."""
    provider.reply(error(400, said), text_reply("3"))
    stream(chat(provider), request(messages=turn(reasoning="I add.")))
    assert [body["messages"][1].get("reasoning_content") for body in provider.bodies] == [None, "I add."]


def test_a_refusal_of_something_else_changes_nothing(provider):
    """A 400 about anything else is one request, whatever the history holds."""
    provider.otherwise(error(400, "reasoning_effort must be low"))
    with pytest.raises(ProviderRefusedError):
        stream(chat(provider), request(messages=turn(reasoning="I add.")))
    assert len(provider.requests) == 1


BROKEN = ['{"a": 1, "b": ', "[1, 2]", "a=1", '{"a": 1,}']


def _reads_arguments(asked) -> Any:
    """Answer as a server that parses the arguments of the history."""
    called = [
        text
        for message in asked.body.get("messages", []) + list(asked.body.get("input", []))
        for text in (
            [one["function"]["arguments"] for one in message.get("tool_calls") or []]
            + [message["arguments"] for _ in range("arguments" in message)]
        )
    ]
    try:
        parsed = [json.loads(text) for text in called]
    except ValueError as fault:
        return error(500, f"Failed to parse tool call arguments as JSON: {fault}")
    if not all(isinstance(one, dict) for one in parsed):
        return error(400, "arguments must be an object")
    return text_reply("3") if "messages" in asked.body else responses_wire.text_reply("3")


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_a_later_run_of_the_session_is_not_refused(provider, broken, wire):
    """Broken arguments end neither the run nor a later one of its session; the record keeps them as they came."""

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    if wire == "chat":
        model: Any = OpenAIChat(id="m", base_url=provider.base_url)
        function = {"name": "add", "arguments": broken}
        first = (chunk({"tool_calls": [{"index": 0, "id": "c1", "function": function}]}), *end("tool_calls"))
    else:
        model = OpenAIResponses(id="m", base_url=provider.base_url)
        first = (
            responses_wire.created(),
            responses_wire.end("completed", responses_wire.call("add", broken)),
        )
    provider.reply(first)
    provider.otherwise(_reads_arguments)
    agent = nb.Agent(model=model, tools=[add])
    runs = [agent.start(text, session_id="s").wait(timeout=60) for text in ("1 + 2?", "again?")]
    assert [run.status.value for run in runs] == ["completed", "completed"]
    assert [call.arguments for call in runs[0].tool_calls] == [broken]
