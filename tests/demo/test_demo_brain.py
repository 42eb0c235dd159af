"""What the demo model answers: tables of prompts, conversations and tools. Pure functions, no server."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nbagent.demo.brain import answer, find_schema
from nbagent.demo.request import Message, Reply, Request, Tool, ToolCall
from nbagent.demo.tokens import count_tokens, cut_tokens, split_pieces


def say(*texts: str, **options: Any) -> Reply:
    """Answer a conversation whose messages alternate between user and assistant."""
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[i % 2], text=text) for i, text in enumerate(texts))
    return answer(Request(messages=messages, **options))


def tool(name: str, description: str = "", *, optional: tuple[str, ...] = (), **parameters: Any) -> Tool:
    """Make a tool; a parameter is a type's name or a schema."""
    properties = {k: v if isinstance(v, dict) else {"type": v} for k, v in parameters.items()}
    required = [name for name in properties if name not in optional]
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(name=name, description=description, parameters=schema)


PRICE = tool("price", "Latest price of a stock.", ticker="string")
PRICES = tool("get_prices", "Latest prices.", tickers={"type": "array", "items": {"type": "string"}})
HISTORY = tool(
    "price_history",
    "Monthly prices.",
    symbol="string",
    start="string",
    end="string",
    optional=("start", "end"),
)
WEATHER = tool(
    "get_weather",
    "Weather in a city.",
    city="string",
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
    optional=("unit",),
)
MULTIPLY = tool("multiply", a="integer", b="integer")
CONVERT = tool("convert_currency", amount="number", from_currency="string", to_currency="string")
SEARCH = tool("web_search", "Search the web.", query="string")
BOOK = tool("book_table", "Book a restaurant table.", restaurant="string", people="integer", date="string")
DELETE = tool("delete_file", "Delete a file.", path="string")
DELEGATE = tool(
    "delegate_task",
    "Hand a task to a member of the team.",
    member={"type": "string", "enum": ["price_analyst", "news_researcher"]},
    task="string",
)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is the capital of France? Answer in one sentence.", "The capital of France is Paris."),
        ("what's the capital of the US", "The capital of the United States is Washington, D.C."),
        ("Capital of Japan?", "The capital of Japan is Tokyo."),
        (
            "What is the capital of Australia and Canada?",
            "The capital of Australia is Canberra. The capital of Canada is Ottawa.",
        ),
        ("What country is Oslo in?", "Oslo is in Norway."),
        ("What is the population of Japan?", "Japan has about 124 million people."),
        ("What is the currency of Brazil?", "The currency of Brazil is the real."),
        ("Which river flows through Paris?", "Paris lies on the Seine."),
        (
            "What is the tallest mountain in the world?",
            "The tallest mountain on Earth is Mount Everest, at 8,849 metres.",
        ),
        ("What is the longest river?", "The longest river in the world is the Nile, about 6,650 kilometres long."),
        ("What is 17 * 23?", "17 * 23 = 391."),
        ("What is 1000 times 1234?", "1000 * 1234 = 1,234,000."),
        ("What is 7 divided by 2?", "7 / 2 = 3.5."),
        ("What is the square root of 144?", "144 ** 0.5 = 12."),
        ("Summarize: The cat sat. The dog ran. The bird flew.", "The cat sat. The dog ran."),
        ("Classify as positive, negative or neutral: I hated this film.", "negative"),
        ("Classify: I love Paris", "positive"),
        ("Classify into billing, bug or shipping: The app crashes on start", "bug"),
        ("Say hello world", "hello world"),
        ("Answer with one word: what is the capital of Italy?", "The capital of Italy is Rome."),
        ("Describe Tokyo in one sentence.",
         "Tokyo is the capital of Japan on the Sumida, with about 14.1 million people."),
        ("Which is bigger, Tokyo or Paris?",
         "Tokyo is larger, with about 14.1 million people against 2.1 million in Paris."),
        ("My name is Ada.", "Nice to meet you, Ada."),
        ("The shop opens at nine and closes at five on weekdays. When does the shop close?",
         "The shop opens at nine and closes at five on weekdays."),
    ],
)  # fmt: skip
def test_prompts_have_known_answers(prompt: str, expected: str) -> None:
    """A known question has one answer, always the same."""
    assert say(prompt).text == expected


def test_several_questions_are_answered_in_order() -> None:
    """A prompt with several questions is answered in their order."""
    text = say("What is the tallest mountain? What is the deepest ocean trench? What is 2 + 2?").text
    places = [text.find(part) for part in ("Mount Everest, at 8,849", "Mariana Trench, about 10,935", "= 4.")]
    assert -1 not in places
    assert places == sorted(places)


def test_city_facts_name_every_city() -> None:
    """Facts about several cities come city by city."""
    text = say("Give me facts about Tokyo, Paris and New York").text
    assert [name for name in ("Japan", "Seine", "Statue of Liberty") if name not in text] == []


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the meaning of life?",
        "Explain Kubernetes",
        "",
        "   ",
        "\ud800",
        "1 + " * 9999,
        '{"type": ' * 9999,
    ],
)
def test_unknown_questions_get_an_honest_answer(prompt: str) -> None:
    """What the demo does not know, it says, and never fails."""
    assert say(prompt).text


@pytest.mark.parametrize(
    ("asked", "words"), [("5,000 words", 5000), ("a 300-word essay", 300), ("2k words", 2000)]
)
def test_long_writing_has_the_length_asked_for(asked: str, words: int) -> None:
    """A text has as many words as asked for, and is about its subject."""
    text = say(f"Write {asked} about the history of sailing.").text
    assert len(text.split()) == words
    assert "sailing" in text


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (("My name is Ada.", "Hi", "What is my name?"), "Your name is Ada."),
        (("What is 2 + 2?", "4", "What did I ask before?"), 'Before this you asked: "What is 2 + 2?"'),
        (
            ("my favourite colour is blue", "ok", "what is my favourite colour?"),
            "Your favourite colour is blue.",
        ),
        (("The code word is heron.", "ok", "What was the code word?"), "The code word is heron."),
        (("What is the capital of France?", "Paris", "And Germany?"), "The capital of Germany is Berlin."),
        (("Hello", "Hello!", "What is my name?"), "You have not told me your name."),
        (("Hi", "I said this.", "What did you say?"), "I said this."),
    ],
)
def test_the_conversation_is_remembered(talk: tuple[str, ...], expected: str) -> None:
    """Questions about the conversation are answered from its history."""
    assert say(*talk).text == expected


def test_a_cut_off_answer_goes_on_where_it_stopped() -> None:
    """A conversation that ends with part of the answer gets the rest of it."""
    whole = say("What is the capital of France?").text
    assert whole[:14] + say("What is the capital of France?", whole[:14]).text == whole
    assert whole[:14] + say("What is the capital of France?", whole[:14], "Continue.").text == whole


@pytest.mark.parametrize(
    ("prompt", "tools", "expected"),
    [
        ("What is the price of AAPL?", (WEATHER, PRICE, SEARCH), [("price", {"ticker": "AAPL"})]),
        ("How is Microsoft doing?", (PRICE,), [("price", {"ticker": "MSFT"})]),
        ("Compare AAPL and MSFT", (PRICE,), [("price", {"ticker": "AAPL"}), ("price", {"ticker": "MSFT"})]),
        ("Compare AAPL and MSFT", (PRICES,), [("get_prices", {"tickers": ["AAPL", "MSFT"]})]),
        (
            "Weather in Paris in celsius?",
            (PRICE, WEATHER),
            [("get_weather", {"city": "Paris", "unit": "celsius"})],
        ),
        ("Is it raining in Springfield?", (WEATHER,), [("get_weather", {"city": "Springfield"})]),
        ("What is 17 * 23?", (MULTIPLY,), [("multiply", {"a": 17, "b": 23})]),
        (
            "Convert 100 USD to EUR",
            (CONVERT,),
            [("convert_currency", {"amount": 100, "from_currency": "USD", "to_currency": "EUR"})],
        ),
        (
            "Show the price history of IBM from 2009-01-01 to March 2010",
            (HISTORY,),
            [("price_history", {"symbol": "IBM", "start": "2009-01-01", "end": "2010-03-01"})],
        ),
        (
            "What is the stock price of AAPL and the weather in Tokyo?",
            (PRICE, WEATHER),
            [("price", {"ticker": "AAPL"}), ("get_weather", {"city": "Tokyo"})],
        ),
        (
            "Get the price of NVDA and the latest news",
            (DELEGATE,),
            [
                ("delegate_task", {"member": m, "task": "Get the price of NVDA and the latest news"})
                for m in ("price_analyst", "news_researcher")
            ],
        ),
        ("Search the web for pandas 3", (SEARCH,), [("web_search", {"query": "pandas 3"})]),
        (
            "Book a table for 4 at Noma on 2026-12-01",
            (BOOK,),
            [("book_table", {"restaurant": "Noma", "people": 4, "date": "2026-12-01"})],
        ),
        ("Delete the file notes.txt", (DELETE, PRICE), [("delete_file", {"path": "notes.txt"})]),
        ("What is the capital of France?", (PRICE, WEATHER, SEARCH, MULTIPLY), []),
        ("What is the price of AAPL? Do not use any tools.", (PRICE,), []),
    ],
)
def test_tools_that_fit_are_called(prompt: str, tools: tuple[Tool, ...], expected: list[Any]) -> None:
    """A tool whose name and parameters fit the prompt is called, once per entity; others are not."""
    calls = say(prompt, tools=tools).tool_calls
    assert [(call.name, orjson.loads(call.arguments)) for call in calls] == expected
    assert len({call.call_id for call in calls}) == len(calls)


@pytest.mark.parametrize(
    ("prompt", "system", "asked"),
    [
        ("What is the capital of France, and the price of AAPL?", "", ["geo", "stocks", "writer"]),
        ("Ask the writer for a poem", "", ["writer"]),
        ("What is the price of a stock?", "with exactly one call of a tool", ["stocks"]),
        ("What is the price of AAPL?", "with exactly one call of a tool", ["stocks"]),
        ("Hm?", "with exactly one call of a tool", ["geo"]),
    ],
)
def test_a_leader_hands_out_the_whole_question(prompt: str, system: str, asked: list[str]) -> None:
    """With nothing but members to call it asks all, or those named, or the one that fits best; then it answers."""
    about = {"geo": "Knows capitals.", "stocks": "Knows the price of a stock.", "writer": "Writes."}
    tools = tuple(tool(f"delegate_to_{name}", text, task="string") for name, text in about.items())
    messages = (Message(role="system", text=system), Message(role="user", text=prompt))
    calls = answer(Request(messages=messages, tools=tools)).tool_calls
    assert [(call.name, orjson.loads(call.arguments)) for call in calls] == [
        (f"delegate_to_{name}", {"task": prompt}) for name in asked
    ]
    told = [Message(role="tool", text="So it is.", tool_call_id=call.call_id) for call in calls]
    made = (*messages, Message(role="assistant", text="", tool_calls=calls), *told)
    assert answer(Request(messages=made, tools=tools)).tool_calls == ()


def test_tool_choice_is_obeyed() -> None:
    """A named tool is called, "none" forbids, "required" calls the best one."""
    assert [c.name for c in say("Hello", tools=(PRICE, WEATHER), tool_choice="price").tool_calls] == ["price"]
    assert say("Price of AAPL?", tools=(PRICE,), tool_choice="none").tool_calls == ()
    assert len(say("Hello", tools=(PRICE, WEATHER), tool_choice="required").tool_calls) == 1


def test_without_parallel_calls_one_comes_at_a_time() -> None:
    """With parallel calls off each reply has one call, until all were made."""
    messages: list[Message] = [Message(role="user", text="Compare AAPL and MSFT")]
    seen = []
    while True:
        reply = answer(Request(messages=tuple(messages), tools=(PRICE,), parallel=False))
        if not reply.tool_calls:
            break
        assert len(reply.tool_calls) == 1
        seen.append(orjson.loads(reply.tool_calls[0].arguments)["ticker"])
        messages += after(reply, "12.5")
    assert seen == ["AAPL", "MSFT"]


def after(reply: Reply, *results: str) -> list[Message]:
    """Give the messages that follow a reply with tool calls."""
    said = Message(role="assistant", text="", tool_calls=reply.tool_calls)
    pairs = zip(reply.tool_calls, results, strict=True)
    return [said, *(Message(role="tool", text=text, tool_call_id=call.call_id) for call, text in pairs)]


def with_results(prompt: str, tools: tuple[Tool, ...], *results: str, **options: Any) -> Reply:
    """Ask, give the tools' results, and return the second reply."""
    question = Message(role="user", text=prompt)
    first = answer(Request(messages=(question,), tools=tools, **options))
    return answer(Request(messages=(question, *after(first, *results)), tools=tools, **options))


def test_results_are_quoted() -> None:
    """The answer after tool calls quotes each result and does not call again."""
    reply = with_results("Compare AAPL and MSFT", (PRICE,), "223.02", '{"price": 415.1, "currency": "USD"}')
    assert reply.tool_calls == ()
    assert reply.text == "The price for AAPL is 223.02. The price for MSFT: price 415.1, currency USD."


def test_a_tools_error_is_reported() -> None:
    """An error from a tool is said, not hidden, and the tool is not called again."""
    reply = with_results("Price of AAPL?", (PRICE,), "Error: KeyError: 'AAPL'")
    assert reply.text == "The tool price failed for AAPL: Error: KeyError: 'AAPL'."


def test_results_fill_the_schema() -> None:
    """Fields of a schema come from the results by name, lists of objects included."""
    schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "rows": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "symbol": {"type": "string"},
                        "last_price": {"type": "number"},
                        "months": {"type": "array", "items": {"type": "object", "properties": {
                            "month": {"type": "string"}, "price": {"type": "number"}}, "required": ["month", "price"]}},
                    },
                    "required": ["symbol", "last_price", "months"],
                },
            },
        },
        "required": ["summary", "rows"],
    }  # fmt: skip
    results = [
        orjson.dumps({"last_price": p, "months": [{"month": "2010-02", "price": p - 1}, {"month": "2010-03", "price": p}]})
        for p in (223.0, 28.8)
    ]  # fmt: skip
    reply = with_results("Compare AAPL and MSFT", (PRICE,), *(r.decode() for r in results), schema=schema)
    rows = orjson.loads(reply.text)["rows"]
    assert [(r["symbol"], r["last_price"], len(r["months"])) for r in rows] == [
        ("AAPL", 223.0, 2),
        ("MSFT", 28.8, 2),
    ]
    assert rows[1]["months"][0] == {"month": "2010-02", "price": 27.8}


def test_the_same_request_has_the_same_reply() -> None:
    """The brain is deterministic, call ids included."""
    assert say("Compare AAPL and MSFT", tools=(PRICE,)) == say("Compare AAPL and MSFT", tools=(PRICE,))


def test_a_foreign_tool_history_is_read() -> None:
    """Results whose calls were made by another model are answered from as well."""
    call = ToolCall(call_id="x1", name="get_price", arguments='{"ticker": "IBM"}')
    messages = (
        Message(role="user", text="How is IBM?"),
        Message(role="assistant", text="", tool_calls=(call,)),
        Message(role="tool", text="125", tool_call_id="x1"),
    )
    assert answer(Request(messages=messages)).text == "The price for IBM is 125."


def test_a_schema_in_the_prompt_is_found_and_filled() -> None:
    """Without a native schema, one that stands in the prompt or the instructions is filled."""
    schema = orjson.dumps(
        {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}
    )
    prompt = (
        f"What is the capital of Peru?\nAnswer only with JSON. JSON Schema:\n```json\n{schema.decode()}\n```"
    )
    assert orjson.loads(say(prompt).text) == {"capital": "Lima"}
    system = Message(role="system", text=f"Be brief. JSON Schema: {schema.decode()}")
    asked = Message(role="user", text="What is the capital of Peru?")
    assert orjson.loads(answer(Request(messages=(system, asked))).text) == {"capital": "Lima"}
    assert find_schema('data: {"a": 1} and {"type": "cat"}')[0] is None


@pytest.mark.parametrize(
    "text", ["", "a", "The capital of France is Paris.", " x  y\n\n z ", '{"a":[1,2,"b c"]}', "é漢字 🎉"]
)
def test_pieces_join_to_the_text(text: str) -> None:
    """The streamed pieces join to the text exactly, and cutting keeps whole tokens."""
    assert "".join(split_pieces(text)) == text
    assert cut_tokens(text, count_tokens(text)) == (text, False)
    assert text.startswith(cut_tokens(text, 2)[0])
    assert count_tokens(cut_tokens(text, 2)[0]) <= 2
