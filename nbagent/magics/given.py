"""What a launching line's flags give a run: context from the notebook or from files, limits, model settings.

Called by `commands.py` on the kernel's main thread; `lines.py` has parsed the flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.errors import UnknownNameError, close_match

if TYPE_CHECKING:
    from nbagent.agent import Agent
    from nbagent.context import Context
    from nbagent.magics.lines import Line

# flag -> the option that it is the flag of, and the field of Limits
_LIMITS = {
    "max_total_tokens": "max_total_tokens",
    "max_steps": "max_steps",
    "max_cost": "max_cost_usd",
    "max_output_tokens": "max_output_tokens",
}
_SETTINGS = ("temperature", "reasoning_effort")


def contexts_named(words: Sequence[str], names: Mapping[str, Any]) -> list[Context]:
    """Return what `-c` names: a variable of the notebook, else a file.

    Raises UnknownNameError for what is neither, and what `contexts_of` raises.
    """
    if not words:
        return []
    from nbagent.context import context_of, contexts_of, value_context

    limit = settings.get("max_context_bytes")
    found: list[Context] = []
    for word in dict.fromkeys(words):
        if word in names:
            found.append(value_context(names[word], word, max_bytes=limit))
        elif Path(word).expanduser().exists():
            found.append(context_of(word, max_bytes=limit))
        else:
            known = [*(name for name in names if not name.startswith("_")), *_files_beside(Path(word))]
            raise UnknownNameError(
                f"context {word!r} is no variable of the notebook and no file{close_match(word, known)}",
                "run the cell that defines it first, or give a file's path",
            )
    return list(contexts_of(found, max_bytes=limit))


def _files_beside(path: Path) -> list[str]:
    folder = path.expanduser().parent
    return [str(path.parent / one.name) for one in folder.iterdir()] if folder.is_dir() else []


def changes_of(agent: Agent, options: Line) -> dict[str, Any]:
    """Return the fields of `agent` that the line's limits and model settings change, by name."""
    from nbagent.agent import configured_limits

    given = {name: value for name in _LIMITS if (value := getattr(options, name)) is not None}
    changes: dict[str, Any] = {}
    if given:
        values = {_LIMITS[name]: settings.get(name, value) for name, value in given.items()}
        changes["limits"] = replace(agent.limits or configured_limits(), **values)
    tuned = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    if "max_output_tokens" in given:
        tuned["max_output_tokens"] = settings.get("max_output_tokens", given["max_output_tokens"])
    if tuned:
        changes["settings"] = replace(agent.settings, **tuned)
    return changes
