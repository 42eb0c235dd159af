"""Agents and models that are asked the same, by the names under which they are shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbagent.agent import Agent
from nbagent.errors import UnknownModelError
from nbagent.models import Model, model_name, resolve_model


def contenders_of(given: Any, verb: str) -> dict[str, Any]:
    """Return agents by the names under which they are shown; equal names are told apart by a number.

    Raises UnknownModelError, in which `verb` is what was called.
    """
    if isinstance(given, Mapping):
        return {str(name): _agent(one, verb) for name, one in given.items()}
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    found: dict[str, Any] = {}
    for one in several:
        agent = _agent(one, verb)
        name = one if isinstance(one, str) else _name(one, agent)
        while name in found:
            stem, _, number = name.rpartition("#")
            name = f"{stem}#{int(number) + 1}" if stem and number.isdigit() else f"{name}#2"
        found[name] = agent
    if not found:
        raise UnknownModelError(
            f"{verb} was given no agent and no model", 'give some, as in ["openai:gpt-5-mini"]'
        )
    return found


def _agent(one: Any, verb: str) -> Any:
    """Return an agent for a model, a guest for another framework's; whatever can start runs is one already."""
    if hasattr(one, "start"):
        return one
    if isinstance(one, str | Model | list | tuple):
        return Agent(model=one)
    from nbagent.guests import as_runnable  # other frameworks' objects: not at import

    if (runnable := as_runnable(one)) is not None:
        return runnable
    raise UnknownModelError(
        f"{verb} cannot run {one!r}",
        'give Agents, model objects, "provider:name" strings, or lists of models to fall back on',
    )


def _name(one: Any, agent: Any) -> str:
    return str(agent.name) if hasattr(agent, "obj") or one is agent else model_name(resolve_model(one))
