"""Files that go with each row: a column of paths, pictures or tables; each row has its own, and what cannot be sent fails alone."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

import nbagent as nb
from nbagent.errors import ConfigurationError, TemplateError, UnknownOptionError
from tests.provider.chat_wire import text_reply
from tests.provider.server import Request
from tests.provider.steps import error


def png(shade: int) -> bytes:
    """A picture of one colour."""
    drawn = io.BytesIO()
    Image.new("RGB", (2, 2), (shade, 0, 0)).save(drawn, format="PNG")
    return drawn.getvalue()


def sent(request: Request) -> tuple[str, list[bytes]]:
    """The words and the pictures of a request."""
    content = request.body["messages"][-1]["content"]
    if isinstance(content, str):
        return content, []
    words = "".join(part["text"] for part in content if part["type"] == "text")
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    return words, [base64.b64decode(url.partition("base64,")[2]) for url in urls]


def shade_of(request: Request) -> Any:
    """Answer with the shades of the pictures."""
    words, pictures = sent(request)
    shades = [Image.open(io.BytesIO(one)).getpixel((0, 0))[0] for one in pictures]
    return text_reply(f"{words} {shades}")


def as_path(shade: int, folder: Path) -> str:
    path = folder / f"{shade}.png"
    path.write_bytes(png(shade))
    return str(path)


HOLDERS = {
    "text": as_path,
    "path": lambda shade, folder: Path(as_path(shade, folder)),
    "bytes": lambda shade, _: png(shade),
    "image": lambda shade, _: Image.open(io.BytesIO(png(shade))),
    "list": lambda shade, folder: [as_path(shade, folder), png(shade + 1)],
}


@pytest.mark.parametrize("dedupe", [False, True])
def test_the_picture_alone_tells_the_rows_apart(agent, provider, dedupe):
    """A template without the row is no mistake where a file goes with it; equal pictures are one question."""
    provider.otherwise(shade_of)
    photos = pd.Series([png(10), png(20), png(10)], dtype=object)
    frame = agent.map(photos, "Which shade?", files="row", dedupe=dedupe).result(60)
    assert list(frame["content"]) == ["Which shade? [10]", "Which shade? [20]", "Which shade? [10]"]
    assert len(provider.requests) == (2 if dedupe else 3)


@pytest.mark.parametrize("kind", HOLDERS)
def test_each_row_has_its_own_picture(agent, provider, tmp_path, kind):
    """Paths, bytes, images and lists of them; a missing one is no file; the column comes back as it was."""
    provider.otherwise(shade_of)
    values = [HOLDERS[kind](10, tmp_path), None, HOLDERS[kind](30, tmp_path)]
    table = pd.DataFrame({"n": [1, 2, 3], "photo": pd.Series(values, dtype=object)})
    frame = agent.map(table, "row {{ row.n }}", files="photo").result(60)
    more = ["11", "31"] if kind == "list" else []
    shades = [", ".join(["10", *more[:1]]), "", ", ".join(["30", *more[1:]])]
    assert list(frame["content"]) == [f"row {n} [{shade}]" for n, shade in enumerate(shades, start=1)]
    assert all(new is old or new == old for new, old in zip(frame["photo"], values, strict=True))


def test_rows_with_one_prompt_and_different_pictures_are_different(agent, provider):
    """Neither `dedupe` nor what an earlier batch has answered takes one picture for another."""
    provider.otherwise(shade_of)
    table = pd.DataFrame({"n": [1, 1, 1], "photo": [png(10), png(20), png(10)]})
    frame = agent.map(table, "row {{ row.n }}", files="photo", dedupe=True).result(60)
    assert list(frame["content"]) == ["row 1 [10]", "row 1 [20]", "row 1 [10]"]
    assert len(provider.requests) == 2
    table["photo"] = [png(20), png(30), png(10)]
    frame = agent.map(table, "row {{ row.n }}", files="photo").result(60)
    assert list(frame["content"]) == ["row 1 [20]", "row 1 [30]", "row 1 [10]"]
    assert len(provider.requests) == 3


@pytest.mark.parametrize("bad", ["no such file.png", b"no picture", "/"], ids=repr)
def test_a_file_that_cannot_be_sent_fails_its_row(agent, provider, bad):
    """The first row's as any other's: its error says what is wrong, the others are asked."""
    provider.otherwise(shade_of)
    table = pd.DataFrame({"n": [1, 2], "photo": pd.Series([bad, png(20)], dtype=object)})
    frame = agent.map(table, "row {{ row.n }}", files="photo").result(60)
    assert list(frame["status"]) == ["error", "completed"]
    assert frame["content"].iloc[1] == "row 2 [20]"
    assert len(provider.requests) == 1


def test_tables_and_texts_follow_the_prompt(agent, provider, tmp_path):
    """What is no picture is text after the prompt, marked as data; rows that are no records are themselves the file."""
    provider.otherwise(shade_of)
    notes = tmp_path / "notes.txt"
    notes.write_text("a note")
    rows = [{"n": 1, "a": notes, "b": pd.DataFrame({"x": [7]})}]
    content = agent.map(rows, "row {{ row.n }}", files=["a", "b"]).result(60)["content"].iloc[0]
    assert "a note" in content
    assert "x\n7" in content
    frame = agent.map([str(notes)], "see {{ row }}", files="row").result(60)
    assert "a note" in frame["content"].iloc[0]


def test_failed_rows_are_asked_again_with_their_pictures(agent, provider):
    """In the kernel that has the rows; elsewhere they are wanted, and nothing is asked without its picture."""
    provider.otherwise(error(400, "no"))
    table = pd.DataFrame({"n": [1, 2], "photo": [png(10), png(20)]})
    batch = agent.map(table, "row {{ row.n }}", files="photo", label="photos")
    assert batch.result(60)["status"].tolist() == ["error", "error"]
    provider.otherwise(shade_of)
    assert list(batch.retry_failed().result(60)["content"]) == ["row 1 [10]", "row 2 [20]"]
    provider.otherwise(error(400, "no"))
    agent.map(table, "again {{ row.n }}", files="photo", label="later").wait(60)
    recorded = FromTheRecord.of("later")
    provider.otherwise(shade_of)
    with pytest.raises(ConfigurationError, match="needs the rows themselves"):
        recorded.retry_failed(agent=agent)
    found = recorded.retry_failed(agent=agent, rows=table).result(60)
    assert list(found["content"]) == ["again 1 [10]", "again 2 [20]"]


class FromTheRecord:
    """A batch as another kernel has it."""

    @staticmethod
    def of(label: str) -> nb.Batch:
        from nbagent.batch.start import recorded_batch

        ids = nb.sql(f"select batch_id from batches where label = '{label}'")  # noqa: S608 - a test's own label
        found = recorded_batch(ids["batch_id"].iloc[-1])
        assert found is not None
        return found


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"files": "foto"}, TemplateError, r"no column 'foto' \(did you mean 'photo'\?\), given as files"),
        ({"files": "photo", "group": 2}, UnknownOptionError, "files go with each row's own prompt"),
        ({"files": ["photo", "x"]}, TemplateError, "no column 'x'"),
    ],
    ids=str,
)
def test_mistakes_are_told_before_anything_is_sent(agent, provider, options, kind, said):
    """A column that is not there, or options that do not go together: two lines."""
    table = pd.DataFrame({"n": [1], "photo": [png(10)]})
    with pytest.raises(kind, match=said):
        agent.map(table, "row {{ row.n }}", **options)
    assert provider.requests == []
