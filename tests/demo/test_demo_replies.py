"""What the demo model answers: rules, facts, tools and schemas. Pure functions, no server."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import orjson
import pytest
from pydantic import BaseModel

from nbagent.demo.replies import answer
from nbagent.demo.request import Reply, read_chat

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["city", "population"],
    "additionalProperties": False,
}


def request_of(*talk: Any, schema: Any = None, **body: Any) -> Any:
    """Make a request whose texts alternate between user and assistant; a dict is a message as it is."""
    messages = [
        said if isinstance(said, dict) else {"role": ("user", "assistant")[i % 2], "content": said}
        for i, said in enumerate(talk)
    ]
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "asked", "schema": schema}}
    return read_chat({"model": "assistant", "messages": messages} | body)


def say(*talk: Any, schema: Any = None, **body: Any) -> Reply:
    """Answer a conversation."""
    return answer(request_of(*talk, schema=schema, **body))


def tool(name: str, description: str = "", *optional: str, **parameters: Any) -> dict[str, Any]:
    """Make a tool; a parameter is a type's name or a schema."""
    properties = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in parameters.items()}
    required = [key for key in properties if key not in optional]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def called(reply: Reply) -> list[Any]:
    """Give the names and arguments of a reply's calls."""
    return [(call.name, orjson.loads(call.arguments)) for call in reply.tool_calls]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is the capital of France? Answer in one sentence.", "The capital of France is Paris."),
        ("what's the capital of the US", "The capital of the United States is Washington, D.C."),
        ("Australia and Canada: which capital?", "The capital of Australia is Canberra. The capital of Canada is Ottawa."),
        ("What is the population of the Netherlands?", "The Netherlands has about 18 million people."),
        ("Which river flows through Paris?", "Paris lies on the Seine."),
        ("What is the tallest mountain?", "The tallest mountain on Earth is Mount Everest, at 8,849 metres."),
        ("What is 17 * 23?", "17 * 23 = 391."),
        ("What is 1000 times 1234?", "1000 * 1234 = 1,234,000."),
        ("What is 7 divided by 2?", "7 / 2 = 3.5."),
        ("Say hello world", "hello world"),
        ("My name is Ada.", "Nice to meet you, Ada."),
        ("Thanks!", "You are welcome."),
        ("", "The message was empty, so there is nothing to answer."),
    ],
)  # fmt: skip
def test_a_scripted_prompt_has_one_answer(prompt: str, expected: str) -> None:
    """A prompt that the script or the facts cover has one answer, always the same."""
    assert say(prompt) == say(prompt) == Reply(expected)


@pytest.mark.parametrize(
    "prompt", ["Well?", "Prove it.", "What is 1 / 0?", "What is 2 + 3 * 4?", "Explain {braces}", "日本語で?"]
)
def test_what_has_no_script_is_said_with_the_lines_that_set_a_real_model(prompt: str) -> None:
    """An unknown prompt is not guessed at: the reply says what answers, and its last two lines set a real model."""
    text = say(prompt).text
    assert f'You asked: "{prompt}" I am nbagent\'s demo model' in text
    blank, key, model = text.splitlines()[
        -3:
    ]  # in Markdown a block of code: it is not run together with the text
    assert (blank, key[:4]) == ("", "    ")
    assert "OPENAI_API_KEY" in key
    assert model == '    %config NBAgent.model = "openai:gpt-5-mini"'


@pytest.mark.parametrize(
    ("length", "words"), [("40 words", 40), ("an essay of 2,500 words", 2500), ("a poem", 400)]
)
def test_a_text_has_as_many_words_as_asked_for(length: str, words: int) -> None:
    """A text has as many words as asked for, and is about its subject."""
    text = say(f"Write {length} about sailing.").text
    assert len(text.split()) == words
    assert "sailing" in text


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (("My name is Ada.", "Hi", "What is my name?"), "Your name is Ada."),
        (("My name is Ada.", "Hi", "Call me Grace.", "Hi", "What is my name?"), "Your name is Grace."),
        (("Hello", "Hello!", "What is my name?"), "You have not told me your name."),
        (("my favourite colour is blue", "ok", "what is my favourite colour?"), "You told me: blue."),
        (
            ("What is 2 + 2?", "4", "Thanks", "-", "What did I ask first?"),
            'First you asked: "What is 2 + 2?"',
        ),
        (("What did I ask first?",), "This is the first message of the conversation."),
        (("What is the capital of France?", "Paris", "And Germany?"), "The capital of Germany is Berlin."),
        (("Hi", "I said this.", "What did you say?"), "I said this."),
        (("What is the capital of France?", "The capital of"), " France is Paris."),
        (("What is the capital of France?", "The capital of", "Continue."), " France is Paris."),
    ],
)
def test_the_conversation_is_remembered(talk: tuple[str, ...], expected: str) -> None:
    """What was said before is answered from, and an answer that was cut off goes on where it stopped."""
    assert say(*talk).text == expected


PRICE = tool("price", "Latest price of a stock.", ticker="string")
WEATHER = tool(
    "get_weather", "Weather in a city.", "unit", city="string", unit={"enum": ["celsius", "fahrenheit"]}
)
HISTORY = tool("price_history", "Monthly prices.", "start", symbol="string", start="string")
SEARCH = tool("web_search", "Search the web.", query="string")
BOOK = tool("book_table", "Book a table.", restaurant="string", people="integer", date="string")
MULTIPLY = tool("multiply", a="integer", b="integer")
GEO = tool("delegate_to_geo", "Hand a task to 'geo'. You know capitals.", task="string")
STOCKS = tool("delegate_to_stocks", "Hand a task to 'stocks'. You know the price of a stock.", task="string")


@pytest.mark.parametrize(
    ("prompt", "tools", "expected"),
    [
        ("What is the price of AAPL?", (WEATHER, PRICE, SEARCH), [("price", {"ticker": "AAPL"})]),
        ("How is Microsoft doing?", (PRICE,), [("price", {"ticker": "MSFT"})]),
        ("Compare AAPL and IBM", (PRICE,), [("price", {"ticker": "AAPL"}), ("price", {"ticker": "IBM"})]),
        ("Weather in Paris in celsius?", (PRICE, WEATHER), [("get_weather", {"city": "Paris", "unit": "celsius"})]),
        ("Is it raining in Springfield?", (WEATHER,), [("get_weather", {"city": "Springfield"})]),
        ("What is 17 * 23?", (MULTIPLY,), [("multiply", {"a": 17, "b": 23})]),
        ("Price history of IBM from 2009-01-01", (HISTORY,), [("price_history", {"symbol": "IBM", "start": "2009-01-01"})]),
        ("Search the web for pandas 3", (SEARCH,), [("web_search", {"query": "pandas 3"})]),
        ("Book a table for 4 at Noma on 2026-12-01", (BOOK,),
         [("book_table", {"restaurant": "Noma", "people": 4, "date": "2026-12-01"})]),
        ("What is the capital of Peru?", (GEO, STOCKS), [(f"delegate_to_{one}", {"task": "What is the capital of Peru?"})
                                                         for one in ("geo", "stocks")]),
        ("Ask geo where Lima is", (GEO, STOCKS), [("delegate_to_geo", {"task": "Ask geo where Lima is"})]),
        ("What is the capital of France?", (PRICE, WEATHER, SEARCH, MULTIPLY), []),
        ("What is the price of AAPL? Do not use any tools.", (PRICE,), []),
    ],
)  # fmt: skip
def test_a_tool_is_chosen_by_its_words_and_filled_by_type(
    prompt: str, tools: tuple[Any, ...], expected: Any
) -> None:
    """A tool whose name or description the prompt asks for is called, once for each thing named; others are not."""
    reply = say(prompt, tools=list(tools))
    assert called(reply) == expected
    assert reply == say(prompt, tools=list(tools))  # its call ids too


def test_tools_are_called_as_allowed() -> None:
    """With "none" no tool is called, without parallel calls one at a time."""
    assert not say("price of AAPL?", tools=[PRICE], tool_choice="none").tool_calls
    assert len(say("Compare AAPL and IBM", tools=[PRICE], parallel_tool_calls=False).tool_calls) == 1


def with_results(prompt: str, tools: list[Any], *results: str, **body: Any) -> Reply:
    """Ask, give the tools' results, and return the second reply."""
    calls = say(prompt, tools=tools, **body).tool_calls
    asked = [{"id": c.call_id, "function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    said = [
        {"role": "tool", "tool_call_id": c.call_id, "content": r} for c, r in zip(calls, results, strict=True)
    ]
    return say(prompt, {"role": "assistant", "tool_calls": asked}, *said, tools=tools, **body)


def test_the_answer_after_tools_says_what_they_returned() -> None:
    """Results and errors are quoted, fill a schema's fields by their names, and no call is made twice."""
    assert with_results("Compare AAPL and IBM", [PRICE], "190.5", "Error: ValueError: closed").text == (
        "The price for AAPL is 190.5. The tool price failed for IBM: Error: ValueError: closed."
    )
    assert with_results("Weather in Paris?", [WEATHER], '{"city": "Paris", "degrees": 4}').text == (
        "The weather for Paris: degrees 4."
    )
    stock = {"type": "object", "properties": {"ticker": {"type": "string"}, "price": {"type": "number"}}}
    listed = {
        "type": "object",
        "properties": {"stocks": {"type": "array", "items": stock}},
        "required": ["stocks"],
    }
    text = with_results("Compare AAPL and IBM", [PRICE], "190.5", "125.55", schema=listed).text
    assert orjson.loads(text)["stocks"] == [
        {"ticker": "AAPL", "price": 190.5},
        {"ticker": "IBM", "price": 125.55},
    ]


class Node(BaseModel):
    """A recursive type."""

    label: str
    children: list[Node]
    parent: Node | None


SCHEMAS = [
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "string", "minLength": 20, "maxLength": 30},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "email"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "integer", "minimum": 5, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "maximum": -3},
    {"enum": [3, "x", None]},
    {"const": {"a": 1}},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {
        "allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}],
        "required": ["b"],
    },
    {"type": ["string", "null"]},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    CITY,
    Node.model_json_schema(),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: str(schema)[:50])
@pytest.mark.parametrize("prompt", ["Give me facts about Tokyo and Cairo.", "Hm?"])
def test_a_schema_is_filled_validly(schema: dict[str, Any], prompt: str) -> None:
    """Whatever the prompt, the answer is valid for the schema: known values, else examples."""
    value = orjson.loads(say(prompt, schema=schema).text)
    assert jsonschema_rs.is_valid(schema, value, validate_formats=True), value


@pytest.mark.parametrize(
    ("prompt", "properties", "expected"),
    [
        ("Facts about Rome.", {"name": "string", "founded": "integer"}, {"name": "Rome", "founded": -753}),
        ("What is the capital of Peru?", {"country": "string", "capital": "string"}, {"country": "Peru", "capital": "Lima"}),
        ("Classify: I hated this film.", {"sentiment": {"enum": ["positive", "negative"]}}, {"sentiment": "negative"}),
        ("Which kind is Lea County?", {"kind": {"enum": ["county", "other"]}}, {"kind": "county"}),
        ("Which kind is Padgham?", {"kind": {"enum": ["county", "other"]}}, {"kind": "other"}),
        ("quantity: 12, city is Oslo", {"quantity": "integer", "city": "string"}, {"quantity": 12, "city": "Oslo"}),
        ("What is 6 * 7?", {"answer": "string"}, {"answer": "6 * 7 = 42."}),
        ("Hm?", {"colour": "string", "size": "number"}, {"colour": "example", "size": 1}),
        ("Hm?", {"answer": "string"}, {"answer": "The demo model does not know this."}),
        ("Hm?", {"size": {"anyOf": [{"type": "number"}, {"type": "null"}]}}, {"size": None}),
        ("Hm?", {"tags": {"type": "array", "items": {"type": "string"}}}, {"tags": []}),
    ],
)  # fmt: skip
def test_fields_take_known_values_and_else_plain_examples(
    prompt: str, properties: Any, expected: Any
) -> None:
    """A field is filled from facts and the prompt's words; what is not known is null, an empty list or an example."""
    parts = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in properties.items()}
    schema = {"type": "object", "properties": parts, "required": list(parts)}
    assert orjson.loads(say(prompt, schema=schema).text) == expected


@pytest.mark.parametrize("pattern", ["^Q[0-9]{9}$", "^(?=x)x{7}$", "^§+$"])
def test_a_schema_without_an_example_is_said_to_have_none(pattern: str) -> None:
    """Where no example fits, the reply says so instead of a value that is not valid."""
    assert (
        "know no example that fits your output schema"
        in say("Hm", schema={"type": "string", "pattern": pattern}).text
    )


@pytest.mark.parametrize(
    "schema", [CITY, {"type": "array", "items": {"type": "string"}}, {"type": "string"}, {"type": "integer"}]
)
def test_badjson_is_invalid_until_a_repair_is_asked_for(schema: dict[str, Any]) -> None:
    """A spoiled reply does not fit its schema; the one after a repair message is right."""
    right = say("Facts about Rome", schema=schema)
    broken = say("Facts about Rome", schema=schema, model="badjson").text
    try:
        assert not jsonschema_rs.is_valid(schema, orjson.loads(broken))
    except orjson.JSONDecodeError:
        assert broken != right.text
    told = ("Facts about Rome", '{"city": 1}', "That is not valid: use the schema.")
    assert say(*told, schema=schema, model="badjson") == right
