"""Text of others, printed: no sequence that a terminal would act on."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbagent import Agent, Limits, OpenAIChat, Panel
from nbagent.core.terminal_text import PrintablePieces, printable
from nbagent.magics.streaming import stream
from tests.provider import chat_wire
from tests.provider.steps import error

HOSTILE = {
    "colour": "a\x1b[31mb\x1b[0mc",
    "clear": "a\x1b[2J\x1b[Hbc",
    "title": "a\x1b]0;owned\x07bc",
    "clipboard": "a\x1b]52;c;ZXZpbA==\x1b\\bc",
    "link": "a\x1b]8;;http://evil\x1b\\b\x1b]8;;\x1b\\c",
    "device": 'a\x1bP$q"p\x1b\\bc',
    "C1": "a\x9b31mb\x9d0;owned\x9cc",
    "keypad": "a\x1b=b\x1b(0c",
    "backspace": "a\x08b\x7fc",
    "over the line": "a\rb\x00c",
    "bell": "a\x07b\x0bc",
    "direction": "a\u202eb\u2066c",
    "status report": "a\x1b[6nb\x1bcc",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_control_sequences_are_dropped(text):
    """What is meant for a terminal goes, what is meant for a reader stays."""
    assert printable(text) == "abc"


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "Zürich 東京 👩‍👩‍👧 é", "\r\nline", ""])
def test_text_stays(text):
    """Line ends, tabs and letters of any kind are text."""
    assert printable(text) == text.replace("\r\n", "\n")


@given(st.text(st.sampled_from("ab\x1b[]0;m\x07\\\x9b\x9c1Pn\n")), st.integers(1, 5))
def test_pieces_are_cut_anywhere(text, size):
    """However text is cut, no control character comes through."""
    pieces = PrintablePieces()
    shown = "".join(pieces.take(text[at : at + size]) for at in range(0, len(text), size))
    assert not set(shown) & set("\x1b\x07\x9b\x9c")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_sequences_cut_between_pieces_are_dropped(text):
    """A sequence that comes letter by letter is one all the same."""
    pieces = PrintablePieces()
    assert "".join(map(pieces.take, [*text, "\n"])) == "abc\n"


@pytest.fixture
def agent(provider):
    """An agent on the scripted provider."""
    model = OpenAIChat(id="scripted-1", base_url=provider.base_url, api_key="not-needed")
    return Agent(model=model, limits=Limits(model_retries=0))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_printed_of_a_run_holds_none(agent, provider, text):
    """Streaming, `print(output)` and the table print text only; the answer itself is as it came."""
    provider.reply(chat_wire.text_reply(*text))
    with redirect_stdout(io.StringIO()) as printed:
        run = agent.start(f"hi {text}", label=None)
        stream(run)
        print(run.output)
        print(Panel())
    assert run.content == text
    assert printable(printed.getvalue()) == printed.getvalue()
    assert "abc" in printed.getvalue()


def test_an_errors_text_holds_none(agent, provider):
    """A server's words in an error are words."""
    provider.reply(error(400, "no \x1b[31mway\x1b]0;owned\x07 in"))
    assert "no way in" in agent.start("hi").wait(timeout=60).error
