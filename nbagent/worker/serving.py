"""What a worker serves: the agents and teams of modules, by their addresses `module:name`. On the main thread, at its start."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from nbagent.core import dump_json
from nbagent.errors import ConfigurationError, did_you_mean
from nbagent.runtime import ResolvedAgent, check_models


@dataclass(frozen=True)
class Served:
    """Agents by their addresses, as they are when the worker starts."""

    agents: Mapping[str, ResolvedAgent]

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """What a conversation depends on, of each: its tools and its schema, a team's members' included."""
        return {address: _fingerprint(agent.spec.to_data()) for address, agent in self.agents.items()}

    @cached_property
    def queue(self) -> str:
        """The name that workers share which serve the same."""
        told = "\n".join(f"{address} {mark}" for address, mark in sorted(self.fingerprints.items()))
        return f"nbagent-{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"

    def sources(self, address: str) -> list[ResolvedAgent]:
        """The agents that a run of this address is looked for in: its own first."""
        own = self.agents[address]
        return [own, *(one for one in self.agents.values() if one is not own)]


def served(names: Sequence[str]) -> Served:
    """Import what `module` (all of its agents) and `module:name` name. Raises ConfigurationError, and what `check_models` does."""
    if not names:
        raise ConfigurationError(
            "a worker needs to know which agents it serves",
            "name them: nbagent worker agents:desk, or a whole module",
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found: dict[str, Any] = {}
    for name in names:
        found |= dict(_found(name))
    agents = {address: one.resolved() for address, one in found.items()}
    for agent in agents.values():
        check_models(agent)
    return Served(agents)


def _found(name: str) -> Iterator[tuple[str, Any]]:
    module_name, _, variable = name.partition(":")
    module = _module(module_name)
    there = {key: value for key, value in vars(module).items() if _is_agent(value)}
    if not variable:
        if not there:
            raise ConfigurationError(
                f"module {module_name!r} has no agent", "name a module with an Agent or a Team in a variable"
            )
        yield from ((f"{module_name}:{key}", value) for key, value in there.items())
        return
    if variable not in there:
        is_there = hasattr(module, variable)
        what = f"{name!r} is no agent" if is_there else f"module {module_name!r} has no {variable!r}"
        raise ConfigurationError(
            f"{what}{did_you_mean(variable, there)}", f"its agents: {', '.join(sorted(there)) or 'none'}"
        )
    yield name, there[variable]


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(
            f"module {name!r} cannot be imported: {type(error).__name__}: {said}",
            "start the worker in the folder of the module, or install it; `python -c 'import MODULE'` shows more",
        ) from error


def _is_agent(value: Any) -> bool:
    return callable(getattr(type(value), "resolved", None))


def _fingerprint(data: Mapping[str, Any]) -> str:
    return hashlib.blake2b(dump_json(_told(data)), digest_size=8).hexdigest()


def _told(data: Mapping[str, Any]) -> Any:
    members = [_told(one) for one in data.get("members", ())]
    return [data["name"], data.get("tools"), data.get("output_schema"), data.get("guest"), members]
