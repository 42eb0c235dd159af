"""Find the importable name of an agent, `module:name`: what a worker imports to have the same one. Any thread.

Nothing is imported here: a module counts once the notebook or script has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

from nbagent.errors import ConfigurationError

_NOT_FOR_OTHERS = frozenset(
    {"__main__", "__mp_main__", "builtins"}
)  # another process has others of that name
_MOST = 1_000
# by the agent's id, while no module has come: to look through all of them takes longer than the launch itself
_found: dict[int, tuple[int, list[str]]] = {}


def address_of(agent: Any, served: Callable[[], Collection[str]] = tuple) -> str:
    """Return `module:name` of this very object, where several modules have it one that is `served()`.

    Raises ConfigurationError for an agent that no module has: one made in a cell, or inside a function.
    """
    found = _known(agent) or sorted(_addresses(agent), key=lambda one: (one.count("."), len(one), one))
    if found:
        if len(_found) >= _MOST:
            _found.clear()
        _found[id(agent)] = len(sys.modules), found
        known = served() if len(found) > 1 else found
        return next((one for one in found if one in known), found[0])
    name = getattr(agent, "name", None) or type(agent).__name__
    raise ConfigurationError(
        f"agent {name!r} is in no module that a worker can import: it was made in a cell, or inside a function",
        "put %%agent_module agents.py at the top of the cell that makes it, "
        'or launch it in this kernel with on="kernel"',
    )


def _known(agent: Any) -> list[str]:
    """Where the agent was found before, if it is there still; else nothing."""
    modules, found = _found.get(id(agent), (0, []))
    return found if modules == len(sys.modules) and all(_at(one) is agent for one in found) else []


def _at(address: str) -> object:
    """What the name of an address says now; None where it says nothing."""
    module_name, _, name = address.partition(":")
    return getattr(sys.modules.get(module_name), name, None)


def _addresses(agent: Any) -> Iterator[str]:
    for module_name, module in list(sys.modules.items()):
        if module_name in _NOT_FOR_OTHERS or getattr(module, "__spec__", None) is None:
            continue
        try:
            names = list(vars(module).items())
        except TypeError:  # what stands for a module there may have no variables
            continue
        yield from (
            f"{module_name}:{name}" for name, value in names if value is agent and not name.startswith("__")
        )
