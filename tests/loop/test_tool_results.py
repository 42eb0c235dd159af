"""What a model is told of what a tool returned: iterators are read, pictures and documents go as files."""

from __future__ import annotations

import base64
import io
import itertools
import json
from collections import OrderedDict, deque
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

import nbagent as nb
from nbagent.events import NoticeGiven
from nbagent.loop.tool_results import MOST_VALUES, tool_result_of
from nbagent.models import OpenAIChat, OpenAIResponses
from tests.provider import chat_wire, responses_wire
from tests.provider.steps import error

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
PDF = b"%PDF-1.4\n%\xe2\xe3"


def figure() -> Figure:
    """Return a small figure, made without pyplot."""
    made = Figure(figsize=(1, 1))
    made.subplots().plot([1, 2])
    return made


class ShownByIPython:
    """An object that shows itself as IPython's images do: base64, with metadata."""

    def _repr_png_(self) -> tuple[str, dict[str, int]]:
        return base64.b64encode(PNG).decode(), {"width": 1}


def asked_for(provider, wire: str, *calls: str) -> Any:
    """Let the model call these tools, then answer; return it."""
    if wire == "chat":
        parts = [
            {"index": number, "id": f"c{number}", "function": {"name": name, "arguments": "{}"}}
            for number, name in enumerate(calls)
        ]
        provider.reply((chat_wire.chunk({"tool_calls": parts}), *chat_wire.end("tool_calls")))
        provider.otherwise(chat_wire.text_reply("done"))
        return OpenAIChat(id="m", base_url=provider.base_url)
    items = [responses_wire.call(name, "{}", number) for number, name in enumerate(calls)]
    provider.reply((responses_wire.created(), responses_wire.end("completed", *items)))
    provider.otherwise(responses_wire.text_reply("done"))
    return OpenAIResponses(id="m", base_url=provider.base_url)


def pictures_sent(body: dict[str, Any]) -> list[str]:
    """Return the data URLs in a request, in order, of either format."""
    found = []
    for message in body.get("messages", body.get("input", [])):
        content = message.get("content") if "messages" in body else message.get("output")
        for part in content if isinstance(content, list) else []:
            image = part.get("image_url")
            found += [image["url"] if isinstance(image, dict) else image] if image else []
            found += [part[name] for name in ("file_data",) if name in part]
            found += [part["file"]["file_data"]] if "file" in part else []
    return found


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(
    ("returned", "media_type", "files"),
    [
        (lambda: PNG, "image/png", 1),
        (lambda: bytearray(b"\xff\xd8\xff\xe0jpeg"), "image/jpeg", 1),
        (lambda: memoryview(b"GIF89a..."), "image/gif", 1),
        (lambda: PDF, "application/pdf", 1),
        (figure, "image/png", 1),
        (lambda: figure().axes[0], "image/png", 1),
        (lambda: Image.new("RGB", (2, 2)), "image/png", 1),
        (ShownByIPython, "image/png", 1),
        (lambda: {"mean": 3, "plot": figure()}, "image/png", 1),
        (lambda: ["two of them", PNG, (PNG,)], "image/png", 2),
        (lambda: (PNG for _ in range(3)), "image/png", 3),
    ],
)
def test_pictures_and_documents_reach_the_model(provider, wire, returned, media_type, files):
    """Bytes of a known kind, figures and images go as files, beside a text that names them; the record keeps them."""

    def draw():
        """Draw."""
        return returned()

    agent = nb.Agent(model=asked_for(provider, wire, "draw"), tools=[draw])
    output = agent.start("q").wait(timeout=60)
    assert output.status.value == "completed"
    sent = pictures_sent(provider.bodies[-1])
    assert len(sent) == files
    assert all(one.startswith(f"data:{media_type};base64,") for one in sent)
    (told,) = [message for message in output.messages if message.role == "tool"]
    assert [part.media_type for part in told.files] == [media_type] * files
    assert told.content.count("[file draw-") == files
    kept = nb.sql("select files from messages where role = 'tool' and run_id = ?", [output.run_id]).files[0]
    assert len(json.loads(kept)) == files


def test_files_follow_all_results_of_a_turn(provider):
    """Chat Completions has text alone in tools' messages: the files of a turn come after all of them, as a user's."""

    def one() -> bytes:
        """Draw."""
        return PNG

    def two() -> bytes:
        """Draw."""
        return PDF

    nb.Agent(model=asked_for(provider, "chat", "one", "two"), tools=[one, two]).start("q").wait(timeout=60)
    messages = provider.bodies[-1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert all(isinstance(message["content"], str) for message in messages[2:4])
    assert [part["type"] for part in messages[4]["content"]] == ["text", "image_url", "file"]


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "This model does not support image input"),
        (400, "messages[3]: unknown variant `image_url`, expected `text`"),
        (404, "No endpoints found that support image input"),
        (422, "messages.3.content: Input should be a valid string"),
    ],
)
def test_a_model_that_takes_no_pictures_is_told_so(provider, wire, status, said):
    """Where a model refuses the files it is asked without them, and the person is told; the run does not fail."""

    def draw() -> bytes:
        """Draw."""
        return PNG

    model = asked_for(provider, wire, "draw")
    refused = error(status, said)
    reply = chat_wire.text_reply("done") if wire == "chat" else responses_wire.text_reply("done")
    provider.otherwise(lambda asked: refused if pictures_sent(asked.body) else reply)
    run = nb.Agent(model=model, tools=[draw]).start("q")
    notices = [event.text for event in run.events() if isinstance(event, NoticeGiven)]
    assert run.wait(timeout=60).status.value == "completed"
    assert any("takes no files that tools return" in notice for notice in notices)
    assert "cannot be shown to you" in json.dumps(provider.bodies[-1])
    assert len(provider.requests) == 3


def numbers(count: int):
    """Yield so many numbers."""
    yield from range(count)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda: numbers(3), "[0, 1, 2]"),
        ({"a": 1, "b": 2}.values, "[1, 2]"),
        ({"a": 1}.items, '[["a", 1]]'),
        (lambda: OrderedDict(a=1).keys(), '["a"]'),
        (lambda: map(str, [1, 2]), '["1", "2"]'),
        (lambda: filter(None, [0, 1]), "[1]"),
        (lambda: zip("ab", [1, 2], strict=True), '[["a", 1], ["b", 2]]'),
        (lambda: iter(["x"]), '["x"]'),
        (lambda: deque([1, 2]), "[1, 2]"),
        (lambda: range(3), "[0, 1, 2]"),
        (lambda: {"rows": numbers(2), "more": [numbers(1)]}, '{"rows": [0, 1], "more": [[0]]}'),
        (lambda: b"plain text", "plain text"),
        (lambda: io.BytesIO(b"x"), "x"),
        (lambda: io.StringIO("a,b\n1,2"), "a,b\n1,2"),
        (lambda: {"report": io.BytesIO(b"x")}, '{"report": "x"}'),
    ],
)
def test_iterators_are_read(returned, told):
    """Generators, views of a dict and other iterators are read before they are told, also inside of a list or dict."""
    assert tool_result_of(returned(), "f").text == told


@pytest.mark.parametrize(
    "endless", [itertools.count, lambda: iter(int, 1), lambda: (x for x in itertools.repeat(0))]
)
def test_an_endless_iterator_is_read_in_part(endless):
    """No more is read than can be told, and the model is told that there is more."""
    values = json.loads(tool_result_of(endless(), "f").text)
    assert len(values) == MOST_VALUES + 1
    assert "the rest was not read" in values[-1]


async def counted():
    """Yield without an end."""
    number = 0
    while True:
        yield number
        number += 1


def yields():
    """Yield two numbers."""
    yield 1
    yield 2


def fails():
    """Yield, then fail."""
    yield 1
    raise KeyError(5)


async def gives_generator():
    """Return an async generator."""
    return counted()


@pytest.mark.parametrize(
    ("tool", "status", "told"),
    [
        (yields, "completed", "[1, 2]"),
        (counted, "completed", "the rest was not read"),
        (gives_generator, "completed", "the rest was not read"),
        (fails, "error", "KeyError: 5"),
    ],
)
def test_a_function_that_yields_is_a_tool(provider, tool, status, told):
    """Generator functions, async ones too, are tools; one that fails while it is read has failed."""
    agent = nb.Agent(model=asked_for(provider, "chat", tool.__name__), tools=[tool])
    output = agent.start("q").wait(timeout=60)
    (call,) = output.tool_calls
    assert call.status == status
    assert told in (call.result or "") + (call.error or "")


class Broken:
    """Cannot be drawn."""

    def savefig(self, *_: object, **__: object) -> None:
        raise ValueError("no canvas")


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (lambda: b"\x00\x01\x02", "3 bytes of no kind"),
        (Broken, "a Broken that cannot be drawn (ValueError: no canvas)"),
        (lambda: [PNG + b"0" * 16_000_000], "more than goes with a request"),
        (lambda: [PNG] * 21, "more than goes with a request"),
    ],
)
def test_what_cannot_be_shown_is_a_notice(returned, says):
    """What no model can be given is said to the person, by the tool's name."""
    told = tool_result_of(returned(), "draw")
    (notice,) = told.notices
    assert says in notice
    assert "'draw'" in notice
    assert told.text


def test_a_notice_reaches_the_person(provider):
    """A notice of a result is one of the run."""

    def draw() -> bytes:
        """Draw."""
        return b"\x00\x01"

    run = nb.Agent(model=asked_for(provider, "chat", "draw"), tools=[draw]).start("q")
    notices = [event.text for event in run.events() if isinstance(event, NoticeGiven)]
    assert any("2 bytes of no kind" in notice for notice in notices)
