"""Plain async functions and generators as guests: called with the prompt; what they give is the answer."""

from __future__ import annotations

import functools
import inspect
from contextlib import aclosing
from typing import Any

from nbagent.guests.guest_spec import Description
from nbagent.guests.task import GuestTask, call_fitting

FRAMEWORK = "function"


def describe(function: Any) -> Description:
    """Say what is known before a run: its name and what its docstring says."""
    plain = _plain(function)
    name = getattr(plain, "__name__", None) or type(plain).__name__
    return Description(name=None if name == "<lambda>" else name, instructions=inspect.getdoc(plain) or "")


def is_async(obj: Any) -> bool:
    """Say whether this is an async function or generator, or an object that is called as one."""
    plain = _plain(obj)
    called = plain if inspect.isroutine(plain) else getattr(type(plain), "__call__", None)  # noqa: B004 - the method itself
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)


async def run(function: Any, task: GuestTask) -> Any:
    """Call it: text that a generator yields is text as it comes, its last other value the output."""
    given = function(task.called_with(lambda: None)) if task.input is not None else call_fitting(
        function, task.prompt, task.history
    )  # fmt: skip
    if not hasattr(given, "__aiter__"):
        return await given
    pieces: list[str] = []
    value: Any = None
    async with aclosing(given) as coming:
        async for piece in coming:
            if isinstance(piece, str):
                pieces.append(piece)
                task.report.text(piece)
            else:
                value = piece
    return "".join(pieces) if value is None else value


def _plain(obj: Any) -> Any:
    while isinstance(obj, functools.partial):
        obj = obj.func
    return obj
