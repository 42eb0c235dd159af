"""The words that servers end a reply with: the table, and what each does to a run, on both wire formats."""

from __future__ import annotations

import pytest

from nbagent import Agent
from nbagent.models.replies.finish_reasons import finish_word, meaning_of
from nbagent.spec import Limits
from tests.models.single_call import chat, reply_of, responses
from tests.provider import chat_wire, responses_wire
from tests.provider.chat_wire import begun, chunk, data, end, text, text_reply

MEANINGS = {
    "stop": ["stop", "STOP", "end_turn", "EOS", "eos_token", "stop_sequence", "FinishReason.STOP", "COMPLETE"],
    "length": [
        "length", "LENGTH", "MAX_TOKENS", "max_tokens", "maxTokens", "model_length", "FinishReason.MAX_TOKENS",
        "model_context_window_exceeded", "Max Tokens", "ERROR_LIMIT",
    ],
    "tool_calls": ["tool_calls", "TOOL_CALL", "function_call", "tool_use", "toolUse"],
    "content_filter": [
        "content_filter", "content_filter: SAFETY", "content_filter: RECITATION", "SAFETY", "RECITATION", "sensitive",
        "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "ContentFilter", "guardrail_intervened",
    ],
    "refusal": ["refusal", "Refused"],
    "broken_off": ["abort", "ABORT", "aborted", "network_error", "network-error", "cancelled", "USER_CANCEL"],
    "failed": ["error", "ERROR", "internal_error"],
    "overloaded": ["insufficient_system_resource"],
    "malformed": [
        "MALFORMED_FUNCTION_CALL", "function_call_filter: MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
        "malformed_tool_use", "malformed_model_output",
    ],
    "unknown": ["OTHER", "pause_turn", "LANGUAGE", "sunspots", "content?"],
}  # fmt: skip
WIRES = {"chat": (chat_wire, chat), "responses": (responses_wire, responses)}


@pytest.mark.parametrize(("meaning", "words"), MEANINGS.items())
def test_words(meaning, words):
    """Each word has its meaning however it is written; a compound has that of its more exact part."""
    assert {word: meaning_of(word) for word in words} == dict.fromkeys(words, meaning)


@pytest.mark.parametrize("said", ["", " ", "null", "None", "FINISH_REASON_UNSPECIFIED", None, False, {}])
def test_no_word(said):
    """What stands in every chunk of some servers is no finish reason."""
    assert finish_word(said) is None


@pytest.mark.parametrize("said", ["", "null", " ", "FINISH_REASON_UNSPECIFIED"])
def test_an_empty_word_ends_nothing(provider, said):
    """A chunk with an empty finish reason is followed by others: all of the text is the answer."""
    pieces = (chunk({"content": "one "}, finish=said), chunk({"content": "two"}, finish=said))
    provider.reply((*pieces, *end()))
    finished = reply_of(chat(provider))
    assert (finished.text, finished.finish_reason, finished.usage.total_tokens) == ("one two", "stop", 18)


def ended(provider, word: str, *pieces: str, retries: int = 3):
    """Return a run whose replies all end with that word."""
    provider.otherwise(text_reply(*pieces, finish=word))
    agent = Agent(model=chat(provider), limits=Limits(model_retries=retries))
    return agent.start("Go.").wait(60)


@pytest.mark.parametrize("pieces", [(), ("Half an ans",)], ids=["empty", "text"])
@pytest.mark.parametrize(
    ("word", "stop_reason", "says"),
    [
        ("content_filter: SAFETY", "content_filter", "content filter stopped the answer (content_filter: SAFETY)"),
        ("RECITATION", "content_filter", "content filter stopped the answer (RECITATION)"),
        ("sensitive", "content_filter", "content filter stopped the answer (sensitive)"),
        ("abort", "error", "broke off its reply for model 'scripted' (finish_reason 'abort')"),
        ("network_error", "error", "(finish_reason 'network_error')"),
        ("error", "error", "gave up in mid-answer and gave no details (finish_reason 'error')"),
        ("MALFORMED_FUNCTION_CALL", "error", "could not read (finish_reason 'MALFORMED_FUNCTION_CALL')"),
    ],
)  # fmt: skip
def test_ends_that_are_no_answer(provider, word, stop_reason, says, pieces):
    """A reply that ends in such a word is no answer, with text or without; the word is told and kept."""
    output = ended(provider, word, *pieces, retries=0)
    assert (output.status.value, output.stop_reason) == ("error", stop_reason)
    assert says in output.error
    assert output.content == "".join(pieces)
    (call,) = output.model_calls
    assert (call.server_finish_reason, call.usage.total_tokens) == (word, 18)


@pytest.mark.parametrize(("word", "stops"), [("sunspots", "error"), ("MAX_TOKENS", "max_output_tokens")])
def test_no_text_is_no_answer(provider, word, stops):
    """An empty answer is never a good end where a limit or an unknown word ended it."""
    output = ended(provider, word)
    assert (output.status.value, output.stop_reason) == ("error", stops)
    assert repr(word) in output.error
    assert len(provider.requests) == 1


def test_an_unknown_word_after_text(provider):
    """Text that ended in a word that nobody knows is kept as the answer, and the word is said."""
    output = ended(provider, "sunspots", "Par", "is")
    assert (output.status.value, output.stop_reason, output.content) == ("completed", "end", "Paris")
    assert output.model_calls[0].server_finish_reason == "sunspots"
    run = Agent(model=chat(provider)).start("Go.")
    run.wait(60)
    assert "finish_reason 'sunspots', which is not known" in " ".join(run.record.notices)


@pytest.mark.parametrize("word", ["abort", "network_error", "MALFORMED_FUNCTION_CALL"])
def test_words_that_are_tried_again(provider, word):
    """What broke off at the server is tried again like a dropped connection."""
    provider.reply(text_reply("Par", finish=word), text_reply("Paris"))
    output = Agent(model=chat(provider)).start("Go.").wait(60)
    assert (output.status.value, output.content) == ("completed", "Paris")
    assert [call.status for call in output.model_calls] == ["error", "completed"]


def test_a_malformed_call_is_asked_again_once(provider):
    """A tool call that the server could not read is asked for once more, not as often as a dropped connection."""
    output = ended(provider, "function_call_filter: MALFORMED_FUNCTION_CALL")
    assert output.status.value == "error"
    assert len(provider.requests) == 2


def test_a_call_that_never_came(provider):
    """A reply that ends for its tool calls and holds none, nor any text, is asked for once more."""
    provider.reply(text_reply(finish="tool_calls"), text_reply("Paris"))
    output = Agent(model=chat(provider)).start("Go.").wait(60)
    assert (output.content, len(provider.requests)) == ("Paris", 2)


@pytest.mark.parametrize("wire", WIRES)
def test_words_of_both_formats(provider, wire):
    """Each format has its own word for an end, which is kept beside ours."""
    words, model = WIRES[wire]
    provider.reply(words.text_reply("Paris"), words.stopped_reply("max_output_tokens", "Par"))
    model = model(provider)
    said = [reply_of(model).server_finish_reason, reply_of(model).server_finish_reason]
    assert said == {"chat": ["stop", "length"], "responses": ["completed", "max_output_tokens"]}[wire]


DONE = data("[DONE]")


@pytest.mark.parametrize("by", ["row", "message"])
def test_a_mark_without_a_word(provider, by):
    """Where the row says that no finish reason comes, the text up to the mark is whole, and that is said."""
    if by == "row":
        provider.reply((*begun(), *text("Par", "is"), DONE))
    else:  # the answer in one piece needs no mark
        provider.reply((data({"choices": [{"index": 0, "message": {"content": "Paris"}}]}), DONE))
    run = Agent(model=chat(provider, provider="gemini" if by == "row" else "openai-chat")).start("Go.")
    output = run.wait(60)
    assert (output.status.value, output.content, len(provider.requests)) == ("completed", "Paris", 1)
    assert "without a finish_reason" in " ".join(run.record.notices)


@pytest.mark.parametrize("script", [(*begun(), *text("Par")), (*begun(), DONE), (DONE,)])
def test_without_text_or_mark_even_there(provider, script):
    """Also where no finish reason comes, a stream without its mark, or without any text, ended early."""
    provider.reply(script, (*begun(), *text("Paris"), DONE))
    output = Agent(model=chat(provider, provider="gemini")).start("Go.").wait(60)
    assert (output.content, len(provider.requests)) == ("Paris", 2)


def test_the_habits_of_a_host_given_by_its_address(monkeypatch):
    """A server that is named by its base URL alone has the habits of the row whose host it is."""
    import asyncio

    from nbagent.models import OpenAIChat

    monkeypatch.setenv("OPENAI_API_KEY", "k")
    urls = {
        "https://generativelanguage.googleapis.com/v1beta/openai/": False,
        "https://generativelanguage.googleapis.com/v1/openai": False,
        "https://api.openai.com/v1": True,
        "http://127.0.0.1:1/v1": True,
    }
    targets = {url: asyncio.run(OpenAIChat(id="m", base_url=url).target()) for url in urls}
    assert {url: target.sends_finish_reason for url, target in targets.items()} == urls
