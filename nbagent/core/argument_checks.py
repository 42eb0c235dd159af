"""Check arguments of public functions: their values, their names, and what becomes of the call.

Each check raises UnknownOptionError: what was given, and what to give instead.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import opcode
import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from numbers import Integral, Real
from types import FrameType
from typing import Any, TypeVar

from nbagent.errors import PromptError, UnknownOptionError

T = TypeVar("T", bound=type)

_AWAIT = opcode.opmap["GET_AWAITABLE"]
_CACHE = opcode.opmap.get("CACHE", 0)

_OF_AGENTS = {
    "instructions": "description role system_prompt system_message prompt system goal backstory",
    "output_schema": "output_type response_model response_format output_model result_type schema",
    "model": "llm client chat_client model_id",
    "settings": "model_settings default_options temperature top_p max_tokens seed reasoning_effort options",
    "limits": "max_turns max_steps tool_call_limit timeout max_cost retries usage_limits recursion_limit max_iterations",
    "history_runs": "num_history_runs add_history_to_context memory num_history_messages",
    "tools": "toolsets functions toolkits capabilities",
    "name": "id agent_id agent_name",
    "members": "agents participants handoffs subagents",
    "on_approval": "approval_mode human_in_the_loop",
}
_OF_LAUNCHES = {
    "prompt": "input message messages query user_prompt question",
    "session": "thread thread_id conversation conversation_id message_history history",
    "output_schema": "output_type response_model response_format result_type schema",
    "files": "images videos audio file attachments context",
    "tags": "metadata user_id",
    "timeout": "timeout_s time_limit",
    "on_text": "on_token on_progress callback progress_callback",
    "label": "name run_name",
}
_OF_MAPS = {
    "template": "prompt prompts message",
    "rows": "df data frame table items inputs",
    "max_concurrency": "concurrency max_workers n_jobs workers jobs batch_size max_concurrent",
    "max_cost": "budget max_cost_usd",
    "max_tokens": "max_total_tokens",
    "group": "rows_per_prompt",
    "repeat": "n samples repeats",
    **_OF_LAUNCHES,
}
_ELSEWHERE = {
    "db": "every run is recorded by itself; the file is set with NBAGENT_STORE",
    "storage": "every run is recorded by itself; the file is set with NBAGENT_STORE",
    "markdown": "leave it out: a card lays Markdown out",
    "debug_mode": "leave it out; run.events() and the panel show every step",
    "telemetry": "leave it out: nothing is sent",
    "deps": "give tools what they need by a closure or an object's methods",
    "dependencies": "give tools what they need by a closure or an object's methods",
    "stream": "run.events() gives them, and agent.arun(..., stream=True)",
    "background": "start() always is; agent.run(..., background=True) and arun take it",
    "leader": "the Team's own model=, instructions= and tools= are its leader's",
    "delegate_to_all_members": 'give mode="broadcast"',
    "respond_directly": 'give mode="route"',
    "on_busy": 'set it on the agent: Agent(on_busy="parallel")',
    "session_state": "keep it in your notebook, and give tools an object that holds it",
}


def is_number(value: Any, at_least: float) -> bool:
    """Say whether this can bound anything: NaN is less than nothing, and a bool is no number here."""
    return not isinstance(value, bool) and isinstance(value, Real) and bool(value >= at_least)  # type: ignore[operator]


def unwrapped(value: Any) -> Any:
    """Return a scalar of numpy, or an array of no dimension, as Python's; all else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def unwrap_fields(one: Any, *names: str) -> None:
    """Make scalars of numpy in fields of a frozen dataclass Python's: databases and JSON take no others."""
    for name in names:
        value = getattr(one, name)
        if (plain := unwrapped(value)) is not value:
            object.__setattr__(one, name, plain)


def plain_number(value: Any) -> bool | float | None:
    """Return a bool, or a finite number as a float, whoever made it; None for all else."""
    value = unwrapped(value)
    if isinstance(value, bool):
        return value
    if not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:  # a whole number that no float holds
        return None


def check_seconds(name: str, value: Any) -> None:
    """Refuse what is no time to wait; None waits for the end, less than 0 not at all."""
    if value is not None and not is_number(value, float("-inf")):
        raise UnknownOptionError(f"{name} is {value!r:.80}", "give seconds, or None to wait for the end")


def check_count(name: str, value: Any, todo: str) -> None:
    """Refuse what is no whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise UnknownOptionError(f"{name} is {value!r:.80}", todo)


def check_text(name: str, value: Any, todo: str) -> None:
    """Refuse what is neither text nor None."""
    if value is not None and not isinstance(value, str):
        raise UnknownOptionError(f"{name} is {value!r:.80}", todo)


def check_mapping(name: str, value: Any, todo: str) -> None:
    """Refuse what is neither a mapping nor None."""
    if value is not None and not isinstance(value, Mapping):
        raise UnknownOptionError(f"{name} is {value!r:.80}", todo)


def check_callable(name: str, value: Any) -> None:
    """Refuse what is neither a function nor None."""
    if value is not None and not callable(value):
        raise UnknownOptionError(f"{name} is {value!r:.80}", "give a function, or leave it out")


def check_tags(value: Any) -> None:
    """Refuse what is no mapping of tags."""
    check_mapping("tags", value, 'give it as a mapping, as in tags={"project": "q3"}')


def check_prompt(value: Any) -> None:
    """Refuse what is no text. Raises PromptError."""
    if not isinstance(value, str):
        raise PromptError(f"the prompt is {value!r}", "give it as text; other values go in files=[...]")


def check_path(value: Any) -> None:
    """Refuse what is no path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise UnknownOptionError(f"{value!r:.80} is no path", 'give a file, as in "runs.csv"')


def check_launch(*, label: Any, cell_id: Any, tags: Any, run_id: Any = None) -> None:
    """Refuse names and tags of a launch that the record cannot hold."""
    check_text("label", label, "give it as text: the name by which nb.get finds it")
    check_text("run_id", run_id, "give it as text, or leave it out for a new id")
    check_text("cell_id", cell_id, "give it as text, or leave it out")
    check_tags(tags)


def check_keywords(called: Callable[..., Any], unknown: Mapping[str, Any]) -> None:
    """Refuse keywords that a verb or class does not take, saying what they are called here.

    Raises UnknownOptionError for the first of them.
    """
    for word in unknown:
        where = called.__name__
        taken = [name for name in inspect.signature(called).parameters if name not in {"self", "unknown"}]
        table = _OF_MAPS if where == "map" else _OF_LAUNCHES if where[0].islower() else _OF_AGENTS
        here = [name for name, words in table.items() if word in words.split() and name in taken]
        close = here or difflib.get_close_matches(word, taken, n=1)
        if close:
            todo = f"it is called {close[0]}= here"
        elif word in _ELSEWHERE:
            todo = _ELSEWHERE[word]
        elif where[0].islower() and any(word in words.split() for words in _OF_AGENTS.values()):
            todo = "it is the agent's: dataclasses.replace(agent, ...) makes one with another"
        else:
            todo = f"it takes {', '.join(taken)}"
        raise UnknownOptionError(f"{where}({word}=...) is no option", todo)


def explains_keywords(cls: T) -> T:
    """Have a dataclass say what an unknown keyword is called here, where Python's own TypeError would not."""
    made: Callable[..., None] = cls.__init__  # type: ignore[misc]
    known = [name for name in inspect.signature(made).parameters if name != "self"]

    @functools.wraps(made)
    def __init__(self: Any, *args: Any, **fields: Any) -> None:  # noqa: N807 - it takes the class's place
        check_keywords(cls, {name: fields[name] for name in fields if name not in known})
        made(self, *args, **fields)

    cls.__init__ = __init__  # type: ignore[misc]
    return cls


def is_awaited(frame: FrameType | None) -> bool:
    """Say whether a caller awaits what this call returns: the next thing that its code does is an await."""
    if frame is None:
        return False
    code, place = frame.f_code.co_code, frame.f_lasti + 2
    while place < len(code) and code[place] == _CACHE:
        place += 2
    return place < len(code) and code[place] == _AWAIT
