"""What a launching line's flags give a run: context from the notebook or from files, limits, model settings.

Called by `commands.py` on the kernel's main thread; `parsers.py` has parsed the flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbagent import settings
from nbagent.errors import UnknownNameError, UnknownOptionError, did_you_mean

if TYPE_CHECKING:
    from nbagent.agent import Agent
    from nbagent.magics.parsers import Line
    from nbagent.prompts import Attachment

_LIMITS = ("max_total_tokens", "max_steps", "max_cost", "max_output_tokens")
_SETTINGS = ("temperature", "reasoning_effort")


def contexts_named(words: Sequence[str], names: Mapping[str, Any]) -> list[Attachment]:
    """Return what `-c` names: a variable of the notebook, else a file.

    Raises UnknownNameError for what is neither, and what `attachments_of` raises.
    """
    if not words:
        return []
    from nbagent.prompts import attach_value, attachment_of, attachments_of

    limit = settings.get("max_context_bytes")
    found: list[Attachment] = []
    for word in dict.fromkeys(words):
        if word in names:
            found.append(attach_value(names[word], word, max_bytes=limit))
        elif Path(word).expanduser().exists():
            found.append(attachment_of(word, max_bytes=limit))
        else:
            known = [*(name for name in names if not name.startswith("_")), *_files_in_folder(Path(word))]
            raise UnknownNameError(
                f"context {word!r} is no variable of the notebook and no file{did_you_mean(word, known)}",
                "run the cell that defines it first, or give a file's path",
            )
    return list(attachments_of(found, max_bytes=limit))


def _files_in_folder(path: Path) -> list[str]:
    folder = path.expanduser().parent
    return [str(path.parent / one.name) for one in folder.iterdir()] if folder.is_dir() else []


def launched_agent(options: Line, names: Mapping[str, Any]) -> Agent:
    """Return the agent that the line names, a team of those that `--members` names, or one as it is configured.

    Raises UnknownNameError for a name that is no agent's, UnknownOptionError for flags that exclude each
    other.
    """
    from nbagent.agent import Agent
    from nbagent.team import Team

    if options.members is None and options.mode is None:
        if options.agent:
            return agent_named(options.agent, names)
        return Agent(instructions=settings.get("instructions"))
    named = agent_named(options.agent, names) if options.agent else None
    if options.members is None:
        if not isinstance(named, Team):
            raise UnknownOptionError("--mode is a team's", "name a Team, or its members: --members a,b")
        return replace(named, mode=options.mode)
    if named is not None:
        raise UnknownOptionError(
            f"--members makes a team, and agent {options.agent!r} is named too", "leave one of them out"
        )
    members = [agent_named(name.strip(), names) for name in options.members.split(",") if name.strip()]
    return Team(
        members=_with_unique_names(members, options.members),
        mode=options.mode or "coordinate",
        instructions=settings.get("instructions"),
    )


def with_notebook(tools: Any, options: Line) -> list[Any]:
    """Return tools and those of the notebook, for what `--read` names: the same object for the same line in this kernel."""
    from nbagent.notebook_tools import Notebook, notebook

    read = tuple(name.strip() for name in (options.read or "").split(",") if name.strip())
    home: Notebook = _notebooks.setdefault(read, notebook(read=read, run=True))
    if not options.quiet:
        print(home.in_short())  # noqa: T201 - a magic talks to the person by printing under its cell
    return [*(tools if isinstance(tools, list | tuple) else [tools]), home]


_notebooks: dict[tuple[str, ...], Any] = {}


def agent_named(name: str, names: Mapping[str, Any]) -> Agent:
    """Return the notebook's agent or team of that name, another framework's agent as a guest. Raises UnknownNameError."""
    from nbagent.agent import Agent
    from nbagent.guests import as_runnable

    found = names.get(name)
    if not isinstance(found, Agent) and found is not None:
        found = as_runnable(found, name)
    if isinstance(found, Agent):
        return found
    known = [known for known, value in names.items() if isinstance(value, Agent)]
    what = "is no Agent" if name in names else "is not defined"
    raise UnknownNameError(
        f"agent {name!r} {what}{did_you_mean(name, known)}",
        f"make one: {name} = nbagent.Agent(...); quote a flag's value that holds spaces",
    )


def _with_unique_names(members: Sequence[Agent], line: str) -> list[Agent]:
    """Return the agents under their variables' names where they have none of their own."""
    from nbagent.agent import Agent

    variables = [name.strip() for name in line.split(",") if name.strip()]
    unnamed = Agent().name
    return [
        replace(member, name=variable) if member.name == unnamed else member
        for member, variable in zip(members, variables, strict=True)
    ]


def agent_overrides(agent: Agent, options: Line) -> dict[str, Any]:
    """Return the fields of `agent` that the line's limits and model settings change, by name."""
    from nbagent.spec import LIMIT_FIELDS, configured_limits

    given = {name: value for name in _LIMITS if (value := getattr(options, name)) is not None}
    changes: dict[str, Any] = {}
    if given:
        values = {LIMIT_FIELDS[name]: settings.get(name, value) for name, value in given.items()}
        changes["limits"] = replace(agent.limits or configured_limits(), **values)
    tuned = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    if "max_output_tokens" in given:
        tuned["max_output_tokens"] = settings.get("max_output_tokens", given["max_output_tokens"])
    if tuned:
        changes["settings"] = replace(agent.settings, **tuned)
    return changes
