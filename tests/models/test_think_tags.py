"""Reasoning that stands in the text between tags: apart from the answer in pieces, text, history and typed answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import nbagent as nb
from nbagent.events import TextAdded, TextReclassified
from nbagent.models import OpenAIChat, OpenAIResponses, protocol
from nbagent.models.protocol import ReasoningDelta, TextDelta
from nbagent.models.replies.think_tags import ThinkTags, apart
from tests.provider import chat_wire, responses_wire

APART = [
    ("<think>I add.</think>3", "I add.", "3"),
    ("<think>\nI add.\n</think>\n\n3", "I add.", "3"),
    (" \n<think>I add.</think> 3 ", "I add.", "3 "),
    ("<think>\n\n</think>\n\n3", "", "3"),
    ("<think></think>", "", ""),
    ("<thought>I add.</thought>3", "I add.", "3"),
    ("<think>one</think>\n<think>two</think>3", "one\n\ntwo", "3"),
    ("I add.\n</think>\n\n3", "I add.", "3"),
    ("I add.</think>3", "I add.", "3"),
    ("I add. </think> 3", "I add.", "3"),
    ("\n</think>\n\n3", "", "3"),
    ("</think>3", "", "3"),
    ('set { n: to 3 }\n</think>\n{"n": 3}', "set { n: to 3 }", '{"n": 3}'),
    ("The user says `</think>`. So what.\n</think>\nYes.", "The user says `</think>`. So what.", "Yes."),
]
TEXT = [
    "3",
    "",
    "  \n",
    "a < b and <thin ice",
    "<this> is no tag",
    "Models write <think>...</think> before they answer.",
    "It ends with `</think>` there.",
    'It ends with "</think>" there.',
    "The tag </think> closes it.",
    "Look:\n```\n<think>\nx\n</think>\n```\nso.",
    "Look:\n```\nx\n</think>\n```\nso.",
    '{"html": "a</think>b"}',
    '["</think>"]',
    "```html\n</think>\n```",
]


def folded(pieces: list[str], *, whole: bool = True) -> tuple[str, str]:
    """Return reasoning and answer as whoever follows the pieces has them at the end."""
    tags = ThinkTags()
    thought = answer = ""
    for event in [one for piece in pieces for one in tags.feed(piece)] + tags.rest(whole=whole):
        if isinstance(event, TextDelta):
            answer += event.text
        elif isinstance(event, ReasoningDelta):
            thought += event.text
        else:
            answer = ""
    return thought, answer


@pytest.mark.parametrize(("text", "thought", "answer"), APART)
def test_a_block_at_the_start_is_reasoning(text, thought, answer):
    """A block at the very start is reasoning, also without its opening tag, however the text is cut into pieces."""
    assert apart(text, whole=True) == (thought, answer)
    for pieces in ([text], list(text), [text[:3], text[3:]], [text[:-4], text[-4:]]):
        live_thought, live_answer = folded(pieces)
        assert live_answer == answer
        assert "".join(live_thought.split()) == "".join(thought.split())


@pytest.mark.parametrize("text", TEXT)
def test_a_tag_in_the_middle_is_text(text):
    """What a text says of tags is text, also where it is JSON or code; nothing of it is taken back."""
    assert apart(text, whole=True) == ("", text)
    for pieces in ([text], list(text)):
        assert folded(pieces) == ("", text)


@given(
    st.lists(
        st.sampled_from([one for text, *_ in APART for one in (text, *text)] + TEXT + ["<", "</th"]),
        max_size=4,
    ),
    st.data(),
)
def test_any_cut_gives_the_same(parts, data):
    """The pieces add up to the same answer wherever the text is cut."""
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert folded(pieces)[1] == apart(text, whole=True)[1]


@pytest.mark.parametrize("text", ["<think>I add. 3", "<think>\n", "<think>The tag is unusual"])
def test_a_block_that_is_never_closed(text):
    """Cut by the limit it is reasoning; where the model ended by itself it is the answer, as all there is."""
    assert apart(text, whole=False) == (text.removeprefix("<think>").strip(), "")
    assert apart(text, whole=True) == ("", text)
    assert folded([text])[1] == text


class Answer(BaseModel):
    """A typed answer."""

    n: int


def agent(provider, wire: str, *pieces: str, **options) -> nb.Agent:
    """Return an agent whose model says these pieces."""
    words = chat_wire if wire == "chat" else responses_wire
    provider.otherwise(words.text_reply(*pieces))
    model = (OpenAIChat if wire == "chat" else OpenAIResponses)(id="qwen3", base_url=provider.base_url)
    return nb.Agent(model=model, **options)


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(
    "text",
    [
        '<think>Should I say {"n": 2}? No.</think>{"n": 3}',
        '<think>set { n: to 3 }</think>\n{"n": 3}',
        '<think>\nA JSON object like ["n"] ...\n</think>\n\n{"n": 3}',
        'Should I say {"n": 2}? No.\n</think>\n\n{"n": 3}',
    ],
)
def test_a_typed_answer_is_what_follows(provider, wire, text):
    """JSON in the reasoning is no answer: the one after it is taken, in one call."""
    run = agent(provider, wire, text, output_schema=Answer).start("q").wait(timeout=60)
    assert (run.status.value, run.content) == ("completed", Answer(n=3))
    assert len(provider.requests) == 1


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ('<think>Should I say {"n": 2}? No, I', Answer),
        ('<think>First ["n"], then {"n": 2}, or', Answer),
        ("<think>I will say yes", str | int),
    ],
)
def test_reasoning_that_never_ends_is_no_typed_answer(provider, wire, text, schema):
    """JSON amid reasoning that was never closed is a thought of the model: the run says that there is no answer."""
    run = agent(provider, wire, text, output_schema=schema).start("q").wait(timeout=60)
    assert (run.status.value, run.stop_reason) == ("error", "invalid_output")
    assert "only reasoning" in run.error


def test_text_is_taken_back_only_where_it_was_given():
    """A closing tag alone takes back what was shown as text; a whole block was never shown."""
    for text, *_ in APART:
        tags = ThinkTags()
        events = [one for piece in text for one in tags.feed(piece)] + tags.rest(whole=True)
        opens = text.strip().startswith(("<th", "</th"))
        assert any(isinstance(event, protocol.TextReclassified) for event in events) != opens


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(
    "pieces",
    [
        ["<th", "ink>I add", ".</th", "ink>\n\n", "It is ", "3"],
        ["\n<think>", "I add.", "</think>It is 3"],
        ["I add", ".\n</thi", "nk>\n", "\nIt is 3"],
    ],
)
def test_text_events_content_and_history_hold_the_answer_alone(provider, wire, pieces):
    """Who follows the events, reads the content, or goes on with the session, meets the answer without its reasoning."""
    made = agent(provider, wire, *pieces)
    run = made.start("q", session_id="s")
    text = ""
    for event in run.events():
        if isinstance(event, TextAdded):
            text += event.text
        elif isinstance(event, TextReclassified):
            text = ""
    output = run.wait(timeout=60)
    assert (text, run.text, output.content) == ("It is 3", "It is 3", "It is 3")
    assert (output.messages[-1].content, output.messages[-1].reasoning) == ("It is 3", "I add.")
    made.start("again", session_id="s").wait(timeout=60)
    assert "I add." not in str(provider.bodies[-1])
