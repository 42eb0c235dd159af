"""What a person sees of a traceback: the own frames, and one line for those of libraries."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import nbagent as nb
from nbagent.run import own_frames, where_raised

HEAD = "Traceback (most recent call last):"
LIBRARY = (
    '  File "/home/u/.venv/lib/python3.12/site-packages/{}/a.py", line 3, in work\n    call()\n    ^^^^^^'
)


def _mine() -> None:
    json.loads("{no json")


async def _in_tasks() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(_mine))


def _chained() -> None:
    try:
        _mine()
    except ValueError as error:
        raise RuntimeError("while reading") from error


def _endless(number: int = 0) -> int:
    return _endless(number + 1)


RAISING: dict[str, tuple[Callable[[], Any], str]] = {
    "of Python's own modules": (_mine, "_mine"),
    "of several exceptions": (lambda: asyncio.run(_in_tasks()), "_mine"),
    "of one after another": (_chained, "_chained"),
    "of a recursion": (_endless, "_endless"),
}


@pytest.mark.parametrize("kind", RAISING)
def test_own_frames_stay_and_libraries_are_a_line(kind: str) -> None:
    """Tracebacks as Python writes them: also of groups, chains and recursions; what was raised is said whole."""
    raising, name = RAISING[kind]
    try:
        raising()
    except BaseException as error:  # noqa: BLE001 - groups and a RecursionError too
        whole = "".join(traceback.format_exception(error))
    shown = own_frames(whole)
    assert f", in {name}" in shown
    assert (" of Python]" in shown) == (kind != "of a recursion")
    assert "json/decoder.py" not in shown
    assert whole.splitlines()[-1] in shown
    assert where_raised(whole).startswith(f"{name} ({__file__}, line ")


@pytest.mark.parametrize("cell", ["/var/ipykernel_7/123.py", "<ipython-input-3-abc>"])
def test_a_cell_is_the_users_and_libraries_are_named(cell: str) -> None:
    """A frame of a cell stays wherever IPython says that it is; of many libraries four are named."""
    libraries = [LIBRARY.format(name) for name in ("agno", "httpx", "openai", "pydantic", "anyio", "agno")]
    frame = f'  File "{cell}", line 2, in price\n    return prices[ticker]\n           ~~~~~~^^^^^^^^'
    whole = "\n".join(
        [
            HEAD,
            *libraries,
            frame,
            LIBRARY.format("agno"),
            "    KeyError: as a library says it",
            "KeyError: 'A'",
        ]
    )
    assert own_frames(whole).splitlines() == [
        HEAD, "  [6 frames of agno, httpx, openai, pydantic, ...]", *frame.splitlines(),
        "  [1 frame of agno]", "KeyError: 'A'",
    ]  # fmt: skip
    assert where_raised(whole) == "price (a cell, line 2): return prices[ticker]"


@pytest.mark.parametrize("text", ["", "no traceback", "Traceback\n  File", '  File "x.py", line 1'])
def test_other_text_is_shown_as_it_is(text: str) -> None:
    """A record may hold anything."""
    assert own_frames(text) == text
    assert isinstance(where_raised(text), str)


def test_the_error_of_a_run_says_where_in_ones_own_code_it_was() -> None:
    """Two lines, the second with the place; the record has all frames, and a key is said to be one."""

    async def price(prompt: str) -> str:
        return {"NVDA": "180.5"}[prompt]

    run = nb.guest(price).start("NVD")
    with pytest.raises(nb.RunError) as raised:
        run.result()
    what, todo = str(raised.value).splitlines()
    assert what == "KeyError: 'NVD'"
    assert todo.startswith(f"raised in price ({__file__}, line ")
    assert todo.endswith(': return {"NVDA": "180.5"}[prompt]; run.output.traceback has the whole')
    assert "nbagent/guests" in (nb.get(run.run_id).output.traceback or "")
